package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

var propertyRules = []Rule{
	{
		ID: "client-property", Severity: hcl.DiagError, Summary: "Property that the Kafka client does not take",
		Doc: "The `properties` of a producer or consumer are ones that its Kafka client has, with values that it takes. mkt sends with franz-go and receives with librdkafka: a producer's are those of librdkafka's properties that franz-go has an equal of. " +
			"Refused are those of the connection, which the provider `kafka` describes, and those by which rows would be lost or doubled, such as `acks = \"1\"` or `isolation.level`.",
		Check: checkProperties,
	},
}

var secret = regexp.MustCompile(`password|secret|token|jaas|pem$`)

func checkProperties(p *Pipeline) (found []Finding) {
	if p.in.Property == nil {
		return nil
	}
	look := func(n *Node) {
		set, known := n.textMap("properties")
		if !known {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if err := p.in.Property(n.Addr.Kind, name, set[name]); err != nil {
				at := n.End() // whose line shows no secret
				if !secret.MatchString(name) {
					at = n.End("properties")
					at.Path = at.Path.IndexString(name)
				}
				found = append(found, Finding{At: at, Detail: fmt.Sprintf("The property %q: %s. Remove it, or change its value.", name, err)})
			}
		}
	}
	for _, producer := range p.Producers {
		look(producer.Node)
	}
	for _, consumer := range p.Consumers {
		look(consumer.Node)
	}
	return found
}

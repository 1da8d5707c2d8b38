package check

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/twmb/avro"
)

var subjectRules = []Rule{
	{
		ID: "subject-name", Severity: hcl.DiagWarning, Summary: "Subject is not named after the topic",
		Doc: "The subject that types a topic's values has a name that other clients find by themselves: `<topic>-value` (TopicNameStrategy, the default of Confluent's clients), the record's full name, or `<topic>-<record>`. " +
			"mkt itself works with any name; a connector or a console consumer does not.",
		Check: checkSubjectName,
	},
	{
		ID: "schema-compatible", Severity: hcl.DiagError, Summary: "Schema is not compatible",
		Doc: "A new schema is compatible with the subject's versions at the level that holds: the subject's own or else the registry's. `BACKWARD`, `FORWARD` and `FULL` look at the latest version, the `_TRANSITIVE` levels at all of them. " +
			"Only `plan` and `apply` know the versions; the registry has the last word.",
		Check: checkCompatible,
	},
}

func checkSubjectName(p *Pipeline) (found []Finding) {
	for _, producer := range p.Producers {
		topic, subject := producer.Topic.ID, producer.Subject.ID
		if topic == "" || subject == "" || subject == topic+"-value" {
			continue
		}
		if n := producer.Subject.Node; n != nil {
			text, _ := n.text("schema")
			if s, err := avro.Parse(text); err == nil {
				root := s.Root()
				full := root.Name
				if root.Namespace != "" && !strings.Contains(full, ".") {
					full = root.Namespace + "." + full
				}
				if subject == full || subject == topic+"-"+full {
					continue
				}
			}
		}
		what := "is not the one that clients look for"
		if strings.HasSuffix(subject, "-key") {
			what = "is one for keys"
		}
		others := []End{producer.End("topic")}
		if n := producer.Subject.Node; n != nil {
			others = append(others, n.End("name"))
		}
		found = append(found, Finding{At: producer.End("subject"), Others: others,
			Detail: fmt.Sprintf("The subject %q %s: for the values of the topic %q it is %q. mkt would work with it, connectors and consoles would not find the schema. Rename the subject.", subject, what, topic, topic+"-value")})
	}
	return found
}

func checkCompatible(p *Pipeline) (found []Finding) {
	if len(p.Facts.Subjects) == 0 {
		return nil
	}
	for _, subject := range p.nodes("schema_subject") {
		name, known := subject.text("name")
		text, known2 := subject.text("schema")
		facts, known3 := p.Facts.Subjects[name]
		if !known || !known2 || !known3 {
			continue
		}
		level := facts.Compatibility
		if own, known := subject.text("compatibility"); known && own != "" {
			level = own
		}
		schema, err := parseWith(facts.Types, text)
		if err != nil {
			continue
		}
		first := max(0, len(facts.Versions)-1)
		if strings.HasSuffix(level, "_TRANSITIVE") {
			first = 0
		}
		for i := len(facts.Versions) - 1; i >= first; i-- {
			old, err := parseWith(facts.Types, facts.Versions[i])
			if err != nil {
				continue
			}
			if why := incompatible(strings.TrimSuffix(level, "_TRANSITIVE"), schema, old); why != nil {
				found = append(found, Finding{At: subject.End("schema"), Others: []End{subject.End("compatibility")},
					Detail: fmt.Sprintf("Under %s the registry would refuse the schema, because of version %d: %s. Give new fields a default, and leave old ones in; or agree with all readers and writers on another level.", level, i+1, reason(why))})
				break
			}
		}
	}
	return found
}

// parseWith parses a schema that may refer to others.
func parseWith(types []string, schema string) (*avro.Schema, error) {
	var cache avro.SchemaCache
	for _, t := range types {
		if _, err := cache.Parse(t); err != nil {
			return nil, err
		}
	}
	return cache.Parse(schema)
}

func reason(err error) string {
	var c *avro.CompatibilityError
	if errors.As(err, &c) {
		return fmt.Sprintf("%s: %s", c.Path, c.Detail)
	}
	return err.Error()
}

// incompatible says why a schema may not follow an older one.
func incompatible(level string, schema, old *avro.Schema) error {
	backward := func() error { return avro.CheckCompatibility(old, schema) }
	forward := func() error { return avro.CheckCompatibility(schema, old) }
	switch level {
	case "BACKWARD":
		return backward()
	case "FORWARD":
		return forward()
	case "FULL":
		if err := backward(); err != nil {
			return err
		}
		return forward()
	}
	return nil
}

package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mkt/row"
)

var directoryRules = []Rule{{
	ID: "partition-by", Severity: hcl.DiagError, Summary: "No such field to name directories by",
	Doc: "The fields in braces of a consumer's `partition_by` are fields of the schema that types the topic, and plain enough to name a directory: strings, enums, booleans, " +
		"integers and dates. The field that `time` names is a date or a timestamp. Case matters. Otherwise the consumer would stop at the first record.",
	Check: checkPartitionBy,
}}

// inBraces finds the fields in partition_by.
var inBraces = regexp.MustCompile(`\{([^{}]+)\}`)

func checkPartitionBy(p *Pipeline) (found []Finding) {
	for _, c := range p.Consumers {
		by, known := c.text("partition_by")
		at, known2 := c.text("time")
		if !known || by == "" {
			continue
		}
		for _, subject := range p.subjectsOf(c.Topic) {
			schema, ok := shape(subject)
			if !ok {
				continue
			}
			for _, m := range inBraces.FindAllStringSubmatch(by, -1) {
				found = append(found, directoryFinding(c, subject, schema, "partition_by", m[1],
					"a string, an enum, a boolean, an integer or a date", row.String, row.Enum, row.Boolean, row.Int32, row.Int64, row.Date)...)
			}
			if known2 && at != "" {
				found = append(found, directoryFinding(c, subject, schema, "time", at, "a date or a timestamp", row.Date, row.Timestamp)...)
			}
		}
	}
	return found
}

// directoryFinding says that a field is not there, or of none of the types.
func directoryFinding(c *Consumer, subject *Node, schema row.Schema, attr, field, want string, types ...row.Type) []Finding {
	f := Finding{At: c.End(attr), Others: []End{subject.End("schema")}}
	of, ok := schema.Field(field)
	switch {
	case !ok:
		f.Detail = fmt.Sprintf("%s names the field %q, which is none of the schema %s. Its fields are %s.", attr, field, schema.Name, list(fieldNames(schema)))
		if i := slices.IndexFunc(schema.Fields, func(o row.Field) bool { return strings.EqualFold(o.Name, field) }); i >= 0 {
			f.Detail = fmt.Sprintf("%s names the field %q, and the schema %s has %q: case matters.", attr, field, schema.Name, schema.Fields[i].Name)
		}
	case !slices.Contains(types, of.Type):
		f.Detail = fmt.Sprintf("%s names the field %q, which is a %s in the schema %s. It must be %s.", attr, field, of.Type, schema.Name, want)
	default:
		return nil
	}
	return []Finding{f}
}

package check

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mkt/row"
)

var logicalRules = []Rule{
	{
		ID: "parquet-options", Severity: hcl.DiagWarning, Summary: "Parquet read without its types",
		Doc: "A file format of type `PARQUET` has `USE_LOGICAL_TYPE = TRUE` where dates, times, timestamps or decimals are loaded, and `BINARY_AS_TEXT = FALSE` where bytes are. " +
			"By Snowflake's defaults the ones are read as the numbers that they are stored as, and the others as text in UTF-8 (Snowflake: \"CREATE FILE FORMAT\", format type options).",
		Check: checkParquetOptions,
	},
	{
		ID: "avro-logical", Severity: hcl.DiagWarning, Summary: "Avro's dates are loaded as numbers",
		Doc: "No column of type `DATE`, `TIME` or `TIMESTAMP` is filled from files in Avro, and no `NUMBER` from a decimal in them: Snowflake has no option for Avro by which it would read logical types, and takes days, milliseconds and bytes " +
			"as they are stored. Write `json`, or `parquet` with `USE_LOGICAL_TYPE = TRUE`.",
		Check: checkAvroLogical,
	},
}

// logical reports whether a type is stored as another one with a note about what it means.
func logical(t row.Type) bool {
	return t == row.Date || t == row.Time || t == row.Timestamp || t == row.Decimal
}

// filled returns the first column of a mapping that a field of such a type fills.
func (m Mapping) filled(is func(row.Type) bool) (f row.Field, c Column, ok bool) {
	for _, c := range m.Columns {
		if f, fed := m.field(c.Name); fed && is(f.Type) && c.Field.Type != row.Variant {
			return f, c, true
		}
	}
	return row.Field{}, Column{}, false
}

func checkParquetOptions(p *Pipeline) (found []Finding) {
	for _, m := range p.mappings() {
		format := m.Pipe.Format.Node
		if kind, known := m.Consumer.text("format"); !known || kind != "parquet" || format == nil {
			continue
		}
		options, known := format.textMap("options")
		if !known {
			continue
		}
		for _, need := range []struct {
			option, value, how string
			is                 func(row.Type) bool
		}{
			{"USE_LOGICAL_TYPE", "TRUE", "the number that it is stored as", logical},
			{"BINARY_AS_TEXT", "FALSE", "text", func(t row.Type) bool { return t == row.Bytes }},
		} {
			f, c, filled := m.filled(need.is)
			at, set := format.End("options"), false
			for name, value := range options {
				if strings.EqualFold(name, need.option) {
					set = strings.EqualFold(value, need.value)
					at.Path = at.Path.IndexString(name)
				}
			}
			if !filled || set {
				continue
			}
			found = append(found, Finding{At: at, Others: []End{m.Consumer.End("format"), c.End, m.Subject.End("schema")},
				Detail: fmt.Sprintf("The field %q, of type %s, would be read as %s: a wrong value, or a bad row. Write options = { %s = %s }.", f.Name, f.Type, need.how, need.option, need.value)})
		}
	}
	return found
}

func checkAvroLogical(p *Pipeline) (found []Finding) {
	for _, m := range p.mappings() {
		if kind, known := m.Consumer.text("format"); !known || kind != "avro" {
			continue
		}
		if f, c, filled := m.filled(logical); filled {
			found = append(found, Finding{At: m.Consumer.End("format"), Others: []End{c.End, m.Subject.End("schema")},
				Detail: fmt.Sprintf("The field %q, of type %s, would be read as what it is stored as, and the column %q is not filled as it should: Snowflake does not know Avro's logical types. Use format = \"json\", or \"parquet\".", f.Name, f.Type, c.Name)})
		}
	}
	return found
}

package check

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"mkt/row"
)

var typeRules = []Rule{
	{
		ID: "type-fit", Severity: hcl.DiagError, Summary: "Field does not fit its column",
		Doc: "The type of every field fits the type of its column: a double is rounded by `NUMBER(38,0)`, a decimal by a smaller scale, a timestamp loses its time in a `DATE`, a text has no place in a `BINARY`. " +
			"Snowflake rounds without a word, or refuses the row.",
		Check: func(p *Pipeline) []Finding { return typeFindings(p, misfits) },
	},
	{
		ID: "type-range", Severity: hcl.DiagWarning, Summary: "Field has values that its column does not hold",
		Doc: "The range and precision of every field are within those of its column: a `long` has up to 19 digits and is exact in a `FLOAT` only up to 2^53, nanoseconds are cut by `TIMESTAMP_NTZ(6)`. " +
			"Silence it where the values are known to be small.",
		Check: func(p *Pipeline) []Finding { return typeFindings(p, outOfRange) },
	},
	{
		ID: "text-parsed", Severity: hcl.DiagWarning, Summary: "Text that Snowflake has to read as another type",
		Doc: "A `string` field that fills a `DATE`, a `NUMBER` or another column that is no text is read by Snowflake when it loads. A text that it cannot read is a bad row, and `ON_ERROR` decides what is lost. " +
			"Use the Avro type, such as `{\"type\": \"int\", \"logicalType\": \"date\"}`: then a bad value is found by the producer, with file and line.",
		Check: func(p *Pipeline) []Finding { return typeFindings(p, parsed) },
	},
	{
		ID: "text-format", Severity: hcl.DiagError, Summary: "File format reads dates otherwise than they are written",
		Doc: "In JSON the consumer writes dates as `2006-01-02`, times as `15:04:05.123`, timestamps as `2006-01-02T15:04:05.123Z` and bytes in hexadecimal. The file format's `DATE_FORMAT`, `TIME_FORMAT` and `TIMESTAMP_FORMAT` " +
			"are `AUTO` or fit that, and `BINARY_FORMAT` is `HEX`.",
		Check: checkTextFormat,
	},
	{
		ID: "string-length", Severity: hcl.DiagError, Summary: "Text longer than its column",
		Doc:   "The longest text in the first rows of the source fits the `VARCHAR(n)` of its column. A longer one is a bad row, unless the pipe has `TRUNCATECOLUMNS`, which cuts it.",
		Check: checkStringLength,
	},
}

// misfit is how a field fails to fit a column.
type misfit int

const (
	fits misfit = iota
	misfits
	outOfRange
	parsed
)

// judge holds a field against a column and says why it does not fit.
func judge(f row.Field, c Column) (misfit, string) {
	column := c.Field
	column.Nullable = true // nulls are the affair of not-null-fed
	problems := row.Fits(f, column)
	switch {
	case len(problems) == 0:
		return fits, ""
	case f.Type == row.Variant && column.Type == row.String:
		return fits, "" // loaded as the text of its JSON
	}
	why := string(problems[0])
	switch f.Type {
	case row.String, row.Enum:
		switch column.Type {
		case row.Date, row.Time, row.Timestamp, row.Decimal, row.Double, row.Boolean:
			return parsed, why
		}
	case row.Int32, row.Int64:
		if column.Type == row.Decimal || column.Type == row.Double {
			return outOfRange, why
		}
	case row.Decimal:
		if column.Type == row.Double || column.Type == row.Decimal && f.Scale <= column.Scale {
			return outOfRange, why
		}
	case row.Timestamp:
		if column.Type == row.Timestamp {
			return outOfRange, why
		}
	case row.Time:
		if column.Type == row.Time {
			return outOfRange, why
		}
	}
	return misfits, why
}

func typeFindings(p *Pipeline, kind misfit) (found []Finding) {
	for _, m := range p.mappings() {
		for _, c := range m.Columns {
			f, fed := m.field(c.Name)
			if !fed {
				continue
			}
			how, why := judge(f, c)
			if how != kind {
				continue
			}
			others := []End{m.Subject.End("schema")}
			advice := "Change the column's type or the field's."
			switch kind {
			case outOfRange:
				advice = "Choose a wider type for the column, or silence this where the values are known to fit."
			case parsed:
				others = append(others, m.Pipe.End("copy", "on_error"))
				advice = fmt.Sprintf("Snowflake reads the text, and if it cannot, %s. Give the field the Avro type of a %s.", consequence(m.Pipe), c.Field.Type)
			}
			found = append(found, Finding{At: c.End, Others: others,
				Detail: fmt.Sprintf("The field %q fills the column %s of type %s: it %s. %s", f.Name, c.Name, c.Type, why, advice)})
		}
	}
	return found
}

// written says which option of a file format reads a type, and how the consumer writes it.
var written = map[row.Type]struct{ option, form string }{
	row.Date:      {"DATE_FORMAT", "YYYY-MM-DD"},
	row.Time:      {"TIME_FORMAT", "HH24:MI:SS"},
	row.Timestamp: {"TIMESTAMP_FORMAT", "YYYY-MM-DDTHH24:MI:SS"},
	row.Bytes:     {"BINARY_FORMAT", "HEX"},
}

// reads reports whether a file format's option reads what the consumer writes.
func reads(t row.Type, value string) bool {
	up := strings.NewReplacer(`"T"`, "T", " ", "T", "MON", "?").Replace(strings.ToUpper(value))
	form := written[t].form
	switch t {
	case row.Date:
		return up == "AUTO" || up == form
	case row.Bytes:
		return up == form
	}
	return up == "AUTO" || strings.HasPrefix(up, form)
}

func checkTextFormat(p *Pipeline) (found []Finding) {
	for _, m := range p.mappings() {
		format := m.Pipe.Format.Node
		if kind, known := m.Consumer.text("format"); format == nil || known && kind != "json" { // others write no text
			continue
		}
		options, known := format.textMap("options")
		if !known {
			continue
		}
		seen := map[string]bool{}
		for _, c := range m.Columns {
			f, fed := m.field(c.Name)
			w, has := written[f.Type]
			if !fed || !has || f.Type != c.Field.Type {
				continue
			}
			for name, value := range options {
				if !strings.EqualFold(name, w.option) || reads(f.Type, value) || seen[w.option] {
					continue
				}
				seen[w.option] = true
				at := format.End("options")
				at.Path = at.Path.IndexString(name)
				found = append(found, Finding{At: at, Others: []End{m.Consumer.End("format"), c.End, m.Subject.End("schema")},
					Detail: fmt.Sprintf("The consumer writes the field %q as %s, and with %s = %q Snowflake would not read it: %s. Remove the option, or write %s.",
						f.Name, w.form, w.option, value, consequence(m.Pipe), w.form)})
			}
		}
	}
	return found
}

func checkStringLength(p *Pipeline) (found []Finding) {
	for _, m := range p.mappings() {
		options, known := m.Pipe.textMap("copy", "options")
		if !known || options["TRUNCATECOLUMNS"] == "TRUE" || options["ENFORCE_LENGTH"] == "FALSE" {
			continue
		}
		seen := map[string]bool{}
		for _, producer := range p.producersOf(m.Consumer.Topic) {
			rename, known := producer.textMap("source", "rename")
			if !known || producer.Subject.Node != m.Subject {
				continue
			}
			for _, file := range p.sources(producer) {
				for i, header := range file.Header {
					name := header
					if to, moved := rename[header]; moved {
						name = to
					}
					f, has := m.Schema.Field(name)
					c, fed := m.column(name)
					if !has || !fed || seen[name] || f.Type != row.String || c.Field.Type != row.String || c.Length == 0 {
						continue
					}
					line, longest := longestText(file.Rows, i)
					if longest <= c.Length {
						continue
					}
					seen[name] = true
					found = append(found, Finding{At: c.End, Others: []End{{File: file.Name, Line: line}, m.Pipe.End("copy", "on_error")},
						Detail: fmt.Sprintf("The source's column %q has a text of %d characters, and %s takes %d: %s. Make the column longer.", header, longest, c.Type, c.Length, consequence(m.Pipe))})
				}
			}
		}
	}
	return found
}

// longestText finds the longest text of a column, in characters, and about where it stands in its file.
func longestText(rows [][]string, column int) (line, longest int) {
	for n, r := range rows {
		if column < len(r) {
			if l := utf8.RuneCountInString(r[column]); l > longest {
				line, longest = n+2, l
			}
		}
	}
	return line, longest
}

package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mkt/row"
	"mkt/spec"
)

// rowNumber is how a producer's key names the row's number.
const rowNumber = "index"

var sourceRules = []Rule{
	{
		ID: "csv-header", Severity: hcl.DiagError, Summary: "Header does not fit the schema",
		Doc: "Every column of the source's header is a field of the subject's schema, under its own name, renamed by `rename`, or left out by `drop`; " +
			"and every field that has no default and may not be null has a column. Field names in Avro have letters, digits and `_` only, so a column such as " +
			"`Adj Close` always needs a rename. Without it the producer would stop, or the column be lost on the way to the table.",
		Check: checkHeader,
	},
	{
		ID: "key-column", Severity: hcl.DiagError, Summary: "No such column to key by",
		Doc: "The producer's `key` names a column of the source, or the field that a column is renamed to. `row.index` is the row's number, `row.Index` a column: " +
			"case matters.",
		Check: checkKeyColumn,
	},
	{
		ID: "key-null", Severity: hcl.DiagWarning, Summary: "Records without a key",
		Doc: "The key's column has a value in every row. Records without a key go to any partition, so their order is lost, and compaction drops them. " +
			"The first rows of the source are looked at.",
		Check: checkKeyNull,
	},
	{
		ID: "nan", Severity: hcl.DiagWarning, Summary: "Not a number",
		Doc: "JSON and Snowflake's JSON reader have no text for NaN and infinity. A source's row that holds one for a float or double field is a bad row; " +
			"a record that holds one cannot be written to a file and goes to the consumer's dead letters, or stops a consumer that has none.",
		Check: checkNaN,
	},
}

// shape is the schema of a subject of the stack; ok is false where it cannot be read from here.
func shape(subject *Node) (s row.Schema, ok bool) {
	if subject == nil {
		return s, false
	}
	text, known := subject.text("schema")
	if !known || text == "" {
		return s, false
	}
	s, err := row.FromAvro(text)
	return s, err == nil
}

// headers are a producer's files with different headers.
func (p *Pipeline) headers(producer *Producer) []SourceFile {
	var out []SourceFile
	for _, f := range p.sources(producer) {
		if !slices.ContainsFunc(out, func(o SourceFile) bool { return slices.Equal(o.Header, f.Header) }) {
			out = append(out, f)
		}
	}
	return out
}

func checkHeader(p *Pipeline) (found []Finding) {
	for _, producer := range p.Producers {
		schema, known := shape(producer.Subject.Node)
		rename, known2 := producer.textMap("source", "rename")
		drop, known3 := producer.texts("source", "drop")
		if !known || !known2 || !known3 {
			continue
		}
		for _, f := range p.headers(producer) {
			found = append(found, headerFindings(producer, schema, f, rename, drop)...)
		}
	}
	return found
}

func headerFindings(producer *Producer, schema row.Schema, f SourceFile, rename map[string]string, drop []string) (found []Finding) {
	others := []End{{File: f.Name, Line: 1}, producer.Subject.Node.End("schema")}
	report := func(at End, format string, args ...any) {
		found = append(found, Finding{At: at, Others: others, Detail: fmt.Sprintf(format, args...)})
	}
	renamed := func(column string) End {
		at := producer.End("source", "rename")
		at.Path = at.Path.IndexString(column)
		return at
	}
	filled := map[string]bool{}
	var strangers []string
	for _, column := range f.Header {
		name, moved := rename[column]
		if !moved {
			name = column
			if slices.Contains(drop, column) {
				continue
			}
		}
		of, field := schema.Field(name)
		switch {
		case !field && moved:
			report(renamed(column), "The column %q is renamed to %q, which is no field of the schema %s. Its fields are %s.", column, name, schema.Name, list(fieldNames(schema)))
		case !field:
			strangers = append(strangers, column)
		case filled[name]:
			report(producer.End("source", "path"), "Two columns of the source fill the field %q. Drop one of them: drop = [%q].", name, column)
		default:
			filled[name] = true
			if of.Type == row.Variant {
				report(producer.End("source", "path"), "The column %q fills the field %q, which is nested or of several types, and a column holds one plain value. Give the field a plain type, or drop the column.", column, name)
			}
		}
	}
	for _, column := range slices.Sorted(maps.Keys(rename)) {
		if !slices.Contains(f.Header, column) && !filled[rename[column]] {
			report(renamed(column), "The source has no column %q to rename. Its columns are %s.", column, list(quoted(f.Header)))
		}
	}
	meant := map[string]string{} // field by the column that was probably meant for it
	for _, column := range strangers {
		for _, field := range schema.Fields {
			if !filled[field.Name] && meant[column] == "" && row.Plain(field.Name) == row.Plain(column) {
				meant[column] = field.Name
				filled[field.Name] = true
			}
		}
		if to := meant[column]; to != "" {
			report(producer.End("source", "path"), "The column %q is no field of the schema %s, so it would not reach the table. The field %q is probably meant: add rename = { %q = %q } to the source.",
				column, schema.Name, to, column, to)
			continue
		}
		report(producer.End("source", "path"), "The column %q is no field of the schema %s. Add the field, rename the column to a field, or leave it out with drop = [%q].", column, schema.Name, column)
	}
	for _, field := range schema.Fields {
		if !filled[field.Name] && !field.HasDefault && !field.Nullable {
			report(producer.End("source", "path"), "No column fills the field %q of the schema %s, and it has neither a default nor may be null. Rename a column to it, or give the field a default.", field.Name, schema.Name)
		}
	}
	return found
}

func fieldNames(s row.Schema) []string {
	names := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		names[i] = f.Name
	}
	return names
}

// keyIndex is the place of the key's column in a header, -1 where it has none.
func keyIndex(key string, header []string, rename map[string]string) int {
	return slices.IndexFunc(header, func(column string) bool { return column == key || rename[column] == key })
}

func checkKeyColumn(p *Pipeline) (found []Finding) {
	for _, producer := range p.Producers {
		key, known := producer.text("key")
		rename, known2 := producer.textMap("source", "rename")
		if !known || !known2 || key == "" || key == rowNumber {
			continue
		}
		for _, f := range p.headers(producer) {
			if keyIndex(key, f.Header, rename) >= 0 {
				continue
			}
			hint := fmt.Sprintf("Its columns are %s.", list(quoted(f.Header)))
			if near := spec.DidYouMean(key, f.Header); near != "" {
				hint = near[1:] + " It has " + list(quoted(f.Header)) + "."
			}
			for _, column := range f.Header {
				if row.Plain(column) == row.Plain(key) {
					hint = fmt.Sprintf("Did you mean row[%q]?", column)
				}
			}
			found = append(found, Finding{At: producer.End("key"), Others: []End{{File: f.Name, Line: 1}},
				Detail: fmt.Sprintf("The source has no column %q. %s", key, hint)})
		}
	}
	return found
}

func checkKeyNull(p *Pipeline) (found []Finding) {
	for _, producer := range p.Producers {
		key, known := producer.text("key")
		rename, known2 := producer.textMap("source", "rename")
		null, known3 := producer.texts("source", "null")
		if !known || !known2 || !known3 || key == "" || key == rowNumber {
			continue
		}
		for _, f := range p.sources(producer) {
			at := keyIndex(key, f.Header, rename)
			if at < 0 {
				continue
			}
			empty := 0
			for _, r := range f.Rows {
				if at < len(r) && (r[at] == "" || slices.Contains(null, r[at])) {
					empty++
				}
			}
			if empty > 0 {
				found = append(found, Finding{At: producer.End("key"), Others: []End{{File: f.Name, Line: 1}},
					Detail: fmt.Sprintf("The column %q has no value in %d of the first %d rows, so these records have no key and no order. Choose a column that is always filled.", key, empty, len(f.Rows))})
				break
			}
		}
	}
	return found
}

func checkNaN(p *Pipeline) (found []Finding) {
	for _, producer := range p.Producers {
		found = append(found, nanInSource(p, producer)...)
	}
	for _, c := range p.Consumers {
		// mkt's producer refuses them, so what is left is what others send.
		if !c.absent("dead_letter") || c.Topic.none() || len(p.producersOf(c.Topic)) > 0 {
			continue
		}
		for _, subject := range p.subjectsOf(c.Topic) {
			schema, _ := shape(subject)
			var floats []string
			for _, f := range schema.Fields {
				if f.Type == row.Double || f.Type == row.Float {
					floats = append(floats, f.Name)
				}
			}
			if len(floats) > 0 {
				found = append(found, Finding{At: c.End(), Others: []End{subject.End("schema")},
					Detail: fmt.Sprintf("%s can be NaN or infinite, for which JSON has no text, and no producer of this stack keeps them out. Such a record stops this consumer, since it has no dead_letter block. Add one.", list(floats))})
			}
		}
	}
	return found
}

func nanInSource(p *Pipeline, producer *Producer) (found []Finding) {
	schema, known := shape(producer.Subject.Node)
	rename, known2 := producer.textMap("source", "rename")
	null, known3 := producer.texts("source", "null")
	if !known || !known2 || !known3 {
		return nil
	}
	seen := map[string]bool{}
	for _, f := range p.sources(producer) {
		for i, column := range f.Header {
			name := column
			if to, moved := rename[column]; moved {
				name = to
			}
			field, _ := schema.Field(name)
			if field.Type != row.Double && field.Type != row.Float || seen[column] {
				continue
			}
			for n, r := range f.Rows {
				if i < len(r) && isNaN(r[i]) && !slices.Contains(null, r[i]) {
					seen[column] = true
					found = append(found, Finding{At: producer.End("source"), Others: []End{{File: f.Name, Line: n + 2}, producer.Subject.Node.End("schema")},
						Detail: fmt.Sprintf("The column %q holds %q, which is no number to the producer: the row is a bad row (on_error decides). If it stands for no value, add it to null.", column, r[i])})
					break
				}
			}
		}
	}
	return found
}

func isNaN(text string) bool {
	switch strings.ToLower(strings.TrimLeft(text, "+-")) {
	case "nan", "inf", "infinity":
		return true
	}
	return false
}

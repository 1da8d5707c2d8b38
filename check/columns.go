package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/row"
)

var columnRules = []Rule{
	{
		ID: "no-column-matches", Severity: hcl.DiagError, Summary: "No field matches a column",
		Doc: "With `match_by_column_name`, at least one field of the schema has a column of its name. If none has, Snowflake loads rows of NULLs and says nothing.",
		Check: func(p *Pipeline) (found []Finding) {
			for _, m := range p.mappings() {
				if len(m.Schema.Fields) == 0 || m.matches() > 0 {
					continue
				}
				found = append(found, Finding{At: m.Pipe.End("copy", "into"), Others: []End{m.Table.End(), m.Subject.End("schema")},
					Detail: fmt.Sprintf("None of the fields %s has a column in %s (%s), so rows of NULLs would load silently. Is it the right table?%s",
						list(fieldNames(m.Schema)), m.Table.Addr, list(m.columnNames()), m.caseHint())})
			}
			return found
		},
	},
	{
		ID: "field-column", Severity: hcl.DiagError, Summary: "Field misses its column by its spelling",
		Doc: "A field that matches no column, but would if case, spaces and punctuation did not count, is taken for a slip: its values would silently stay out of the table, and the column be NULL. " +
			"Rename the field or the column; under `CASE_SENSITIVE` a column keeps its case only in double quotes.",
		Check: checkFieldColumn,
	},
	{
		ID: "field-dropped", Severity: hcl.DiagWarning, Summary: "Field without a column",
		Doc:   "Every field of the schema has a column in the table that the pipe loads. The values of one that has none are in the files and not in the table.",
		Check: checkFieldDropped,
	},
	{
		ID: "column-unfed", Severity: hcl.DiagWarning, Summary: "Column that is never filled",
		Doc:   "Every column of the table has a field of its name. One that has none is NULL in every row that the pipe loads: COPY with `match_by_column_name` does not use defaults.",
		Check: checkColumnUnfed,
	},
	{
		ID: "not-null-fed", Severity: hcl.DiagError, Summary: "Column that must not be NULL",
		Doc: "Every column with `nullable = false` has a field of its name, and that field may not be null. Otherwise rows are refused, and with `SKIP_FILE` the whole file with them: " +
			"its name stays registered, so it is not tried again.",
		Check: checkNotNull,
	},
}

// Column is a column of a table.
type Column struct {
	row.Field // Name as the server knows it, and the type
	Type      string
	End       End
}

// Mapping is how a schema's fields meet a table's columns under a pipe's match mode.
type Mapping struct {
	Load
	Table   *Node
	Subject *Node
	Schema  row.Schema
	Columns []Column
	exact   bool // CASE_SENSITIVE
}

// mappings returns what is known of how fields become columns, for every pipe that matches by name.
func (p *Pipeline) mappings() []Mapping {
	if p.maps == nil {
		p.maps = p.findMappings()
	}
	return p.maps
}

func (p *Pipeline) findMappings() []Mapping {
	all := []Mapping{}
	for _, l := range p.Loads {
		mode, known := l.Pipe.text("copy", "match_by_column_name")
		if !known || mode != "CASE_SENSITIVE" && mode != "CASE_INSENSITIVE" || l.Pipe.Table.Node == nil {
			continue
		}
		columns, ok := columnsOf(l.Pipe.Table.Node)
		if !ok {
			continue
		}
		for _, subject := range p.subjectsOf(l.Consumer.Topic) {
			if schema, ok := shape(subject); ok {
				all = append(all, Mapping{Load: l, Table: l.Pipe.Table.Node, Subject: subject, Schema: schema, Columns: columns, exact: mode == "CASE_SENSITIVE"})
			}
		}
	}
	return all
}

// columnsOf reads a table's columns; ok is false when some are unknown.
func columnsOf(table *Node) (columns []Column, ok bool) {
	v := table.get("column")
	if !v.IsWhollyKnown() || v.IsNull() {
		return nil, false
	}
	for i, e := range v.AsValueSlice() {
		name, typ := e.GetAttr("name"), e.GetAttr("type")
		if name.IsNull() || typ.IsNull() {
			return nil, false
		}
		f, err := row.FromSnowflake(typ.AsString())
		if err != nil {
			return nil, false
		}
		f.Name = resolve(name.AsString())
		if nullable := e.GetAttr("nullable"); nullable.Type() == cty.Bool && !nullable.IsNull() {
			f.Nullable = nullable.True()
		}
		at := table.End("column")
		at.Path = at.Path.IndexInt(i)
		columns = append(columns, Column{Field: f, Type: typ.AsString(), End: at})
	}
	return columns, true
}

// column is the column that takes a field.
func (m Mapping) column(field string) (Column, bool) {
	i := slices.IndexFunc(m.Columns, func(c Column) bool { return m.meets(field, c.Name) })
	if i < 0 {
		return Column{}, false
	}
	return m.Columns[i], true
}

func (m Mapping) meets(field, column string) bool {
	return field == column || !m.exact && strings.EqualFold(field, column)
}

// field is the field that fills a column.
func (m Mapping) field(column string) (row.Field, bool) {
	i := slices.IndexFunc(m.Schema.Fields, func(f row.Field) bool { return m.meets(f.Name, column) })
	if i < 0 {
		return row.Field{}, false
	}
	return m.Schema.Fields[i], true
}

// nearly is a column without a field that the field was probably meant for.
func (m Mapping) nearly(field string) (Column, bool) {
	for _, c := range m.Columns {
		if _, taken := m.field(c.Name); !taken && row.Plain(c.Name) == row.Plain(field) {
			return c, true
		}
	}
	return Column{}, false
}

func (m Mapping) matches() (n int) {
	for _, f := range m.Schema.Fields {
		if _, ok := m.column(f.Name); ok {
			n++
		}
	}
	return n
}

func (m Mapping) columnNames() []string {
	names := make([]string, len(m.Columns))
	for i, c := range m.Columns {
		names[i] = c.Name
	}
	return names
}

func (m Mapping) caseHint() string {
	for _, f := range m.Schema.Fields {
		if _, ok := m.nearly(f.Name); m.exact && ok {
			return " Under CASE_SENSITIVE the case counts, and a column's name without double quotes is upper case: use CASE_INSENSITIVE."
		}
	}
	return ""
}

func checkFieldColumn(p *Pipeline) (found []Finding) {
	for _, m := range p.mappings() {
		if m.matches() == 0 {
			continue // said as a whole
		}
		var byCase []string
		for _, f := range m.Schema.Fields {
			if _, ok := m.column(f.Name); ok {
				continue
			}
			c, ok := m.nearly(f.Name)
			switch {
			case !ok:
			case strings.EqualFold(c.Name, f.Name):
				byCase = append(byCase, f.Name)
			default:
				found = append(found, Finding{At: c.End, Others: []End{m.Subject.End("schema"), m.Pipe.End("copy", "match_by_column_name")},
					Detail: fmt.Sprintf("The field %q does not match the column %s, so its values would be lost and the column be NULL, silently. Give the field and the column one name.", f.Name, c.Name)})
			}
		}
		if len(byCase) > 0 {
			found = append(found, Finding{At: m.Pipe.End("copy", "match_by_column_name"), Others: []End{m.Subject.End("schema"), m.Table.End()},
				Detail: fmt.Sprintf("Under CASE_SENSITIVE %s would match no column, because a column's name without double quotes is upper case: the values would be lost and the columns be NULL, silently. Use CASE_INSENSITIVE.", list(quoted(byCase)))})
		}
	}
	return found
}

func have(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

func checkFieldDropped(p *Pipeline) (found []Finding) {
	for _, m := range p.mappings() {
		if m.matches() == 0 {
			continue
		}
		var dropped []string
		for _, f := range m.Schema.Fields {
			_, has := m.column(f.Name)
			_, near := m.nearly(f.Name)
			if !has && !near {
				dropped = append(dropped, f.Name)
			}
		}
		if len(dropped) > 0 {
			found = append(found, Finding{At: m.Table.End(), Others: []End{m.Subject.End("schema"), m.Pipe.End("copy")},
				Detail: fmt.Sprintf("%s of the schema %s %s no column here, so the values stay out of the table. Add a column, or silence this if they are not wanted.", list(quoted(dropped)), m.Schema.Name, have(len(dropped)))})
		}
	}
	return found
}

func checkColumnUnfed(p *Pipeline) (found []Finding) {
	for _, m := range p.mappings() {
		if m.matches() == 0 {
			continue
		}
		var names []string
		at := m.Table.End()
		for _, c := range m.Columns {
			if _, fed := m.field(c.Name); fed || !c.Nullable || m.meant(c) {
				continue
			}
			if names = append(names, c.Name); len(names) == 1 {
				at = c.End
			}
		}
		if len(names) > 0 {
			found = append(found, Finding{At: at, Others: []End{m.Subject.End("schema"), m.Pipe.End("copy")},
				Detail: fmt.Sprintf("No field of the schema %s is called %s, so the value is NULL in every row that %s loads; a default would not be used. Add a field, or remove the column.", m.Schema.Name, orList(names), m.Pipe.Addr)})
		}
	}
	return found
}

// meant reports whether field-column says what is wrong with the column.
func (m Mapping) meant(c Column) bool {
	for _, f := range m.Schema.Fields {
		if _, has := m.column(f.Name); !has && row.Plain(f.Name) == row.Plain(c.Name) {
			return true
		}
	}
	return false
}

func checkNotNull(p *Pipeline) (found []Finding) {
	for _, m := range p.mappings() {
		if m.matches() == 0 {
			continue
		}
		for _, c := range m.Columns {
			if c.Nullable || m.meant(c) {
				continue
			}
			f, fed := m.field(c.Name)
			switch {
			case !fed:
				found = append(found, Finding{At: c.End, Others: []End{m.Subject.End("schema"), m.Pipe.End("copy")},
					Detail: fmt.Sprintf("No field of the schema %s is called %s, and the column must not be NULL: no row would load. COPY does not use the column's default. Add a field, or let the column be NULL.", m.Schema.Name, c.Name)})
			case f.Nullable:
				found = append(found, Finding{At: c.End, Others: []End{m.Subject.End("schema"), m.Pipe.End("copy", "on_error")},
					Detail: fmt.Sprintf("The field %q may be null and the column %s may not: %s. Let the column be NULL, or take null out of the field's type.", f.Name, c.Name, consequence(m.Pipe))})
			}
		}
	}
	return found
}

// What COPY does with columns and fields that meet no other: Snowflake, "COPY INTO <table>", MATCH_BY_COLUMN_NAME.

// consequence says what a bad row does under the pipe's ON_ERROR.
func consequence(pipe *Pipe) string {
	word, known := pipe.text("copy", "on_error")
	switch {
	case !known:
		return "such a row does not load"
	case word == "CONTINUE":
		return "such a row is left out silently (ON_ERROR = CONTINUE)"
	case word == "" || word == "SKIP_FILE":
		return "one such row keeps all rows of its file out of the table, for good (ON_ERROR = SKIP_FILE)"
	}
	return "such rows, and with enough of them their file, are left out for good (ON_ERROR = " + word + ")"
}

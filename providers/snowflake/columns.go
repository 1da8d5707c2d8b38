package snowflake

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// column is one column of a table.
type column struct {
	name        Ident
	typ         string // canonical
	nullable    bool
	def         string // canonical SQL, "" for none
	comment     string
	renamedFrom Ident // "" for none
}

// columns takes a list of column blocks apart.
func columns(v cty.Value) []column {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return nil
	}
	var out []column
	for _, e := range v.AsValueSlice() {
		o := objectOf(e)
		c := column{typ: o.str("type"), nullable: !o.set("nullable") || o.boolean("nullable"), def: o.str("default"), comment: o.str("comment")}
		c.name, _ = ParseIdent(o.str("name"))
		if o.set("renamed_from") {
			c.renamedFrom, _ = ParseIdent(o.str("renamed_from"))
		}
		out = append(out, c)
	}
	return out
}

func (c column) value() cty.Value {
	from := cty.NullVal(cty.String)
	if c.renamedFrom != "" {
		from = text(c.renamedFrom.String())
	}
	return cty.ObjectVal(map[string]cty.Value{
		"name": text(c.name.String()), "type": text(c.typ), "nullable": cty.BoolVal(c.nullable), "default": orNull(c.def),
		"comment": text(c.comment), "renamed_from": from,
	})
}

// definition is the column's part of CREATE TABLE or ADD COLUMN.
func (c column) definition() string {
	s := c.name.SQL() + " " + c.typ
	if c.def != "" {
		s += " DEFAULT " + c.def
	}
	if !c.nullable {
		s += " NOT NULL"
	}
	if c.comment != "" {
		s += " COMMENT " + literal(c.comment)
	}
	return s
}

// pair is a column before and after a change.
type pair struct{ before, after column }

// columnDiff tells apart what happens to the columns of a table. Order means nothing.
type columnDiff struct {
	renamed, kept  []pair // kept are all that are there before and after, the renamed ones too
	added, dropped []column
}

func diffColumns(before, after []column) columnDiff {
	var d columnDiff
	old := map[Ident]column{}
	for _, c := range before {
		old[c.name] = c
	}
	stays := map[Ident]bool{}
	for _, c := range after {
		stays[c.name] = true
	}
	taken := map[Ident]bool{}
	for _, c := range after {
		if b, ok := old[c.name]; ok {
			taken[c.name] = true
			d.kept = append(d.kept, pair{b, c})
			continue
		}
		if b, ok := old[c.renamedFrom]; ok && c.renamedFrom != "" && !stays[c.renamedFrom] && !taken[c.renamedFrom] {
			taken[c.renamedFrom] = true
			d.renamed = append(d.renamed, pair{b, c})
			d.kept = append(d.kept, pair{b, c})
			continue
		}
		d.added = append(d.added, c)
	}
	for _, c := range before {
		if !taken[c.name] {
			d.dropped = append(d.dropped, c)
		}
	}
	return d
}

// columnsChange judges a change of the columns as a whole.
func columnsChange(before, after cty.Value) spec.Verdict {
	if !after.IsWhollyKnown() || before.IsNull() || after.IsNull() {
		return spec.Verdict{Act: spec.InPlace}
	}
	d := diffColumns(columns(before), columns(after))
	v := spec.Verdict{Act: spec.Same}
	if len(d.added)+len(d.dropped)+len(d.renamed) > 0 {
		v.Act = spec.InPlace
	}
	for _, p := range d.kept {
		v = strongest(v, p.change())
	}
	if len(d.dropped) > 0 && v.Act == spec.InPlace {
		names := make([]string, len(d.dropped))
		for i, c := range d.dropped {
			names[i] = c.name.String()
		}
		v.Loses = "the values of " + strings.Join(names, ", ")
		if len(d.added) > 0 {
			v.Loses += fmt.Sprintf(" (unless %s is a new name: then write renamed_from in its block)", d.added[0].name)
		}
	}
	return v
}

func (p pair) change() spec.Verdict {
	b, a := p.before, p.after
	v := typeChange(a.name.String(), b.typ, a.typ)
	if b.nullable != a.nullable || b.comment != a.comment {
		v = strongest(v, spec.Verdict{Act: spec.InPlace})
	}
	switch {
	case b.def == a.def:
	case a.def == "":
		v = strongest(v, spec.Verdict{Act: spec.InPlace})
	case b.def == "":
		v = strongest(v, spec.Verdict{Act: spec.Replace, Why: fmt.Sprintf("column %s: a default cannot be added to a column that exists", a.name)})
	default:
		v = strongest(v, spec.Verdict{Act: spec.Replace, Why: fmt.Sprintf("column %s: a default cannot be changed (%s to %s), only dropped", a.name, b.def, a.def)})
	}
	return v
}

// alterColumns gives the statements of a change in place: renamed, added, altered, and dropped last, so that the
// table never is without a column.
func alterColumns(n Name, before, after []column) []string {
	d := diffColumns(before, after)
	var out []string
	alter := func(format string, args ...any) {
		out = append(out, tableKind.alter(n, fmt.Sprintf(format, args...)))
	}
	for _, p := range d.renamed {
		alter("RENAME COLUMN %s TO %s", p.before.name.SQL(), p.after.name.SQL())
	}
	for _, c := range d.added {
		alter("ADD COLUMN %s", c.definition())
	}
	for _, p := range d.kept {
		name, b, a := p.after.name.SQL(), p.before, p.after
		if b.typ != a.typ {
			alter("ALTER COLUMN %s SET DATA TYPE %s", name, a.typ)
		}
		switch {
		case b.nullable && !a.nullable:
			alter("ALTER COLUMN %s SET NOT NULL", name)
		case !b.nullable && a.nullable:
			alter("ALTER COLUMN %s DROP NOT NULL", name)
		}
		if b.def != "" && a.def == "" {
			alter("ALTER COLUMN %s DROP DEFAULT", name)
		}
		if b.comment != a.comment {
			alter("ALTER COLUMN %s COMMENT %s", name, literal(a.comment))
		}
	}
	for _, c := range d.dropped {
		alter("DROP COLUMN %s", c.name.SQL())
	}
	return out
}

// checkColumns finds two columns of one resolved name, which Snowflake would refuse half-way through an apply.
func checkColumns(v cty.Value) []spec.Problem {
	list := v.GetAttr("column")
	if !list.IsKnown() || list.IsNull() {
		return nil
	}
	var problems []spec.Problem
	seen := map[Ident]int{}
	for i, e := range list.AsValueSlice() {
		o := objectOf(e)
		if !o.set("name") {
			continue
		}
		id, err := ParseIdent(o.str("name"))
		if err != nil {
			continue
		}
		if _, twice := seen[id]; twice {
			problems = append(problems, spec.Problem{Path: cty.GetAttrPath("column").IndexInt(i), Summary: "Column described twice",
				Detail: fmt.Sprintf("%s names the same column as block %d: names without double quotes are folded to upper case. Remove or rename one of the two.", o.str("name"), seen[id]+1)})
		}
		seen[id] = i
	}
	return problems
}

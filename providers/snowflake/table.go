package snowflake

import (
	"context"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Table describes snowflake_table.
var Table = &spec.Kind{
	Name: "snowflake_table", System: System, HoldsData: true,
	Doc: "A table. Columns are told apart by name: new ones are added at the end, and another order in the stack changes nothing.",
	Example: `snowflake_table "prices" {
  schema = "MARKET.RAW"
  column "Index" { type = "VARCHAR(256)" }
  column "Date" { type = "DATE" }
  column "Close" { type = "FLOAT" }
}
`,
	ID: idOf("schema"), Namespace: "snowflake table",
	Attrs: append(nameAttrs("Name of the table.", "schema", "Schema that holds the table.", "snowflake_schema"),
		spec.Attr{Name: "cluster_by", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String), Doc: "Expressions that rows are clustered by.",
			Norm: func(v cty.Value) cty.Value {
				return eachText(v, func(s string) string { return canonical(s) })
			}, Change: spec.Updated},
		spec.Attr{Name: "transient", Type: cty.Bool, Optional: true, Computed: true,
			Doc:    "Whether Snowflake keeps no fail-safe of the table, and at most one day of time travel. The schema decides when it is not set: a transient one has transient tables alone.",
			Change: spec.Replaced("a table cannot be made transient, or permanent, once it exists")},
		retentionAttr(), commentAttr(),
	),
	Blocks: []spec.Nested{{
		Name: "column", Label: "name", Min: 1, Doc: "A column.",
		Attrs: []spec.Attr{
			{Name: "name", Type: cty.String, Label: true, Doc: "Name of the column. Without double quotes it is folded to upper case.", Check: checkName(1), Norm: normName},
			{Name: "type", Type: cty.String, Required: true, Doc: "Type, in any of Snowflake's spellings: `VARCHAR(256)`, `NUMBER(10,2)`, `FLOAT`, `DATE` … A longer VARCHAR and a higher precision are changed in place; any other change needs a new table.",
				Check: checkType, Norm: normType},
			{Name: "nullable", Type: cty.Bool, Default: cty.True, Doc: "Whether the column may be NULL."},
			{Name: "default", Type: cty.String, Doc: "SQL expression of the value where none is given. Dropping one is done in place; adding or changing one needs a new table.", Norm: canonicalExpr},
			{Name: "comment", Type: cty.String, Default: text(""), Doc: "Comment."},
			{Name: "renamed_from", Type: cty.String, Doc: "Former name of the column: it is renamed, and keeps its values. May stay in the stack.", Check: checkName(1), Norm: normName},
		},
		Change: columnsChange,
	}},
	Check: func(v cty.Value) []spec.Problem { return append(checkColumns(v), checkTransient(objectOf(v))...) },
}

// checkTransient refuses more time travel than a transient table has (Snowflake: "Working with temporary and transient tables").
func checkTransient(o object) []spec.Problem {
	if !o.boolean("transient") || !o.set("data_retention_days") || !o["data_retention_days"].GreaterThan(cty.NumberIntVal(1)).True() {
		return nil
	}
	return []spec.Problem{{Path: cty.GetAttrPath("data_retention_days"), Summary: "Too much time travel for a transient table",
		Detail: fmt.Sprintf("A transient table has 0 or 1 days of time travel, not %s. Set 1 or less, or make the table a permanent one.", o.number("data_retention_days"))}}
}

func eachText(v cty.Value, f func(string) string) cty.Value {
	if !v.IsWhollyKnown() || v.IsNull() {
		return v
	}
	var out []string
	for _, e := range v.AsValueSlice() {
		out = append(out, f(e.AsString()))
	}
	return list(out)
}

var tableKind = &kind{spec: Table, noun: "TABLE", plural: "TABLES", parent: "schema"}

func init() {
	tableKind.read = readTable
	tableKind.create = func(n Name, o object) []string {
		var defs []string
		for _, c := range columns(o["column"]) {
			defs = append(defs, "  "+c.definition())
		}
		noun := "TABLE "
		if o.boolean("transient") {
			noun = "TRANSIENT TABLE "
		}
		s := "CREATE " + noun + n.SQL() + " (\n" + strings.Join(defs, ",\n") + "\n)"
		if by := o.strings("cluster_by"); len(by) > 0 {
			s += " CLUSTER BY (" + strings.Join(by, ", ") + ")"
		}
		return []string{s + setRetention(o) + setComment(o)}
	}
	tableKind.update = func(n Name, before, after object) []string {
		out := alterColumns(n, columns(before["column"]), columns(after["column"]))
		if before.differs(after, "cluster_by") {
			if by := after.strings("cluster_by"); len(by) > 0 {
				out = append(out, tableKind.alter(n, "CLUSTER BY ("+strings.Join(by, ", ")+")"))
			} else {
				out = append(out, tableKind.alter(n, "DROP CLUSTERING KEY"))
			}
		}
		out = append(out, tableKind.alterRetention(n, before, after)...)
		return append(out, tableKind.alterComment(n, before, after)...)
	}
	tableKind.holds = func(ctx context.Context, p *Provider, n Name) (string, error) {
		rows, err := p.client.query(ctx, "SHOW TABLES IN SCHEMA "+n.Parent().SQL())
		if err != nil {
			return "", err
		}
		for _, r := range rows {
			if r["name"] == string(n.Last()) {
				if count(r["rows"]) == 0 {
					return "", nil
				}
				return fmt.Sprintf("%s, %s, load history", providers.Plural(count(r["rows"]), "row"), humanize.Bytes(uint64(count(r["bytes"])))), nil
			}
		}
		return "", nil
	}
}

func readTable(ctx context.Context, p *Provider, n Name, r row, _ map[string]string) (object, error) {
	described, err := p.client.query(ctx, "DESCRIBE TABLE "+n.SQL())
	if err != nil {
		return nil, err
	}
	var cols []cty.Value
	for _, d := range described {
		if kind := d["kind"]; kind != "" && kind != "COLUMN" {
			continue
		}
		c := column{name: Ident(d["name"]), typ: d["type"], nullable: truth(d["null?"]), def: canonical(d["default"]), comment: d["comment"]}
		if t, err := parseType(c.typ); err == nil {
			c.typ = t.String()
		}
		cols = append(cols, c.value())
	}
	if len(cols) == 0 {
		return nil, providers.Errorf(providers.Unknown, "DESCRIBE TABLE %s tells of no column", n)
	}
	return object{"column": cty.ListVal(cols), "cluster_by": list(clusterBy(r["cluster_by"])), "data_retention_days": integer(r["retention_time"]),
		"transient": cty.BoolVal(r["kind"] == "TRANSIENT")}, nil
}

// clusterBy takes the expressions out of LINEAR(a, b).
func clusterBy(s string) []string {
	s = strings.TrimSpace(s)
	if open := strings.IndexByte(s, '('); open >= 0 && strings.HasSuffix(s, ")") && (open == 0 || strings.EqualFold(s[:open], "LINEAR")) {
		s = s[open+1 : len(s)-1]
	}
	var out []string
	depth, start := 0, 0
	ws := words(s)
	for i, w := range ws {
		switch w.text {
		case "(":
			depth++
		case ")":
			depth--
		case ",":
			if depth == 0 {
				out = append(out, canonical(s[start:w.pos]))
				start = w.pos + 1
			}
		}
		if i == len(ws)-1 {
			out = append(out, canonical(s[start:]))
		}
	}
	return out
}

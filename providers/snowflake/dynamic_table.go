package snowflake

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// DynamicTable describes snowflake_dynamic_table.
var DynamicTable = &spec.Kind{
	Name: "snowflake_dynamic_table", System: System,
	Doc: "A table that Snowflake keeps as fresh as it is told by running its query again. Its query is compared as a view's is.",
	Example: `snowflake_dynamic_table "daily" {
  schema     = "MARKET.RAW"
  target_lag = "5 minutes"
  warehouse  = "COMPUTE_WH"
  sql        = "SELECT Index, MAX(Date) AS Date FROM MARKET.RAW.PRICES GROUP BY Index"
}
`,
	ID: idOf("schema"), Namespace: "snowflake table",
	Attrs: append(nameAttrs("Name of the dynamic table.", "schema", "Schema that holds it.", "snowflake_schema"),
		spec.Attr{Name: "target_lag", Type: cty.String, Required: true, Check: checkLag, Norm: normLag, Change: spec.Updated,
			Doc: "How old its content may be: `5 minutes`, a minute at least, or `DOWNSTREAM` for as fresh as what reads it needs."},
		spec.Attr{Name: "warehouse", Type: cty.String, Required: true, Refs: []string{"snowflake_warehouse"}, Check: checkName(1), Norm: normName, Change: spec.Updated,
			Doc: "The warehouse that computes it."},
		spec.Attr{Name: "sql", Type: cty.String, Required: true, Doc: "The query.", Norm: normQuery, Change: func(before, after cty.Value) spec.Verdict {
			return changeQuery(before, after, spec.Verdict{Act: spec.Replace, Why: "a dynamic table keeps its query"})
		}},
		spec.Attr{Name: "refresh_mode", Type: cty.String, Optional: true, Computed: true, Check: oneOf("FULL", "INCREMENTAL"), Norm: upper,
			Doc: "Whether it is computed anew each time, `FULL`, or from what has changed, `INCREMENTAL`. Snowflake chooses when it is not set.", Change: spec.Replaced("a dynamic table keeps its refresh mode")},
		commentAttr(),
	),
}

var dynamicTableKind = &kind{spec: DynamicTable, noun: "DYNAMIC TABLE", plural: "DYNAMIC TABLES", parent: "schema",
	read: func(_ context.Context, _ *Provider, _ Name, r row, _ map[string]string) (object, error) {
		return object{"target_lag": text(r["target_lag"]), "warehouse": text(Ident(r["warehouse"]).String()), "sql": text(viewQuery(r["text"])),
			"refresh_mode": text(r["refresh_mode"])}, nil
	},
	create: func(n Name, o object) []string {
		s := "CREATE DYNAMIC TABLE " + n.SQL() + lagOf(o) + " WAREHOUSE = " + o.name("warehouse").SQL()
		if o.set("refresh_mode") {
			s += " REFRESH_MODE = " + o.str("refresh_mode")
		}
		return []string{s + setComment(o) + " AS\n" + o.str("sql")}
	},
	update: func(n Name, before, after object) (out []string) {
		k := &kind{noun: "DYNAMIC TABLE"}
		if before.differs(after, "target_lag") {
			out = append(out, k.alter(n, "SET"+lagOf(after)))
		}
		if before.differs(after, "warehouse") {
			out = append(out, k.alter(n, "SET WAREHOUSE = "+after.name("warehouse").SQL()))
		}
		return append(out, k.alterComment(n, before, after)...)
	},
}

func lagOf(o object) string {
	if o.str("target_lag") == downstream {
		return " TARGET_LAG = " + downstream
	}
	return " TARGET_LAG = " + literal(o.str("target_lag"))
}

const downstream = "DOWNSTREAM"

var intervalPattern = regexp.MustCompile(`(?i)^\s*(\d{1,6})\s*(seconds?|minutes?|hours?|days?|[smhd])\s*$`)

// parseInterval reads "5 minutes", in the units that Snowflake has.
func parseInterval(s string) (n int, unit string, length time.Duration, ok bool) {
	m := intervalPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, "", 0, false
	}
	n, _ = strconv.Atoi(m[1])
	of := map[byte]struct {
		unit   string
		length time.Duration
	}{'s': {"second", time.Second}, 'm': {"minute", time.Minute}, 'h': {"hour", time.Hour}, 'd': {"day", 24 * time.Hour}}[strings.ToLower(m[2])[0]]
	return n, of.unit, time.Duration(n) * of.length, true
}

func checkLag(v cty.Value) error {
	if strings.EqualFold(v.AsString(), downstream) {
		return nil
	}
	if _, _, length, ok := parseInterval(v.AsString()); !ok || length < time.Minute {
		return fmt.Errorf("%q is no lag: write \"5 minutes\", a minute at least, or DOWNSTREAM", v.AsString())
	}
	return nil
}

// normLag writes a lag as Snowflake shows it.
func normLag(v cty.Value) cty.Value {
	if strings.EqualFold(v.AsString(), downstream) {
		return text(downstream)
	}
	n, unit, _, ok := parseInterval(v.AsString())
	if !ok {
		return v
	}
	if n != 1 {
		unit += "s"
	}
	return text(strconv.Itoa(n) + " " + unit)
}

func normQuery(v cty.Value) cty.Value {
	return text(strings.TrimRight(strings.TrimSpace(v.AsString()), "; \t\r\n"))
}

// changeQuery is the verdict of a change, unless two queries differ in comments, spacing or the case of words alone.
func changeQuery(before, after cty.Value, change spec.Verdict) spec.Verdict {
	if after.IsKnown() && !before.IsNull() && !after.IsNull() && canonical(before.AsString()) == canonical(after.AsString()) {
		return spec.Verdict{Act: spec.Same}
	}
	return change
}

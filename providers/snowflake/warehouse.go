package snowflake

import (
	"context"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Warehouse describes snowflake_warehouse.
var Warehouse = &spec.Kind{
	Name: "snowflake_warehouse", System: System,
	Doc: "A virtual warehouse, which runs queries. Pipes load without one.",
	Example: `snowflake_warehouse "analysis" {
  size         = "XSMALL"
  auto_suspend = 60
}
`,
	ID: idOf(""),
	Attrs: append(nameAttrs("Name of the warehouse.", "", "", ""),
		spec.Attr{Name: "size", Type: cty.String, Default: text("XSMALL"), Doc: "`XSMALL`, `SMALL`, `MEDIUM`, `LARGE`, `XLARGE`, `XXLARGE`, `XXXLARGE`, `X4LARGE`, `X5LARGE` or `X6LARGE`.",
			Check: func(v cty.Value) error { return oneOf(sizes...)(normSize(v)) }, Norm: normSize, Change: spec.Updated},
		spec.Attr{Name: "auto_suspend", Type: cty.Number, Default: cty.NumberIntVal(60), Doc: "Seconds without a query after which it is suspended; 0 for never.", Change: spec.Updated},
		spec.Attr{Name: "auto_resume", Type: cty.Bool, Default: cty.True, Doc: "Whether a query wakes it.", Change: spec.Updated},
		commentAttr(),
	),
}

var sizes = []string{"XSMALL", "SMALL", "MEDIUM", "LARGE", "XLARGE", "XXLARGE", "XXXLARGE", "X4LARGE", "X5LARGE", "X6LARGE"}

// normSize turns 2X-Large and the like into the word that CREATE WAREHOUSE documents.
func normSize(v cty.Value) cty.Value {
	s := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(v.AsString()))
	switch s {
	case "2XLARGE":
		s = "XXLARGE"
	case "3XLARGE":
		s = "XXXLARGE"
	case "4XLARGE", "5XLARGE", "6XLARGE":
		s = "X" + s[:1] + "LARGE"
	}
	return text(s)
}

var warehouseKind = &kind{spec: Warehouse, noun: "WAREHOUSE", plural: "WAREHOUSES",
	read: func(_ context.Context, _ *Provider, _ Name, r row, _ map[string]string) (object, error) {
		suspend := r["auto_suspend"]
		if suspend == "" {
			suspend = "0"
		}
		return object{"size": normSize(text(r["size"])), "auto_suspend": integer(suspend), "auto_resume": cty.BoolVal(truth(r["auto_resume"]))}, nil
	},
	create: func(n Name, o object) []string {
		return []string{"CREATE WAREHOUSE " + n.SQL() + " WAREHOUSE_SIZE = " + o.str("size") + " AUTO_SUSPEND = " + o.number("auto_suspend") +
			" AUTO_RESUME = " + boolean(o.boolean("auto_resume")) + " INITIALLY_SUSPENDED = TRUE" + setComment(o)}
	},
}

func init() {
	warehouseKind.update = func(n Name, before, after object) []string {
		var set []string
		if before.differs(after, "size") {
			set = append(set, "WAREHOUSE_SIZE = "+after.str("size"))
		}
		if before.differs(after, "auto_suspend") {
			set = append(set, "AUTO_SUSPEND = "+after.number("auto_suspend"))
		}
		if before.differs(after, "auto_resume") {
			set = append(set, "AUTO_RESUME = "+boolean(after.boolean("auto_resume")))
		}
		if before.differs(after, "comment") {
			set = append(set, "COMMENT = "+literal(after.str("comment")))
		}
		if set == nil {
			return nil
		}
		return []string{warehouseKind.alter(n, "SET "+strings.Join(set, " "))}
	}
}

func boolean(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

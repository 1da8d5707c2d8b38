package snowflake

import (
	"context"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// View describes snowflake_view.
var View = &spec.Kind{
	Name: "snowflake_view", System: System,
	Doc: "A view. Its text is compared without regard to comments, spacing and the case of words outside quotes.",
	Example: `snowflake_view "latest" {
  schema = "MARKET.RAW"
  sql    = "SELECT Index, MAX(Date) AS Date FROM MARKET.RAW.PRICES GROUP BY Index"
}
`,
	ID: idOf("schema"), Namespace: "snowflake table",
	Attrs: append(nameAttrs("Name of the view.", "schema", "Schema that holds the view.", "snowflake_schema"),
		spec.Attr{Name: "sql", Type: cty.String, Required: true, Doc: "The query.", Norm: normQuery, Change: func(before, after cty.Value) spec.Verdict {
			return changeQuery(before, after, spec.Verdict{Act: spec.Replace, Why: "a view keeps its text; grants on it are given again"})
		}},
		spec.Attr{Name: "secure", Type: cty.Bool, Default: cty.False, Doc: "Whether only authorized roles see the definition.", Change: spec.Updated},
		commentAttr(),
	),
}

var viewKind = &kind{spec: View, noun: "VIEW", plural: "VIEWS", parent: "schema", sameWhenReplaced: true,
	read: func(_ context.Context, _ *Provider, _ Name, r row, _ map[string]string) (object, error) {
		return object{"sql": text(viewQuery(r["text"])), "secure": cty.BoolVal(truth(r["is_secure"]))}, nil
	},
	create: func(n Name, o object) []string { return []string{"CREATE " + viewText(n, o, "")} },
	update: func(n Name, before, after object) []string {
		if before.differs(after, "sql") || before.differs(after, "secure") {
			return []string{"CREATE OR REPLACE " + viewText(n, after, " COPY GRANTS")}
		}
		k := &kind{noun: "VIEW"}
		return k.alterComment(n, before, after)
	},
}

func viewText(n Name, o object, options string) string {
	s := "VIEW " + n.SQL()
	if o.boolean("secure") {
		s = "SECURE " + s
	}
	return s + options + setComment(o) + " AS\n" + o.str("sql")
}

// viewQuery takes the query out of the CREATE VIEW statement that SHOW VIEWS gives: what follows the first AS
// outside brackets.
func viewQuery(statement string) string {
	depth := 0
	for _, w := range words(statement) {
		switch {
		case w.text == "(":
			depth++
		case w.text == ")":
			depth--
		case depth == 0 && w.is("AS"):
			return strings.TrimRight(strings.TrimSpace(statement[w.pos+len(w.text):]), "; \t\r\n")
		}
	}
	return statement
}

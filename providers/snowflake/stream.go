package snowflake

import (
	"context"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Stream describes snowflake_stream.
var Stream = &spec.Kind{
	Name: "snowflake_stream", System: System, HoldsData: true,
	Doc: "What has changed in a table since the stream was last read. What it holds is a place in the table's changes: one that is made again begins with " +
		"what changes from then on. Streams on views, stages and external tables are none of mkt's.",
	Example: `snowflake_stream "prices" {
  schema      = "MARKET.RAW"
  table       = "MARKET.RAW.PRICES"
  append_only = true
}
`,
	ID: idOf("schema"),
	Attrs: append(nameAttrs("Name of the stream.", "schema", "Schema that holds the stream.", "snowflake_schema"),
		spec.Attr{Name: "table", Type: cty.String, Required: true, Refs: []string{"snowflake_table"}, Check: checkName(3), Norm: normName, Doc: "The table whose changes it tells.",
			Change: spec.Replaced("a stream stays with its table; changes that nobody has read are lost with it")},
		spec.Attr{Name: "append_only", Type: cty.Bool, Default: cty.False, Doc: "Whether it tells of new rows alone.", Change: spec.Replaced("a stream keeps its mode; changes that nobody has read are lost with it")},
		spec.Attr{Name: "stale", Type: cty.Bool, Computed: true, Doc: "Whether its place is older than what the table still knows, so that it can be read no more."},
		commentAttr(),
	),
}

var streamKind = &kind{spec: Stream, noun: "STREAM", plural: "STREAMS", parent: "schema",
	read: func(_ context.Context, _ *Provider, _ Name, r row, _ map[string]string) (object, error) {
		return object{"table": normName(text(r["table_name"])), "append_only": cty.BoolVal(r["mode"] == "APPEND_ONLY"), "stale": cty.BoolVal(truth(r["stale"]))}, nil
	},
	create: func(n Name, o object) []string {
		s := "CREATE STREAM " + n.SQL() + " ON TABLE " + o.name("table").SQL()
		if o.boolean("append_only") {
			s += " APPEND_ONLY = TRUE"
		}
		return []string{s + setComment(o)}
	},
	update: func(n Name, before, after object) []string {
		k := &kind{noun: "STREAM"}
		return k.alterComment(n, before, after)
	},
	holds: func(ctx context.Context, p *Provider, n Name) (string, error) {
		shown, err := p.show(ctx, "STREAMS", n)
		if err != nil || shown == nil || truth(shown["stale"]) {
			return "", err
		}
		return "its place in the changes of " + shown["table_name"], nil
	},
}

// streamResource is the resource of streams, which are stale when their table is replaced.
type streamResource struct{ *holder }

// Suffers implements providers.Dependent.
func (r *streamResource) Suffers(v cty.Value, changes []providers.RefChange) spec.Verdict {
	for _, c := range changes {
		if c.Replaced && c.Kind == Table.Name {
			return spec.Verdict{Act: spec.Replace, Why: "its table is replaced, and a stream stays with the one that it was made on"}
		}
	}
	return r.holder.Suffers(v, changes)
}

package snowflake

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Database describes snowflake_database.
var Database = &spec.Kind{
	Name: "snowflake_database", System: System, HoldsData: true,
	Doc:     "A database. Deleting one deletes everything in it, also what other stacks or people made.",
	Example: "snowflake_database \"market\" {}\n",
	ID:      idOf(""),
	Attrs:   append(nameAttrs("Name of the database.", "", "", ""), retentionAttr(), commentAttr()),
}

var databaseKind = &kind{spec: Database, noun: "DATABASE", plural: "DATABASES",
	read: readRetention, create: createContainer("DATABASE"), update: updateContainer("DATABASE"),
	holds: func(ctx context.Context, p *Provider, n Name) (string, error) {
		return holdsWithin(ctx, p, "DATABASE", n)
	},
}

// Schema describes snowflake_schema.
var Schema = &spec.Kind{
	Name: "snowflake_schema", System: System, HoldsData: true,
	Doc: "A schema of a database. Deleting one deletes everything in it, also what other stacks or people made.",
	Example: `snowflake_database "market" {}

snowflake_schema "raw" {
  database = snowflake_database.market
}
`,
	ID: idOf("database"),
	Attrs: append(nameAttrs("Name of the schema.", "database", "Database that holds the schema.", "snowflake_database"),
		retentionAttr(), commentAttr()),
}

var schemaKind = &kind{spec: Schema, noun: "SCHEMA", plural: "SCHEMAS", parent: "database",
	read: readRetention, create: createContainer("SCHEMA"), update: updateContainer("SCHEMA"),
	holds: func(ctx context.Context, p *Provider, n Name) (string, error) {
		return holdsWithin(ctx, p, "SCHEMA", n)
	},
}

// retentionAttr is the time travel of a database, schema or table; what it is when nobody says is Snowflake's affair.
func retentionAttr() spec.Attr {
	return spec.Attr{Name: "data_retention_days", Type: cty.Number, Optional: true, Computed: true,
		Doc: "Days for which changed and deleted data can be brought back (time travel), 0 to 90. What holds the object decides when it is not set.",
		Check: func(v cty.Value) error {
			if n := v.AsBigFloat(); !n.IsInt() || n.Sign() < 0 || n.Cmp(cty.NumberIntVal(90).AsBigFloat()) > 0 {
				return fmt.Errorf("%s is no whole number from 0 to 90", n.Text('f', -1))
			}
			return nil
		}, Change: spec.Updated}
}

func readRetention(_ context.Context, _ *Provider, _ Name, r row, _ map[string]string) (object, error) {
	return object{"data_retention_days": integer(r["retention_time"])}, nil
}

func createContainer(noun string) func(Name, object) []string {
	return func(n Name, o object) []string {
		return []string{"CREATE " + noun + " " + n.SQL() + setRetention(o) + setComment(o)}
	}
}

func updateContainer(noun string) func(Name, object, object) []string {
	k := &kind{noun: noun}
	return func(n Name, before, after object) []string {
		return append(k.alterRetention(n, before, after), k.alterComment(n, before, after)...)
	}
}

func setRetention(o object) string {
	if !o.set("data_retention_days") {
		return ""
	}
	return " DATA_RETENTION_TIME_IN_DAYS = " + o.number("data_retention_days")
}

func (k *kind) alterRetention(n Name, before, after object) []string {
	if !after.set("data_retention_days") || !before.differs(after, "data_retention_days") {
		return nil
	}
	return []string{k.alter(n, "SET"+setRetention(after))}
}

// holdsWithin counts the tables, rows and pipes of a database or schema.
func holdsWithin(ctx context.Context, p *Provider, noun string, n Name) (string, error) {
	within := " IN " + noun + " " + n.SQL()
	tables, err := p.client.query(ctx, "SHOW TABLES"+within)
	if err != nil {
		return "", err
	}
	pipes, err := p.client.query(ctx, "SHOW PIPES"+within)
	if err != nil {
		return "", err
	}
	var parts []string
	if len(tables) > 0 {
		rows, bytes := int64(0), uint64(0)
		for _, t := range tables {
			rows += count(t["rows"])
			bytes += uint64(count(t["bytes"]))
		}
		parts = append(parts, fmt.Sprintf("%s with %s (%s)", providers.Plural(int64(len(tables)), "table"), providers.Plural(rows, "row"), humanize.Bytes(bytes)))
	}
	if len(pipes) > 0 {
		parts = append(parts, fmt.Sprintf("the load history of %s", providers.Plural(int64(len(pipes)), "pipe")))
	}
	return strings.Join(parts, ", "), nil
}

func count(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

package warehouse

import (
	"context"
	"database/sql"
	"slices"

	"mkt/local/dialect"
)

// rawParquet reads a Parquet file as rows of typed columns.
func (b *boundCopy) rawParquet(ctx context.Context, conn *sql.Conn, f *localFile) ([]feed, string, error) {
	src := "read_parquet(" + dialect.Literal(f.path) + ", binary_as_string = " + b.format.get("BINARY_AS_TEXT") + ")"
	cols, err := describeQuery(ctx, conn, "SELECT * FROM "+src)
	if err != nil {
		return nil, "", err
	}
	if b.def.Match == "" {
		if err := run(ctx, conn, `CREATE TEMP TABLE "mkt_raw" AS SELECT row_number() OVER () AS n, to_json(t) AS j FROM `+src+` AS t`); err != nil {
			return nil, "", err
		}
		if b.def.Select != "" {
			return b.transform(ctx, conn, f)
		}
		return b.single(), "j IS NULL", nil
	}
	if err := run(ctx, conn, `CREATE TEMP TABLE "mkt_raw" AS SELECT row_number() OVER () AS n, t.* FROM `+src+` AS t`); err != nil {
		return nil, "", err
	}
	f.keys = map[string]bool{}
	for _, c := range cols {
		f.keys[c.Name] = true
	}
	var feeds []feed
	for _, c := range b.table.Table.Columns {
		fd := feed{col: c, raw: "NULL", value: "NULL"}
		if keys := b.keysOf(f, c); len(keys) > 0 {
			slices.Sort(keys)
			k := dialect.Quote(keys[0])
			fd.raw = b.text("CAST(" + k + " AS VARCHAR)")
			fd.value = c.Type.tryCast(k)
			if c.Type.semi() {
				fd.value = "to_json(" + k + ")"
			} else if c.Type.Base == "VARCHAR" {
				fd.value = fd.raw
			}
		}
		feeds = append(feeds, fd)
	}
	return feeds, "false", nil
}

// single is the feed of a COPY that puts each value whole into one column.
func (b *boundCopy) single() []feed {
	cols := b.def.Columns
	if cols == nil {
		cols = b.table.names()
	}
	return []feed{{b.table.Table.Columns[b.table.Table.index(cols[0])], "j", "j"}}
}

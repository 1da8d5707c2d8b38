package warehouse

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"

	"mkt/local/dialect"
)

// transform runs the SELECT of COPY INTO … FROM (SELECT …) over temp.mkt_raw and leaves its columns there as
// c0, c1, …. A row that the SELECT fails on fails the file; what does not fit its column fails the row.
func (b *boundCopy) transform(ctx context.Context, conn *sql.Conn, f *localFile) ([]feed, string, error) {
	cols := b.def.Columns
	if cols == nil {
		cols = b.table.names()
	}
	list, width, err := stagedColumns(b.def.Select, f)
	if err != nil {
		return nil, "", err
	}
	rel := `(SELECT n AS "MKT$N", j AS "$1" FROM temp."mkt_raw")`
	if b.format.Type == "CSV" {
		parts := make([]string, width)
		for i := range parts {
			parts[i] = fmt.Sprintf(`, l[%d] AS "$%d"`, i+1, i+1)
		}
		rel = `(SELECT n AS "MKT$N"` + strings.Join(parts, "") + ` FROM temp."mkt_raw")`
	}
	s := &session{w: b.w, conn: conn, params: map[string]string{}}
	query := "SELECT " + list + ` FROM "MKT$STAGED" AS ` + dialect.Quote(cmp.Or(b.def.Alias, "MKT$STAGED"))
	duck, err := s.compile(ctx, query, scope{named: map[string]string{"MKT$STAGED": rel}})
	if err != nil {
		return nil, "", err
	}
	got, err := describeQuery(ctx, conn, duck)
	if err != nil {
		return nil, "", err
	}
	if len(got) != len(cols) {
		return nil, "", compileError("002020", "21S01", "Insert value list does not match column list expecting %d but got %d", len(cols), len(got))
	}
	names := make([]string, len(got))
	for i := range got {
		names[i] = fmt.Sprintf("c%d", i)
	}
	if err := run(ctx, conn, fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE "mkt_sel" AS SELECT row_number() OVER () AS n, * FROM (%s) AS q(%s)`, duck, strings.Join(names, ", "))); err != nil {
		return nil, "", err
	}
	for _, q := range []string{`DROP TABLE temp."mkt_raw"`, `ALTER TABLE temp."mkt_sel" RENAME TO "mkt_raw"`} {
		if err := run(ctx, conn, q); err != nil {
			return nil, "", err
		}
	}
	var feeds []feed
	for i, n := range cols {
		c := b.table.Table.Columns[b.table.Table.index(n)]
		fd := feed{c, fmt.Sprintf("CAST(%s AS VARCHAR)", names[i]), c.Type.tryCast(names[i])}
		if c.Type.semi() {
			fd.value = "to_json(" + names[i] + ")"
		}
		feeds = append(feeds, fd)
	}
	return feeds, "false", nil
}

// stagedColumns puts quoted names in place of $1, $2, … and the metadata columns of a staged file, and gives
// the highest column number.
func stagedColumns(list string, f *localFile) (string, int, error) {
	toks, err := dialect.Tokens(list)
	if err != nil {
		return "", 0, err
	}
	var out strings.Builder
	pos, width := 0, 1
	for _, t := range toks {
		with := ""
		var n int
		if _, err := fmt.Sscanf(t.Text, "$%d", &n); t.Kind == dialect.Param && err == nil {
			if n < 1 || n > 10_000 {
				return "", 0, errSyntax(t)
			}
			width, with = max(width, n), fmt.Sprintf(`"$%d"`, n)
		} else if t.Kind == dialect.Ident {
			switch t.Value {
			case "METADATA$FILENAME":
				with = sfLiteral(f.name)
			case "METADATA$FILE_ROW_NUMBER":
				with = `"MKT$N"`
			default:
				if strings.HasPrefix(t.Value, "METADATA$") {
					return "", 0, errUnsupported("the column %s", t.Value)
				}
			}
		}
		if with == "" {
			continue
		}
		out.WriteString(list[pos:t.Pos] + with)
		pos = t.Pos + len(t.Text)
	}
	out.WriteString(list[pos:])
	return out.String(), width, nil
}

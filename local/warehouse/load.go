package warehouse

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"

	"mkt/local/dialect"
)

// loadMacros turn text into typed values; what does not convert gives NULL. A number where a timestamp is
// needed counts seconds, milliseconds, microseconds or nanoseconds by its size, as Snowflake's AUTO does.
var loadMacros = []string{
	`CREATE OR REPLACE MACRO load_epoch(x) AS CASE WHEN regexp_full_match(x, '-?[0-9]{1,18}') THEN make_timestamp(
		CASE WHEN abs(x::BIGINT) < 31536000000 THEN x::BIGINT * 1000000 WHEN abs(x::BIGINT) < 31536000000000 THEN x::BIGINT * 1000
		WHEN abs(x::BIGINT) < 31536000000000000 THEN x::BIGINT ELSE x::BIGINT // 1000 END) END`,
	`CREATE OR REPLACE MACRO load_ntz(x) AS coalesce(TRY_CAST(CASE WHEN length(x) > 19 THEN regexp_replace(x, '\s*(Z|[+-][0-9]{2}:?[0-9]{2})$', '') ELSE x END AS TIMESTAMP), load_epoch(x))`,
	`CREATE OR REPLACE MACRO load_ltz(x) AS coalesce(TRY_CAST(mkt_offset(x) AS TIMESTAMPTZ), load_epoch(x)::TIMESTAMPTZ)`,
	`CREATE OR REPLACE MACRO load_tz(x) AS CASE WHEN NOT mkt_foreign(mkt_offset(x), load_ltz(x)) THEN load_ltz(x) END`,
	`CREATE OR REPLACE MACRO load_date(x) AS coalesce(TRY_CAST(x AS DATE), load_ntz(x)::DATE)`,
	`CREATE OR REPLACE MACRO load_bool(x) AS CASE WHEN lower(x) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true WHEN lower(x) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END`,
	`CREATE OR REPLACE MACRO load_hex(x) AS CASE WHEN regexp_full_match(x, '([0-9a-fA-F]{2})*') THEN unhex(x) END`,
}

// fromText gives the DuckDB expression that reads a value of the type from a text; NULL if it is none.
func (d dataType) fromText(x string) string {
	switch d.Base {
	case "VARCHAR":
		return x
	case "BOOLEAN":
		return "load_bool(" + x + ")"
	case "DATE":
		return "load_date(" + x + ")"
	case "TIMESTAMP_NTZ":
		return "load_ntz(" + x + ")"
	case "TIMESTAMP_LTZ":
		return "load_ltz(" + x + ")"
	case "BINARY":
		return "load_hex(" + x + ")"
	case "VARIANT", "OBJECT", "ARRAY":
		return "to_json(" + x + ")"
	}
	return d.tryCast(x)
}

// rowError is the first error of a file.
type rowError struct {
	message string
	line    int64
	char    int64
	column  any // string or nil
}

// fileLoad is what came of one file. Its good rows are in the temporary table, columns as in the table.
type fileLoad struct {
	file   blobInfo
	temp   string
	parsed int64
	loaded int64
	errors int64
	limit  int64
	first  *rowError
	status string
}

// feed gives a column its value: raw is the text (or JSON) as it stands in the file, value the typed one.
type feed struct {
	col   tableColumn
	raw   string
	value string
}

// stageRows reads a file into a temporary table of the connection, typed as the target table.
// Clean files take the fast way: one typed read. If that fails, every row is looked at on its own.
func (b *boundCopy) stageRows(ctx context.Context, conn *sql.Conn, f *localFile, info blobInfo) (*fileLoad, error) {
	l := &fileLoad{file: info, temp: `temp."mkt_load"`}
	if err := run(ctx, conn, "DROP TABLE IF EXISTS "+l.temp); err != nil {
		return nil, err
	}
	if f.bad == nil && b.format.Type == "JSON" || b.format.Type == "AVRO" && f.bad == nil {
		if q := b.fastJSON(f); q != "" {
			err := run(ctx, conn, "CREATE TEMP TABLE \"mkt_load\" AS "+q)
			if err == nil {
				if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM "+l.temp).Scan(&l.parsed); err != nil {
					return nil, err
				}
				l.loaded = l.parsed
				return l.finish(b.onErr), nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err := run(ctx, conn, "DROP TABLE IF EXISTS "+l.temp); err != nil {
				return nil, err
			}
		}
	}
	return l, b.stageSlow(ctx, conn, f, l)
}

func run(ctx context.Context, conn execer, q string) error {
	_, err := conn.ExecContext(ctx, q)
	return err
}

type execer interface {
	ExecContext(ctx context.Context, q string, args ...any) (sql.Result, error)
}

// finish sets the status from the counts and the ON_ERROR that holds.
func (l *fileLoad) finish(onError string) *fileLoad {
	l.limit = errorLimit(onError, l.parsed)
	switch {
	case l.errors == 0:
		l.status = "Loaded"
	case l.errors >= l.limit:
		l.status, l.loaded = "Load failed", 0
	case l.loaded == 0:
		l.status = "Load failed"
	default:
		l.status = "Partially loaded"
	}
	return l
}

// keysOf gives the keys of the file that load a column.
func (b *boundCopy) keysOf(f *localFile, c tableColumn) []string {
	var out []string
	for k := range f.keys {
		if k == c.Name || b.def.Match == "CASE_INSENSITIVE" && strings.EqualFold(k, c.Name) {
			out = append(out, k)
		}
	}
	return out
}

// fastJSON gives a query that reads the file with DuckDB's typed reader and fails on the first bad value;
// empty if the file or the format needs more than that.
func (b *boundCopy) fastJSON(f *localFile) string {
	if b.def.Match == "" || len(b.format.nullIf()) > 0 || b.format.flag("TRIM_SPACE") || b.def.Trunc || b.format.flag("STRIP_NULL_VALUES") {
		return ""
	}
	var types, exprs []string
	for _, c := range b.table.Table.Columns {
		keys := b.keysOf(f, c)
		if len(keys) > 1 {
			return ""
		}
		if len(keys) == 0 {
			exprs = append(exprs, c.checked("NULL::"+c.Type.duck())+" AS "+dialect.Quote(c.Name))
			continue
		}
		read, k := c.Type.duck(), dialect.Quote(keys[0])
		value := k
		switch c.Type.Base {
		case "DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "BINARY", "BOOLEAN":
			read = "VARCHAR"
			text := c.Type.fromText(k)
			value = fmt.Sprintf("CASE WHEN %s IS NOT NULL AND %s IS NULL THEN error('value') ELSE %s END", k, text, text)
		case "OBJECT", "ARRAY":
			return ""
		}
		types = append(types, dialect.Literal(keys[0])+": '"+read+"'")
		exprs = append(exprs, c.checked(value)+" AS "+dialect.Quote(c.Name))
	}
	if types == nil {
		types = []string{`'mkt$none': 'VARCHAR'`}
	}
	return fmt.Sprintf("SELECT %s FROM read_json(%s, format = 'newline_delimited', columns = {%s}, compression = 'uncompressed')",
		strings.Join(exprs, ", "), dialect.Literal(f.path), strings.Join(types, ", "))
}

// stageSlow reads the rows as they stand in the file, judges each value, and keeps the good rows.
func (b *boundCopy) stageSlow(ctx context.Context, conn *sql.Conn, f *localFile, l *fileLoad) error {
	raw := `temp."mkt_raw"`
	if err := run(ctx, conn, "DROP TABLE IF EXISTS "+raw); err != nil {
		return err
	}
	defer func() { _ = run(context.WithoutCancel(ctx), conn, "DROP TABLE IF EXISTS "+raw) }() // it ends with the connection
	feeds, bad, err := b.rawRows(ctx, conn, f)
	if err != nil {
		if ctx.Err() != nil || !b.fileFault(err) {
			return err
		}
		f.bad = err
	}
	if f.bad != nil { // nothing of the file can be read
		l.errors, l.parsed = 1, 0
		msg := strings.TrimPrefix(strings.ReplaceAll(f.bad.Error(), f.path, f.name), "Invalid Input Error: ")
		l.first = &rowError{message: msg, line: 1}
		l.finish(b.onErr)
		l.status, l.temp = "Load failed", ""
		return nil
	}
	// For each row the first thing that is wrong, as kind:column, or NULL.
	problems := []string{"WHEN " + bad + " THEN 'row:'"}
	var values []string
	for _, fd := range feeds {
		name := strings.Trim(dialect.Literal(fd.col.Name), "'")
		value := fd.value
		if b.def.Trunc && fd.col.Type.Base == "VARCHAR" {
			value = fmt.Sprintf("left(%s, %d)", value, fd.col.Type.Length)
		}
		if fd.raw != "NULL" {
			problems = append(problems, fmt.Sprintf("WHEN %s IS NOT NULL AND %s IS NULL THEN 'value:%s:' || %s", fd.raw, value, name, fd.raw))
			if fd.col.Type.Base == "VARCHAR" && fd.col.Type.Length < maxVarchar {
				problems = append(problems, fmt.Sprintf("WHEN length(%s) > %d THEN 'long:%s:' || %s", value, fd.col.Type.Length, name, fd.raw))
			}
		}
		if fd.col.NotNull {
			problems = append(problems, fmt.Sprintf("WHEN %s IS NULL THEN 'null:%s'", value, name))
		}
		values = append(values, fmt.Sprintf("CAST(%s AS %s) AS %s", value, fd.col.Type.duck(), dialect.Quote(fd.col.Name)))
	}
	q := fmt.Sprintf(`CREATE TEMP TABLE "mkt_load" AS SELECT n AS "mkt$n", CASE %s END AS "mkt$bad", %s FROM %s`,
		strings.Join(problems, " "), strings.Join(values, ", "), raw)
	// A row that is wrong as a whole must not fail the conversion of its parts: all conversions give NULL instead.
	if err := run(ctx, conn, q); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, `SELECT count(*), count("mkt$bad") FROM `+l.temp).Scan(&l.parsed, &l.errors); err != nil {
		return err
	}
	l.loaded = l.parsed - l.errors
	if l.errors > 0 {
		var n int64
		var what string
		if err := conn.QueryRowContext(ctx, `SELECT "mkt$n", "mkt$bad" FROM `+l.temp+` WHERE "mkt$bad" IS NOT NULL ORDER BY 1 LIMIT 1`).Scan(&n, &what); err != nil {
			return err
		}
		l.first = b.describeProblem(n, what)
		if err := run(ctx, conn, "DELETE FROM "+l.temp+` WHERE "mkt$bad" IS NOT NULL`); err != nil {
			return err
		}
	}
	l.finish(b.onErr)
	return nil
}

// fileFault says whether an error of reading lies in the file. Whatever else goes wrong is tried again.
func (b *boundCopy) fileFault(err error) bool {
	msg := err.Error()
	return strings.HasPrefix(msg, "Invalid Input Error") || strings.HasPrefix(msg, "Conversion Error") || b.format.Type == "PARQUET" && strings.Contains(msg, "magic bytes")
}

// describeProblem words the error of a row as Snowflake does.
func (b *boundCopy) describeProblem(line int64, what string) *rowError {
	kind, rest, _ := strings.Cut(what, ":")
	col, val, _ := strings.Cut(rest, ":")
	e := &rowError{line: line, char: 1}
	if kind != "row" {
		e.column = fmt.Sprintf(`"%s"["%s"]`, b.table.Name, col)
	}
	if len(val) > 200 {
		val = val[:200]
	}
	switch kind {
	case "row":
		e.message = map[string]string{"CSV": "Number of columns in file does not match that of the corresponding table"}[b.format.Type]
		if e.message == "" {
			e.message = "Error parsing JSON: the row is no valid object"
		}
	case "null":
		e.message = fmt.Sprintf("NULL result in a non-nullable column '%s'", col)
	case "long":
		e.message = fmt.Sprintf("User character length limit exceeded by string '%s'", val)
	default:
		typ, why := "value", ""
		if i := b.table.Table.index(col); i >= 0 {
			typ = map[string]string{"NUMBER": "Numeric value", "FLOAT": "Numeric value", "BOOLEAN": "Boolean value", "DATE": "Date", "TIME": "Time"}[b.table.Table.Columns[i].Type.Base]
			if strings.HasPrefix(b.table.Table.Columns[i].Type.Base, "TIMESTAMP") {
				typ = "Timestamp"
			}
			if b.table.Table.Columns[i].Type.Base == "TIMESTAMP_TZ" {
				why = ", or has another offset than +00:00, which the embedded warehouse does not support"
			}
		}
		e.message = fmt.Sprintf("%s '%s' is not recognized%s", cmp.Or(typ, "Value"), val, why)
	}
	return e
}

// rawRows fills temp.mkt_raw with the rows of the file and a number n, and gives the feeds of the columns
// over it and the condition of a row that cannot be used at all.
func (b *boundCopy) rawRows(ctx context.Context, conn *sql.Conn, f *localFile) (feeds []feed, bad string, err error) {
	if f.bad != nil {
		return nil, "false", nil //nolint:nilerr // told with the file's rows, of which there are none
	}
	switch b.format.Type {
	case "CSV":
		return b.rawCSV(ctx, conn, f)
	case "PARQUET":
		return b.rawParquet(ctx, conn, f)
	}
	if err := rawJSON(ctx, conn, f); err != nil {
		return nil, "", err
	}
	if b.def.Select != "" {
		return b.transform(ctx, conn, f)
	}
	if b.def.Match == "" { // one column takes the whole value
		return b.single(), "j IS NULL", nil
	}
	for _, c := range b.table.Table.Columns {
		keys := b.keysOf(f, c)
		fd := feed{col: c, raw: "NULL", value: "NULL"}
		if len(keys) > 0 {
			var texts, jsons []string
			for _, k := range keys {
				p := dialect.Literal("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k))
				texts, jsons = append(texts, "json_extract_string(j, "+p+")"), append(jsons, "json_extract(j, "+p+")")
			}
			fd.raw = b.text("coalesce(" + strings.Join(texts, ", ") + ")")
			fd.value = c.Type.fromText(fd.raw)
			switch c.Type.Base {
			case "VARIANT":
				fd.value = "coalesce(" + strings.Join(jsons, ", ") + ")"
			case "OBJECT", "ARRAY":
				v := "coalesce(" + strings.Join(jsons, ", ") + ")"
				fd.value = fmt.Sprintf("CASE WHEN json_type(%s) = '%s' THEN %s END", v, c.Type.Base, v)
			}
		}
		feeds = append(feeds, fd)
	}
	return feeds, "j IS NULL OR json_type(j) <> 'OBJECT'", nil
}

// text applies TRIM_SPACE and NULL_IF to a text.
func (b *boundCopy) text(x string) string {
	if b.format.flag("TRIM_SPACE") {
		x = "trim(" + x + ")"
	}
	if list := b.format.nullIf(); len(list) > 0 {
		lits := make([]string, len(list))
		for i, s := range list {
			lits[i] = dialect.Literal(s)
		}
		x = fmt.Sprintf("CASE WHEN %s NOT IN (%s) THEN %s END", x, strings.Join(lits, ", "), x)
	}
	return x
}

func rawJSON(ctx context.Context, conn *sql.Conn, f *localFile) error {
	return run(ctx, conn, fmt.Sprintf(`CREATE TEMP TABLE "mkt_raw" AS SELECT row_number() OVER () AS n, json AS j FROM read_json_objects(%s, format = 'newline_delimited', ignore_errors = true, compression = 'uncompressed')`,
		dialect.Literal(f.path)))
}

// commitLoad moves the staged rows into the table. It runs inside the caller's transaction.
func (b *boundCopy) commitLoad(ctx context.Context, conn execer, l *fileLoad) error {
	if l.status == "Load failed" || l.temp == "" {
		return nil
	}
	var cols []string
	if b.def.Match != "" {
		cols = b.table.names()
	} else if cols = b.def.Columns; cols == nil {
		cols = b.table.names()
		if b.format.Type != "CSV" && b.def.Select == "" {
			cols = cols[:1]
		}
	}
	return run(ctx, conn, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", b.table.physical(), quoteAll(cols), quoteAll(cols), l.temp))
}

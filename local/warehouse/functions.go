package warehouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mkt/local/dialect"
)

// replaceFunctions puts values in place of what only the session or the catalog knows: context functions,
// SYSTEM$ functions and the table functions of INFORMATION_SCHEMA.
func (s *session) replaceFunctions(ctx context.Context, query string, sc scope) (string, error) {
	toks, err := dialect.Tokens(query)
	if err != nil {
		return "", err
	}
	p := &parser{src: query}
	for _, t := range toks {
		if t.Kind != dialect.Comment {
			p.toks = append(p.toks, t)
		}
	}
	var out strings.Builder
	pos := 0
	replace := func(from dialect.Token, with string) {
		out.WriteString(query[pos:from.Pos])
		out.WriteString(with)
		last := p.toks[p.i-1]
		pos = last.Pos + len(last.Text)
	}
	for !p.done() {
		t := p.peek()
		if t.Kind != dialect.Ident {
			p.i++
			continue
		}
		if v, ok := s.contextValue(t.Value); ok && p.word(1, "(") && p.word(2, ")") {
			p.i += 3
			lit := "NULL"
			if v != "" {
				lit = sfLiteral(v)
			}
			replace(t, lit)
			continue
		}
		if strings.HasPrefix(t.Value, "SYSTEM$") {
			v, err := s.systemFunction(p)
			if err != nil {
				return "", err
			}
			replace(t, sfLiteral(v))
			continue
		}
		if t.Value == "TABLE" && p.word(1, "(") {
			rel, ok, err := s.tableFunction(ctx, p, sc)
			if err != nil {
				return "", err
			}
			if ok {
				name := fmt.Sprintf("MKT$%d", len(sc.named)+1)
				sc.named[name] = rel
				replace(t, dialect.Quote(name))
				continue
			}
		}
		p.i++
	}
	out.WriteString(query[pos:])
	return out.String(), nil
}

func (s *session) contextValue(name string) (string, bool) {
	switch name {
	case "CURRENT_DATABASE":
		return s.db, true
	case "CURRENT_SCHEMA":
		return s.schema, true
	case "CURRENT_WAREHOUSE":
		return s.wh, true
	case "CURRENT_ROLE":
		return s.role, true
	case "CURRENT_USER":
		return s.user, true
	case "CURRENT_ACCOUNT", "CURRENT_ACCOUNT_NAME":
		return strings.ToUpper(s.w.cfg.Account), true
	case "CURRENT_ORGANIZATION_NAME":
		return "LOCAL", true
	case "CURRENT_REGION":
		return "AZURE_LOCAL", true
	case "CURRENT_SESSION":
		return fmt.Sprint(s.id), true
	case "CURRENT_VERSION":
		return serverVersion, true
	case "LAST_QUERY_ID":
		return s.lastID, true
	}
	return "", false
}

func (s *session) systemFunction(p *parser) (string, error) {
	name := p.peek().Value
	p.i++
	if err := p.expect("("); err != nil {
		return "", err
	}
	if name != "SYSTEM$PIPE_STATUS" {
		return "", errUnsupported("the function %s", name)
	}
	arg, err := p.str()
	if err != nil {
		return "", err
	}
	if err := p.expect(")"); err != nil {
		return "", err
	}
	n, err := parseName(arg)
	if err != nil {
		return "", err
	}
	o, err := s.mustFind(n, kindPipe)
	if err != nil {
		return "", err
	}
	return s.w.pipeStatus(o)
}

// tableFunction reads TABLE([db.]INFORMATION_SCHEMA.F(NAME => value, …)) and gives the relation it stands
// for. With ok false nothing was read: another kind of table function, which the dialect knows or refuses.
func (s *session) tableFunction(ctx context.Context, p *parser, sc scope) (rel string, ok bool, err error) {
	start := p.i
	p.i += 2
	n, err := p.name()
	if err != nil || len(n) < 2 || n[len(n)-2] != "INFORMATION_SCHEMA" || !p.accept("(") {
		p.i = start
		return "", false, nil //nolint:nilerr // not what this reads
	}
	args := map[string]any{}
	for !p.accept(")") {
		k, err := p.ident()
		if err != nil {
			return "", false, err
		}
		if err := p.expect("=>"); err != nil {
			return "", false, err
		}
		if args[k], err = s.scalar(ctx, p.until(","), sc); err != nil {
			return "", false, err
		}
		p.accept(",")
		if p.done() {
			return "", false, errSyntax(p.peek())
		}
	}
	if err := p.expect(")"); err != nil {
		return "", false, err
	}
	db := sc.db
	if len(n) == 3 {
		db = n[0]
	}
	in := scope{db: db, schema: sc.schema}
	if n.last() != "COPY_HISTORY" {
		return "", true, errUnsupported("the table function %s", n)
	}
	rel, err = s.copyHistory(args, in)
	return rel, true, err
}

// scalar evaluates one expression.
func (s *session) scalar(ctx context.Context, expr string, sc scope) (any, error) {
	duck, err := s.compile(ctx, "SELECT "+expr, sc)
	if err != nil {
		return nil, err
	}
	conn, err := s.connection(ctx)
	if err != nil {
		return nil, err
	}
	var v any
	err = conn.QueryRowContext(ctx, duck).Scan(&v)
	return v, err
}

// millis reads a time argument of a table function.
func millis(v any, name string) (int64, error) {
	switch t := v.(type) {
	case time.Time:
		return t.UnixMilli(), nil
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999", "2006-01-02"} {
			if p, err := time.Parse(layout, t); err == nil {
				return p.UnixMilli(), nil
			}
		}
	}
	return 0, errInvalid("invalid value [%v] for parameter '%s': a timestamp is needed", v, name)
}

const loadColumns = `file_name AS "FILE_NAME", stage_location AS "STAGE_LOCATION", make_timestamptz(loaded * 1000) AS "LAST_LOAD_TIME",
	row_count AS "ROW_COUNT", row_parsed AS "ROW_PARSED", file_size AS "FILE_SIZE", first_error AS "FIRST_ERROR_MESSAGE",
	first_error_line AS "FIRST_ERROR_LINE_NUMBER", first_error_char AS "FIRST_ERROR_CHARACTER_POS", first_error_column AS "FIRST_ERROR_COLUMN_NAME",
	error_count AS "ERROR_COUNT", error_limit AS "ERROR_LIMIT", status AS "STATUS"`

// copyHistory is INFORMATION_SCHEMA.COPY_HISTORY: loads of one table, by COPY and by pipes, of the last 14 days.
func (s *session) copyHistory(args map[string]any, sc scope) (string, error) {
	name, _ := args["TABLE_NAME"].(string)
	n, err := parseName(name)
	if err != nil {
		return "", errInvalid("invalid value [%v] for parameter 'TABLE_NAME'", args["TABLE_NAME"])
	}
	o, err := s.find(n, sc, kindTable)
	if err != nil {
		return "", err
	}
	if o == nil {
		return "", errNotFound(kindTable, name)
	}
	if args["START_TIME"] == nil {
		return "", errInvalid("missing parameter 'START_TIME' of COPY_HISTORY")
	}
	from, err := millis(args["START_TIME"], "START_TIME")
	if err != nil {
		return "", err
	}
	to := int64(1) << 50
	if args["END_TIME"] != nil {
		if to, err = millis(args["END_TIME"], "END_TIME"); err != nil {
			return "", err
		}
	}
	from = max(from, s.w.now().Add(-pipeMemory).UnixMilli())
	return fmt.Sprintf(`(SELECT %s, %s AS "TABLE_CATALOG_NAME", %s AS "TABLE_SCHEMA_NAME", %s AS "TABLE_NAME",
	pipe_db AS "PIPE_CATALOG_NAME", pipe_schema AS "PIPE_SCHEMA_NAME", pipe_name AS "PIPE_NAME", make_timestamptz(received * 1000) AS "PIPE_RECEIVED_TIME"
	FROM meta.loads WHERE table_id = %d AND loaded BETWEEN %d AND %d)`,
		loadColumns, dialect.Literal(o.DB), dialect.Literal(o.Schema), dialect.Literal(o.Name), o.ID, from, to), nil
}

// informationSchema gives the rows of a view of INFORMATION_SCHEMA as a relation.
func (s *session) informationSchema(db, view string) (string, error) {
	if db == "" {
		return "", errNoDatabase()
	}
	if s.w.cat.get(keyOf(kindDatabase, "", "", db)) == nil {
		return "", errNotFound(kindDatabase, db)
	}
	inDB := func(o *object) bool { return o.DB == db }
	var rows []string
	row := func(cells ...any) {
		lits := make([]string, len(cells))
		for i, c := range cells {
			switch c := c.(type) {
			case nil:
				lits[i] = "NULL"
			case string:
				lits[i] = dialect.Literal(c)
			case time.Time:
				lits[i] = fmt.Sprintf("make_timestamptz(%d)", c.UnixMicro())
			case rawSQL:
				lits[i] = string(c)
			default:
				lits[i] = fmt.Sprint(c)
			}
		}
		rows = append(rows, "("+strings.Join(lits, ", ")+")")
	}
	var names []string
	switch view {
	case "TABLES", "VIEWS":
		names = []string{"TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "TABLE_OWNER", "TABLE_TYPE", "IS_TRANSIENT", "CLUSTERING_KEY", "ROW_COUNT", "BYTES", "CREATED", "LAST_ALTERED", "COMMENT"}
		row("", "", "", "", "", "", "", rawSQL("0::BIGINT"), rawSQL("0::BIGINT"), rawSQL("now()"), rawSQL("now()"), "")
		if view == "TABLES" {
			for _, o := range s.w.cat.list(kindTable, inDB) {
				row(o.DB, o.Schema, o.Name, o.Owner, "BASE TABLE", yesNo(o.Table.Transient), null(o.Table.ClusterBy), rawSQL("(SELECT count(*) FROM "+o.physical()+")"), 0, o.Created, o.Created, null(o.Comment))
			}
		}
		for _, o := range s.w.cat.list(kindView, inDB) {
			row(o.DB, o.Schema, o.Name, o.Owner, "VIEW", "NO", nil, nil, nil, o.Created, o.Created, null(o.Comment))
		}
	case "COLUMNS":
		names = []string{"TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION", "COLUMN_DEFAULT", "IS_NULLABLE", "DATA_TYPE",
			"CHARACTER_MAXIMUM_LENGTH", "NUMERIC_PRECISION", "NUMERIC_SCALE", "DATETIME_PRECISION", "COMMENT"}
		row("", "", "", "", 0, "", "", "", 0, 0, 0, 0, "")
		for _, o := range append(s.w.cat.list(kindTable, inDB), s.w.cat.list(kindView, inDB)...) {
			for i, c := range o.columns() {
				var length, prec, scale, dt any
				name := c.Type.Base
				switch name {
				case "VARCHAR":
					name, length = "TEXT", c.Type.Length
				case "BINARY":
					length = c.Type.Length
				case "NUMBER":
					prec, scale = c.Type.Precision, c.Type.Scale
				case "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ":
					dt = c.Type.Scale
				}
				row(o.DB, o.Schema, o.Name, c.Name, i+1, null(c.Default), yesNo(!c.NotNull), name, length, prec, scale, dt, null(c.Comment))
			}
		}
	default:
		return "", errUnsupported("the view INFORMATION_SCHEMA.%s", view)
	}
	// The first row gives the types and is left out.
	return "(SELECT * FROM (VALUES " + strings.Join(rows, ", ") + ") AS v(" + quoteAll(names) + ") OFFSET 1)", nil
}

type rawSQL string

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

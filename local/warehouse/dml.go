package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mkt/local/dialect"
)

// checkMark begins the error text that a checked value raises in DuckDB; checkError turns it back.
const checkMark = "mkt-check:"

// checked wraps the value of a column so that NOT NULL and the length are enforced.
func (c tableColumn) checked(expr string) string {
	col := dialect.Literal(c.Name)[1:]
	col = col[:len(col)-1]
	var when []string
	if c.NotNull {
		when = append(when, fmt.Sprintf("WHEN (%s) IS NULL THEN error('%snull:%s')", expr, checkMark, col))
	}
	if c.Type.Base == "VARCHAR" && c.Type.Length < maxVarchar {
		when = append(when, fmt.Sprintf("WHEN length(%s) > %d THEN error('%slong:%s:' || left(%s, 100))", expr, c.Type.Length, checkMark, col, expr))
	}
	if c.Type.Base == "BINARY" && c.Type.Length < maxBinary {
		when = append(when, fmt.Sprintf("WHEN octet_length(%s) > %d THEN error('%slong:%s:binary')", expr, c.Type.Length, checkMark, col))
	}
	if when == nil {
		return expr
	}
	return "CASE " + strings.Join(when, " ") + " ELSE " + expr + " END"
}

// checkError is the Snowflake error for what checked found.
func checkError(text string) *sqlError {
	what, rest, _ := strings.Cut(text, ":")
	if what == "null" {
		return &sqlError{Code: "100072", State: "22000", Msg: fmt.Sprintf("NULL result in a non-nullable column '%s'", rest)}
	}
	_, v, _ := strings.Cut(rest, ":")
	return &sqlError{Code: "100078", State: "22000", Msg: fmt.Sprintf("String '%s' is too long and would be truncated", v)}
}

// insertSQL inserts the rows of a DuckDB query into the named columns; the other columns get NULL.
func (o *object) insertSQL(cols []string, duck string) string {
	src, vals := make([]string, len(cols)), make([]string, len(cols))
	given := map[string]bool{}
	for i, n := range cols {
		c := o.Table.Columns[o.Table.index(n)]
		given[n] = true
		src[i] = fmt.Sprintf("v%d", i)
		vals[i] = c.checked(c.Type.cast(src[i]))
	}
	all := append([]string(nil), cols...)
	for _, c := range o.Table.Columns {
		if !given[c.Name] && c.NotNull {
			all, vals = append(all, c.Name), append(vals, c.checked("NULL::"+c.Type.duck()))
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM (%s) AS src(%s)", o.physical(), quoteAll(all), strings.Join(vals, ", "), duck, strings.Join(src, ", "))
}

// insertStmt is INSERT [OVERWRITE] INTO t [(columns)] query | VALUES ….
type insertStmt struct {
	table     objName
	cols      []string
	query     string
	overwrite bool
}

// changeStmt is UPDATE and DELETE.
type changeStmt struct {
	table objName
	alias string
	sets  []struct{ col, expr string }
	from  string // tables of FROM or USING
	where string
}

func parseDML(verb string, p *parser) (statement, error) {
	switch verb {
	case "INSERT":
		return parseInsert(p)
	case "UPDATE":
		return parseUpdate(p)
	}
	st := &changeStmt{}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	if err := st.target(p, "USING", "WHERE"); err != nil {
		return nil, err
	}
	if p.accept("USING") {
		st.from = p.until("WHERE")
	}
	return st, st.condition(p)
}

// target reads the table and its alias, which is no one of the words that may follow.
func (st *changeStmt) target(p *parser, next ...string) error {
	var err error
	if st.table, err = p.name(); err != nil {
		return err
	}
	as := p.accept("AS")
	for _, w := range next {
		if p.word(0, w) && !as {
			return nil
		}
	}
	if p.done() && !as {
		return nil
	}
	st.alias, err = p.ident()
	return err
}

func (st *changeStmt) condition(p *parser) error {
	if p.accept("WHERE") {
		if st.where = p.rest(); st.where == "" {
			return errSyntax(p.peek())
		}
	}
	return p.end()
}

func parseInsert(p *parser) (statement, error) {
	st := &insertStmt{overwrite: p.accept("OVERWRITE")}
	if p.word(0, "ALL") || p.word(0, "FIRST") {
		return nil, errUnsupported("INSERT %s", p.peek().Value)
	}
	if err := p.expect("INTO"); err != nil {
		return nil, err
	}
	var err error
	if st.table, err = p.name(); err != nil {
		return nil, err
	}
	if p.word(0, "(") && !p.word(1, "SELECT") && !p.word(1, "WITH") {
		p.i++
		for {
			n, err := p.ident()
			if err != nil {
				return nil, err
			}
			st.cols = append(st.cols, n)
			if p.accept(")") {
				break
			}
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
	}
	if p.done() {
		return nil, errSyntax(p.peek())
	}
	st.query = p.rest()
	return st, nil
}

func parseUpdate(p *parser) (statement, error) {
	st := &changeStmt{}
	if err := st.target(p, "SET"); err != nil {
		return nil, err
	}
	if err := p.expect("SET"); err != nil {
		return nil, err
	}
	for {
		n, err := p.name() // alias.column or column
		if err != nil {
			return nil, err
		}
		if err := p.expect("="); err != nil {
			return nil, err
		}
		expr := p.until(",", "FROM", "WHERE")
		if expr == "" {
			return nil, errSyntax(p.peek())
		}
		st.sets = append(st.sets, struct{ col, expr string }{n.last(), expr})
		if !p.accept(",") {
			break
		}
	}
	if p.accept("FROM") {
		st.from = p.until("WHERE")
	}
	return st, st.condition(p)
}

// write runs one change of rows beside other writers, again when DuckDB reports a conflict.
func (s *session) write(ctx context.Context, sql ...string) (n int64, err error) {
	conn, err := s.connection(ctx)
	if err != nil {
		return 0, err
	}
	if strings.EqualFold(s.params["AUTOCOMMIT"], "FALSE") && !s.inTx { // the first change begins a transaction
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			return 0, err
		}
		s.inTx = true
	}
	for try := 0; ; try++ {
		n, err = s.writeOnce(ctx, conn, sql)
		if !conflict(err) || s.inTx || try == 20 {
			return n, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Duration(try+1) * 5 * time.Millisecond):
		}
	}
}

func (s *session) writeOnce(ctx context.Context, conn execer, sql []string) (n int64, err error) {
	s.w.ddlMu.RLock()
	defer s.w.ddlMu.RUnlock()
	own := len(sql) > 1 && !s.inTx
	if own {
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			return 0, err
		}
		defer func() {
			if err != nil {
				_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // err says what went wrong
			}
		}()
	}
	for _, q := range sql {
		r, err := conn.ExecContext(ctx, q)
		if err != nil {
			return 0, err
		}
		if n, err = r.RowsAffected(); err != nil {
			return 0, err
		}
	}
	if own {
		if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (st *insertStmt) columns() []column { return []column{numberColumn("number of rows inserted")} }

func (st *insertStmt) run(ctx context.Context, s *session) (*result, error) {
	o, err := s.mustFind(st.table, kindTable)
	if err != nil {
		return nil, err
	}
	duck, got, err := s.described(ctx, st.query, s.scope())
	if err != nil {
		return nil, err
	}
	cols := st.cols
	if cols == nil {
		cols = o.names()
	}
	seen := map[string]bool{}
	for _, n := range cols {
		if _, err := o.Table.find(n); err != nil {
			return nil, err
		}
		if seen[n] {
			return nil, compileError("002025", "42S21", "duplicate column name '%s'", n)
		}
		seen[n] = true
	}
	if len(got) != len(cols) {
		return nil, compileError("002020", "21S01", "Insert value list does not match column list expecting %d but got %d", len(cols), len(got))
	}
	// Columns that are not named get their default.
	extra := ""
	for _, c := range o.Table.Columns {
		if seen[c.Name] || c.Default == "" {
			continue
		}
		def, err := s.defaultSQL(ctx, c)
		if err != nil {
			return nil, err
		}
		cols, extra = append(slices.Clip(cols), c.Name), extra+", "+def
	}
	if extra != "" {
		duck = "SELECT *" + extra + " FROM (" + duck + ")"
	}
	stmts := []string{o.insertSQL(cols, duck)}
	if st.overwrite {
		// The query may read the table that it overwrites.
		const rows = `temp.main."mkt$overwrite"`
		stmts = []string{"CREATE OR REPLACE TEMP TABLE " + rows + " AS " + duck, "DELETE FROM " + o.physical(), o.insertSQL(cols, "SELECT * FROM "+rows)}
		defer func() { _, _ = s.write(ctx, "DROP TABLE IF EXISTS "+rows) }() // ends with the session at the latest
	}
	n, err := s.write(ctx, stmts...)
	if err != nil {
		return nil, err
	}
	return affected(typeInsert, "number of rows inserted", n), nil
}

func (st *changeStmt) columns() []column {
	if st.sets == nil {
		return []column{numberColumn("number of rows deleted")}
	}
	return []column{numberColumn("number of rows updated"), numberColumn("number of multi-joined rows updated")}
}

// run selects the row ids, with new values for UPDATE, by a query that goes the way of all queries.
func (st *changeStmt) run(ctx context.Context, s *session) (*result, error) {
	o, err := s.mustFind(st.table, kindTable)
	if err != nil {
		return nil, err
	}
	target := st.alias
	if target == "" {
		target = st.table.last()
	}
	var q strings.Builder
	fmt.Fprintf(&q, `SELECT %s."rowid" AS "mkt$row"`, dialect.Quote(target))
	for i, set := range st.sets {
		if _, err := o.Table.find(set.col); err != nil {
			return nil, err
		}
		fmt.Fprintf(&q, `, %s AS "mkt$%d"`, set.expr, i)
	}
	fmt.Fprintf(&q, " FROM %s AS %s", quotedName(st.table), dialect.Quote(target))
	if st.from != "" {
		q.WriteString(", " + st.from)
	}
	if st.where != "" {
		q.WriteString(" WHERE " + st.where)
	}
	duck, err := s.compile(ctx, q.String(), s.scope())
	if err != nil {
		return nil, err
	}
	if st.sets == nil {
		n, err := s.write(ctx, fmt.Sprintf(`DELETE FROM %s WHERE rowid IN (SELECT "mkt$row" FROM (%s))`, o.physical(), duck))
		if err != nil {
			return nil, err
		}
		return affected(typeDelete, "number of rows deleted", n), nil
	}
	sets := make([]string, len(st.sets))
	for i, set := range st.sets {
		c := o.Table.Columns[o.Table.index(set.col)]
		sets[i] = dialect.Quote(c.Name) + " = " + c.checked(c.Type.cast(fmt.Sprintf(`src."mkt$%d"`, i)))
	}
	n, err := s.write(ctx, fmt.Sprintf(`UPDATE %s AS tgt SET %s FROM (%s) AS src WHERE tgt.rowid = src."mkt$row"`, o.physical(), strings.Join(sets, ", "), duck))
	if err != nil {
		return nil, err
	}
	r := affected(typeUpdate, "number of rows updated", n)
	zero := "0"
	r.cols = st.columns()
	r.rows[0] = append(r.rows[0], &zero)
	return r, nil
}

func quotedName(n objName) string {
	q := make([]string, len(n))
	for i, p := range n {
		q[i] = dialect.Quote(p)
	}
	return strings.Join(q, ".")
}

package warehouse

import (
	"context"
	"slices"
	"strings"

	"mkt/local/dialect"
)

// tableColumn is a column as declared. DuckDB knows its name and type alone; nullability, length and
// default are checked and filled in when rows come in, so that an ALTER of them never rewrites rows.
type tableColumn struct {
	Name    string   `json:"name"`
	Type    dataType `json:"type"`
	NotNull bool     `json:"not_null,omitempty"`
	Default string   `json:"default,omitempty"` // Snowflake expression text
	Comment string   `json:"comment,omitempty"`
	Primary bool     `json:"primary,omitempty"`
	Unique  bool     `json:"unique,omitempty"`
}

type tableDef struct {
	Columns   []tableColumn `json:"columns"`
	ClusterBy string        `json:"cluster_by,omitempty"`
	Transient bool          `json:"transient,omitempty"`
}

func (t *tableDef) copy() *tableDef {
	c := *t
	c.Columns = slices.Clone(t.Columns)
	return &c
}

func (t *tableDef) index(name string) int {
	return slices.IndexFunc(t.Columns, func(c tableColumn) bool { return c.Name == name })
}

func (t *tableDef) find(name string) (int, error) {
	if i := t.index(name); i >= 0 {
		return i, nil
	}
	return 0, compileError("000904", "42000", "invalid identifier '%s'", name)
}

// columns gives the columns of a table or view.
func (o *object) columns() []tableColumn {
	if o.View != nil {
		return o.View.Columns
	}
	return o.Table.Columns
}

func (t *tableDef) createSQL(physical string) string {
	cols := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		cols[i] = dialect.Quote(c.Name) + " " + c.Type.duck()
	}
	return "CREATE TABLE " + physical + " (" + strings.Join(cols, ", ") + ")"
}

// addable checks that a column name is free. DuckDB cannot tell names apart by case alone.
func (t *tableDef) addable(name string) error {
	for _, c := range t.Columns {
		if c.Name == name {
			return compileError("002025", "42S21", "duplicate column name '%s'", name)
		}
		if strings.EqualFold(c.Name, name) {
			return errUnsupported("columns that differ by case alone (%q, %q)", c.Name, name)
		}
	}
	if strings.EqualFold(name, "rowid") {
		return errUnsupported("a column named %q", name)
	}
	return nil
}

type createTable struct {
	head
	def   tableDef
	query string
	opts  options
}

func parseCreateTable(p *parser, h head, transient bool) (statement, error) {
	st := &createTable{head: h}
	st.def.Transient = transient
	var err error
	switch {
	case p.word(0, "CLONE"), p.word(0, "LIKE"), p.word(0, "USING"), p.word(0, "FROM"):
		return nil, errUnsupported("CREATE TABLE … %s", p.peek().Value)
	case p.accept("("):
		if err := p.columnDefs(&st.def); err != nil {
			return nil, err
		}
	}
	for !p.done() {
		switch {
		case p.accept("CLUSTER", "BY"):
			if st.def.ClusterBy, err = p.clusterBy(); err != nil {
				return nil, err
			}
		case p.accept("COPY", "GRANTS"):
			st.copies = true
		case p.accept("AS"):
			st.query = p.rest()
		default:
			opts, err := p.parseOptions()
			if err != nil {
				return nil, err
			}
			if len(opts) == 0 {
				return nil, errSyntax(p.peek())
			}
			st.opts = append(st.opts, opts...)
		}
	}
	if len(st.def.Columns) == 0 && st.query == "" {
		return nil, errSyntax(p.peek())
	}
	return st, nil
}

func (p *parser) clusterBy() (string, error) {
	if err := p.expect("("); err != nil {
		return "", err
	}
	text := p.until()
	return "LINEAR(" + text + ")", p.expect(")")
}

// columnDefs reads the column list of CREATE TABLE after its opening parenthesis.
func (p *parser) columnDefs(def *tableDef) error {
	for {
		switch {
		case p.word(0, "PRIMARY") && p.word(1, "KEY"), p.word(0, "UNIQUE") && p.word(1, "("), p.word(0, "CONSTRAINT"):
			if err := p.tableConstraint(def); err != nil {
				return err
			}
		case p.word(0, "FOREIGN") && p.word(1, "KEY"):
			return errUnsupported("foreign keys")
		default:
			c, err := p.columnDef()
			if err != nil {
				return err
			}
			if err := def.addable(c.Name); err != nil {
				return err
			}
			def.Columns = append(def.Columns, c)
		}
		if p.accept(")") {
			return nil
		}
		if err := p.expect(","); err != nil {
			return err
		}
	}
}

func (p *parser) tableConstraint(def *tableDef) error {
	if p.accept("CONSTRAINT") {
		if _, err := p.ident(); err != nil {
			return err
		}
	}
	primary := p.accept("PRIMARY", "KEY")
	if !primary {
		if err := p.expect("UNIQUE"); err != nil {
			return err
		}
	}
	if err := p.expect("("); err != nil {
		return err
	}
	for {
		n, err := p.ident()
		if err != nil {
			return err
		}
		i, err := def.find(n)
		if err != nil {
			return err
		}
		if primary {
			def.Columns[i].Primary, def.Columns[i].NotNull = true, true
		} else {
			def.Columns[i].Unique = true
		}
		if p.accept(")") {
			return nil
		}
		if err := p.expect(","); err != nil {
			return err
		}
	}
}

func (p *parser) columnDef() (tableColumn, error) {
	c := tableColumn{}
	var err error
	if c.Name, err = p.ident(); err != nil {
		return c, err
	}
	if c.Type, err = p.parseType(); err != nil {
		return c, err
	}
	for {
		switch {
		case p.accept("NOT", "NULL"):
			c.NotNull = true
		case p.accept("NULL"):
		case p.accept("DEFAULT"):
			c.Default = p.until(",", "NOT", "NULL", "COMMENT", "PRIMARY", "UNIQUE", "COLLATE", "CONSTRAINT", "MASKING", "TAG")
			if c.Default == "" { // DEFAULT NULL
				if err := p.expect("NULL"); err != nil {
					return c, err
				}
				c.Default = "NULL"
			}
		case p.accept("COMMENT"):
			p.accept("=")
			if c.Comment, err = p.str(); err != nil {
				return c, err
			}
		case p.accept("PRIMARY", "KEY"):
			c.Primary, c.NotNull = true, true
		case p.accept("UNIQUE"):
			c.Unique = true
		case p.word(0, ","), p.word(0, ")"), p.done():
			return c, nil
		default:
			if t := p.peek(); t.Kind == dialect.Ident {
				switch t.Value {
				case "AUTOINCREMENT", "IDENTITY", "COLLATE", "MASKING", "REFERENCES", "TAG", "AS", "WITH", "CHECK", "PROJECTION":
					return c, errUnsupported("the column property %s", t.Value)
				}
			}
			return c, errSyntax(p.peek())
		}
	}
}

func (st *createTable) run(ctx context.Context, s *session) (*result, error) {
	o := &object{Kind: kindTable, Table: st.def.copy()}
	opts := append(options(nil), st.opts...)
	opts.takeString("COMMENT", &o.Comment)
	if err := setTable(o, opts); err != nil {
		return nil, err
	}
	for _, c := range o.Table.Columns {
		if err := s.checkDefault(ctx, c); err != nil {
			return nil, err
		}
	}
	if st.query != "" {
		return st.runAs(ctx, s, o)
	}
	return s.createObject(ctx, st.head, o, nil)
}

func (o *object) names() []string {
	var out []string
	for _, c := range o.Table.Columns {
		out = append(out, c.Name)
	}
	return out
}

// checkDefault says whether a default can be computed and fits the column.
func (s *session) checkDefault(ctx context.Context, c tableColumn) error {
	if c.Default == "" {
		return nil
	}
	_, err := s.defaultSQL(ctx, c)
	return err
}

// defaultSQL gives a column's default as a DuckDB expression of its type.
func (s *session) defaultSQL(ctx context.Context, c tableColumn) (string, error) {
	if c.Default == "" {
		return "NULL", nil
	}
	duck, err := s.compile(ctx, "SELECT "+c.Default, scope{named: map[string]string{}})
	if err != nil {
		return "", err
	}
	expr := c.Type.cast("(" + duck + ")")
	conn, err := s.connection(ctx)
	if err != nil {
		return "", err
	}
	var v any
	if err := conn.QueryRowContext(ctx, "SELECT "+expr).Scan(&v); err != nil {
		return "", compileError("002023", "22000", "Expression type does not match column data type, expecting %s for column %s: %v", c.Type, c.Name, err)
	}
	return expr, nil
}

// setTable applies the properties of CREATE TABLE and ALTER TABLE SET that follow the columns.
func setTable(o *object, opts options) error {
	if err := setRetention(o, &opts); err != nil {
		return err
	}
	return opts.refuseRest("TABLE")
}

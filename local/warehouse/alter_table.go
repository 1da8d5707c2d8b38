package warehouse

import (
	"context"
	"slices"
	"strings"

	"mkt/local/dialect"
)

// tableChange is one step of an ALTER TABLE.
type tableChange func(ctx context.Context, s *session, d *ddlTx, o *object) error

func parseAlterTable(p *parser, st *alterStmt) (statement, error) {
	change, err := p.tableChange()
	if err != nil {
		return nil, err
	}
	st.change = func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		o.Table = o.Table.copy()
		return change(ctx, s, d, o)
	}
	return st, p.end()
}

func (p *parser) tableChange() (tableChange, error) {
	switch {
	case p.accept("ADD"):
		return p.addColumns()
	case p.accept("DROP", "CLUSTERING", "KEY"):
		return func(_ context.Context, _ *session, _ *ddlTx, o *object) error {
			o.Table.ClusterBy = ""
			return nil
		}, nil
	case p.accept("DROP", "COLUMN"):
		return p.dropColumns()
	case p.accept("RENAME", "COLUMN"):
		from, err := p.ident()
		if err != nil {
			return nil, err
		}
		if err := p.expect("TO"); err != nil {
			return nil, err
		}
		to, err := p.ident()
		return renameColumn(from, to), err
	case p.accept("CLUSTER", "BY"):
		by, err := p.clusterBy()
		return func(_ context.Context, _ *session, _ *ddlTx, o *object) error {
			o.Table.ClusterBy = by
			return nil
		}, err
	case p.accept("ALTER"), p.accept("MODIFY"):
		return p.alterColumns()
	case p.accept("SET"):
		opts, err := p.parseOptions()
		if err != nil {
			return nil, err
		}
		if len(opts) == 0 {
			return nil, errSyntax(p.peek())
		}
		return func(_ context.Context, _ *session, _ *ddlTx, o *object) error {
			opts := append(options(nil), opts...)
			opts.takeString("COMMENT", &o.Comment)
			return setTable(o, opts)
		}, nil
	}
	return nil, errUnsupported("ALTER TABLE … %s", strings.TrimSpace(p.peek().Value+" "+p.at(1).Value))
}

func (p *parser) addColumns() (tableChange, error) {
	p.accept("COLUMN")
	ifNot := p.accept("IF", "NOT", "EXISTS")
	if p.word(0, "CONSTRAINT") || p.word(0, "PRIMARY") || p.word(0, "UNIQUE") || p.word(0, "FOREIGN") {
		return nil, errUnsupported("ALTER TABLE ADD %s", p.peek().Value)
	}
	var cols []tableColumn
	for {
		c, err := p.columnDef()
		if err != nil {
			return nil, err
		}
		cols = append(cols, c)
		if !p.accept(",") {
			break
		}
		p.accept("COLUMN")
	}
	return func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		for _, c := range cols {
			if ifNot && o.Table.index(c.Name) >= 0 {
				continue
			}
			if err := o.Table.addable(c.Name); err != nil {
				return err
			}
			def, err := s.defaultSQL(ctx, c)
			if err != nil {
				return err
			}
			if c.NotNull && def == "NULL" {
				var n int64
				if err := d.tx.QueryRowContext(ctx, "SELECT count(*) FROM "+o.physical()).Scan(&n); err != nil {
					return err
				}
				if n > 0 {
					return compileError("002260", "42601", "Non-nullable column '%s' cannot be added to non-empty table '%s' unless it has a non-null default value.", c.Name, o.Name)
				}
			}
			if err := d.exec("ALTER TABLE " + o.physical() + " ADD COLUMN " + dialect.Quote(c.Name) + " " + c.Type.duck()); err != nil {
				return err
			}
			if def != "NULL" {
				if err := d.exec("UPDATE " + o.physical() + " SET " + dialect.Quote(c.Name) + " = " + def); err != nil {
					return err
				}
			}
			o.Table.Columns = append(o.Table.Columns, c)
		}
		return nil
	}, nil
}

func (p *parser) dropColumns() (tableChange, error) {
	ifEx := p.accept("IF", "EXISTS")
	var names []string
	for {
		n, err := p.ident()
		if err != nil {
			return nil, err
		}
		names = append(names, n)
		if !p.accept(",") {
			break
		}
	}
	return func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		for _, n := range names {
			i := o.Table.index(n)
			if i < 0 && ifEx {
				continue
			}
			if i < 0 {
				return compileError("000904", "42000", "column '%s' does not exist", n)
			}
			if len(o.Table.Columns) == 1 {
				return compileError("002262", "42601", "cannot drop the only column of table '%s'", o.Name)
			}
			if err := d.exec("ALTER TABLE " + o.physical() + " DROP COLUMN " + dialect.Quote(n)); err != nil {
				return err
			}
			o.Table.Columns = slices.Delete(o.Table.Columns, i, i+1)
		}
		return nil
	}, nil
}

func renameColumn(from, to string) tableChange {
	return func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		i := o.Table.index(from)
		if i < 0 {
			return compileError("000904", "42000", "column '%s' does not exist", from)
		}
		if !strings.EqualFold(from, to) {
			if err := o.Table.addable(to); err != nil {
				return err
			}
		}
		o.Table.Columns[i].Name = to
		if from == to {
			return nil
		}
		if strings.EqualFold(from, to) { // DuckDB sees no difference, so go by way of a third name
			tmp := "mkt$" + to
			if err := d.exec("ALTER TABLE " + o.physical() + " RENAME COLUMN " + dialect.Quote(from) + " TO " + dialect.Quote(tmp)); err != nil {
				return err
			}
			from = tmp
		}
		return d.exec("ALTER TABLE " + o.physical() + " RENAME COLUMN " + dialect.Quote(from) + " TO " + dialect.Quote(to))
	}
}

// alterColumns reads [COLUMN] c …, [COLUMN] d … with or without parentheses around.
func (p *parser) alterColumns() (tableChange, error) {
	paren := p.accept("(")
	var steps []tableChange
	for {
		p.accept("COLUMN")
		name, err := p.ident()
		if err != nil {
			return nil, err
		}
		step, err := p.columnChange(name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
		if !p.accept(",") {
			break
		}
	}
	if paren {
		if err := p.expect(")"); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		for _, step := range steps {
			if err := step(ctx, s, d, o); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (p *parser) columnChange(name string) (tableChange, error) {
	// on runs an edit of the column with its index.
	on := func(edit func(ctx context.Context, d *ddlTx, o *object, c *tableColumn) error) tableChange {
		return func(ctx context.Context, s *session, d *ddlTx, o *object) error {
			i := o.Table.index(name)
			if i < 0 {
				return compileError("000904", "42000", "column '%s' does not exist", name)
			}
			return edit(ctx, d, o, &o.Table.Columns[i])
		}
	}
	switch {
	case p.accept("DROP", "DEFAULT"):
		return on(func(_ context.Context, _ *ddlTx, _ *object, c *tableColumn) error { c.Default = ""; return nil }), nil
	case p.accept("SET", "DEFAULT"):
		return nil, compileError("002199", "0A000", "Unsupported feature: a column's default cannot be set or changed, only dropped (column '%s')", name)
	case p.accept("DROP", "NOT", "NULL"):
		return on(func(_ context.Context, _ *ddlTx, _ *object, c *tableColumn) error { c.NotNull = false; return nil }), nil
	case p.accept("SET", "NOT", "NULL"), p.accept("NOT", "NULL"):
		return on(func(ctx context.Context, d *ddlTx, o *object, c *tableColumn) error {
			var n int64
			if err := d.tx.QueryRowContext(ctx, "SELECT count(*) FROM "+o.physical()+" WHERE "+dialect.Quote(c.Name)+" IS NULL").Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return &sqlError{Code: "002108", State: "22000", Msg: "SQL compilation error:\nColumn '" + c.Name + "' contains null values. Not null constraint cannot be added."}
			}
			c.NotNull = true
			return nil
		}), nil
	case p.accept("COMMENT"):
		p.accept("=")
		text, err := p.str()
		return on(func(_ context.Context, _ *ddlTx, _ *object, c *tableColumn) error { c.Comment = text; return nil }), err
	}
	p.accept("SET", "DATA")
	p.accept("TYPE")
	to, err := p.parseType()
	if err != nil {
		return nil, err
	}
	return on(func(ctx context.Context, d *ddlTx, o *object, c *tableColumn) error {
		if !c.Type.widens(to) {
			return compileError("040052", "22000", "cannot change column %s from type %s to %s", c.Name, c.Type, to)
		}
		from := c.Type.duck()
		c.Type = to
		if to.duck() == from {
			return nil
		}
		return d.exec("ALTER TABLE " + o.physical() + " ALTER COLUMN " + dialect.Quote(c.Name) + " SET DATA TYPE " + to.duck())
	}), nil
}

// widens says whether Snowflake changes a column's type in place (document "ALTER TABLE … ALTER COLUMN").
func (d dataType) widens(to dataType) bool {
	if d.Base != to.Base {
		return false
	}
	switch d.Base {
	case "NUMBER":
		return to.Scale == d.Scale && to.Precision >= d.Precision
	case "VARCHAR", "BINARY":
		return to.Length >= d.Length
	}
	return d == to
}

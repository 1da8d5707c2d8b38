package warehouse

import (
	"context"
	"strings"
)

// runAs creates the table from a query and fills it in the same change.
func (st *createTable) runAs(ctx context.Context, s *session, o *object) (*result, error) {
	duck, cols, err := s.described(ctx, st.query, s.scope())
	if err != nil {
		return nil, err
	}
	if len(o.Table.Columns) == 0 {
		for _, c := range cols {
			if err := o.Table.addable(c.Name); err != nil {
				return nil, err
			}
			o.Table.Columns = append(o.Table.Columns, tableColumn{Name: c.Name, Type: c.declared()})
		}
	}
	if len(o.Table.Columns) != len(cols) {
		return nil, compileError("002020", "21S01", "Column count mismatch: the table has %d columns, the query %d", len(o.Table.Columns), len(cols))
	}
	k, err := qualify(st.name, kindTable, s.db, s.schema)
	if err != nil {
		return nil, err
	}
	o.DB, o.Schema, o.Name = k.db, k.schema, k.name
	err = s.ddl(ctx, func(d *ddlTx) error {
		if err := d.container(o); err != nil {
			return err
		}
		old := s.w.cat.get(k)
		if old != nil && (!st.orRepl || old.Kind != kindTable) {
			if st.ifNot {
				return nil
			}
			return errExists(k.name)
		}
		if err := d.create(o); err != nil {
			return err
		}
		if err := d.exec(o.insertSQL(o.names(), duck)); err != nil {
			return err
		}
		if old != nil { // last, for the query may read the table that it replaces
			return d.drop(old)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return status("Table %s successfully created.", o.Name), nil
}

// declared gives the column type that CREATE TABLE … AS takes from a result column.
func (c column) declared() dataType {
	switch c.Type {
	case "fixed":
		return dataType{Base: "NUMBER", Precision: c.Precision, Scale: c.Scale}
	case "real":
		return dataType{Base: "FLOAT"}
	case "text":
		return dataType{Base: "VARCHAR", Length: c.Length}
	case "binary":
		return dataType{Base: "BINARY", Length: c.Length}
	case "time", "timestamp_ntz", "timestamp_ltz", "timestamp_tz":
		return dataType{Base: strings.ToUpper(c.Type), Scale: 9}
	}
	return dataType{Base: strings.ToUpper(c.Type)}
}

type truncateStmt struct{ head }

func parseTruncate(p *parser) (statement, error) {
	st := &truncateStmt{head{kind: kindTable}}
	p.accept("TABLE")
	st.ifEx = p.accept("IF", "EXISTS")
	var err error
	if st.name, err = p.name(); err != nil {
		return nil, err
	}
	return st, p.end()
}

// run empties the table. COPY forgets what it loaded, pipes do not (Snowflake document "TRUNCATE TABLE").
func (st *truncateStmt) run(ctx context.Context, s *session) (*result, error) {
	err := s.ddl(ctx, func(d *ddlTx) error {
		o, err := s.mustFind(st.name, kindTable)
		if err != nil {
			if st.ifEx && mapError(err).Code == "002003" {
				return nil
			}
			return err
		}
		d.update(o)
		if err := d.exec(`DELETE FROM meta.copy_files WHERE table_id = ?`, o.ID); err != nil {
			return err
		}
		return d.exec("DELETE FROM " + o.physical())
	})
	if err != nil {
		return nil, err
	}
	return status("Statement executed successfully."), nil
}

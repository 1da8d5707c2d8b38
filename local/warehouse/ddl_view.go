package warehouse

import (
	"context"
)

// viewDef is a view: its query as written, compiled anew by each query that reads it.
type viewDef struct {
	Text    string        `json:"text"`            // the query after AS
	Create  string        `json:"create"`          // the whole statement, as SHOW VIEWS gives it
	Names   []string      `json:"names,omitempty"` // column names given in the view's head
	Columns []tableColumn `json:"columns"`
	Secure  bool          `json:"secure,omitempty"`
}

type createView struct {
	head
	def     viewDef
	comment string
	dynamic *dynamicDef // of a dynamic table
}

func parseCreateView(p *parser, h head, secure bool) (statement, error) {
	st := &createView{head: h, def: viewDef{Secure: secure, Create: p.src}}
	var err error
	var comments []string
	for {
		switch {
		case p.accept("("):
			for {
				n, err := p.ident()
				if err != nil {
					return nil, err
				}
				text := ""
				if p.accept("COMMENT") {
					if text, err = p.str(); err != nil {
						return nil, err
					}
				}
				st.def.Names, comments = append(st.def.Names, n), append(comments, text)
				if p.accept(")") {
					break
				}
				if err := p.expect(","); err != nil {
					return nil, err
				}
			}
		case p.accept("COMMENT", "="):
			if st.comment, err = p.str(); err != nil {
				return nil, err
			}
		case p.accept("COPY", "GRANTS"):
			st.copies = true
		case p.accept("AS"):
			if p.done() {
				return nil, errSyntax(p.peek())
			}
			st.def.Text = p.rest()
			for i, c := range comments {
				st.def.Columns = append(st.def.Columns, tableColumn{Name: st.def.Names[i], Comment: c})
			}
			return st, nil
		default:
			return nil, errSyntax(p.peek())
		}
	}
}

func (st *createView) run(ctx context.Context, s *session) (*result, error) {
	k, err := qualify(st.name, kindView, s.db, s.schema)
	if err != nil {
		return nil, err
	}
	_, cols, err := s.described(ctx, st.def.Text, scope{db: k.db, schema: k.schema, named: map[string]string{}})
	if err != nil {
		return nil, err
	}
	def := st.def
	if def.Names != nil && len(def.Names) != len(cols) {
		return nil, compileError("002057", "42601", "Invalid column definition list: %d names for %d columns", len(def.Names), len(cols))
	}
	check := &tableDef{}
	given := def.Columns
	def.Columns = nil
	for i, c := range cols {
		vc := tableColumn{Name: c.Name, Type: c.declared()}
		if given != nil {
			vc.Name, vc.Comment = given[i].Name, given[i].Comment
		}
		if err := check.addable(vc.Name); err != nil {
			return nil, err
		}
		check.Columns = append(check.Columns, vc)
	}
	def.Columns = check.Columns
	return s.createObject(ctx, st.head, &object{View: &def, Dynamic: st.dynamic, Comment: st.comment}, nil)
}

func setView(d *ddlTx, o *object, opts options) error { return opts.refuseRest("VIEW") }

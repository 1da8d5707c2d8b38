package warehouse

import (
	"context"
)

// streamDef is a stream on a table. It is kept and shown; reading one is refused, as what changed in a table is not kept.
type streamDef struct {
	TableID    int64 `json:"table_id"` // the table that it was made on: another one of the name makes it stale
	Table      objName
	AppendOnly bool `json:"append_only,omitempty"`
}

type createStream struct {
	head
	def     streamDef
	comment string
}

func parseCreateStream(p *parser, h head) (statement, error) {
	st := &createStream{head: h}
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	if !p.accept("TABLE") {
		return nil, errUnsupported("CREATE STREAM … ON %s", p.peek().Value)
	}
	var err error
	if st.def.Table, err = p.name(); err != nil {
		return nil, err
	}
	if p.word(0, "AT") || p.word(0, "BEFORE") {
		return nil, errUnsupported("CREATE STREAM … %s", p.peek().Value)
	}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	opts.takeString("COMMENT", &st.comment)
	if err := opts.takeBool("APPEND_ONLY", &st.def.AppendOnly); err != nil {
		return nil, err
	}
	initial := false
	if err := opts.takeBool("SHOW_INITIAL_ROWS", &initial); err != nil {
		return nil, err
	}
	if initial {
		return nil, errUnsupported("SHOW_INITIAL_ROWS of a stream")
	}
	if err := opts.refuseRest("STREAM"); err != nil {
		return nil, err
	}
	return st, p.end()
}

func (st *createStream) run(ctx context.Context, s *session) (*result, error) {
	def := st.def
	return s.createObject(ctx, st.head, &object{Stream: &def, Comment: st.comment}, func(*ddlTx) error {
		on, err := s.mustFind(def.Table, kindTable)
		if err == nil {
			def.TableID, def.Table = on.ID, objName{on.DB, on.Schema, on.Name}
		}
		return err
	})
}

func setStream(_ *ddlTx, _ *object, opts options) error { return opts.refuseRest("STREAM") }

func (s *session) streamRow(o *object) []any {
	mode, stale, name := "DEFAULT", "true", o.Stream.Table.String()
	if o.Stream.AppendOnly {
		mode = "APPEND_ONLY"
	}
	if on := s.w.cat.id(o.Stream.TableID); on != nil {
		stale, name = "false", on.full()
	}
	return []any{o.Created, o.Name, o.DB, o.Schema, o.Owner, o.Comment, name, "Table", name, "DELTA", stale, mode, s.w.now().AddDate(0, 0, 14), "N/A", "ROLE"}
}

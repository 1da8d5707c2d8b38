package warehouse

import (
	"cmp"
	"context"
	"strings"
)

// alterStmt changes one object: change works on a copy.
type alterStmt struct {
	head
	change  func(ctx context.Context, s *session, d *ddlTx, o *object) error
	message string
}

func (st *alterStmt) run(ctx context.Context, s *session) (*result, error) {
	r := status("%s", cmp.Or(st.message, "Statement executed successfully."))
	err := s.ddl(ctx, func(d *ddlTx) error {
		o, err := s.mustFind(st.name, st.kind)
		if err != nil {
			if st.ifEx && mapError(err).Code == "002003" {
				return nil
			}
			return err
		}
		o = o.copy()
		if err := st.change(ctx, s, d, o); err != nil {
			return err
		}
		d.update(o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func parseAlter(p *parser) (statement, error) {
	if p.accept("SESSION") {
		return parseAlterSession(p)
	}
	k, err := p.objectKind()
	if err != nil {
		return nil, err
	}
	st := &alterStmt{head: head{kind: k}}
	st.ifEx = p.accept("IF", "EXISTS")
	if st.name, err = p.name(); err != nil {
		return nil, err
	}
	if p.accept("RENAME", "TO") {
		to, err := p.name()
		if err != nil {
			return nil, err
		}
		st.change = renameTo(to)
		return st, p.end()
	}
	switch k {
	case kindTable:
		return parseAlterTable(p, st)
	case kindPipe:
		if p.word(0, "REFRESH") {
			return parseRefresh(p, st.head)
		}
	}
	if k == kindTask {
		return parseAlterTask(p, st)
	}
	if p.accept("UNSET") {
		return parseUnset(p, st)
	}
	if !p.accept("SET") {
		return nil, errUnsupported("ALTER %s … %s", k, p.peek().Value)
	}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	if len(opts) == 0 {
		return nil, errSyntax(p.peek())
	}
	st.change = func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		opts := append(options(nil), opts...)
		opts.takeString("COMMENT", &o.Comment)
		return setters[k](d, o, opts)
	}
	return st, p.end()
}

// setters apply ALTER … SET for each kind; COMMENT is done already.
var setters = map[kind]func(d *ddlTx, o *object, opts options) error{
	kindDatabase: setContainer, kindSchema: setContainer, kindWarehouse: setWarehouse, kindView: setView,
	kindFormat: setFormat, kindIntegration: setIntegration, kindStage: setStage, kindPipe: setPipe,
	kindDynamic: setDynamic, kindStream: setStream,
}

// parseUnset reads UNSET of properties.
func parseUnset(p *parser, st *alterStmt) (statement, error) {
	var keys []string
	for {
		k, err := p.ident()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
		if !p.accept(",") {
			break
		}
	}
	st.change = func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		for _, k := range keys {
			switch k {
			case "STORAGE_BLOCKED_LOCATIONS":
				if o.Integration == nil || o.Integration.Direction != "" {
					return errInvalid("invalid property '%s'", k)
				}
				in := *o.Integration
				in.Blocked = nil
				o.Integration = &in
			case "ERROR_INTEGRATION":
				if o.Pipe == nil {
					return errInvalid("invalid property '%s'", k)
				}
				pipe := *o.Pipe
				pipe.ErrorInt = ""
				o.Pipe = &pipe
			default:
				return errUnsupported("UNSET %s of a %s", k, strings.ToLower(string(o.Kind)))
			}
		}
		return nil
	}
	return st, p.end()
}

// renameTo moves an object to another name, and for objects in a schema to another schema.
func renameTo(to objName) func(context.Context, *session, *ddlTx, *object) error {
	return func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		k, err := qualify(to, o.Kind, cmp.Or(s.db, o.DB), cmp.Or(s.schema, o.Schema))
		if err != nil {
			return err
		}
		if d.w.cat.get(k) != nil {
			return errExists(k.name)
		}
		if o.Kind == kindPipe || o.Kind == kindIntegration || o.Kind == kindStream || o.Kind == kindTask {
			return errUnsupported("ALTER %s … RENAME TO", o.Kind)
		}
		old := *o
		o.DB, o.Schema, o.Name = k.db, k.schema, k.name
		if err := d.container(o); err != nil {
			return err
		}
		if o.Kind != kindDatabase && o.Kind != kindSchema {
			return nil
		}
		for _, ck := range append([]kind{kindSchema}, inSchema...) {
			for _, in := range d.w.cat.list(ck, func(in *object) bool {
				return old.Kind == kindDatabase && in.DB == old.Name || old.Kind == kindSchema && in.DB == old.DB && in.Schema == old.Name
			}) {
				in = in.copy()
				if old.Kind == kindDatabase {
					in.DB = o.Name
				} else {
					in.DB, in.Schema = o.DB, o.Name
				}
				d.update(in)
			}
		}
		return nil
	}
}

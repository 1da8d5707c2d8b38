package warehouse

import (
	"context"
)

// head is what CREATE, ALTER and DROP share.
type head struct {
	kind   kind
	name   objName
	orRepl bool
	ifNot  bool // IF NOT EXISTS
	ifEx   bool // IF EXISTS
	copies bool // COPY GRANTS
}

func parseCreate(p *parser) (statement, error) {
	h := head{}
	if p.accept("OR", "REPLACE") {
		h.orRepl = true
	} else if p.accept("OR") {
		return nil, errUnsupported("CREATE OR %s", p.peek().Value)
	}
	transient := p.accept("TRANSIENT")
	secure := p.accept("SECURE")
	for _, w := range []string{"TEMPORARY", "TEMP", "VOLATILE", "LOCAL", "GLOBAL", "RECURSIVE", "MATERIALIZED", "EXTERNAL", "HYBRID", "ICEBERG", "EVENT"} {
		if p.word(0, w) {
			return nil, errUnsupported("CREATE %s", w)
		}
	}
	storage := p.word(0, "STORAGE")
	k, err := p.objectKind()
	if err != nil {
		return nil, err
	}
	h.kind = k
	if p.accept("IF", "NOT", "EXISTS") {
		h.ifNot = true
	}
	if h.orRepl && h.ifNot {
		return nil, compileError("002180", "42601", "options IF NOT EXISTS and OR REPLACE are incompatible")
	}
	if h.name, err = p.name(); err != nil {
		return nil, err
	}
	if _, err := qualify(h.name, k, "x", "x"); err != nil {
		return nil, err
	}
	switch k {
	case kindDatabase, kindSchema:
		return parseCreateContainer(p, h)
	case kindWarehouse:
		return parseCreateWarehouse(p, h)
	case kindTable:
		return parseCreateTable(p, h, transient)
	case kindView:
		return parseCreateView(p, h, secure)
	case kindFormat:
		return parseCreateFormat(p, h)
	case kindIntegration:
		return parseCreateIntegration(p, h, storage)
	case kindStage:
		return parseCreateStage(p, h)
	case kindDynamic:
		return parseCreateDynamic(p, h)
	case kindStream:
		return parseCreateStream(p, h)
	case kindTask:
		return parseCreateTask(p, h)
	}
	return parseCreatePipe(p, h)
}

// createObject puts a new object where the head says, or replaces the old one, and answers as Snowflake does.
// prepare fills in what depends on the catalog; it runs inside the change.
func (s *session) createObject(ctx context.Context, h head, o *object, prepare func(*ddlTx) error) (*result, error) {
	k, err := qualify(h.name, h.kind, s.db, s.schema)
	if err != nil {
		return nil, err
	}
	o.Kind, o.DB, o.Schema, o.Name = h.kind, k.db, k.schema, k.name
	existed := false
	var grants []*object
	err = s.ddl(ctx, func(d *ddlTx) error {
		if err := d.container(o); err != nil {
			return err
		}
		if old := s.w.cat.get(k); old != nil {
			if h.ifNot {
				existed = true
				return nil
			}
			if !h.orRepl || old.Kind != o.Kind {
				return errExists(old.Name)
			}
			if h.copies {
				grants = s.w.cat.grants(old.ID)
			}
			if err := d.drop(old); err != nil {
				return err
			}
		}
		if prepare != nil {
			if err := prepare(d); err != nil {
				return err
			}
		}
		if err := d.create(o); err != nil {
			return err
		}
		for _, g := range grants {
			def := *g.Grant
			def.On = o.ID
			if err := d.create(&object{Kind: kindGrant, Name: def.key().name, Grant: &def}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if existed {
		return status("%s already exists, statement succeeded.", o.Name), nil
	}
	if h.kind == kindStage {
		return status("Stage area %s successfully created.", o.Name), nil
	}
	return status("%s %s successfully created.", h.kind.title(), o.Name), nil
}

// container checks that the database and schema of a new object exist.
func (d *ddlTx) container(o *object) error {
	if o.DB != "" && d.w.cat.get(keyOf(kindDatabase, "", "", o.DB)) == nil {
		return errNotFound(kindDatabase, o.DB)
	}
	if o.Schema != "" && d.w.cat.get(keyOf(kindSchema, o.DB, "", o.Schema)) == nil {
		return errNotFound(kindSchema, o.DB+"."+o.Schema)
	}
	return nil
}

type dropStmt struct {
	head
}

func parseDrop(p *parser) (statement, error) {
	h := head{}
	k, err := p.objectKind()
	if err != nil {
		return nil, err
	}
	h.kind = k
	h.ifEx = p.accept("IF", "EXISTS")
	if h.name, err = p.name(); err != nil {
		return nil, err
	}
	if !p.accept("CASCADE") {
		p.accept("RESTRICT")
	}
	return &dropStmt{h}, p.end()
}

func (st *dropStmt) run(ctx context.Context, s *session) (*result, error) {
	r := status("%s successfully dropped.", st.name.last())
	err := s.ddl(ctx, func(d *ddlTx) error {
		o, err := s.mustFind(st.name, st.kind)
		if err != nil {
			if st.ifEx && mapError(err).Code == "002003" {
				r = status("Drop statement executed successfully (%s already dropped).", st.name.last())
				return nil
			}
			return err
		}
		return d.drop(o)
	})
	if err != nil {
		return nil, err
	}
	if s.db != "" && s.w.cat.get(keyOf(kindDatabase, "", "", s.db)) == nil {
		s.db, s.schema = "", ""
	} else if s.schema != "" && s.w.cat.get(keyOf(kindSchema, s.db, "", s.schema)) == nil {
		s.schema = ""
	}
	return r, nil
}

package warehouse

import (
	"context"
	"strings"

	"mkt/local/dialect"
)

type txStmt string

func (t txStmt) run(ctx context.Context, s *session) (*result, error) {
	conn, err := s.connection(ctx)
	if err != nil {
		return nil, err
	}
	begin := t == "BEGIN"
	if begin != s.inTx { // COMMIT outside a transaction and BEGIN inside one change nothing
		if _, err := conn.ExecContext(ctx, string(t)); err != nil {
			if !begin {
				s.inTx = false
			}
			return nil, err
		}
		s.inTx = begin
	}
	r := status("Statement executed successfully.")
	r.typeID = typeSession
	return r, nil
}

// endTx commits the session's transaction, as every DDL statement does.
func (s *session) endTx(ctx context.Context) error {
	if !s.inTx {
		return nil
	}
	s.inTx = false
	_, err := s.conn.ExecContext(ctx, "COMMIT")
	return err
}

type useStmt struct {
	what string // DATABASE, SCHEMA, WAREHOUSE, ROLE
	name objName
}

func parseUse(p *parser) (statement, error) {
	st := &useStmt{what: "DATABASE"}
	for _, w := range []string{"DATABASE", "SCHEMA", "WAREHOUSE", "ROLE"} {
		if p.accept(w) {
			st.what = w
			break
		}
	}
	if p.accept("SECONDARY", "ROLES") {
		st.what = "SECONDARY ROLES"
	}
	n, err := p.name()
	if err != nil {
		return nil, err
	}
	st.name = n
	if st.what == "DATABASE" && len(n) == 2 {
		st.what = "SCHEMA"
	}
	return st, p.end()
}

func (st *useStmt) run(ctx context.Context, s *session) (*result, error) {
	missing := &sqlError{Code: "002043", State: "02000", Msg: "SQL compilation error:\nObject does not exist, or operation cannot be performed."}
	switch st.what {
	case "ROLE":
		s.role = st.name.last()
	case "WAREHOUSE":
		if o, err := s.find(st.name, s.scope(), kindWarehouse); err != nil || o == nil {
			return nil, missing
		}
		s.wh = st.name.last()
	case "DATABASE":
		if o, err := s.find(st.name, s.scope(), kindDatabase); err != nil || o == nil {
			return nil, missing
		}
		s.useDatabase(st.name.last())
	case "SCHEMA":
		o, err := s.find(st.name, s.scope(), kindSchema)
		if err != nil {
			return nil, err
		}
		if o == nil {
			return nil, missing
		}
		s.db, s.schema = o.DB, o.Name
	}
	r := status("Statement executed successfully.")
	r.typeID = typeSession
	return r, nil
}

// useDatabase makes a database current, and its PUBLIC schema if it has one.
func (s *session) useDatabase(db string) {
	s.db, s.schema = db, ""
	if s.w.cat.get(keyOf(kindSchema, db, "", "PUBLIC")) != nil {
		s.schema = "PUBLIC"
	}
}

// refuseParameter is the error of a session parameter that would change what names mean.
func refuseParameter(key, val string) error {
	if key == "QUOTED_IDENTIFIERS_IGNORE_CASE" && strings.EqualFold(val, "true") {
		return errUnsupported("QUOTED_IDENTIFIERS_IGNORE_CASE = TRUE")
	}
	return nil
}

type alterSession struct {
	set   options
	unset []string
}

func parseAlterSession(p *parser) (statement, error) {
	st := &alterSession{}
	var err error
	switch {
	case p.accept("SET"):
		st.set, err = p.parseOptions()
	case p.accept("UNSET"):
		for err == nil {
			var n string
			if n, err = p.ident(); err == nil {
				st.unset = append(st.unset, n)
				if !p.accept(",") {
					break
				}
			}
		}
	default:
		return nil, errSyntax(p.peek())
	}
	if err != nil {
		return nil, err
	}
	return st, p.end()
}

func (st *alterSession) run(ctx context.Context, s *session) (*result, error) {
	conn, err := s.connection(ctx)
	if err != nil {
		return nil, err
	}
	old := s.timezone()
	for _, o := range st.set {
		if err := refuseParameter(o.key, o.val.text); err != nil {
			return nil, err
		}
	}
	for _, o := range st.set {
		s.params[o.key] = o.val.text
	}
	for _, k := range st.unset {
		delete(s.params, k)
	}
	if !strings.EqualFold(s.params["AUTOCOMMIT"], "FALSE") {
		for _, o := range st.set {
			if o.key == "AUTOCOMMIT" { // what was begun without it ends
				if err := s.endTx(ctx); err != nil {
					return nil, err
				}
			}
		}
	}
	if tz := s.timezone(); tz != old {
		if _, err := conn.ExecContext(ctx, "SET TimeZone = "+dialect.Literal(tz)); err != nil {
			s.params["TIMEZONE"] = old
			return nil, errInvalid("invalid value [%s] for parameter 'TIMEZONE'", tz)
		}
	}
	r := status("Statement executed successfully.")
	r.typeID = typeSession
	return r, nil
}

package warehouse

import (
	"context"
	"strings"

	"mkt/local/dialect"
)

// parseStatement reads one statement. Queries are left as text for the dialect.
func parseStatement(sql string) (statement, error) {
	p, err := newParser(sql)
	if err != nil {
		return nil, err
	}
	first := p.peek()
	verb := ""
	if first.Kind == dialect.Ident {
		verb = first.Value
	}
	switch {
	case verb == "SELECT", verb == "WITH", verb == "VALUES", first.Text == "(":
		return &selectStmt{text: p.rest()}, nil
	case p.accept("SHOW"):
		return parseShow(p)
	case p.accept("DESC"), p.accept("DESCRIBE"):
		return parseDescribe(p)
	case p.accept("CREATE"):
		return parseCreate(p)
	case p.accept("ALTER"):
		return parseAlter(p)
	case p.accept("DROP"):
		return parseDrop(p)
	case p.accept("USE"):
		return parseUse(p)
	case p.accept("COPY", "INTO"):
		return parseCopy(p)
	case p.accept("LIST"), p.accept("LS"):
		return parseList(p)
	case p.accept("INSERT"), p.accept("UPDATE"), p.accept("DELETE"):
		return parseDML(verb, p)
	case p.accept("TRUNCATE"):
		return parseTruncate(p)
	case p.accept("COMMENT"):
		return parseComment(p)
	case p.accept("BEGIN"), p.accept("START", "TRANSACTION"):
		if !p.accept("TRANSACTION") {
			p.accept("WORK")
		}
		if p.accept("NAME") {
			if _, err := p.ident(); err != nil {
				return nil, err
			}
		}
		return txStmt("BEGIN"), p.end()
	case p.accept("COMMIT"), p.accept("ROLLBACK"):
		p.accept("WORK")
		return txStmt(verb), p.end()
	}
	switch verb {
	case "CALL", "EXECUTE", "EXPLAIN", "GET", "GRANT", "MERGE", "PUT", "REMOVE", "RM", "REVOKE", "SET", "UNDROP", "UNSET", "DECLARE", "IF", "FOR":
		return nil, errUnsupported("the statement %s", verb)
	}
	return nil, errSyntax(first)
}

// objectKind reads the words of a kind of object.
func (p *parser) objectKind() (kind, error) {
	switch {
	case p.accept("FILE", "FORMAT"):
		return kindFormat, nil
	case p.accept("NOTIFICATION", "INTEGRATION"), p.accept("STORAGE", "INTEGRATION"), p.accept("INTEGRATION"):
		return kindIntegration, nil
	}
	for _, k := range []kind{kindDatabase, kindSchema, kindTable, kindView, kindStage, kindPipe, kindWarehouse} {
		if p.accept(string(k)) {
			return k, nil
		}
	}
	t := p.peek()
	if t.Kind == dialect.Ident {
		return "", errUnsupported("%s objects", t.Value)
	}
	return "", errSyntax(t)
}

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

// ddl runs a change for the session.
func (s *session) ddl(ctx context.Context, change func(*ddlTx) error) error {
	if err := s.endTx(ctx); err != nil {
		return err
	}
	return s.w.ddl(ctx, s, change)
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
		s.params[o.key] = o.val.text
	}
	for _, k := range st.unset {
		delete(s.params, k)
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

// head is what CREATE, ALTER and DROP share.
type head struct {
	kind   kind
	name   objName
	orRepl bool
	ifNot  bool // IF NOT EXISTS
	ifEx   bool // IF EXISTS
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
	for _, w := range []string{"TEMPORARY", "TEMP", "VOLATILE", "LOCAL", "GLOBAL", "RECURSIVE", "MATERIALIZED", "EXTERNAL", "HYBRID", "DYNAMIC", "ICEBERG", "EVENT"} {
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
			if err := d.drop(old); err != nil {
				return err
			}
		}
		if prepare != nil {
			if err := prepare(d); err != nil {
				return err
			}
		}
		return d.create(o)
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

// alterStmt changes one object: change works on a copy.
type alterStmt struct {
	head
	change  func(ctx context.Context, s *session, d *ddlTx, o *object) error
	message string
}

func (st *alterStmt) run(ctx context.Context, s *session) (*result, error) {
	r := status("%s", orDefault(st.message, "Statement executed successfully."))
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
	if p.accept("ACCOUNT") {
		return nil, errUnsupported("ALTER ACCOUNT")
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
	if p.accept("UNSET") {
		return parseUnset(p, st)
	}
	if k == kindWarehouse && (p.word(0, "SUSPEND") || p.word(0, "RESUME")) {
		return parseWarehouseState(p, st)
	}
	if err := p.expect("SET"); err != nil {
		return nil, err
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
}

// parseUnset reads UNSET of the properties that have an empty default.
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
			case "COMMENT":
				o.Comment = ""
			case "DATA_RETENTION_TIME_IN_DAYS":
				o.Retention = nil
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
		k, err := qualify(to, o.Kind, orDefault(s.db, o.DB), orDefault(s.schema, o.Schema))
		if err != nil {
			return err
		}
		if d.w.cat.get(k) != nil {
			return errExists(k.name)
		}
		if o.Kind == kindPipe {
			return errUnsupported("ALTER PIPE … RENAME TO")
		}
		old := *o
		o.DB, o.Schema, o.Name = k.db, k.schema, k.name
		if err := d.container(o); err != nil {
			return err
		}
		if o.Kind != kindDatabase && o.Kind != kindSchema {
			return nil
		}
		for _, ck := range []kind{kindSchema, kindTable, kindView, kindStage, kindFormat, kindPipe} {
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

type commentStmt struct {
	head
	column string
	text   string
}

func parseComment(p *parser) (statement, error) {
	st := &commentStmt{}
	st.ifEx = p.accept("IF", "EXISTS")
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	var err error
	if p.accept("COLUMN") {
		st.kind = kindTable
		var parts []string
		for {
			n, err := p.ident()
			if err != nil {
				return nil, err
			}
			parts = append(parts, n)
			if !p.accept(".") {
				break
			}
		}
		if len(parts) < 2 || len(parts) > 4 {
			return nil, errSyntax(p.peek())
		}
		st.name, st.column = parts[:len(parts)-1], parts[len(parts)-1]
	} else {
		if st.kind, err = p.objectKind(); err != nil {
			return nil, err
		}
		if st.name, err = p.name(); err != nil {
			return nil, err
		}
	}
	if err := p.expect("IS"); err != nil {
		return nil, err
	}
	if st.text, err = p.str(); err != nil {
		return nil, err
	}
	return st, p.end()
}

func (st *commentStmt) run(ctx context.Context, s *session) (*result, error) {
	a := &alterStmt{head: st.head, change: func(ctx context.Context, s *session, d *ddlTx, o *object) error {
		if st.column == "" {
			o.Comment = st.text
			return nil
		}
		i, err := o.Table.find(st.column)
		if err != nil {
			return err
		}
		o.Table = o.Table.copy()
		o.Table.Columns[i].Comment = st.text
		return nil
	}}
	return a.run(ctx, s)
}

package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mkt/local/dialect"
)

// grantDef is one privilege of one role on one object. Grants are kept and shown, and nothing is refused for the lack of one: every
// role exists, and may do everything.
type grantDef struct {
	On        int64  `json:"on"` // the object's id, 0 for the account
	Privilege string `json:"privilege"`
	Role      string `json:"role"`
	Option    bool   `json:"option,omitempty"`
}

func (g *grantDef) key() key {
	return keyOf(kindGrant, "", "", fmt.Sprintf("%d %s %s", g.On, g.Privilege, g.Role))
}

// grantable are the privileges of a kind of object (Snowflake: "Access control privileges"); those of a schema to create what it
// holds are told by their first word.
var grantable = map[kind][]string{
	kindAccount: {"ATTACH POLICY", "CREATE DATABASE", "CREATE INTEGRATION", "CREATE NETWORK POLICY", "CREATE ROLE", "CREATE SHARE", "CREATE USER", "CREATE WAREHOUSE",
		"EXECUTE ALERT", "EXECUTE MANAGED TASK", "EXECUTE TASK", "IMPORT SHARE", "MANAGE GRANTS", "MANAGE WAREHOUSES", "MONITOR EXECUTION", "MONITOR SECURITY", "MONITOR USAGE"},
	kindWarehouse:   {"APPLYBUDGET", "MODIFY", "MONITOR", "OPERATE", "USAGE"},
	kindIntegration: {"USAGE", "USE_ANY_ROLE"},
	kindDatabase:    {"APPLYBUDGET", "CREATE DATABASE ROLE", "CREATE SCHEMA", "MODIFY", "MONITOR", "USAGE"},
	kindSchema:      {"ADD SEARCH OPTIMIZATION", "APPLYBUDGET", "MODIFY", "MONITOR", "USAGE"},
	kindTable:       {"APPLYBUDGET", "DELETE", "EVOLVE SCHEMA", "INSERT", "REFERENCES", "SELECT", "TRUNCATE", "UPDATE"},
	kindView:        {"REFERENCES", "SELECT"},
	kindFormat:      {"USAGE"},
	kindStage:       {"READ", "USAGE", "WRITE"},
	kindPipe:        {"APPLYBUDGET", "MONITOR", "OPERATE"},
	kindTask:        {"APPLYBUDGET", "MONITOR", "OPERATE"},
	kindStream:      {"SELECT"},
	kindDynamic:     {"MONITOR", "OPERATE", "SELECT"},
}

// grantStmt is GRANT … TO ROLE and REVOKE … FROM ROLE.
type grantStmt struct {
	revoke     bool
	privileges []string
	kind       kind
	name       objName
	role       string
	option     bool // WITH GRANT OPTION, or GRANT OPTION FOR
}

func parseGrant(p *parser, revoke bool) (statement, error) {
	st := &grantStmt{revoke: revoke}
	word, preposition := "GRANT", "TO"
	if revoke {
		word, preposition = "REVOKE", "FROM"
		st.option = p.accept("GRANT", "OPTION", "FOR")
	}
	for _, w := range []string{"ROLE", "DATABASE", "APPLICATION", "OWNERSHIP", "ALL", "IMPORTED", "CALLER"} {
		if p.word(0, w) {
			return nil, errUnsupported("%s %s", word, w)
		}
	}
	for {
		var words []string
		for !p.word(0, ",") && !p.word(0, "ON") {
			t := p.peek()
			if t.Kind != dialect.Ident {
				return nil, errSyntax(t)
			}
			words = append(words, t.Value)
			p.i++
		}
		if words == nil {
			return nil, errSyntax(p.peek())
		}
		st.privileges = append(st.privileges, strings.Join(words, " "))
		if !p.accept(",") {
			break
		}
	}
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	var err error
	if st.kind, st.name, err = p.grantedOn(); err != nil {
		return nil, err
	}
	if err := p.expect(preposition); err != nil {
		return nil, err
	}
	for _, w := range []string{"DATABASE", "SHARE", "USER", "APPLICATION"} {
		if p.word(0, w) && !p.word(1, "WITH") && p.at(1).Line > 0 {
			return nil, errUnsupported("%s … %s %s", word, preposition, w)
		}
	}
	p.accept("ROLE")
	if st.role, err = p.ident(); err != nil {
		return nil, err
	}
	if !revoke {
		st.option = p.accept("WITH", "GRANT", "OPTION")
	} else if !p.accept("CASCADE") {
		p.accept("RESTRICT")
	}
	return st, p.end()
}

// grantedOn reads what a privilege is on.
func (p *parser) grantedOn() (kind, objName, error) {
	if p.accept("ACCOUNT") {
		return kindAccount, nil, nil
	}
	if p.word(0, "ALL") || p.word(0, "FUTURE") {
		return "", nil, errUnsupported("grants on %s objects", p.peek().Value)
	}
	k, err := p.objectKind()
	if err != nil {
		return "", nil, err
	}
	n, err := p.name()
	return k, n, err
}

// granted finds the object that a grant is on: its id, 0 for the account.
func (s *session) granted(k kind, n objName) (int64, error) {
	if k == kindAccount {
		return 0, nil
	}
	o, err := s.mustFind(n, k)
	if err != nil {
		return 0, err
	}
	return o.ID, nil
}

func (st *grantStmt) run(ctx context.Context, s *session) (*result, error) {
	for _, p := range st.privileges {
		if !slices.Contains(grantable[st.kind], p) && (st.kind != kindSchema || !strings.HasPrefix(p, "CREATE ")) {
			return nil, compileError("003008", "42501", "Invalid privilege '%s' for object type '%s'.", p, st.kind)
		}
	}
	err := s.ddl(ctx, func(d *ddlTx) error {
		on, err := s.granted(st.kind, st.name)
		if err != nil {
			return err
		}
		for _, p := range st.privileges {
			g := &grantDef{On: on, Privilege: p, Role: st.role, Option: st.option}
			old := s.w.cat.get(g.key())
			switch {
			case st.revoke && st.option && old != nil && old.Grant.Option:
				o := old.copy()
				g.Option = false
				o.Grant = g
				d.update(o)
			case st.revoke && !st.option && old != nil:
				d.gone = append(d.gone, old)
			case st.revoke: // nothing is no error
			case old == nil:
				if err := d.create(&object{Kind: kindGrant, Name: g.key().name, Grant: g}); err != nil {
					return err
				}
			case g.Option && !old.Grant.Option:
				o := old.copy()
				o.Grant = g
				d.update(o)
			}
		}
		return nil
	})
	return status("Statement executed successfully."), err
}

// grants are those on an object, by privilege and role.
func (c *catalog) grants(on int64) []*object {
	list := c.list(kindGrant, func(o *object) bool { return o.Grant.On == on })
	slices.SortFunc(list, func(a, b *object) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// ownable are the kinds of what a role owns.
var ownable = append([]kind{kindWarehouse, kindIntegration, kindDatabase, kindSchema}, inSchema...)

// owned are the objects that a role has made, by kind and name.
func (c *catalog) owned(role string) []*object {
	var out []*object
	for _, k := range ownable {
		out = append(out, c.list(k, func(o *object) bool { return o.Owner == role })...)
	}
	return out
}

// showGrants is SHOW GRANTS ON an object or the account, or TO ROLE.
type showGrants struct {
	kind kind
	name objName
	role string
}

func parseShowGrants(p *parser) (statement, error) {
	st := &showGrants{}
	var err error
	switch {
	case p.accept("ON"):
		st.kind, st.name, err = p.grantedOn()
	case p.accept("TO", "ROLE"):
		st.role, err = p.ident()
	default:
		return nil, errUnsupported("SHOW GRANTS %s", p.peek().Value)
	}
	if err != nil {
		return nil, err
	}
	return st, p.end()
}

func (st *showGrants) columns() []column { return st.table().cols }

func (st *showGrants) table() *table {
	return newTable("created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by")
}

func (st *showGrants) run(_ context.Context, s *session) (*result, error) {
	t := st.table()
	owned := s.w.cat.owned(st.role)
	grants := s.w.cat.list(kindGrant, func(o *object) bool { return o.Grant.Role == st.role })
	if st.role == "" {
		on, err := s.granted(st.kind, st.name)
		if err != nil {
			return nil, err
		}
		if owned = nil; on != 0 {
			owned = []*object{s.w.cat.id(on)}
		}
		grants = s.w.cat.grants(on)
	}
	for _, o := range owned {
		t.add(o.Created, "OWNERSHIP", o.Kind.granted(), o.full(), "ROLE", o.Owner, "true", o.Owner)
	}
	for _, g := range grants {
		on, name := kindAccount, strings.ToUpper(s.w.cfg.Account)
		if o := s.w.cat.id(g.Grant.On); o != nil {
			on, name = o.Kind, o.full()
		}
		t.add(g.Created, g.Grant.Privilege, on.granted(), name, "ROLE", g.Grant.Role, fmt.Sprint(g.Grant.Option), g.Owner)
	}
	return t.result(), nil
}

// granted is the kind as SHOW GRANTS writes it.
func (k kind) granted() string { return strings.ReplaceAll(string(k), " ", "_") }

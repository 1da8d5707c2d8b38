package snowflake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mkt/providers"
)

// Manage is the Do of a Need for an object that the stack makes and changes. Any other Do is a privilege by Snowflake's name, such as
// "USAGE". On is the noun of DDL, such as "FILE FORMAT", and Name the object's name.
const Manage = "manage"

// maxRoles bounds how many roles are followed.
const maxRoles = 64

// privileges of a connection's role and of those that it inherits from, by noun and name.
type roleGrants map[string][]string

func grantKey(noun, name string) string { return noun + " " + name }

func (g roleGrants) has(noun, name, privilege string) bool {
	list := g[grantKey(noun, name)]
	return slices.Contains(list, privilege) || slices.Contains(list, "OWNERSHIP")
}

// Abilities tells what the connection's role may do, with all that it inherits (Snowflake: "SHOW GRANTS", "Access control privileges").
// An object to manage is the role's own, or can be made by it.
func (p *Provider) Abilities(ctx context.Context, needs []providers.Need) []providers.Ability {
	g, role, err := p.roleGrants(ctx)
	if err != nil {
		return providers.NotKnown(needs, err)
	}
	managed := map[string]bool{}
	for _, n := range needs {
		if n.Do == Manage {
			managed[grantKey(n.On, n.Name)] = true
		}
	}
	out := make([]providers.Ability, len(needs))
	for i, n := range needs {
		out[i] = providers.Ability{Need: n, May: providers.Yes}
		switch {
		case n.Do == Manage:
			if lacks := g.manage(n.On, n.Name, managed); lacks != "" {
				out[i].May, out[i].Why = providers.No, "the role "+role+" has neither OWNERSHIP of it nor "+lacks
			}
		case managed[grantKey(n.On, n.Name)] && len(g[grantKey(n.On, n.Name)]) == 0 && g.manage(n.On, n.Name, managed) == "":
			out[i].Why = "the role makes it"
		case !g.has(n.On, n.Name, n.Do):
			out[i].May, out[i].Why = providers.No, fmt.Sprintf("the role %s lacks %s on %s %s", role, n.Do, n.On, n.Name)
		}
	}
	return out
}

// manage says what the role lacks to make or change an object; "" is nothing.
func (g roleGrants) manage(noun, name string, managed map[string]bool) string {
	key := grantKey(noun, name)
	if slices.Contains(g[key], "OWNERSHIP") {
		return ""
	}
	parent, parentName := parentOf(noun, name)
	create := "CREATE " + noun
	switch {
	case g.has(parent, parentName, create):
		if len(g[key]) > 0 { // it is there, and another role's
			return "a way to change it: it is another role's"
		}
		return ""
	case managed[grantKey(parent, parentName)] && len(g[grantKey(parent, parentName)]) == 0:
		return g.manage(parent, parentName, managed)
	}
	return fmt.Sprintf("%s on %s", create, strings.TrimSpace(parent+" "+parentName))
}

// parentOf is what holds an object.
func parentOf(noun, name string) (parent, parentName string) {
	n, err := ParseName(name)
	switch {
	case err != nil || len(n) < 2:
		return "ACCOUNT", ""
	case noun == "SCHEMA":
		return "DATABASE", n[:1].String()
	}
	return "SCHEMA", n[:len(n)-1].String()
}

// roleGrants reads the grants to the session's role, and to the roles that were granted to it.
func (p *Provider) roleGrants(ctx context.Context) (roleGrants, string, error) {
	rows, err := p.client.query(ctx, `SELECT CURRENT_ROLE() AS "role"`)
	if err != nil || len(rows) != 1 {
		return nil, "", wrap(err, "ask for the role")
	}
	own := Ident(rows[0]["role"])
	g := roleGrants{}
	seen := map[Ident]bool{own: true}
	for next := []Ident{own}; len(next) > 0 && len(seen) <= maxRoles; next = next[1:] {
		rows, err := p.client.query(ctx, "SHOW GRANTS TO ROLE "+next[0].SQL())
		if err != nil && next[0] != own && providers.CodeOf(err) == providers.Denied {
			continue // what a role inherits it may not be allowed to see
		}
		if err != nil {
			return nil, "", wrap(err, "read the grants to the role %s", next[0])
		}
		for _, r := range rows {
			noun := strings.ReplaceAll(r["granted_on"], "_", " ")
			name, err := ParseName(r["name"])
			switch {
			case noun == "ACCOUNT":
				g[grantKey(noun, "")] = append(g[grantKey(noun, "")], r["privilege"])
			case err != nil: // functions have their arguments in their names
			case noun == "ROLE" && r["privilege"] == "USAGE" && len(name) == 1 && !seen[name[0]]:
				seen[name[0]] = true
				next = append(next, name[0])
			default:
				g[grantKey(noun, name.String())] = append(g[grantKey(noun, name.String())], r["privilege"])
			}
		}
	}
	if seen["ACCOUNTADMIN"] { // it has them by its nature (Snowflake: "Access control considerations")
		g[grantKey("ACCOUNT", "")] = append(g[grantKey("ACCOUNT", "")], "CREATE DATABASE", "CREATE WAREHOUSE", "CREATE INTEGRATION")
	}
	return g, own.String(), nil
}

// Noun is the word of DDL for a kind, as a Need has it; "" for kinds that are no objects of their own.
func Noun(kindName string) string {
	at := slices.IndexFunc(kinds, func(k *kind) bool { return k.spec.Name == kindName })
	switch {
	case at < 0:
		return ""
	case strings.HasSuffix(kinds[at].noun, "INTEGRATION"):
		return "INTEGRATION"
	}
	return kinds[at].noun
}

// TokenEnds asks Snowflake when the connection's programmatic access token ends (Snowflake: "SHOW USER PROGRAMMATIC ACCESS TOKENS"):
// the end of the first that does, of the user's tokens that are active. ok is false for other ways to sign in, and where it is not to be seen.
func (p *Provider) TokenEnds(ctx context.Context) (name string, end time.Time, ok bool) {
	if way, _, err := p.client.conn.authenticator(); err != nil || way != authToken {
		return "", end, false
	}
	rows, err := p.client.query(ctx, "SHOW USER PROGRAMMATIC ACCESS TOKENS")
	if err != nil {
		return "", end, false
	}
	for _, r := range rows {
		for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999 -0700 MST"} {
			at, err := time.Parse(form, r["expires_at"])
			if err == nil && r["status"] == "ACTIVE" && (!ok || at.Before(end)) {
				name, end, ok = r["name"], at, true
			}
		}
	}
	return name, end, ok
}

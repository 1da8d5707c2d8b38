package snowflake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mkt/providers"
)

// Region is where the account is, such as "AZURE_WESTEUROPE" (Snowflake: "CURRENT_REGION").
func (p *Provider) Region(ctx context.Context) (string, error) {
	rows, err := p.client.query(ctx, `SELECT CURRENT_REGION() AS "region"`)
	if err != nil || len(rows) != 1 {
		return "", wrap(err, "ask for the region")
	}
	return rows[0]["region"], nil
}

// Privileges are those that the connection's role has on an object of a kind, also by the roles that it inherits from
// (Snowflake: "SHOW GRANTS", "IS_ROLE_IN_SESSION").
func (p *Provider) Privileges(ctx context.Context, kindName, id string) ([]string, error) {
	at := slices.IndexFunc(kinds, func(k *kind) bool { return k.spec.Name == kindName })
	name, err := ParseName(id)
	if err != nil || at < 0 {
		return nil, providers.Errorf(providers.Invalid, "%q is not the name of a %s", id, kindName)
	}
	noun := kinds[at].noun
	if strings.HasSuffix(noun, "INTEGRATION") {
		noun = "INTEGRATION"
	}
	rows, err := p.client.query(ctx, "SHOW GRANTS ON "+noun+" "+name.SQL())
	if err != nil {
		return nil, wrap(err, "read the grants on %s %s", kindName, id)
	}
	var roles, asks []string
	for _, r := range rows {
		if role := r["grantee_name"]; r["granted_to"] == "ROLE" && !slices.Contains(roles, role) {
			asks = append(asks, fmt.Sprintf(`IS_ROLE_IN_SESSION(%s)::VARCHAR AS "r%d"`, literal(role), len(roles)))
			roles = append(roles, role)
		}
	}
	if len(roles) == 0 {
		return nil, nil
	}
	held, err := p.client.query(ctx, "SELECT "+strings.Join(asks, ", "))
	if err != nil || len(held) != 1 {
		return nil, wrap(err, "ask which roles are active")
	}
	var list []string
	for _, r := range rows {
		i := slices.Index(roles, r["grantee_name"])
		if r["granted_to"] == "ROLE" && strings.EqualFold(held[0][fmt.Sprintf("r%d", i)], "true") && !slices.Contains(list, r["privilege"]) {
			list = append(list, r["privilege"])
		}
	}
	slices.Sort(list)
	return list, nil
}

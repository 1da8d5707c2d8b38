package snowflake_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkt/providers"
	"mkt/providers/snowflake"
)

// What a role may do is what it and the roles that it inherits from were granted.
func TestAbilities(t *testing.T) {
	grants := func(w http.ResponseWriter, rows ...string) {
		var out [][]string
		for _, r := range rows {
			cells := strings.Split(r, "|")
			out = append(out, []string{"", cells[0], cells[1], cells[2], "ROLE", "", "false", ""})
		}
		answer(w, []string{"created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by"}, out...)
	}
	refuse := false
	conn := through(t, func(w http.ResponseWriter, _ *http.Request, body string) bool {
		switch {
		case strings.Contains(body, "CURRENT_ROLE()"):
			answer(w, []string{"role"}, []string{"LOADER"})
		case strings.Contains(body, "SHOW GRANTS TO ROLE") && refuse:
			_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "code": "003001", "message": "Insufficient privileges", "data": map[string]any{"errorCode": "003001", "sqlState": "42501"}})
		case strings.Contains(body, `SHOW GRANTS TO ROLE \"LOADER\"`):
			grants(w, "USAGE|ROLE|BASE", "USAGE|DATABASE|MARKET", "USAGE|SCHEMA|MARKET.RAW", "CREATE TABLE|SCHEMA|MARKET.RAW", "OWNERSHIP|STAGE|MARKET.RAW.FILES", "SELECT|TABLE|MARKET.RAW.OLD",
				"USAGE|FUNCTION|MARKET.RAW.\"F(X VARCHAR):NUMBER\"")
		case strings.Contains(body, `SHOW GRANTS TO ROLE \"BASE\"`):
			grants(w, "USAGE|ROLE|LOADER", "CREATE DATABASE|ACCOUNT|ORG.ACCT", "USAGE|INTEGRATION|AZ", "OWNERSHIP|FILE_FORMAT|MARKET.RAW.\"json\"")
		case strings.Contains(body, "SHOW USER PROGRAMMATIC ACCESS TOKENS"):
			answer(w, []string{"name", "expires_at", "status"}, []string{"OLD", "2020-01-01 00:00:00.000 -0800", "EXPIRED"}, []string{"MKT", "2030-01-01 00:00:00.000 -0800", "ACTIVE"})
		default:
			return false
		}
		return true
	})
	p := provider(t, conn).(*snowflake.Provider)
	needs := []providers.Need{
		{On: "TABLE", Name: "MARKET.RAW.NEW", Do: snowflake.Manage},
		{On: "TABLE", Name: "MARKET.RAW.OLD", Do: snowflake.Manage},
		{On: "STAGE", Name: "MARKET.RAW.FILES", Do: snowflake.Manage},
		{On: "PIPE", Name: "MARKET.RAW.P", Do: snowflake.Manage},
		{On: "FILE FORMAT", Name: `MARKET.RAW."json"`, Do: "USAGE"},
		{On: "INTEGRATION", Name: "AZ", Do: "USAGE"},
		{On: "INTEGRATION", Name: "OTHER", Do: snowflake.Manage},
		{On: "DATABASE", Name: "FRESH", Do: snowflake.Manage},
		{On: "SCHEMA", Name: "FRESH.RAW", Do: snowflake.Manage},
		{On: "TABLE", Name: "FRESH.RAW.T", Do: snowflake.Manage},
		{On: "TABLE", Name: "FRESH.RAW.T", Do: "INSERT"},
		{On: "TABLE", Name: "MARKET.RAW.OLD", Do: "INSERT"},
		{On: "WAREHOUSE", Name: "WH", Do: "USAGE"},
	}
	want := []string{
		"yes", "no the role LOADER has neither OWNERSHIP of it nor a way to change it: it is another role's", "yes", "no the role LOADER has neither OWNERSHIP of it nor CREATE PIPE on SCHEMA MARKET.RAW",
		"yes", "yes", "no the role LOADER has neither OWNERSHIP of it nor CREATE INTEGRATION on ACCOUNT", "yes", "yes", "yes", "yes the role makes it",
		"no the role LOADER lacks INSERT on TABLE MARKET.RAW.OLD", "no the role LOADER lacks USAGE on WAREHOUSE WH",
	}
	for i, a := range p.Abilities(t.Context(), needs) {
		if got := strings.TrimSpace(string(a.May) + " " + a.Why); got != want[i] {
			t.Errorf("%s %s %s: %s, want %s", a.Do, a.On, a.Name, got, want[i])
		}
	}
	if _, _, ok := p.TokenEnds(t.Context()); ok {
		t.Error("a password has the end of a token")
	}
	conn.Password, conn.Token = "", password // the embedded warehouse takes its password as a token
	q := provider(t, conn).(*snowflake.Provider)
	if name, end, ok := q.TokenEnds(t.Context()); !ok || name != "MKT" || !end.Equal(time.Date(2030, 1, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("%s %v %t", name, end, ok)
	}
	refuse = true
	if got := p.Abilities(t.Context(), needs[:1])[0]; got.May != providers.Unclear || !strings.Contains(got.Why, "Insufficient") {
		t.Errorf("%+v", got)
	}
}

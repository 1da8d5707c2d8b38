package snowflake_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mkt/providers"
	"mkt/providers/snowflake"
)

// answer writes a result as Snowflake does.
func answer(w http.ResponseWriter, columns []string, rows ...[]string) {
	type column struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Nullable bool   `json:"nullable"`
		Length   int    `json:"length"`
	}
	data := map[string]any{"rowset": rows, "total": len(rows), "returned": len(rows), "queryResultFormat": "json", "queryId": "q", "statementTypeId": 4096}
	var types []column
	for _, name := range columns {
		types = append(types, column{name, "text", true, 100})
	}
	data["rowtype"] = types
	_ = json.NewEncoder(w).Encode(map[string]any{"success": true, "data": data})
}

// TestPrivileges counts what the session's roles have, and nothing else; a refusal is no answer.
func TestPrivileges(t *testing.T) {
	refuse := false
	conn := through(t, func(w http.ResponseWriter, _ *http.Request, body string) bool {
		switch {
		case strings.Contains(body, "SHOW GRANTS ON TABLE") && refuse:
			_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "code": "003001", "message": "Insufficient privileges", "data": map[string]any{"errorCode": "003001", "sqlState": "42501"}})
		case strings.Contains(body, "SHOW GRANTS ON TABLE"):
			answer(w, []string{"created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name"},
				[]string{"", "SELECT", "TABLE", "T", "ROLE", "READER"}, []string{"", "INSERT", "TABLE", "T", "ROLE", "WRITER"}, []string{"", "DELETE", "TABLE", "T", "SHARE", "READER"})
		case strings.Contains(body, "IS_ROLE_IN_SESSION"):
			answer(w, []string{"r0", "r1"}, []string{"true", "false"})
		case strings.Contains(body, "CURRENT_REGION"):
			answer(w, []string{"region"}, []string{"AZURE_WESTEUROPE"})
		default:
			return false
		}
		return true
	})
	p := provider(t, conn).(*snowflake.Provider)
	if got, err := p.Privileges(t.Context(), "snowflake_table", "MARKET.RAW.T"); err != nil || !slices.Equal(got, []string{"SELECT"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := p.Region(t.Context()); err != nil || got != "AZURE_WESTEUROPE" {
		t.Errorf("%q, %v", got, err)
	}
	refuse = true
	if got, err := p.Privileges(t.Context(), "snowflake_table", "MARKET.RAW.T"); providers.CodeOf(err) != providers.Denied || got != nil {
		t.Errorf("%q, %v", got, err)
	}
}

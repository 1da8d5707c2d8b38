package storage

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Role assignments and the directory, as the resource manager's and Graph's REST APIs have them: kept over a restart, one for each role, principal and scope.
func TestRoleAssignments(t *testing.T) {
	dir := t.TempDir()
	at := func(c *Config) { c.Dir = dir }
	w := open(t, at)
	const (
		scope  = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Storage/storageAccounts/" + testAccount
		queue  = scope + "/queueServices/default/queues/events"
		roles  = "/providers/Microsoft.Authorization/roleAssignments"
		one    = "/11111111-2222-3333-4444-555555555555"
		two    = "/22222222-2222-3333-4444-555555555555"
		who    = "33333333-2222-3333-4444-555555555555"
		reader = "/subscriptions/sub/providers/Microsoft.Authorization/roleDefinitions/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
		mine   = "$filter=principalId+eq+'" + who + "'"
	)
	ask := func(method, path, query, body, token string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, w.arm+path+"?api-version=2022-04-01&"+query, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	good := testConfig(dir).Token
	body := func(principal, role string) string {
		text, _ := json.Marshal(map[string]any{"properties": map[string]string{"principalId": principal, "roleDefinitionId": role, "principalType": "Group"}})
		return string(text)
	}
	for _, tc := range []struct {
		method, path, query, body, token string
		status                           int
		text                             string
	}{
		{"PUT", queue + roles + "/x", "", body(who, reader), good, 400, "InvalidRoleAssignmentId"},
		{"PUT", queue + roles + one, "", body("somebody", reader), good, 400, "InvalidPrincipalId"},
		{"PUT", queue + roles + one, "", body(who, "Reader"), good, 400, "InvalidRoleDefinitionId"},
		{"PUT", queue + roles + one, "", "{", good, 400, "InvalidRequestContent"},
		{"PUT", queue + roles + one, "", body(who, reader), "wrong", 403, "AuthorizationFailed"},
		{"PUT", queue + roles + one, "", body(who, reader), good, 201, `"principalType":"Group"`},
		{"PUT", queue + roles + one, "", body(who, reader), good, 200, `"principalType":"Group"`},
		{"PUT", queue + roles + two, "", body(who, reader), good, 409, "RoleAssignmentExists"},
		{"PUT", queue + roles + one, "", body("44444444-2222-3333-4444-555555555555", reader), good, 403, "RoleAssignmentUpdateNotPermitted"},
		{"GET", queue + roles, mine, "", good, 200, one},
		{"GET", scope + roles, mine, "", good, 200, one},
		{"GET", scope + roles, "", "", good, 200, one},
		{"GET", scope + roles, "$filter=principalId+eq+'44444444-2222-3333-4444-555555555555'", "", good, 200, `{"value":[]}`},
		{"GET", queue + roles, "$filter=atScope()", "", good, 501, "atScope"},
		{"GET", scope + "/queueServices/default/queues/other" + roles, mine, "", good, 200, `{"value":[]}`},
		{"GET", "/v1.0/servicePrincipals", "$filter=displayName+eq+'app'", "", good, 200, `"displayName":"app"`},
		{"GET", "/v1.0/servicePrincipals", "$search=x", "", good, 501, "servicePrincipals"},
	} {
		if status, text := ask(tc.method, tc.path, tc.query, tc.body, tc.token); status != tc.status || !strings.Contains(text, tc.text) {
			t.Errorf("%s %s: %d %s, want %d with %s", tc.method, tc.path, status, text, tc.status, tc.text)
		}
	}
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, at)
	for _, want := range []int{http.StatusOK, http.StatusNoContent} {
		if status, text := ask("DELETE", queue+roles+one, "", "", good); status != want {
			t.Errorf("%d %s, want %d", status, text, want)
		}
	}
	if _, text := ask("GET", scope+roles, mine, "", good); !strings.Contains(text, `"value":[]`) {
		t.Error(text)
	}
}

package azure_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
)

const somebody = "11111111-2222-3333-4444-555555555555"

func TestRoleID(t *testing.T) {
	s := serve(t)
	r := s.connect(t, nil).Resource(azure.RoleAssignment.Name)
	for id, ok := range map[string]bool{
		"Storage Blob Data Reader for " + somebody + " on https://a23.blob.core.windows.net/c": true,
		"storage queue data reader for app_1 on https://a23.queue.core.windows.net/q":          true,
		somebody + " for " + somebody + " on mktlocal":                                         true,
		"Owner for " + somebody + " on mktlocal":                                               false,
		"Storage Blob Data Reader for a b on mktlocal":                                         false,
		"Storage Blob Data Reader for a on /subscriptions/x":                                   false,
		"Storage Blob Data Reader on mktlocal":                                                 false,
		"":                                                                                     false,
	} {
		got := r.Read(t.Context(), []providers.Ref{{ID: id}})[0]
		if ok != (got.Err == nil) || got.State != cty.NilVal || got.Err != nil && providers.CodeOf(got.Err) != providers.Invalid {
			t.Errorf("%q: %v", id, got.Err)
		}
	}
}

// stand connects through a transport that may answer in the server's place.
func stand(t *testing.T, between faulty) (*azure.Provider, cty.Value) {
	t.Helper()
	s := serve(t)
	p := azure.Through(s.connect(t, nil), between)
	return p, object(t, p, azure.RoleAssignment, map[string]cty.Value{
		"queue": cty.StringVal("https://mktlocal.queue.core.windows.net/events"), "role": cty.StringVal("Storage Queue Data Contributor"), "principal": cty.StringVal("app_1")})
}

func jsonAnswer(r *http.Request, status int, body any) *http.Response {
	text, _ := json.Marshal(body)
	a := answer(r, status, map[string]string{"Content-Type": "application/json"})
	a.Body = io.NopCloser(bytes.NewReader(text))
	return a
}

func azureError(r *http.Request, status int, code string) *http.Response {
	return jsonAnswer(r, status, map[string]any{"error": map[string]string{"code": code, "message": "it says"}})
}

func assign(t *testing.T, p *azure.Provider, v cty.Value) providers.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return p.Resource(azure.RoleAssignment.Name).Create(ctx, []providers.Change{{ID: azure.RoleAssignment.ID(v), After: v}})[0]
}

// TestNewPrincipal: the resource manager does not know a new principal everywhere at once.
func TestNewPrincipal(t *testing.T) {
	puts := 0
	p, v := stand(t, func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if r.Method == http.MethodPut {
			if puts++; puts < 3 {
				return azureError(r, http.StatusBadRequest, "PrincipalNotFound"), nil
			}
		}
		return send()
	})
	if res := assign(t, p, v); res.Err != nil || puts != 3 || res.State.GetAttr("principal_id").AsString() == "" {
		t.Errorf("%v after %d tries", res.Err, puts)
	}
}

// TestNoPrincipal: before somebody has consented there is no principal, and that is waited for.
func TestNoPrincipal(t *testing.T) {
	consented := false
	p, v := stand(t, func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/servicePrincipals") {
			if got := r.URL.Query().Get("$filter"); got != "displayName eq 'app'" {
				t.Errorf("asked for %s", got)
			}
			if !consented {
				return jsonAnswer(r, http.StatusOK, map[string]any{"value": []any{}}), nil
			}
		}
		return send()
	})
	res := assign(t, p, v)
	wantCode(t, res.Err, providers.Waiting, "no service principal app yet")
	if d := providers.Detail(res.Err); len(d.Steps) != 2 || !strings.Contains(d.Steps[0], "app_1") {
		t.Errorf("steps %q", d.Steps)
	}
	consented = true
	if res := assign(t, p, v); res.Err != nil {
		t.Error(res.Err)
	}
}

func TestRoleFailures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		at     func(r *http.Request) bool
		status int
		code   string
		want   providers.Code
		text   string
	}{
		{"directory refuses", isGraph, http.StatusForbidden, "Authorization_RequestDenied", providers.Denied, "look up the service principal app"},
		{"assigned by somebody else meanwhile", isPut, http.StatusConflict, "RoleAssignmentExists", providers.Exists, "RoleAssignmentExists"},
		{"no right to assign", isPut, http.StatusForbidden, "AuthorizationFailed", providers.Denied, "assign Storage Queue Data Contributor for app_1"},
		{"too many", isPut, http.StatusBadRequest, "RoleAssignmentLimitExceeded", providers.Invalid, "RoleAssignmentLimitExceeded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, v := stand(t, func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				if tc.at(r) {
					return azureError(r, tc.status, tc.code), nil
				}
				return send()
			})
			wantCode(t, assign(t, p, v).Err, tc.want, tc.text)
		})
	}
	p, v := stand(t, func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if isGraph(r) {
			return jsonAnswer(r, http.StatusOK, map[string]any{"value": []any{map[string]string{"id": somebody}, map[string]string{"id": somebody}}}), nil
		}
		return send()
	})
	wantCode(t, assign(t, p, v).Err, providers.Invalid, "2 service principals")
}

func isGraph(r *http.Request) bool { return strings.Contains(r.URL.Path, "/servicePrincipals") }
func isPut(r *http.Request) bool   { return r.Method == http.MethodPut }

// TestListedRoles: a list goes on over pages, finds what is on the account, its containers and queues, and the token goes nowhere else.
func TestListedRoles(t *testing.T) {
	const top = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Storage/storageAccounts/mktlocal"
	next := ""
	one := func(scope, condition string) map[string]any {
		return map[string]any{"properties": map[string]string{"scope": scope, "principalId": strings.ToUpper(somebody), "principalType": "User", "condition": condition,
			"roleDefinitionId": "/subscriptions/sub/providers/Microsoft.Authorization/roleDefinitions/2A2B9908-6ea1-4ae2-8e65-a410df84e7d1"}}
	}
	p, _ := stand(t, func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		switch q := r.URL.Query(); {
		case !strings.HasSuffix(r.URL.Path, "/roleAssignments"):
			return send()
		case q.Get("page") == "2":
			return jsonAnswer(r, http.StatusOK, map[string]any{"value": []any{one(top+"/blobServices/default/containers/c", ""), one(top, "@Resource[…]")}}), nil
		case next == "":
			next = "http://" + r.URL.Host + r.URL.Path + "?page=2"
		}
		return jsonAnswer(r, http.StatusOK, map[string]any{"nextLink": next, "value": []any{one("/subscriptions/sub", ""), one(top+"2", ""), one(top+"/tableServices/default/tables/t", ""),
			one(strings.ToUpper(top)+"/queueServices/default/queues/q", "")}}), nil
	})
	r := p.Resource(azure.RoleAssignment.Name)
	ids, err := r.(providers.Lister).List(t.Context(), "")
	const role = "Storage Blob Data Reader for " + somebody + " on "
	if got, want := strings.Join(ids, "\n"), role+"https://mktlocal.blob.core.windows.net/c\n"+role+"https://mktlocal.queue.core.windows.net/q\n"+role+"mktlocal"; err != nil || got != want {
		t.Errorf("%v:\n%s, want\n%s", err, got, want)
	}
	got := r.Read(t.Context(), []providers.Ref{{ID: role + "mktlocal"}})[0]
	wantCode(t, got.Err, providers.Conflict, "has a condition")
	next = "http://elsewhere.example/?page=2"
	if _, err := r.(providers.Lister).List(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "leads to http://elsewhere.example") {
		t.Errorf("an address of somebody else: %v", err)
	}
}

// TestAssignedByOthers: an assignment is known by what it says, not by its name.
func TestAssignedByOthers(t *testing.T) {
	s := serve(t)
	p := s.connect(t, nil)
	const scope = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Storage/storageAccounts/mktlocal"
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, s.arm+scope+"/providers/Microsoft.Authorization/roleAssignments/99999999-2222-3333-4444-555555555555?api-version=2022-04-01",
		strings.NewReader(`{"properties":{"principalId":"`+somebody+`","principalType":"User","roleDefinitionId":"/subscriptions/sub/providers/Microsoft.Authorization/roleDefinitions/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"}}`))
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	r := p.Resource(azure.RoleAssignment.Name)
	id := "Storage Blob Data Reader for " + somebody + " on mktlocal"
	got := r.Read(t.Context(), []providers.Ref{{ID: id}})[0]
	if got.Err != nil || got.State == cty.NilVal || got.State.GetAttr("principal_type").AsString() != "User" {
		t.Fatalf("%#v, %v", got.State, got.Err)
	}
	below := r.Read(t.Context(), []providers.Ref{{ID: "Storage Blob Data Reader for " + somebody + " on https://mktlocal.blob.core.windows.net/c"}})[0]
	if below.Err != nil || below.State != cty.NilVal {
		t.Errorf("what is on the account is taken for what is on a container: %#v, %v", below.State, below.Err)
	}
	v := object(t, p, azure.RoleAssignment, map[string]cty.Value{"account": cty.StringVal(account), "role": cty.StringVal("Storage Blob Data Reader"), "principal": cty.StringVal(somebody)})
	wantCode(t, assign(t, p, v).Err, providers.Exists, "assigned already")
	for range 2 {
		if res := r.Delete(t.Context(), []providers.Change{{ID: id, Before: got.State}}); res[0].Err != nil {
			t.Fatal(res[0].Err)
		}
	}
}

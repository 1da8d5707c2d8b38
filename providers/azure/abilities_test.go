package azure_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
)

// What a credential may do is asked without a change: by the letters of a SAS, by requests that do nothing, and at the resource
// manager.
func TestAbilities(t *testing.T) {
	s := serve(t)
	p := s.connect(t, nil)
	create(t, p, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")})
	create(t, p, azure.Queue, map[string]cty.Value{"name": cty.StringVal("events")})
	arm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasSuffix(r.URL.Path, "/storageAccounts/"+account+"/providers/Microsoft.Authorization/permissions") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"error":{"code":"AuthorizationFailed","message":"no"}}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"value": []any{
			map[string]any{"actions": []string{"Microsoft.EventGrid/eventSubscriptions/*", "*/read"}, "notActions": []string{"Microsoft.EventGrid/eventSubscriptions/delete"}},
		}})
	}))
	t.Cleanup(arm.Close)
	const there, queue, missing = "https://" + account + ".blob.core.windows.net/data", "https://" + account + ".queue.core.windows.net/events", "https://" + account + ".blob.core.windows.net/missing"
	reads := accountSAS(t, key, sas.AccountPermissions{Read: true, List: true})
	all := accountSAS(t, key, sas.AccountPermissions{Read: true, List: true, Write: true, Create: true})
	for _, tt := range []struct {
		name string
		env  map[string]string
		need providers.Need
		want string
	}{
		{"key", nil, providers.Need{On: azure.OnContainer, Name: there, Do: "write"}, "yes"},
		{"reading SAS", map[string]string{"AZURE_STORAGE_SAS_TOKEN": reads}, providers.Need{On: azure.OnContainer, Name: there, Do: "list"}, "yes"},
		{"reading SAS", map[string]string{"AZURE_STORAGE_SAS_TOKEN": reads}, providers.Need{On: azure.OnContainer, Name: there, Do: "write"}, `no the shared access signature does not say so: sp is "rl"`},
		{"SAS", map[string]string{"AZURE_STORAGE_SAS_TOKEN": all}, providers.Need{On: azure.OnContainer, Name: there, Do: "write"}, "yes"},
		{"token", map[string]string{"AZURE_ACCESS_TOKEN": token}, providers.Need{On: azure.OnQueue, Name: queue, Do: "read"}, "yes"},
		{"SAS of another key", map[string]string{"AZURE_STORAGE_SAS_TOKEN": accountSAS(t, "d3Jvbmc=", sas.AccountPermissions{List: true})},
			providers.Need{On: azure.OnContainer, Name: there, Do: "list"}, "no refused: 403"},
		{"SAS of blobs alone", map[string]string{"AZURE_STORAGE_SAS_TOKEN": "sv=2024-01-01&ss=b&srt=o&sp=rwlc&sig=x"}, providers.Need{On: azure.OnQueue, Name: queue, Do: "read"}, `no the shared access signature does not say so: ss is "b"`},
		{"SAS of a container", map[string]string{"AZURE_STORAGE_SAS_TOKEN": "sv=2024-01-01&sr=c&sp=rwlc&sig=x"}, providers.Need{On: azure.OnContainer, Name: there, Do: "create"}, "no the shared access signature does not say so: it is for one object"},
		{"token", map[string]string{"AZURE_ACCESS_TOKEN": token}, providers.Need{On: azure.OnContainer, Name: there, Do: "write"}, "yes"},
		{"token", map[string]string{"AZURE_ACCESS_TOKEN": token}, providers.Need{On: azure.OnContainer, Name: there, Do: "create"}, "yes"},
		{"token", map[string]string{"AZURE_ACCESS_TOKEN": token}, providers.Need{On: azure.OnContainer, Name: missing, Do: "create"}, "unknown it is not there yet"},
		{"another token", map[string]string{"AZURE_ACCESS_TOKEN": "another"}, providers.Need{On: azure.OnContainer, Name: there, Do: "list"}, "no refused: 403"},
		{"action", map[string]string{"AZURE_ACCESS_TOKEN": token}, providers.Need{On: azure.OnAccount, Name: account, Do: "Microsoft.EventGrid/eventSubscriptions/write"}, "yes"},
		{"action that is taken away", map[string]string{"AZURE_ACCESS_TOKEN": token}, providers.Need{On: azure.OnAccount, Name: account, Do: "Microsoft.EventGrid/eventSubscriptions/delete"}, "no no role assignment"},
		{"action", map[string]string{"AZURE_ACCESS_TOKEN": token}, providers.Need{On: azure.OnAccount, Name: account, Do: "Microsoft.Storage/storageAccounts/managementPolicies/write"}, "no no role assignment"},
		{"account of others", map[string]string{"AZURE_ACCESS_TOKEN": token}, providers.Need{On: azure.OnAccount, Name: "others", Do: "x"}, "unknown ask for permissions on others: 403"},
	} {
		conn, _, err := azure.Resolve(cty.NilVal, func(name string) string {
			switch {
			case tt.env[name] != "":
				return tt.env[name]
			case name == "AZURE_STORAGE_KEY" && tt.env != nil:
				return ""
			case name == "AZURE_RESOURCE_MANAGER_ENDPOINT":
				return arm.URL
			}
			return s.env[name]
		})
		if err != nil {
			t.Fatal(err)
		}
		got := conn.Abilities(t.Context(), []providers.Need{tt.need})[0]
		if text := strings.TrimSpace(string(got.May) + " " + got.Why); !strings.HasPrefix(text, tt.want) || strings.Contains(text, "sig=") {
			t.Errorf("%s, %s on %s: %s, want %s", tt.name, tt.need.Do, tt.need.Name, text, tt.want)
		}
	}
	client, err := p.BlobsOf(there)
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.NewListBlobsFlatPager(nil).NextPage(t.Context())
	if err != nil || len(page.Segment.BlobItems) != 0 {
		t.Errorf("asking wrote %d blobs, %v", len(page.Segment.BlobItems), err)
	}
}

// Which credential of the chain signed in, and as whom.
func TestWhoAmI(t *testing.T) {
	const jwt = "eyJhbGciOiJub25lIn0.eyJhcHBpZCI6ImFwcCJ9." // {"appid":"app"}
	azure.SignInThrough(t, entra{})
	for name, value := range map[string]string{"PATH": tool(t, map[string]string{"az": `echo '{"accessToken":"` + jwt + `","expires_on":4102444800}'`}), "AZURE_TOKEN_CREDENTIALS": "dev"} {
		t.Setenv(name, value)
	}
	conn, _, err := azure.Resolve(cty.NilVal, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if who, err := conn.WhoAmI(t.Context()); err != nil || who.Credential != "AzureCLICredential" || who.As != "application app" || who.Ends.Unix() != 4102444800 {
		t.Errorf("%+v, %v", who, err)
	}
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "prod")
	conn, _, _ = azure.Resolve(cty.NilVal, func(string) string { return "" })
	if who, err := conn.WhoAmI(t.Context()); providers.CodeOf(err) != providers.Denied {
		t.Errorf("%+v, %v", who, err)
	}
}

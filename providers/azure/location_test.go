package azure_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
)

func TestLocation(t *testing.T) {
	status := http.StatusOK
	arm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if want := "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Storage/storageAccounts/market"; r.URL.Path != want || r.URL.Query().Get("api-version") == "" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, `{"location": "westeurope"}`)
	}))
	defer arm.Close()
	conn, _, err := azure.Resolve(cty.NilVal, func(name string) string {
		return map[string]string{"AZURE_ACCESS_TOKEN": token, "AZURE_RESOURCE_MANAGER_ENDPOINT": arm.URL, "AZURE_SUBSCRIPTION_ID": "sub", "AZURE_RESOURCE_GROUP": "group"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	if at, err := conn.Location(t.Context(), "market"); err != nil || at != "westeurope" {
		t.Errorf("%q, %v", at, err)
	}
	status = http.StatusForbidden
	if _, err := conn.Location(t.Context(), "market"); providers.CodeOf(err) != providers.Denied || !strings.Contains(err.Error(), "storage account market") {
		t.Errorf("refused: %v", err)
	}
}

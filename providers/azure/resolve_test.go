package azure_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers/azure"
)

// block is a provider block with some attributes set.
func block(attrs map[string]string) cty.Value {
	parts := map[string]cty.Value{}
	for _, a := range azure.Config.Attrs {
		parts[a.Name] = cty.NullVal(a.Type)
		if v, ok := attrs[a.Name]; ok {
			parts[a.Name] = cty.StringVal(v)
		}
	}
	return cty.ObjectVal(parts)
}

const (
	secretKey     = "c2VjcmV0LWtleQ=="
	secretSAS     = "sv=2026&sig=secretsignature"
	connectString = "DefaultEndpointsProtocol=https;AccountName=fromstring;AccountKey=" + secretKey + ";EndpointSuffix=core.windows.net"
)

func TestResolve(t *testing.T) {
	for _, tt := range []struct {
		name    string
		block   map[string]string
		env     map[string]string
		account string
		sign    string            // key, sas or token
		sources map[string]string // setting → from
		err     string
	}{
		{name: "nothing", sign: "token", sources: map[string]string{"credential": "DefaultAzureCredential", "management credential": "DefaultAzureCredential"}},
		{
			name: "environment", env: map[string]string{"AZURE_STORAGE_ACCOUNT": "fromenv", "AZURE_STORAGE_KEY": secretKey}, account: "fromenv", sign: "key",
			sources: map[string]string{"account": "AZURE_STORAGE_ACCOUNT", "credential": "AZURE_STORAGE_KEY"},
		},
		{
			name: "connection string first", env: map[string]string{"AZURE_STORAGE_CONNECTION_STRING": connectString, "AZURE_STORAGE_ACCOUNT": "fromenv", "AZURE_STORAGE_SAS_TOKEN": secretSAS},
			account: "fromstring", sign: "key", sources: map[string]string{"account": "AZURE_STORAGE_CONNECTION_STRING", "credential": "AZURE_STORAGE_CONNECTION_STRING"},
		},
		{
			name: "block over environment", block: map[string]string{"account": "fromblock", "sas_token": "?" + secretSAS}, env: map[string]string{"AZURE_STORAGE_CONNECTION_STRING": connectString},
			account: "fromblock", sign: "sas", sources: map[string]string{"account": "provider block", "credential": "provider block"},
		},
		{
			name: "account of the block, key of the environment", block: map[string]string{"account": "fromblock"}, env: map[string]string{"AZURE_STORAGE_ACCOUNT": "fromenv", "AZURE_STORAGE_KEY": secretKey},
			account: "fromblock", sign: "key", sources: map[string]string{"account": "provider block", "credential": "AZURE_STORAGE_KEY"},
		},
		{
			name: "token", env: map[string]string{"AZURE_STORAGE_ACCOUNT": "fromenv", "AZURE_ACCESS_TOKEN": "x", "AZURE_SUBSCRIPTION_ID": "s", "AZURE_RESOURCE_GROUP": "g"},
			account: "fromenv", sign: "token", sources: map[string]string{"credential": "AZURE_ACCESS_TOKEN", "subscription_id": "AZURE_SUBSCRIPTION_ID", "resource_group": "AZURE_RESOURCE_GROUP"},
		},
		{name: "two accounts", block: map[string]string{"account": "fromblock"}, env: map[string]string{"AZURE_STORAGE_CONNECTION_STRING": connectString}, err: `"fromstring"`},
		{name: "two credentials", block: map[string]string{"key": secretKey, "sas_token": secretSAS}, err: "several credentials"},
		{name: "broken string", env: map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "AccountName=a;" + secretKey[:5]}, err: "a part has no ="},
		{name: "string without credential", env: map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "AccountName=a"}, err: "neither AccountKey"},
		{name: "key that is none", env: map[string]string{"AZURE_STORAGE_KEY": "secret!"}, err: "not base64"},
		{name: "endpoint that is none", block: map[string]string{"blob_endpoint": "nowhere"}, err: "blob_endpoint is not a URL"},
		{name: "account that is none", env: map[string]string{"AZURE_STORAGE_ACCOUNT": "Bad_Name"}, err: "3 to 24"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, sources, err := azure.Resolve(block(tt.block), func(name string) string { return tt.env[name] })
			shown := fmt.Sprintf("%v %+v %#v %v %v", conn, conn, conn, sources, err)
			for _, secret := range []string{secretKey, secretSAS, "secret!"} {
				if strings.Contains(shown, secret) {
					t.Fatalf("a secret is shown: %s", shown)
				}
			}
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sign := "token"
			switch {
			case conn.Key != "":
				sign = "key"
			case conn.SAS != "":
				sign = "sas"
			}
			if conn.Account != tt.account || sign != tt.sign || strings.HasPrefix(conn.SAS, "?") {
				t.Errorf("account %q, signs by %s", conn.Account, sign)
			}
			got := map[string]string{}
			for _, s := range sources {
				if got[s.Setting] != "" {
					t.Errorf("%s has two sources", s.Setting)
				}
				got[s.Setting] = s.From
			}
			for setting, from := range tt.sources {
				if got[setting] != from {
					t.Errorf("%s comes from %q, want %q", setting, got[setting], from)
				}
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	for _, tt := range []struct{ endpoint, suffix, id, want string }{
		{"", "", "https://other.blob.core.windows.net/c", "https://other.blob.core.windows.net/c"},
		{"", "core.chinacloudapi.cn", "https://acct.blob.core.chinacloudapi.cn/c", "https://acct.blob.core.chinacloudapi.cn/c"},
		{"http://127.0.0.1:10000", "", "https://other.blob.core.windows.net/c", "http://127.0.0.1:10000/other/c"},
		{"http://127.0.0.1:10000/acct", "", "https://acct.blob.core.windows.net/c", "http://127.0.0.1:10000/acct/c"},
		{"http://10.0.0.1:10000/acct", "", "https://other.blob.core.windows.net/c", "http://10.0.0.1:10000/other/c"},
		{"https://acct.blob.core.usgovcloudapi.net", "", "https://other.blob.core.windows.net/c", "https://other.blob.core.usgovcloudapi.net/c"},
		{"https://data.example.com", "", "https://acct.blob.core.windows.net/c", "https://data.example.com/c"},
		{"https://data.example.com", "", "https://other.blob.core.windows.net/c", ""},
	} {
		c := azure.Connection{Account: "acct", Key: key, BlobEndpoint: tt.endpoint, EndpointSuffix: tt.suffix}
		got := ""
		if client, err := c.ContainerClient(tt.id, nil); err == nil {
			got = client.URL()
		}
		if got != tt.want {
			t.Errorf("%q %s: %q, want %q", tt.endpoint, tt.id, got, tt.want)
		}
	}
}

func FuzzConnectionString(f *testing.F) {
	f.Add(connectString)
	f.Add("UseDevelopmentStorage=true")
	f.Add("BlobEndpoint=https://acct.blob.core.windows.net;SharedAccessSignature=" + secretSAS)
	f.Fuzz(func(t *testing.T, text string) {
		conn, _, err := azure.Resolve(block(nil), func(name string) string {
			return map[string]string{"AZURE_STORAGE_CONNECTION_STRING": text, "AZURE_ACCESS_TOKEN": "x"}[name]
		})
		if err == nil && text != "" && (conn.Account == "" || conn.Key == "" && conn.SAS == "") {
			t.Fatalf("accepted without account or credential")
		}
	})
}

func TestChecks(t *testing.T) {
	text := func(s string) cty.Value { return cty.StringVal(s) }
	meta := func(kv ...string) cty.Value {
		m := map[string]cty.Value{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = text(kv[i+1])
		}
		return cty.MapVal(m)
	}
	for _, tt := range []struct {
		kind, attr string
		value      cty.Value
		want       string // "" for good
	}{
		{"azure_container", "name", text("market-data"), ""},
		{"azure_container", "name", text("market_data"), `"market-data" would do`},
		{"azure_container", "name", text("ab"), "3 to 63"},
		{"azure_container", "name", text("a--b"), "single hyphens"},
		{"azure_container", "access", text("public"), "private, blob, container"},
		{"azure_container", "metadata", meta("a", "1", "A", "2"), "one name"},
		{"azure_container", "metadata", meta("1a", "1"), "digit"},
		{"azure_container", "metadata", meta("a", "ü"), "ASCII"},
		{"azure_container", "metadata", meta("a", ""), "no value"},
		{"azure_queue", "account", text("Acct"), "lower-case"},
		{"azure_event_subscription", "container", text("data"), "not the URL of a container"},
		{"azure_event_subscription", "queue", text("https://a12.blob.core.windows.net/q"), "not the URL of a queue"},
		{"azure_event_subscription", "prefix", text("/x"), `write "x"`},
		{"azure_event_subscription", "name", text("a b"), "3 to 64"},
		{"azure_event_subscription", "apis", cty.SetValEmpty(cty.String), "empty"},
		{"azure_event_subscription", "event_types", cty.SetVal([]cty.Value{text("BlobCreated")}), "Microsoft.Storage."},
	} {
		for _, k := range azure.Kinds() {
			if k.Name != tt.kind {
				continue
			}
			err := k.Attr(tt.attr).Check(tt.value)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s.%s: %v, want %q", tt.kind, tt.attr, err, tt.want)
			}
		}
	}
}

func TestConfigIsDescribed(t *testing.T) {
	if errs := azure.Config.Lint(); len(errs) > 0 {
		t.Error(errs)
	}
	names := slices.Sorted(maps.Keys(azure.Config.Type().AttributeTypes()))
	if len(names) != len(azure.Config.Attrs) {
		t.Error(names)
	}
}

func TestNotes(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ name, value, want string }{
		{"AZURE_STORAGE_SAS_TOKEN", "sv=2024-01-01&se=2026-01-11T00%3A00%3A00Z&spr=https&sig=SECRET", "the shared access signature ends 2026-01-11T00:00:00Z, in 10 days"},
		{"AZURE_STORAGE_SAS_TOKEN", "?sv=2024-01-01&se=2025-12-31&spr=https&sig=SECRET", "the shared access signature ended 2025-12-31T00:00:00Z"},
		{"AZURE_STORAGE_SAS_TOKEN", "sv=2024-01-01&spr=https&sig=SECRET", ""},
		{"AZURE_STORAGE_SAS_TOKEN", "sv=2024-01-01&se=2030-01-01&sig=SECRET", "the shared access signature ends 2030-01-01T00:00:00Z, in 1461 days\n" +
			"the shared access signature lives for more than a year: whoever finds it has that long\nthe shared access signature is good without TLS too (spr is not https)"},
		{"AZURE_ACCESS_TOKEN", "e30.eyJleHAiOjE3NjcyMjk2MDB9.c2ln", "AZURE_ACCESS_TOKEN ends 2026-01-01T01:06:40Z, in less than a day"},
		{"AZURE_STORAGE_KEY", "c2VjcmV0", "the account's key has no end and may do everything; a sign-in by role is narrower"},
	} {
		conn, _, err := azure.Resolve(cty.NilVal, func(name string) string {
			return map[string]string{"AZURE_STORAGE_ACCOUNT": "account1", c.name: c.value}[name]
		})
		if got := strings.Join(conn.Notes(now), "\n"); err != nil || got != c.want {
			t.Errorf("%s: got %q, want %q; %v", c.name, got, c.want, err)
		}
	}
}

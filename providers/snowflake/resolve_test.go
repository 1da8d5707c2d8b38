package snowflake_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/snowflake"
)

// provider block of the given settings.
func configBlock(settings map[string]cty.Value) cty.Value {
	all := map[string]cty.Value{}
	for _, a := range snowflake.Config.Attrs {
		all[a.Name] = cty.NullVal(a.Type)
		if v, ok := settings[a.Name]; ok {
			all[a.Name] = v
		}
	}
	return cty.ObjectVal(all)
}

func write(t *testing.T, dir, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	home := t.TempDir()
	write(t, home, "connections.toml", "[default]\naccount = \"filed\"\nuser = \"filer\"\npassword = \"FILESECRET\"\nport = 8080\n[dev]\naccount = \"dev\"\nauthenticator = \"SNOWFLAKE_JWT\"\nprivate_key_file = \"/key.p8\"\n", 0o600)
	other := t.TempDir()
	write(t, other, "config.toml", "default_connection_name = \"main\"\n[connections.main]\naccount = \"fromconfig\"\ntoken = \"T\"\n", 0o600)
	both := t.TempDir()
	write(t, both, "config.toml", "default_connection_name = \"main\"\n[connections.main]\naccount = \"wrong\"\n", 0o600)
	write(t, both, "connections.toml", "[main]\naccount = \"right\"\n[default]\naccount = \"wrong\"\n", 0o600)
	xdg := t.TempDir()
	if err := os.MkdirAll(filepath.Join(xdg, ".config", "snowflake"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, xdg, ".config/snowflake/config.toml", "[connections.default]\naccount = \"xdg\"\n", 0o600)
	for _, c := range []struct {
		name  string
		block map[string]cty.Value
		env   map[string]string
		want  snowflake.Connection
		from  map[string]string
	}{
		{"nothing", nil, nil, snowflake.Connection{}, map[string]string{}},
		{"environment", nil, map[string]string{"SNOWFLAKE_ACCOUNT": "a", "SNOWFLAKE_USER": "u", "SNOWFLAKE_TOKEN": "ENVSECRET"},
			snowflake.Connection{Account: "a", User: "u", Token: "ENVSECRET"}, map[string]string{"account": "SNOWFLAKE_ACCOUNT", "token": "SNOWFLAKE_TOKEN"}},
		// Snowflake CLI, "Managing Snowflake connections".
		{"block over the connection's variables over file over variables", map[string]cty.Value{"role": cty.StringVal("R")},
			map[string]string{"SNOWFLAKE_HOME": home, "SNOWFLAKE_USER": "u", "SNOWFLAKE_ROLE": "no", "SNOWFLAKE_CONNECTIONS_DEFAULT_ACCOUNT": "own", "SNOWFLAKE_WAREHOUSE": "w"},
			snowflake.Connection{Account: "own", User: "filer", Role: "R", Warehouse: "w", Password: "FILESECRET", Port: 8080},
			map[string]string{"role": "provider block over SNOWFLAKE_ROLE", "account": "SNOWFLAKE_CONNECTIONS_DEFAULT_ACCOUNT over " + filepath.Join(home, "connections.toml"),
				"user": filepath.Join(home, "connections.toml") + " over SNOWFLAKE_USER", "password": filepath.Join(home, "connections.toml"), "warehouse": "SNOWFLAKE_WAREHOUSE"}},
		{"connections.toml instead of config.toml's, which still names the default", nil, map[string]string{"SNOWFLAKE_HOME": both},
			snowflake.Connection{Account: "right"}, map[string]string{"account": filepath.Join(both, "connections.toml")}},
		{"the system's folder for settings", nil, map[string]string{"HOME": xdg},
			snowflake.Connection{Account: "xdg"}, map[string]string{"account": filepath.Join(xdg, ".config", "snowflake", "config.toml")}},
		{"key as text", nil, map[string]string{"SNOWFLAKE_PRIVATE_KEY_RAW": "KEYSECRET", "SNOWFLAKE_PASSWORD": "PASSSECRET"},
			snowflake.Connection{PrivateKey: "KEYSECRET", Password: "PASSSECRET"}, map[string]string{"authenticator": "private_key_raw, which makes it key_pair"}},
		{"named connection", nil, map[string]string{"SNOWFLAKE_HOME": home, "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "dev", "SNOWFLAKE_CONNECTIONS_DEV_USER": "devuser"},
			snowflake.Connection{Account: "dev", User: "devuser", Authenticator: "key_pair", PrivateKeyPath: "/key.p8"}, map[string]string{"user": "SNOWFLAKE_CONNECTIONS_DEV_USER"}},
		{"config.toml", nil, map[string]string{"SNOWFLAKE_HOME": other}, snowflake.Connection{Account: "fromconfig", Token: "T"}, map[string]string{"token": filepath.Join(other, "config.toml")}},
		{"endpoint", map[string]cty.Value{"host": cty.StringVal("127.0.0.1"), "port": cty.NumberIntVal(99), "protocol": cty.StringVal("http")}, nil,
			snowflake.Connection{Host: "127.0.0.1", Port: 99, Protocol: "http"}, map[string]string{"port": "provider block"}},
	} {
		got, sources, err := snowflake.Resolve(configBlock(c.block), func(k string) string { return c.env[k] })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got != c.want {
			t.Errorf("%s: got account %q user %q and more, want %v", c.name, got.Account, got.User, c.want)
		}
		from := map[string]string{}
		for _, s := range sources {
			from[s.Setting] = strings.Join(append([]string{s.From}, s.Over...), " over ")
			if s.System != "snowflake" || strings.Contains(fmt.Sprint(s), "SECRET") {
				t.Errorf("%s: source %v", c.name, s)
			}
		}
		for setting, want := range c.from {
			if from[setting] != want {
				t.Errorf("%s: %s comes from %q, want %q", c.name, setting, from[setting], want)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, "SECRET") {
			t.Errorf("%s prints as %s", c.name, text)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	open := t.TempDir()
	write(t, open, "connections.toml", "", 0o600)
	if err := os.Chmod(filepath.Join(open, "connections.toml"), 0o666); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	write(t, broken, "connections.toml", "[a]\npassword = \"FILESECRET\" x\n", 0o600)
	empty := t.TempDir()
	write(t, empty, "connections.toml", "[a]\n", 0o600)
	for name, env := range map[string]map[string]string{
		"written by others":  {"SNOWFLAKE_HOME": open},
		"no TOML":            {"SNOWFLAKE_HOME": broken},
		"no such connection": {"SNOWFLAKE_HOME": empty, "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "b"},
		"authenticator":      {"SNOWFLAKE_AUTHENTICATOR": "externalbrowser"},
		"port":               {"SNOWFLAKE_PORT": "x"},
		"protocol":           {"SNOWFLAKE_PROTOCOL": "ftp"},
		"plain text":         {"SNOWFLAKE_PROTOCOL": "http", "SNOWFLAKE_HOST": "snowflake.example"},
		"plain token URL":    {"SNOWFLAKE_OAUTH_TOKEN_REQUEST_URL": "http://idp.example/token"},
	} {
		_, _, err := snowflake.Resolve(configBlock(nil), func(k string) string { return env[k] })
		if err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyPair(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, pass := range map[string]string{"plain": "", "encrypted": "KEYSECRET"} {
		der, err := pkcs8.MarshalPrivateKey(key, []byte(pass), nil)
		if err != nil {
			t.Fatal(err)
		}
		kind := "PRIVATE KEY"
		if pass != "" {
			kind = "ENCRYPTED PRIVATE KEY"
		}
		write(t, dir, name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})), 0o600)
	}
	write(t, dir, "nonsense", "no key", 0o600)
	base := embedded(t)
	base.Password = ""
	for _, c := range []struct {
		file, pass string
		ok         bool
	}{{"plain", "", true}, {"encrypted", "KEYSECRET", true}, {"encrypted", "WRONGSECRET", false}, {"encrypted", "", false}, {"nonsense", "", false}, {"missing", "", false}} {
		conn := base
		conn.PrivateKeyPath, conn.PrivateKeyPassphrase = filepath.Join(dir, c.file), c.pass
		err := conn.Check()
		if (err == nil) != c.ok {
			t.Errorf("%s with %q: %v", c.file, c.pass, err)
		}
		if err != nil && (providers.CodeOf(err) != providers.Denied || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%s: %v", c.file, err)
		}
	}
}

package snowflake_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkt/providers"
	"mkt/providers/snowflake"
)

// A connection file is read or refused, and an error shows nothing of it.
func FuzzConnectionFile(f *testing.F) {
	f.Add("[default]\naccount = \"a\"\npassword = \"SECRET\"\n", false)
	f.Add("default_connection_name = \"x\"\n[connections.x]\nport = 1\nprivate_key_file_pwd = \"SECRET\"\n", true)
	f.Add("[default]\npassword = SECRET", false)
	f.Add("default = 1", false)
	f.Fuzz(func(t *testing.T, text string, config bool) {
		home := t.TempDir()
		name := map[bool]string{true: "config.toml", false: "connections.toml"}[config]
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, sources, err := snowflake.Resolve(configBlock(nil), func(name string) string { return map[string]string{"SNOWFLAKE_HOME": home}[name] })
		for _, s := range sources {
			if strings.Contains(s.From, "SECRET") {
				t.Errorf("a source says %q", s.From)
			}
		}
		if err != nil && strings.Contains(err.Error(), "password") {
			t.Errorf("%v", err)
		}
	})
}

// What is no key in PKCS#8 is denied, with or without a passphrase.
func FuzzPrivateKey(f *testing.F) {
	f.Add("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", "")
	f.Add("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n", "pass")
	f.Add("none", "pass")
	f.Fuzz(func(t *testing.T, text, passphrase string) {
		if text == "" {
			return
		}
		err := snowflake.Connection{Account: "a", User: "u", PrivateKey: text, PrivateKeyPassphrase: passphrase}.Check()
		if err != nil && providers.CodeOf(err) != providers.Denied {
			t.Errorf("%v", err)
		}
	})
}

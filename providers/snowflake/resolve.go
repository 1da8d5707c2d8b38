package snowflake

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// Resolve merges the provider's block, an object of Config's type or null, over what Snowflake CLI would take, and tells for
// each setting where it came from. The order below the block is the CLI's (Snowflake CLI, "Managing Snowflake connections"):
// SNOWFLAKE_CONNECTIONS_<NAME>_<SETTING>, the connection NAME of the files, SNOWFLAKE_<SETTING>. getenv returns "" for what is
// not set. What is missing is found when the connection is opened.
func Resolve(block cty.Value, getenv func(string) string) (Connection, []providers.Source, error) {
	r := resolver{block: block, getenv: getenv}
	r.name = r.blockText("connection")
	if r.name == "" {
		r.name = getenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME")
	}
	if err := r.loadFile(); err != nil {
		return Connection{}, nil, err
	}
	c := Connection{
		Account:                  r.pick("account"),
		User:                     r.pick("user"),
		Password:                 r.pick("password"),
		Passcode:                 r.pick("passcode"),
		PrivateKeyPath:           r.pick("private_key_path"),
		PrivateKey:               r.pick("private_key_raw"),
		PrivateKeyPassphrase:     r.pick("private_key_passphrase"),
		Token:                    r.pick("token"),
		TokenFilePath:            r.pick("token_file_path"),
		OAuthClientID:            r.pick("oauth_client_id"),
		OAuthClientSecret:        r.pick("oauth_client_secret"),
		OAuthTokenURL:            r.pick("oauth_token_request_url"),
		OAuthScope:               r.pick("oauth_scope"),
		WorkloadIdentityProvider: r.pick("workload_identity_provider"),
		EntraResource:            r.pick("workload_identity_entra_resource"),
		Role:                     r.pick("role"),
		Warehouse:                r.pick("warehouse"),
		Database:                 r.pick("database"),
		Schema:                   r.pick("schema"),
		Host:                     r.pick("host"),
		Protocol:                 r.pick("protocol"),
	}
	auth, err := parseAuthenticator(r.pick("authenticator"))
	if err != nil {
		return Connection{}, r.sources, err
	}
	c.Authenticator = auth
	if way, by, err := c.authenticator(); err == nil && auth == "" {
		r.sources = append(r.sources, providers.Source{System: System, Setting: "authenticator", From: by + ", which makes it " + way})
	}
	if port := r.pick("port"); port != "" {
		if c.Port, err = strconv.Atoi(port); err != nil || c.Port < 1 || c.Port > 65535 {
			return Connection{}, r.sources, fmt.Errorf("port %q is none: write a number from 1 to 65535", port)
		}
	}
	return c, r.sources, c.checkPlain()
}

// checkPlain refuses to send a credential in clear beyond this machine.
func (c Connection) checkPlain() error {
	switch {
	case c.Protocol != "" && c.Protocol != "http" && c.Protocol != "https":
		return fmt.Errorf("protocol %q is neither http nor https", c.Protocol)
	case c.Protocol == "http" && !providers.Loopback(c.Host):
		return fmt.Errorf("protocol http would send the credential in clear to %s: only https goes beyond this machine", cmp.Or(c.Host, "the account"))
	case c.OAuthTokenURL == "":
		return nil
	}
	u, err := url.Parse(c.OAuthTokenURL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !providers.Loopback(u.Hostname())) {
		return fmt.Errorf("oauth_token_request_url is no https URL: write it like https://host/path, without credentials")
	}
	return nil
}

// resolver looks for settings, the strongest source first.
type resolver struct {
	block   cty.Value
	getenv  func(string) string
	name    string            // of the connection in the files
	file    map[string]string // that connection's settings
	path    string            // of the file
	sources []providers.Source
}

func (r *resolver) blockText(name string) string {
	b := r.block
	if b == cty.NilVal || b.IsNull() || !b.IsKnown() || !b.Type().HasAttribute(name) {
		return ""
	}
	switch v := b.GetAttr(name); {
	case v.IsNull() || !v.IsKnown():
		return ""
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', 0)
	default:
		return v.AsString()
	}
}

// spelled has the settings that files and variables also spell otherwise (Snowflake Connector for Python, Snowflake CLI).
var spelled = map[string][]string{
	"user":                   {"username"},
	"private_key_path":       {"private_key_file"},
	"private_key_passphrase": {"private_key_file_pwd"},
}

func (r *resolver) pick(setting string) (value string) {
	var source providers.Source
	offer := func(from, v string) {
		switch {
		case v == "":
		case value == "":
			value, source = v, providers.Source{System: System, Setting: setting, From: from}
		default:
			source.Over = append(source.Over, from)
		}
	}
	names := append([]string{setting}, spelled[setting]...)
	offer("provider block", r.blockText(setting))
	for _, name := range names {
		if r.name != "" {
			variable := "SNOWFLAKE_CONNECTIONS_" + strings.ToUpper(r.name+"_"+name)
			offer(variable, r.getenv(variable))
		}
	}
	offer(r.path, r.file[setting])
	for _, name := range names {
		variable := "SNOWFLAKE_" + strings.ToUpper(name)
		offer(variable, r.getenv(variable))
	}
	if setting == "private_key_passphrase" {
		offer("PRIVATE_KEY_PASSPHRASE", r.getenv("PRIVATE_KEY_PASSPHRASE"))
	}
	if value != "" {
		r.sources = append(r.sources, source)
	}
	return value
}

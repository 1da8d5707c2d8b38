package snowflake

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// System is the provider's name.
const System = "snowflake"

// Config describes the block provider "snowflake".
var Config = &spec.Kind{
	Name: System,
	Doc: "Which Snowflake account, and who signs in. What the block leaves out comes from the environment (`SNOWFLAKE_ACCOUNT`, `SNOWFLAKE_USER`, " +
		"`SNOWFLAKE_PASSWORD`, `SNOWFLAKE_TOKEN`, `SNOWFLAKE_PRIVATE_KEY_PATH`, `SNOWFLAKE_ROLE`, `SNOWFLAKE_WAREHOUSE`, `SNOWFLAKE_DATABASE` …), then from the " +
		"connection that `SNOWFLAKE_DEFAULT_CONNECTION_NAME` names in connections.toml or config.toml under `SNOWFLAKE_HOME`.",
	Example: `provider "snowflake" {
  account   = "myorg-myaccount"
  role      = "SYSADMIN"
  warehouse = "COMPUTE_WH"
}
`,
	Attrs: []spec.Attr{
		{Name: "connection", Type: cty.String, Doc: "Name of a connection in connections.toml, or in config.toml."},
		{Name: "account", Type: cty.String, Doc: "Account identifier, such as `myorg-myaccount`."},
		{Name: "user", Type: cty.String, Doc: "User name."},
		{Name: "password", Type: cty.String, Secret: true, Doc: "Password. Snowflake is switching passwords alone off; prefer a key pair or a token."},
		{Name: "private_key_path", Type: cty.String, Doc: "PEM file with the private key of a key pair, PKCS#8, encrypted or not."},
		{Name: "private_key_passphrase", Type: cty.String, Secret: true, Doc: "Passphrase of an encrypted private key."},
		{Name: "token", Type: cty.String, Secret: true, Doc: "Programmatic access token or OAuth token, as `authenticator` says."},
		{Name: "token_file_path", Type: cty.String, Doc: "File that holds the token."},
		{Name: "authenticator", Type: cty.String, Doc: "How to sign in: `password`, `key_pair`, `programmatic_access_token`, `oauth` or `workload_identity`. By default it follows from the credential that is there.",
			Check: func(v cty.Value) error {
				_, err := parseAuthenticator(v.AsString())
				return err
			}},
		{Name: "workload_identity_provider", Type: cty.String, Doc: "`AZURE`, `AWS`, `GCP` or `OIDC`, for `workload_identity`."},
		{Name: "role", Type: cty.String, Doc: "Role to act as."},
		{Name: "warehouse", Type: cty.String, Doc: "Virtual warehouse for queries; describing and creating objects needs none."},
		{Name: "database", Type: cty.String, Doc: "Database of the session, for queries."},
		{Name: "schema", Type: cty.String, Doc: "Schema of the session, for queries."},
		{Name: "host", Type: cty.String, Doc: "Host name of the endpoint; follows from the account by default."},
		{Name: "port", Type: cty.Number, Doc: "Port of the endpoint; 443 by default."},
		{Name: "protocol", Type: cty.String, Doc: "`https` (the default) or `http`."},
	},
}

// Connection is an account and what signs in to it. It holds secrets; printing it shows none.
type Connection struct {
	Account, User, Role, Warehouse, Database, Schema string

	Authenticator            string // "" (by the credential), password, key_pair, programmatic_access_token, oauth or workload_identity
	Password                 string
	PrivateKeyPath           string // PEM, PKCS#8
	PrivateKeyPassphrase     string
	Token                    string
	TokenFilePath            string
	WorkloadIdentityProvider string

	Host     string // "" follows from Account
	Port     int    // 0: 443
	Protocol string // "": https
}

// String tells where the connection leads.
func (c Connection) String() string {
	return fmt.Sprintf("snowflake %s as %s (%s)", c.Account, c.User, c.Role)
}

// GoString is String, so that no format prints secrets.
func (c Connection) GoString() string { return c.String() }

// Resolve merges the provider's block, an object of Config's type or null, over the environment and the connection
// files, and tells for each setting where it came from. getenv returns "" for what is not set. What is missing is
// found when the connection is opened.
func Resolve(block cty.Value, getenv func(string) string) (Connection, []providers.Source, error) {
	r := resolver{block: block, getenv: getenv}
	r.name = r.blockText("connection")
	wanted := r.name != ""
	if r.name == "" {
		r.name = getenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME")
		wanted = r.name != ""
	}
	if err := r.loadFile(wanted); err != nil {
		return Connection{}, nil, err
	}
	c := Connection{
		Account:                  r.pick("account", "SNOWFLAKE_ACCOUNT"),
		User:                     r.pick("user", "SNOWFLAKE_USER"),
		Password:                 r.pick("password", "SNOWFLAKE_PASSWORD"),
		PrivateKeyPath:           r.pick("private_key_path", "SNOWFLAKE_PRIVATE_KEY_PATH", "SNOWFLAKE_PRIVATE_KEY_FILE"),
		PrivateKeyPassphrase:     r.pick("private_key_passphrase", "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", "PRIVATE_KEY_PASSPHRASE"),
		Token:                    r.pick("token", "SNOWFLAKE_TOKEN"),
		TokenFilePath:            r.pick("token_file_path", "SNOWFLAKE_TOKEN_FILE_PATH"),
		WorkloadIdentityProvider: r.pick("workload_identity_provider", "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER"),
		Role:                     r.pick("role", "SNOWFLAKE_ROLE"),
		Warehouse:                r.pick("warehouse", "SNOWFLAKE_WAREHOUSE"),
		Database:                 r.pick("database", "SNOWFLAKE_DATABASE"),
		Schema:                   r.pick("schema", "SNOWFLAKE_SCHEMA"),
		Host:                     r.pick("host", "SNOWFLAKE_HOST"),
		Protocol:                 r.pick("protocol", "SNOWFLAKE_PROTOCOL"),
	}
	auth, err := parseAuthenticator(r.pick("authenticator", "SNOWFLAKE_AUTHENTICATOR"))
	if err != nil {
		return Connection{}, r.sources, err
	}
	c.Authenticator = auth
	if port := r.pick("port", "SNOWFLAKE_PORT"); port != "" {
		if c.Port, err = strconv.Atoi(port); err != nil || c.Port < 1 || c.Port > 65535 {
			return Connection{}, r.sources, fmt.Errorf("port %q is none: write a number from 1 to 65535", port)
		}
	}
	if c.Protocol != "" && c.Protocol != "http" && c.Protocol != "https" {
		return Connection{}, r.sources, fmt.Errorf("protocol %q is neither http nor https", c.Protocol)
	}
	return c, r.sources, nil
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

func (r *resolver) pick(setting string, variables ...string) string {
	took := func(from, value string) string {
		r.sources = append(r.sources, providers.Source{System: System, Setting: setting, From: from})
		return value
	}
	if v := r.blockText(setting); v != "" {
		return took("provider block", v)
	}
	if r.name != "" {
		variables = append(variables, "SNOWFLAKE_CONNECTIONS_"+strings.ToUpper(r.name)+"_"+strings.ToUpper(setting))
	}
	for _, name := range variables {
		if v := r.getenv(name); v != "" {
			return took(name, v)
		}
	}
	if v := r.file[setting]; v != "" {
		return took(r.path, v)
	}
	return ""
}

// The ways to sign in.
const (
	authPassword = "password"
	authKeyPair  = "key_pair"
	authToken    = "programmatic_access_token"
	authOAuth    = "oauth"
	authWorkload = "workload_identity"
)

// parseAuthenticator takes mkt's names and those of Snowflake's own files.
func parseAuthenticator(s string) (string, error) {
	switch strings.ToLower(s) {
	case "":
		return "", nil
	case authPassword, "snowflake":
		return authPassword, nil
	case authKeyPair, "snowflake_jwt":
		return authKeyPair, nil
	case authToken:
		return authToken, nil
	case authOAuth:
		return authOAuth, nil
	case authWorkload:
		return authWorkload, nil
	}
	return "", fmt.Errorf("authenticator %q is not one that works without a person: use password, key_pair, programmatic_access_token, oauth or workload_identity", s)
}

// authenticator is the way to sign in: the one that is named, or the one that the credential is for.
func (c Connection) authenticator() (string, error) {
	switch {
	case c.Authenticator != "":
		return c.Authenticator, nil
	case c.PrivateKeyPath != "":
		return authKeyPair, nil
	case c.Token != "" || c.TokenFilePath != "":
		return authToken, nil
	case c.WorkloadIdentityProvider != "":
		return authWorkload, nil
	case c.Password != "":
		return authPassword, nil
	}
	return "", &providers.Error{Code: providers.Denied, Err: errors.New("no credential for Snowflake was found"),
		Hint: "Set SNOWFLAKE_PRIVATE_KEY_PATH, SNOWFLAKE_TOKEN or SNOWFLAKE_PASSWORD, or name a connection of connections.toml in SNOWFLAKE_DEFAULT_CONNECTION_NAME."}
}

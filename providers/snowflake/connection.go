package snowflake

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// System is the provider's name.
const System = "snowflake"

// Config describes the block provider "snowflake".
var Config = &spec.Kind{
	Name: System,
	Doc: "Which Snowflake account, and who signs in. What the block leaves out comes from where Snowflake CLI takes it, in the same order: " +
		"`SNOWFLAKE_CONNECTIONS_<NAME>_USER` and the like; the connection NAME of connections.toml, or else of config.toml, under `SNOWFLAKE_HOME`; then `SNOWFLAKE_ACCOUNT`, `SNOWFLAKE_USER`, " +
		"`SNOWFLAKE_PASSWORD`, `SNOWFLAKE_TOKEN`, `SNOWFLAKE_PRIVATE_KEY_PATH`, `SNOWFLAKE_ROLE`, `SNOWFLAKE_WAREHOUSE`, `SNOWFLAKE_DATABASE` and so on. NAME is what `connection` says, or " +
		"`SNOWFLAKE_DEFAULT_CONNECTION_NAME`, or `default_connection_name` of config.toml, or `default`.",
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
		{Name: "passcode", Type: cty.String, Secret: true, Doc: "Code of a second factor, for `username_password_mfa`; without it, Snowflake asks the user's phone. One code is good for one sign-in."},
		{Name: "private_key_path", Type: cty.String, Doc: "PEM file with the private key of a key pair, PKCS#8, encrypted or not."},
		{Name: "private_key_raw", Type: cty.String, Secret: true, Doc: "The same key as text, instead of a file."},
		{Name: "private_key_passphrase", Type: cty.String, Secret: true, Doc: "Passphrase of an encrypted private key."},
		{Name: "token", Type: cty.String, Secret: true, Doc: "Programmatic access token or OAuth token, as `authenticator` says."},
		{Name: "token_file_path", Type: cty.String, Doc: "File that holds the token."},
		{Name: "authenticator", Type: cty.String, Doc: "How to sign in: `password`, `key_pair`, `programmatic_access_token`, `oauth`, `oauth_client_credentials`, `workload_identity` or `username_password_mfa`. By default it follows from the credential that is there.",
			Check: func(v cty.Value) error {
				_, err := parseAuthenticator(v.AsString())
				return err
			}},
		{Name: "oauth_client_id", Type: cty.String, Doc: "Client id, for `oauth_client_credentials`."},
		{Name: "oauth_client_secret", Type: cty.String, Secret: true, Doc: "Client secret, for `oauth_client_credentials`."},
		{Name: "oauth_token_request_url", Type: cty.String, Doc: "Where the identity provider gives tokens, for `oauth_client_credentials`."},
		{Name: "oauth_scope", Type: cty.String, Doc: "Scope to ask for; by default the role's, `session:role:ROLE`."},
		{Name: "workload_identity_provider", Type: cty.String, Doc: "`AZURE`, `AWS`, `GCP` or `OIDC`, for `workload_identity`."},
		{Name: "workload_identity_entra_resource", Type: cty.String, Doc: "The resource that tokens of `AZURE` are for, if the account has one of its own."},
		{Name: "role", Type: cty.String, Doc: "Role to act as."},
		{Name: "warehouse", Type: cty.String, Doc: "Virtual warehouse for queries; describing and creating objects needs none."},
		{Name: "database", Type: cty.String, Doc: "Database of the session, for queries."},
		{Name: "schema", Type: cty.String, Doc: "Schema of the session, for queries."},
		{Name: "host", Type: cty.String, Doc: "Host name of the endpoint; follows from the account by default."},
		{Name: "port", Type: cty.Number, Doc: "Port of the endpoint; 443 by default."},
		{Name: "protocol", Type: cty.String, Doc: "`https` (the default); `http` only to this machine."},
	},
}

// Connection is an account and what signs in to it. It holds secrets; printing it shows none.
type Connection struct {
	Account, User, Role, Warehouse, Database, Schema string

	Authenticator            string // "" (by the credential), or a way to sign in (authenticator.go)
	Password, Passcode       string
	PrivateKeyPath           string // PEM, PKCS#8
	PrivateKey               string // the same as text
	PrivateKeyPassphrase     string
	Token                    string
	TokenFilePath            string
	WorkloadIdentityProvider string
	EntraResource            string

	OAuthClientID, OAuthClientSecret, OAuthTokenURL, OAuthScope string

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

package snowflake

import (
	"errors"
	"fmt"
	"strings"

	"mkt/providers"
)

// The ways to sign in.
const (
	authPassword    = "password"
	authMFA         = "username_password_mfa"
	authKeyPair     = "key_pair"
	authToken       = "programmatic_access_token"
	authOAuth       = "oauth"
	authCredentials = "oauth_client_credentials"
	authWorkload    = "workload_identity"
)

// Authenticators are the ways to sign in, as a stack names them.
var Authenticators = []string{authPassword, authMFA, authKeyPair, authToken, authOAuth, authCredentials, authWorkload}

// parseAuthenticator takes mkt's names and those of Snowflake's own files.
func parseAuthenticator(s string) (string, error) {
	switch s := strings.ToLower(s); s {
	case "":
		return "", nil
	case "snowflake":
		return authPassword, nil
	case "snowflake_jwt":
		return authKeyPair, nil
	case authPassword, authMFA, authKeyPair, authToken, authOAuth, authCredentials, authWorkload:
		return s, nil
	}
	return "", fmt.Errorf("authenticator %q is not one that works without a browser: use %s or %s", s,
		strings.Join(Authenticators[:len(Authenticators)-1], ", "), Authenticators[len(Authenticators)-1])
}

// authenticator is the way to sign in: the one that is named, or the one that the credential is for. by is the setting that
// decided.
func (c Connection) authenticator() (way, by string, err error) {
	switch {
	case c.Authenticator != "":
		return c.Authenticator, "authenticator", nil
	case c.PrivateKey != "":
		return authKeyPair, "private_key_raw", nil
	case c.PrivateKeyPath != "":
		return authKeyPair, "private_key_path", nil
	case c.WorkloadIdentityProvider != "":
		return authWorkload, "workload_identity_provider", nil
	case c.Token != "":
		return authToken, "token", nil
	case c.TokenFilePath != "":
		return authToken, "token_file_path", nil
	case c.OAuthClientSecret != "":
		return authCredentials, "oauth_client_secret", nil
	case c.Passcode != "":
		return authMFA, "passcode", nil
	case c.Password != "":
		return authPassword, "password", nil
	}
	return "", "", &providers.Error{Code: providers.Denied, Err: errors.New("no credential for Snowflake was found"),
		Hint: "Set SNOWFLAKE_PRIVATE_KEY_PATH, SNOWFLAKE_TOKEN or SNOWFLAKE_PASSWORD, or name a connection of connections.toml in SNOWFLAKE_DEFAULT_CONNECTION_NAME."}
}

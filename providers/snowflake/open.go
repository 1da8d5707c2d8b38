package snowflake

import (
	"context"
	"crypto/rsa"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/snowflakedb/gosnowflake/v2"
	"github.com/youmark/pkcs8"
	"golang.org/x/oauth2"

	"mkt/providers"
)

// Limits of the driver's own retries. Each HTTP request carries an id by which Snowflake recognises a repetition, so
// the driver may repeat even a CREATE.
const (
	loginTimeout = 20 * time.Second
	// personTimeout is loginTimeout where a person has to answer.
	personTimeout = 90 * time.Second
	queryTimeout  = 5 * time.Minute
	maxTries      = 4
	maxConns      = 8
)

// session pins what changes how names and times are read, and turns telemetry off.
var session = map[string]string{
	"CLIENT_TELEMETRY_ENABLED":       "false",
	"QUOTED_IDENTIFIERS_IGNORE_CASE": "false",
	"TIMEZONE":                       "UTC",
	"QUERY_TAG":                      "mkt",
}

// transport carries the driver's requests; nil is the driver's own. Tests stand in for metadata services by it, whose addresses
// are fixed.
var transport http.RoundTripper

// silence stops the driver from writing to stderr and from asking cloud metadata services where it runs.
var silence = sync.OnceFunc(func() {
	_ = gosnowflake.GetLogger().SetLogLevel("off")
	_ = os.Setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
})

// Exact has a query give numbers with all their digits: big.Int where a column may hold more than an int64, big.Float
// where it has a scale, or pointers to them. Without it the driver divides in floating point (gosnowflake's converter.go, arrowIntToValue).
func Exact(ctx context.Context) context.Context { return gosnowflake.WithHigherPrecision(ctx) }

// Open connects and signs in. It retries while the account is unreachable, within ctx and the contract's limits. The
// caller closes the result, which is safe for concurrent use.
func (c Connection) Open(ctx context.Context) (*sql.DB, error) {
	db, err := c.open()
	if err != nil {
		return nil, err
	}
	_, err = providers.Retry(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.refused(c.classify(db.PingContext(ctx)))
	})
	if err != nil {
		_ = db.Close()
		return nil, wrap(err, "connect to Snowflake account %s", c.Account)
	}
	return db, nil
}

// refused gives its meaning to an error that came before Snowflake was asked: an identity provider gave no token.
func (c Connection) refused(err error) error {
	var answer *oauth2.RetrieveError
	way, _, _ := c.authenticator()
	if err == nil || providers.CodeOf(err) != providers.Unknown || !errors.As(err, &answer) && way != authWorkload {
		return err
	}
	return &providers.Error{Code: providers.Denied, Err: fmt.Errorf("the identity provider gave no token: %w", err), Hint: "`mkt doctor` shows which credential was used and where it came from."}
}

// Check says what is missing for Open to try, such as a credential or a key that can be read, without connecting.
func (c Connection) Check() error {
	_, err := c.driverConfig()
	return err
}

func (c Connection) classify(err error) error {
	return classify(err, c.secrets()...)
}

// secrets are what no error may show.
func (c Connection) secrets() []string {
	return []string{c.Password, c.Passcode, c.Token, c.PrivateKey, c.PrivateKeyPassphrase, c.OAuthClientSecret}
}

// open makes the handle without connecting.
func (c Connection) open() (*sql.DB, error) {
	silence()
	cfg, err := c.driverConfig()
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(lasting{gosnowflake.NewConnector(gosnowflake.SnowflakeDriver{}, cfg)})
	if cfg.Authenticator == gosnowflake.AuthTypeUsernamePasswordMFA {
		// Each connection is a sign-in, and each of those takes a person.
		db.SetMaxOpenConns(1)
		return db, nil
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

func (c Connection) driverConfig() (gosnowflake.Config, error) {
	cfg := gosnowflake.Config{
		Account: c.Account, User: c.User, Role: c.Role, Warehouse: c.Warehouse, Database: c.Database, Schema: c.Schema,
		Host: c.Host, Port: c.Port, Protocol: c.Protocol, Application: "mkt",
		LoginTimeout: loginTimeout, RequestTimeout: queryTimeout, MaxRetryCount: maxTries, //nolint:staticcheck // deprecated for a later reorganization; there is no other way yet
		Transporter: transport, Params: map[string]*string{}, ValidateDefaultParameters: gosnowflake.ConfigBoolFalse,
	}
	for name, value := range session {
		cfg.Params[name] = &value
	}
	if c.Account == "" {
		return cfg, &providers.Error{Code: providers.Unconfigured, Err: errors.New("no Snowflake account was named"),
			Hint: "Set account in the provider block, or SNOWFLAKE_ACCOUNT."}
	}
	auth, _, err := c.authenticator()
	if err != nil {
		return cfg, err
	}
	switch auth {
	case authPassword:
		cfg.Password = c.Password
	case authMFA:
		cfg.Authenticator = gosnowflake.AuthTypeUsernamePasswordMFA
		cfg.Password, cfg.Passcode = c.Password, c.Passcode
		cfg.ClientRequestMfaToken = gosnowflake.ConfigBoolFalse // it would keep a token on disk
		cfg.LoginTimeout = personTimeout                        //nolint:staticcheck // as above
	case authKeyPair:
		cfg.Authenticator = gosnowflake.AuthTypeJwt
		cfg.PrivateKey, err = c.key()
	case authToken:
		cfg.Authenticator = gosnowflake.AuthTypePat
		cfg.Token, err = c.token()
	case authOAuth:
		cfg.Authenticator = gosnowflake.AuthTypeOAuth
		cfg.Token, err = c.token()
	case authCredentials:
		if c.OAuthClientID == "" || c.OAuthClientSecret == "" || c.OAuthTokenURL == "" {
			return cfg, providers.Errorf(providers.Denied, "oauth_client_credentials needs oauth_client_id, oauth_client_secret and oauth_token_request_url")
		}
		cfg.Authenticator = gosnowflake.AuthTypeOAuthClientCredentials
		cfg.OauthClientID, cfg.OauthClientSecret = c.OAuthClientID, c.OAuthClientSecret
		cfg.OauthTokenRequestURL, cfg.OauthScope = c.OAuthTokenURL, c.OAuthScope
		cfg.ClientStoreTemporaryCredential = gosnowflake.ConfigBoolFalse // it would keep a token on disk
	case authWorkload:
		cfg.Authenticator = gosnowflake.AuthTypeWorkloadIdentityFederation
		cfg.WorkloadIdentityProvider = strings.ToUpper(c.WorkloadIdentityProvider)
		cfg.WorkloadIdentityEntraResource = c.EntraResource
		if c.Token != "" || c.TokenFilePath != "" {
			cfg.Token, err = c.token()
		}
	}
	return cfg, err
}

func (c Connection) token() (string, error) {
	if c.Token != "" {
		return c.Token, nil
	}
	if c.TokenFilePath == "" {
		return "", providers.Errorf(providers.Denied, "no token was given")
	}
	b, err := os.ReadFile(c.TokenFilePath)
	if err != nil {
		return "", providers.Errorf(providers.Denied, "read the token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// key reads an RSA key in PKCS#8, encrypted or not.
func (c Connection) key() (*rsa.PrivateKey, error) {
	text, name := []byte(c.PrivateKey), "private_key_raw"
	if c.PrivateKey == "" {
		name = c.PrivateKeyPath
		if name == "" {
			return nil, providers.Errorf(providers.Denied, "key_pair needs private_key_path or private_key_raw")
		}
		var err error
		if text, err = os.ReadFile(name); err != nil {
			return nil, providers.Errorf(providers.Denied, "read the private key: %w", err)
		}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, providers.Errorf(providers.Denied, "%s holds no PEM block", name)
	}
	var pass []byte
	if strings.Contains(block.Type, "ENCRYPTED") {
		if c.PrivateKeyPassphrase == "" {
			return nil, providers.Errorf(providers.Denied, "%s is encrypted: set private_key_passphrase, or SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", name)
		}
		pass = []byte(c.PrivateKeyPassphrase)
	}
	key, err := pkcs8.ParsePKCS8PrivateKeyRSA(block.Bytes, pass)
	if err != nil {
		return nil, providers.Errorf(providers.Denied, "%s holds no RSA key in PKCS#8, or the passphrase is wrong", name)
	}
	return key, nil
}

package snowflake

import (
	"context"
	"crypto/rsa"
	"database/sql"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/snowflakedb/gosnowflake/v2"
	"github.com/youmark/pkcs8"

	"mkt/providers"
)

// Limits of the driver's own retries. Each HTTP request carries an id by which Snowflake recognises a repetition, so
// the driver may repeat even a CREATE.
const (
	loginTimeout = 20 * time.Second
	queryTimeout = 5 * time.Minute
	maxTries     = 4
	maxConns     = 8
)

// session pins what changes how names and times are read, and turns telemetry off.
var session = map[string]string{
	"CLIENT_TELEMETRY_ENABLED":       "false",
	"QUOTED_IDENTIFIERS_IGNORE_CASE": "false",
	"TIMEZONE":                       "UTC",
	"QUERY_TAG":                      "mkt",
}

// silence stops the driver from writing to stderr and from asking cloud metadata services where it runs.
var silence = sync.OnceFunc(func() {
	_ = gosnowflake.GetLogger().SetLogLevel("off")
	_ = os.Setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
})

// Open connects and signs in. It retries while the account is unreachable, within ctx and the contract's limits. The
// caller closes the result, which is safe for concurrent use.
func (c Connection) Open(ctx context.Context) (*sql.DB, error) {
	db, err := c.open()
	if err != nil {
		return nil, err
	}
	_, err = providers.Retry(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.classify(db.PingContext(ctx))
	})
	if err != nil {
		_ = db.Close()
		return nil, wrap(err, "connect to Snowflake account %s", c.Account)
	}
	return db, nil
}

// Check says what is missing for Open to try, such as a credential or a key that can be read, without connecting.
func (c Connection) Check() error {
	_, err := c.driverConfig()
	return err
}

func (c Connection) classify(err error) error {
	return classify(err, c.Password, c.Token, c.PrivateKeyPassphrase)
}

// open makes the handle without connecting.
func (c Connection) open() (*sql.DB, error) {
	silence()
	cfg, err := c.driverConfig()
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(gosnowflake.NewConnector(gosnowflake.SnowflakeDriver{}, cfg))
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
		Params: map[string]*string{}, ValidateDefaultParameters: gosnowflake.ConfigBoolFalse,
	}
	for name, value := range session {
		cfg.Params[name] = &value
	}
	if c.Account == "" {
		return cfg, &providers.Error{Code: providers.Unconfigured, Err: errors.New("no Snowflake account was named"),
			Hint: "Set account in the provider block, or SNOWFLAKE_ACCOUNT."}
	}
	auth, err := c.authenticator()
	if err != nil {
		return cfg, err
	}
	switch auth {
	case authPassword:
		cfg.Password = c.Password
	case authKeyPair:
		cfg.Authenticator = gosnowflake.AuthTypeJwt
		cfg.PrivateKey, err = readKey(c.PrivateKeyPath, c.PrivateKeyPassphrase)
	case authToken:
		cfg.Authenticator = gosnowflake.AuthTypePat
		cfg.Token, err = c.token()
	case authOAuth:
		cfg.Authenticator = gosnowflake.AuthTypeOAuth
		cfg.Token, err = c.token()
	case authWorkload:
		cfg.Authenticator = gosnowflake.AuthTypeWorkloadIdentityFederation
		cfg.WorkloadIdentityProvider = c.WorkloadIdentityProvider
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

// readKey reads an RSA key in PKCS#8, encrypted or not.
func readKey(path, passphrase string) (*rsa.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, providers.Errorf(providers.Denied, "read the private key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, providers.Errorf(providers.Denied, "%s holds no PEM block", path)
	}
	var pass []byte
	if passphrase != "" && strings.Contains(block.Type, "ENCRYPTED") {
		pass = []byte(passphrase)
	} else if strings.Contains(block.Type, "ENCRYPTED") {
		return nil, providers.Errorf(providers.Denied, "%s is encrypted: set private_key_passphrase, or SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", path)
	}
	key, err := pkcs8.ParsePKCS8PrivateKeyRSA(block.Bytes, pass)
	if err != nil {
		return nil, providers.Errorf(providers.Denied, "%s holds no RSA key in PKCS#8, or the passphrase is wrong", path)
	}
	return key, nil
}

package snowflake_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/youmark/pkcs8"

	"mkt/providers"
	"mkt/providers/snowflake"
)

// loginServer takes logins that right approves: the fields AUTHENTICATOR and TOKEN, and PROVIDER, of a login request.
func loginServer(t *testing.T, right func(authenticator, token, provider string) bool) snowflake.Connection {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/session/v1/login-request" {
			_, _ = w.Write([]byte(`{"success":true,"data":{}}`))
			return
		}
		var in struct {
			Data struct {
				Authenticator string `json:"AUTHENTICATOR"`
				Token         string `json:"TOKEN"`
				Provider      string `json:"PROVIDER"`
			} `json:"data"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		if !right(in.Data.Authenticator, in.Data.Token, in.Data.Provider) {
			_, _ = w.Write([]byte(`{"success":false,"code":"390100","message":"Incorrect username or password was specified.","data":null}`))
			return
		}
		_, _ = w.Write([]byte(`{"success":true,"data":{"token":"t","masterToken":"m","sessionId":1,"parameters":[{"name":"CLIENT_TELEMETRY_ENABLED","value":false}],"sessionInfo":{}}}`))
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(u.Port())
	return snowflake.Connection{Account: "org-acct", User: "mkt", Host: u.Hostname(), Port: port, Protocol: "http"}
}

// Each way to sign in is one login request, taken with the right credential and refused with another.
func TestSignIn(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, k := range map[string]*rsa.PrivateKey{"right": key, "wrong": other} {
		der, err := pkcs8.MarshalPrivateKey(k, []byte("passphrase"), nil)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})), 0o600)
	}
	write(t, dir, "token", "right\n", 0o600)
	// signed says whether a JWT is signed with the right key.
	signed := func(token string) bool {
		at := strings.LastIndex(token, ".")
		if at < 0 {
			return false
		}
		signature, err := base64.RawURLEncoding.DecodeString(token[at+1:])
		sum := sha256.Sum256([]byte(token[:at]))
		return err == nil && rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature) == nil
	}
	for _, c := range []struct {
		name        string
		right       func(authenticator, token, provider string) bool
		with, wrong func(*snowflake.Connection)
	}{
		{"encrypted key pair", func(a, token, _ string) bool { return a == "SNOWFLAKE_JWT" && signed(token) },
			func(c *snowflake.Connection) {
				c.PrivateKeyPath, c.PrivateKeyPassphrase = filepath.Join(dir, "right"), "passphrase"
			},
			func(c *snowflake.Connection) {
				c.PrivateKeyPath, c.PrivateKeyPassphrase = filepath.Join(dir, "wrong"), "passphrase"
			}},
		{"programmatic access token", func(a, token, _ string) bool { return a == "PROGRAMMATIC_ACCESS_TOKEN" && token == "right" },
			func(c *snowflake.Connection) { c.TokenFilePath = filepath.Join(dir, "token") },
			func(c *snowflake.Connection) { c.Token = "wrong" }},
		{"OAuth", func(a, token, _ string) bool { return a == "OAUTH" && token == "right" },
			func(c *snowflake.Connection) { c.Authenticator, c.Token = "oauth", "right" },
			func(c *snowflake.Connection) { c.Authenticator, c.Token = "oauth", "wrong" }},
		{"workload identity", func(a, token, provider string) bool {
			return a == "WORKLOAD_IDENTITY" && provider == "OIDC" && token == workloadToken
		},
			func(c *snowflake.Connection) {
				c.Authenticator, c.WorkloadIdentityProvider, c.Token = "workload_identity", "OIDC", workloadToken
			},
			func(c *snowflake.Connection) {
				c.Authenticator, c.WorkloadIdentityProvider, c.Token = "workload_identity", "OIDC", strings.TrimSuffix(workloadToken, "c2ln")+"c2lo"
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := loginServer(t, c.right)
			good, bad := conn, conn
			c.with(&good)
			c.wrong(&bad)
			db, err := good.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_ = db.Close()
			if _, err := bad.Open(t.Context()); providers.CodeOf(err) != providers.Denied || strings.Contains(err.Error(), "passphrase") {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

// workloadToken is {"alg":"none"}.{"iss":"https://idp","sub":"mkt","exp":4102444800}.
const workloadToken = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkcCIsInN1YiI6Im1rdCIsImV4cCI6NDEwMjQ0NDgwMH0.c2ln"

func TestNotes(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, conn := range map[string]snowflake.Connection{
		"second factor":   {Password: "SECRET"},
		"ends 2100-01-01": {Authenticator: "oauth", Token: workloadToken},
		"":                {Token: "SECRET"},
	} {
		text := strings.Join(conn.Notes(now), "\n")
		if !strings.Contains(text, want) || want == "" && text != "" || strings.Contains(text, "SECRET") {
			t.Errorf("want %q, got %q", want, text)
		}
	}
}

package snowflake_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
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
	"mkt/providers/providertest"
	"mkt/providers/snowflake"
)

// login is what a login request signs in with.
type login struct {
	Authenticator string `json:"AUTHENTICATOR"`
	Token         string `json:"TOKEN"`
	Provider      string `json:"PROVIDER"`
	User          string `json:"LOGIN_NAME"`
	Password      string `json:"PASSWORD"`
	Passcode      string `json:"PASSCODE"`
}

// loginServer takes the logins that right approves.
func loginServer(t *testing.T, right func(login) bool) snowflake.Connection {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/session/v1/login-request" {
			_, _ = w.Write([]byte(`{"success":true,"data":{}}`))
			return
		}
		var in struct {
			Data login `json:"data"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		if !right(in.Data) {
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

// pemKey writes a key, with a passphrase if there is one, and returns it as text too.
func pemKey(t *testing.T, dir, name string, key *rsa.PrivateKey, passphrase string) (path, text string) {
	t.Helper()
	kind := "PRIVATE KEY"
	if passphrase != "" {
		kind = "ENCRYPTED PRIVATE KEY"
	}
	der, err := pkcs8.MarshalPrivateKey(key, []byte(passphrase), nil)
	if err != nil {
		t.Fatal(err)
	}
	text = string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	write(t, dir, name, text, 0o600)
	return filepath.Join(dir, name), text
}

// Each way to sign in is one login request, taken with the right credential and refused with another. What signs in comes from
// where users have it: variables, files and the block.
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
	plain, text := pemKey(t, dir, "plain", key, "")
	locked, _ := pemKey(t, dir, "locked", key, "passphrase")
	wrong, wrongText := pemKey(t, dir, "wrong", other, "")
	wrongLocked, _ := pemKey(t, dir, "wronglocked", other, "passphrase")
	write(t, dir, "token", "right\n", 0o600)
	write(t, dir, "badtoken", "wrong\n", 0o600)
	byFile := func(name, content string) string {
		home := t.TempDir()
		write(t, home, name, content, 0o600)
		return home
	}
	// signed says whether a JWT is signed with the right key.
	signed := func(in login) bool {
		at := strings.LastIndex(in.Token, ".")
		if at < 0 || in.Authenticator != "SNOWFLAKE_JWT" {
			return false
		}
		signature, err := base64.RawURLEncoding.DecodeString(in.Token[at+1:])
		sum := sha256.Sum256([]byte(in.Token[:at]))
		return err == nil && rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature) == nil
	}
	by := func(authenticator string) func(login) bool {
		return func(in login) bool { return in.Authenticator == authenticator && in.Token == "right" }
	}
	identity := func(provider string) func(login) bool {
		return func(in login) bool {
			return in.Authenticator == "WORKLOAD_IDENTITY" && in.Provider == provider && in.Token == workloadToken
		}
	}
	// Identity providers: one gives tokens for OAuth by client credentials, the other is that of an Azure function's identity.
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		id, secret, _ := r.BasicAuth()
		switch {
		case r.Header.Get("X-IDENTITY-HEADER") == "right":
			_ = json.NewEncoder(w).Encode(map[string]string{"access_token": workloadToken})
		case id == "client" && secret == "right" && r.FormValue("scope") == "session:role:R":
			_, _ = w.Write([]byte(`{"access_token":"right","token_type":"Bearer","expires_in":600}`))
		default:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
		}
	}))
	t.Cleanup(tokens.Close)
	// metadata are the services that tell a machine who it is: Google Cloud's and Azure's.
	metadata := func(token string) http.RoundTripper {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch q := r.URL.Query(); r.Host + r.URL.Path {
			case "metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity":
				if r.Header.Get("Metadata-Flavor") == "Google" && q.Get("audience") == "snowflakecomputing.com" {
					_, _ = io.WriteString(w, token)
					return
				}
			case "169.254.169.254/metadata/identity/oauth2/token":
				if r.Header.Get("Metadata") == "true" && q.Get("resource") == "api://of-the-account" {
					_ = json.NewEncoder(w).Encode(map[string]string{"access_token": token})
					return
				}
			}
			t.Errorf("the driver asked for %s%s with %v", r.Host, r.URL, r.Header)
			w.WriteHeader(http.StatusNotFound)
		}))
		t.Cleanup(s.Close)
		return redirected{"metadata.google.internal 169.254.169.254", strings.TrimPrefix(s.URL, "http://")}
	}
	forged := strings.TrimSuffix(workloadToken, "c2ln") + "c2lo"

	for _, c := range []struct {
		way        string
		right      func(login) bool
		with, less map[string]string // variables of the right credential and of another; less replaces what it names
		process    map[string]string // variables that the driver itself reads, when the credential is right
		notProcess map[string]string // and when it is not
		machine    bool              // the credential is what the machine's metadata service says
	}{
		{way: "key pair", right: signed, with: map[string]string{"SNOWFLAKE_PRIVATE_KEY_PATH": plain}, less: map[string]string{"SNOWFLAKE_PRIVATE_KEY_PATH": wrong}},
		{way: "encrypted key pair", right: signed,
			with: map[string]string{"SNOWFLAKE_PRIVATE_KEY_PATH": locked, "PRIVATE_KEY_PASSPHRASE": "passphrase"}, less: map[string]string{"SNOWFLAKE_PRIVATE_KEY_PATH": wrongLocked}},
		{way: "encrypted key pair with its passphrase", right: signed,
			with: map[string]string{"SNOWFLAKE_PRIVATE_KEY_FILE": locked, "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "passphrase"}, less: map[string]string{"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "passphrase of another"}},
		{way: "key pair as text", right: signed, with: map[string]string{"SNOWFLAKE_PRIVATE_KEY_RAW": text}, less: map[string]string{"SNOWFLAKE_PRIVATE_KEY_RAW": wrongText}},
		{way: "programmatic access token", right: by("PROGRAMMATIC_ACCESS_TOKEN"), with: map[string]string{"SNOWFLAKE_TOKEN": "right"}, less: map[string]string{"SNOWFLAKE_TOKEN": "wrong"}},
		{way: "programmatic access token in a file", right: by("PROGRAMMATIC_ACCESS_TOKEN"),
			with: map[string]string{"SNOWFLAKE_TOKEN_FILE_PATH": filepath.Join(dir, "token")}, less: map[string]string{"SNOWFLAKE_TOKEN_FILE_PATH": filepath.Join(dir, "badtoken")}},
		{way: "OAuth token", right: by("OAUTH"), with: map[string]string{"SNOWFLAKE_AUTHENTICATOR": "OAUTH", "SNOWFLAKE_TOKEN": "right"}, less: map[string]string{"SNOWFLAKE_TOKEN": "wrong"}},
		{way: "OAuth client credentials", right: func(in login) bool { return in.Token == "right" },
			with: map[string]string{"SNOWFLAKE_AUTHENTICATOR": "OAUTH_CLIENT_CREDENTIALS", "SNOWFLAKE_OAUTH_CLIENT_ID": "client", "SNOWFLAKE_OAUTH_CLIENT_SECRET": "right",
				"SNOWFLAKE_OAUTH_TOKEN_REQUEST_URL": tokens.URL, "SNOWFLAKE_ROLE": "R"},
			less: map[string]string{"SNOWFLAKE_OAUTH_CLIENT_SECRET": "wrong"}},
		{way: "workload identity OIDC", right: identity("OIDC"),
			with: map[string]string{"SNOWFLAKE_AUTHENTICATOR": "WORKLOAD_IDENTITY", "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "OIDC", "SNOWFLAKE_TOKEN": workloadToken}, less: map[string]string{"SNOWFLAKE_TOKEN": forged}},
		{way: "workload identity AZURE", right: identity("AZURE"), with: map[string]string{"SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "azure"},
			process: map[string]string{"IDENTITY_ENDPOINT": tokens.URL, "IDENTITY_HEADER": "right"}, notProcess: map[string]string{"IDENTITY_ENDPOINT": tokens.URL, "IDENTITY_HEADER": "wrong"}},
		{way: "workload identity AZURE, on a machine", right: identity("AZURE"), machine: true,
			with: map[string]string{"SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "AZURE", "SNOWFLAKE_WORKLOAD_IDENTITY_ENTRA_RESOURCE": "api://of-the-account"}},
		{way: "workload identity GCP", right: identity("GCP"), machine: true, with: map[string]string{"SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "gcp"}},
		{way: "workload identity AWS", right: func(in login) bool {
			asked, err := base64.StdEncoding.DecodeString(in.Token)
			return in.Provider == "AWS" && err == nil && strings.Contains(string(asked), "Credential=RIGHT/") && strings.Contains(string(asked), "sts.eu-west-1.amazonaws.com")
		},
			with:       map[string]string{"SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "AWS"},
			process:    map[string]string{"AWS_ACCESS_KEY_ID": "RIGHT", "AWS_SECRET_ACCESS_KEY": "right", "AWS_REGION": "eu-west-1"},
			notProcess: map[string]string{"AWS_ACCESS_KEY_ID": "WRONG", "AWS_SECRET_ACCESS_KEY": "wrong", "AWS_REGION": "eu-west-1"}},
		{way: "password", right: func(in login) bool {
			return in.Authenticator == "" && in.Password == "right" || in.Authenticator == "SNOWFLAKE" && in.Password == "right"
		},
			with: map[string]string{"SNOWFLAKE_PASSWORD": "right"}, less: map[string]string{"SNOWFLAKE_PASSWORD": "wrong"}},
		{way: "password and second factor", right: func(in login) bool {
			return in.Password == "right" && in.Passcode == "123456"
		},
			with: map[string]string{"SNOWFLAKE_AUTHENTICATOR": "username_password_mfa", "SNOWFLAKE_PASSWORD": "right", "SNOWFLAKE_PASSCODE": "123456"}, less: map[string]string{"SNOWFLAKE_PASSCODE": "654321"}},
		{way: "connections.toml", right: by("PROGRAMMATIC_ACCESS_TOKEN"),
			with: map[string]string{"SNOWFLAKE_HOME": byFile("connections.toml", "[default]\ntoken = \"right\"\n")}, less: map[string]string{"SNOWFLAKE_HOME": byFile("connections.toml", "[default]\ntoken = \"wrong\"\n")}},
		{way: "config.toml", right: by("OAUTH"),
			with: map[string]string{"SNOWFLAKE_HOME": byFile("config.toml", "default_connection_name = \"prod\"\n[connections.prod]\nauthenticator = \"oauth\"\ntoken = \"right\"\n")},
			less: map[string]string{"SNOWFLAKE_CONNECTIONS_PROD_TOKEN": "wrong"}},
	} {
		sign := func(t *testing.T, replace, process map[string]string, machine string) error {
			if c.machine {
				snowflake.SetTransport(t, metadata(machine))
			}
			for name, value := range process {
				t.Setenv(name, value)
			}
			there := loginServer(t, c.right)
			conn, _, err := snowflake.Resolve(configBlock(nil), func(name string) string {
				if v, ok := replace[name]; ok {
					return v
				}
				return c.with[name]
			})
			if err != nil {
				t.Fatal(err)
			}
			conn.Account, conn.User, conn.Host, conn.Port, conn.Protocol = there.Account, there.User, there.Host, there.Port, there.Protocol
			db, err := conn.Open(t.Context())
			if err == nil {
				_ = db.Close()
			}
			return err
		}
		providertest.SignIn(t, c.way, func(t *testing.T) {
			if err := sign(t, nil, c.process, workloadToken); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T) {
			err := sign(t, c.less, c.notProcess, forged)
			if providers.CodeOf(err) != providers.Denied || strings.Contains(err.Error(), "passphrase of") || strings.Contains(err.Error(), "654321") || strings.Contains(err.Error(), forged) {
				t.Errorf("refused: %v (%s)", err, providers.CodeOf(err))
			}
		})
	}
}

// redirected sends what is for some hosts, with spaces between, to another address.
type redirected struct{ hosts, to string }

func (r redirected) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.Contains(r.hosts, req.URL.Host) {
		req = req.Clone(req.Context())
		req.Host, req.URL.Host = req.URL.Host, r.to
	}
	return http.DefaultTransport.RoundTrip(req)
}

// workloadToken is {"alg":"none"}.{"iss":"https://idp","sub":"mkt","exp":4102444800}.
const workloadToken = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkcCIsInN1YiI6Im1rdCIsImV4cCI6NDEwMjQ0NDgwMH0.c2ln"

func TestNotes(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, conn := range map[string]snowflake.Connection{
		"second factor":   {Password: "SECRET"},
		"ends 2100-01-01": {Authenticator: "oauth", Token: workloadToken},
		"each command":    {Password: "SECRET", Passcode: "SECRET"},
		"no end":          {PrivateKey: "SECRET"},
		"":                {Token: "SECRET"},
	} {
		text := strings.Join(conn.Notes(now), "\n")
		if !strings.Contains(text, want) || want == "" && text != "" || strings.Contains(text, "SECRET") {
			t.Errorf("want %q, got %q", want, text)
		}
	}
}

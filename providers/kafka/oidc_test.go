package kafka_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/kafka"
)

// tokenServer is an OpenID Connect provider that gives the client "mkt" with its secret a token; cert and key make it one of TLS.
func tokenServer(t *testing.T, cert, key string) (endpoint string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		id, secret, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		if id != user || secret != password || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		// librdkafka reads exp and sub out of the token.
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, bearer)
	}))
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL + "/token", asked
}

// bearer is {"alg":"none"}.{"sub":"mkt","iat":1700000000,"exp":4102444800}. without a signature.
const bearer = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJta3QiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6NDEwMjQ0NDgwMH0."

// bearerBroker is a broker that lets those in who show the token.
func bearerBroker(t *testing.T, opts ...kfake.Opt) kafka.Connection {
	t.Helper()
	c, conn := fake(t, append(opts, kfake.NumBrokers(2))...)
	c.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
		resp.SupportedMechanisms = []string{"OAUTHBEARER"}
		if req.(*kmsg.SASLHandshakeRequest).Mechanism != "OAUTHBEARER" {
			resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		}
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		if said := req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes; !bytes.Contains(said, []byte("auth=Bearer "+bearer+"\x01")) || !bytes.Contains(said, []byte("logicalCluster=lkc-1")) {
			resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr("invalid token")
		}
		return resp, nil, true
	})
	return conn
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	ca, cert, key := authority(t)
	endpoint, asked := tokenServer(t, cert, key)
	conn := bearerBroker(t)
	conn.Protocol, conn.Mechanism, conn.CAFile = "SASL_PLAINTEXT", "OAUTHBEARER", ca
	conn.TokenEndpoint, conn.ClientID, conn.ClientSecret, conn.Scope, conn.Extensions = endpoint, user, password, "kafka", "logicalCluster=lkc-1"

	n, _, err := conn.Ping(within(t, 20*time.Second))
	if err != nil || n != 2 {
		t.Errorf("the first client: %d brokers, %v", n, err)
	}
	if n, err := kafka.PingSecond(within(t, 20*time.Second), conn); err != nil || n != 2 {
		t.Errorf("the second client: %d brokers, %v", n, err)
	}
	if asked.Load() != 2 {
		t.Errorf("%d tokens were asked for, not one by each client", asked.Load())
	}
	for name, bad := range map[string]func(*kafka.Connection){
		"wrong secret":       func(c *kafka.Connection) { c.ClientSecret = "wrong" },
		"broker refuses":     func(c *kafka.Connection) { c.Extensions = "logicalCluster=lkc-2" },
		"untrusted provider": func(c *kafka.Connection) { c.CAFile = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused := conn
			bad(&refused)
			if _, _, err := refused.Ping(within(t, 4*time.Second)); err == nil || strings.Contains(err.Error(), password) {
				t.Errorf("the first client says %v", err)
			}
			_, err := kafka.PingSecond(within(t, 4*time.Second), refused)
			want := map[string]providers.Code{"wrong secret": providers.Denied, "broker refuses": providers.Denied, "untrusted provider": providers.Unavailable}[name]
			if providers.CodeOf(err) != want || strings.Contains(err.Error(), password) {
				t.Errorf("the second client says %v, not %s", err, want)
			}
		})
	}
}

func TestPropertiesFile(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "client.properties")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	resolve := func(path string, env map[string]string) (kafka.Connection, []providers.Source, error) {
		return kafka.Resolve(cty.NullVal(kafka.Config.Type()), func(name string) string {
			if name == "KAFKA_CLIENT_PROPERTIES" {
				return path
			}
			return env[name]
		})
	}
	path := write("# made by a tool\n bootstrap.servers = a:9092,b:9092\nsecurity.protocol=sasl_ssl\nsasl.mechanisms=PLAIN\nsasl.username=key\nsasl.password=s3=cret\n" +
		"client.id=x\nsession.timeout.ms=45000\nschema.registry.url=https://sr.example\nbasic.auth.credentials.source=USER_INFO\nbasic.auth.user.info=srkey:sr:s3cret\n")
	got, sources, err := resolve(path, map[string]string{"KAFKA_API_SECRET": "of the environment"})
	want := kafka.Connection{BootstrapServers: "a:9092,b:9092", Protocol: "SASL_SSL", Mechanism: "PLAIN", User: "key", Password: "of the environment",
		RegistryURL: "https://sr.example", RegistryUser: "srkey", RegistryPassword: "sr:s3cret"}
	if err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	from := map[string]string{}
	for _, s := range sources {
		from[s.System+" "+s.Setting] = s.From
	}
	if from["kafka username"] != path || from["kafka password"] != "KAFKA_API_SECRET" || from["schema registry password"] != path || from["kafka security_protocol"] != path {
		t.Errorf("sources: %v", from)
	}
	oauth, _, err := resolve(write("security.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.method=oidc\nsasl.oauthbearer.client.id=i\nsasl.oauthbearer.client.secret=s\n"+
		"sasl.oauthbearer.token.endpoint.url=https://idp.example/token\nssl.ca.location=/ca.pem\n"), map[string]string{"KAFKA_SASL_OAUTHBEARER_SCOPE": "kafka"})
	if err != nil || oauth.TokenEndpoint != "https://idp.example/token" || oauth.ClientID != "i" || oauth.Scope != "kafka" || oauth.ClientConfig()["https.ca.location"] != "/ca.pem" {
		t.Errorf("got %v, %v", oauth, err)
	}
	for text, want := range map[string]string{
		"sasl.password": "line 1 is not written", "\nsasl.jaas.config=x secret": "sasl.username", "ssl.keystore.password=secret": `"ssl.keystore.password"`,
		"sasl.oauthbearer.method=default": "must be oidc", "sasl.mechanism=OAUTHBEARER": "token endpoint",
		"sasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.client.id=i\nsasl.oauthbearer.client.secret=secret\nsasl.oauthbearer.token.endpoint.url=http://idp.example": "no https URL",
	} {
		if _, _, err := resolve(write(text), nil); providers.CodeOf(err) != providers.Invalid || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret=") || strings.HasSuffix(err.Error(), "secret") && want != "token endpoint" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, _, err := resolve(filepath.Join(t.TempDir(), "none"), nil); providers.CodeOf(err) != providers.Invalid {
		t.Error(err)
	}
	open := write("")
	if err := os.Chmod(open, 0o622); err != nil {
		t.Fatal(err)
	}
	if _, _, err := resolve(open, nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
}

// The registry by a bearer token, and by a client's certificate.
func TestRegistrySignIn(t *testing.T) {
	t.Parallel()
	ca, cert, key := authority(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		if r.Header.Get("Authorization") != "Bearer "+password {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"error_code":401,"message":"Unauthorized"}`)
			return
		}
		_, _ = fmt.Fprint(w, `["a","b"]`)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	conn, _, err := kafka.Resolve(cty.NullVal(kafka.Config.Type()), func(name string) string {
		return map[string]string{"SCHEMA_REGISTRY_URL": s.URL, "SCHEMA_REGISTRY_BEARER_TOKEN": password}[name]
	})
	if err != nil || conn.RegistryToken == "" {
		t.Fatal(conn, err)
	}
	conn.CAFile, conn.CertificateFile, conn.KeyFile = ca, cert, key
	if n, err := conn.PingRegistry(within(t, 10*time.Second)); err != nil || n != 2 {
		t.Errorf("%d subjects, %v", n, err)
	}
	wrong := conn
	wrong.RegistryToken = "wrong"
	if _, err := wrong.PingRegistry(within(t, 10*time.Second)); providers.CodeOf(err) != providers.Denied {
		t.Errorf("a wrong token: %v", err)
	}
	bare := conn
	bare.CertificateFile, bare.KeyFile = "", ""
	if _, err := bare.PingRegistry(within(t, 3*time.Second)); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("without a certificate: %v", err)
	}
}

func TestNotes(t *testing.T) {
	_, cert, key := authority(t)
	brokers, registry := kafka.Connection{CertificateFile: cert, KeyFile: key, RegistryToken: bearer}.Notes(time.Now())
	if len(brokers) != 1 || !strings.HasPrefix(brokers[0], "the certificate of certificate_file ends ") || len(registry) != 1 || !strings.HasPrefix(registry[0], "bearer_token ends 2100-01-01") {
		t.Errorf("%q, %q", brokers, registry)
	}
	if brokers, registry := (kafka.Connection{User: user, Password: password, RegistryToken: "opaque"}).Notes(time.Now()); brokers != nil || registry != nil {
		t.Errorf("%q, %q", brokers, registry)
	}
}

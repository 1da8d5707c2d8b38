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

	"mkt/internal/clienttls"
	"mkt/internal/clienttls/clienttlstest"
	"mkt/providers"
	"mkt/providers/kafka"
	"mkt/providers/providertest"
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
	ca, cert, key := clienttlstest.Authority(t)
	endpoint, asked := tokenServer(t, cert, key)
	there := bearerBroker(t)
	conn := resolved(t, configBlock("tls.ca_file", ca), "KAFKA_BOOTSTRAP_SERVERS", there.BootstrapServers, "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM", "OAUTHBEARER",
		"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", endpoint, "KAFKA_SASL_OAUTHBEARER_CLIENT_ID", user, "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", password,
		"KAFKA_SASL_OAUTHBEARER_SCOPE", "kafka", "KAFKA_SASL_OAUTHBEARER_EXTENSIONS", "logicalCluster=lkc-1")
	providertest.SignIn(t, "SASL OAUTHBEARER", func(t *testing.T) {
		before := asked.Load()
		n, _, err := conn.Ping(within(t, 20*time.Second))
		if err != nil || n != 2 {
			t.Errorf("the first client: %d brokers, %v", n, err)
		}
		if n, err := kafka.PingSecond(within(t, 20*time.Second), conn); err != nil || n != 2 {
			t.Errorf("the second client: %d brokers, %v", n, err)
		}
		if n := asked.Load() - before; n != 2 {
			t.Errorf("%d tokens were asked for, not one by each client", n)
		}
	}, func(t *testing.T) {
		for name, bad := range map[string]func(*kafka.Connection){
			"wrong secret":       func(c *kafka.Connection) { c.ClientSecret = "wrong" },
			"broker refuses":     func(c *kafka.Connection) { c.Extensions = "logicalCluster=lkc-2" },
			"untrusted provider": func(c *kafka.Connection) { c.TLS.CA = "" },
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
	})
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

func TestNotes(t *testing.T) {
	_, cert, key := clienttlstest.Authority(t)
	locked := clienttlstest.Lock(t, key, password)
	notes := func(c kafka.Connection) (string, string) {
		brokers, registry := c.Notes(time.Now())
		return strings.Join(brokers, "\n"), strings.Join(registry, "\n")
	}
	brokers, registry := notes(kafka.Connection{TLS: clienttls.Files{Certificate: cert, Key: locked, KeyPassword: password}, RegistryToken: bearer, RegistryURL: "http://registry.example", RegistryUser: user})
	if !strings.HasPrefix(brokers, "the certificate of certificate_file ends ") || !strings.HasPrefix(registry, "bearer_token ends 2100-01-01") || !strings.Contains(registry, "in clear to registry.example") {
		t.Errorf("%q, %q", brokers, registry)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if brokers, _ := notes(kafka.Connection{TLS: clienttls.Files{Certificate: cert, Key: key}}); !strings.Contains(brokers, "chmod 600 "+key) {
		t.Errorf("%q", brokers)
	}
	if brokers, registry := notes(kafka.Connection{Mechanism: "PLAIN", User: user, Password: password, RegistryToken: "opaque", Protocol: "SASL_PLAINTEXT", BootstrapServers: "127.0.0.1:1,b.example:9092"}); !strings.Contains(brokers, "no end that Kafka tells") ||
		!strings.Contains(brokers, "in clear to b.example:9092") || registry != "" || strings.Contains(brokers, password) {
		t.Errorf("%q, %q", brokers, registry)
	}
	if brokers, registry := notes(kafka.Connection{Protocol: "PLAINTEXT", BootstrapServers: "b.example:9092", RegistryURL: "http://registry.example"}); brokers != "" || registry != "" {
		t.Errorf("%q, %q", brokers, registry)
	}
}

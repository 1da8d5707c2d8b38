package kafka_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/zclconf/go-cty/cty"

	"mkt/internal/clienttls"
	"mkt/internal/clienttls/clienttlstest"
	"mkt/providers"
	"mkt/providers/kafka"
	"mkt/providers/providertest"
)

// variables makes Resolve's getenv of pairs.
func variables(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// configBlock is the provider's block with these attributes, each of them "name" or "block.name".
func configBlock(pairs ...string) cty.Value {
	tree := map[string]map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		in, name, ok := strings.Cut(pairs[i], ".")
		if !ok {
			in, name = "", in
		}
		if tree[in] == nil {
			tree[in] = map[string]string{}
		}
		tree[in][name] = pairs[i+1]
	}
	return fill(kafka.Config.Type(), func(path string) string {
		in, name, ok := strings.Cut(path, ".")
		if !ok {
			in, name = "", in
		}
		return tree[in][name]
	}, "")
}

// fill makes a value of a type whose texts say returns, null where that is "".
func fill(ty cty.Type, say func(path string) string, at string) cty.Value {
	switch {
	case ty.IsObjectType():
		out, empty := map[string]cty.Value{}, at != ""
		for name, t := range ty.AttributeTypes() {
			out[name] = fill(t, say, strings.TrimPrefix(at+"."+name, "."))
			empty = empty && out[name].IsNull()
		}
		if empty {
			return cty.NullVal(ty)
		}
		return cty.ObjectVal(out)
	case ty == cty.String && say(at) != "":
		return cty.StringVal(say(at))
	}
	return cty.NullVal(ty)
}

// resolved is the connection that users would have with these variables.
func resolved(t *testing.T, block cty.Value, pairs ...string) kafka.Connection {
	t.Helper()
	conn, _, err := kafka.Resolve(block, variables(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// properties writes a client's properties file.
func properties(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.properties")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Both clients sign in by the same connection, and both are refused by the same.
func TestSignIn(t *testing.T) {
	ca, cert, key := clienttlstest.Authority(t)
	otherCA, otherCert, otherKey := clienttlstest.Authority(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	server := &tls.Config{Certificates: []tls.Certificate{pair}}
	locked, old := clienttlstest.Lock(t, key, password), clienttlstest.LockOld(t, key, password)
	mutual := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}
	sasl := func(mechanism string) []kfake.Opt {
		return []kfake.Opt{kfake.EnableSASL(), kfake.Superuser(mechanism, user, password)}
	}
	plain := configBlock()
	for _, tc := range []struct {
		way       string
		opts      []kfake.Opt
		conn, bad kafka.Connection
		code      providers.Code // of the second client with bad; "" where the broker refuses, which is Denied or Unavailable
	}{
		{way: "SASL PLAIN", opts: sasl("PLAIN"),
			conn: resolved(t, configBlock("sasl.username", user, "sasl.password", password), "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
			bad:  resolved(t, configBlock("sasl.username", user, "sasl.password", "wrong"), "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")},
		{way: "SASL SCRAM-SHA-256", opts: sasl("SCRAM-SHA-256"),
			conn: resolved(t, plain, "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM", "SCRAM-SHA-256", "KAFKA_API_KEY", user, "KAFKA_API_SECRET", password),
			bad:  resolved(t, plain, "KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM", "SCRAM-SHA-256", "KAFKA_API_KEY", user, "KAFKA_API_SECRET", "wrong")},
		{way: "SASL SCRAM-SHA-512", opts: append(sasl("SCRAM-SHA-512"), kfake.TLS(server)),
			conn: resolved(t, configBlock("sasl.mechanism", "SCRAM-SHA-512", "sasl.username", user, "sasl.password", password, "tls.ca_file", ca)),
			bad:  resolved(t, configBlock("sasl.mechanism", "SCRAM-SHA-512", "sasl.username", user, "sasl.password", "wrong", "tls.ca_file", ca))},
		{way: "Confluent Cloud variables", opts: append(sasl("PLAIN"), kfake.TLS(server)),
			conn: resolved(t, configBlock("tls.ca_file", ca), "KAFKA_API_KEY", user, "KAFKA_API_SECRET", password),
			bad:  resolved(t, configBlock("tls.ca_file", ca), "KAFKA_API_KEY", user, "KAFKA_API_SECRET", "wrong")},
		{way: "properties file", opts: append(sasl("PLAIN"), kfake.TLS(server)),
			conn: resolved(t, plain, "KAFKA_CLIENT_PROPERTIES", properties(t, "security.protocol=SASL_SSL\nsasl.mechanisms=PLAIN\nsasl.username="+user+"\nsasl.password="+password+"\nssl.ca.location="+ca+"\n")),
			bad:  resolved(t, plain, "KAFKA_CLIENT_PROPERTIES", properties(t, "security.protocol=SASL_SSL\nsasl.mechanisms=PLAIN\nsasl.username="+user+"\nsasl.password=wrong\nssl.ca.location="+ca+"\n"))},
		{way: "broker of a trusted authority", opts: []kfake.Opt{kfake.TLS(server)},
			conn: resolved(t, configBlock("tls.ca_file", ca)), bad: resolved(t, configBlock("tls.ca_file", otherCA))},
		{way: "mTLS", opts: []kfake.Opt{kfake.TLS(mutual)},
			conn: resolved(t, configBlock("tls.ca_file", ca, "tls.certificate_file", cert, "tls.key_file", key)),
			bad:  resolved(t, configBlock("tls.ca_file", ca, "tls.certificate_file", otherCert, "tls.key_file", otherKey))},
		{way: "mTLS with an encrypted key", opts: []kfake.Opt{kfake.TLS(mutual)}, code: providers.Invalid,
			conn: resolved(t, configBlock("tls.ca_file", ca, "tls.certificate_file", cert, "tls.key_file", locked, "tls.key_password", password)),
			bad:  resolved(t, configBlock("tls.ca_file", ca, "tls.certificate_file", cert, "tls.key_file", locked, "tls.key_password", password+"!"))},
		{way: "mTLS with an encrypted key in the old PEM", opts: []kfake.Opt{kfake.TLS(mutual)}, code: providers.Invalid,
			conn: resolved(t, plain, "KAFKA_CLIENT_PROPERTIES", properties(t, "security.protocol=SSL\nssl.ca.location="+ca+"\nssl.certificate.location="+cert+"\nssl.key.location="+old+"\nssl.key.password="+password+"\n")),
			bad:  resolved(t, plain, "KAFKA_CLIENT_PROPERTIES", properties(t, "security.protocol=SSL\nssl.ca.location="+ca+"\nssl.certificate.location="+cert+"\nssl.key.location="+old+"\nssl.key.password="+password+"!\n"))},
	} {
		_, there := fake(t, append(tc.opts, kfake.NumBrokers(2))...)
		tc.conn.BootstrapServers, tc.bad.BootstrapServers = there.BootstrapServers, there.BootstrapServers
		providertest.SignIn(t, tc.way, func(t *testing.T) {
			t.Parallel()
			n, _, err := tc.conn.Ping(within(t, 20*time.Second))
			if err != nil || n != 2 {
				t.Errorf("the first client: %d brokers, %v", n, err)
			}
			if n, err := kafka.PingSecond(within(t, 20*time.Second), tc.conn); err != nil || n != 2 {
				t.Errorf("the second client: %d brokers, %v", n, err)
			}
		}, func(t *testing.T) {
			t.Parallel()
			_, _, first := tc.bad.Ping(within(t, 3*time.Second))
			if first == nil {
				t.Error("the first client got in with wrong credentials")
			}
			_, err := kafka.PingSecond(within(t, 3*time.Second), tc.bad)
			code := providers.CodeOf(err)
			if tc.code == "" && code != providers.Denied && code != providers.Unavailable || tc.code != "" && code != tc.code {
				t.Errorf("the second client got in with wrong credentials, or says %v", err)
			}
			if text := fmt.Sprint(first, err); strings.Contains(text, password) {
				t.Errorf("the password is in the error: %s", text)
			}
		})
	}
	for _, bad := range []kafka.Connection{
		{Protocol: "SSL", TLS: clienttls.Files{CA: filepath.Join(t.TempDir(), "none")}},
		{Protocol: "SSL", TLS: clienttls.Files{CA: key}},
		{Protocol: "SSL", TLS: clienttls.Files{Certificate: cert, Key: otherKey}},
		{Protocol: "SASL_SSL", Mechanism: "GSSAPI", User: user, Password: password},
	} {
		if _, err := kafka.PingSecond(within(t, time.Second), bad); providers.CodeOf(err) != providers.Invalid {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// The system's authorities are trusted by default, and no others: a broker, a registry and a token endpoint that nobody vouches
// for are not spoken to.
func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	_, cert, key := clienttlstest.Authority(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	_, there := fake(t, kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	conn := resolved(t, configBlock(), "KAFKA_SECURITY_PROTOCOL", "SSL", "KAFKA_BOOTSTRAP_SERVERS", there.BootstrapServers)
	if _, _, err := conn.Ping(within(t, 3*time.Second)); err == nil {
		t.Error("the first client speaks to a broker of an unknown authority")
	}
	if _, err := kafka.PingSecond(within(t, 3*time.Second), conn); err == nil {
		t.Error("the second client speaks to a broker of an unknown authority")
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("the registry was sent a credential")
		_, _ = fmt.Fprint(w, `[]`)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	defer s.Close()
	registry := resolved(t, configBlock(), "SCHEMA_REGISTRY_URL", s.URL, "SCHEMA_REGISTRY_API_KEY", user, "SCHEMA_REGISTRY_API_SECRET", password)
	if _, err := registry.PingRegistry(within(t, 3*time.Second)); err == nil {
		t.Error("a registry of an unknown authority was spoken to")
	}
	for _, off := range []string{"enable.ssl.certificate.verification=false", "ssl.endpoint.identification.algorithm=none"} {
		if _, _, err := kafka.Resolve(configBlock(), variables("KAFKA_CLIENT_PROPERTIES", properties(t, off))); providers.CodeOf(err) != providers.Invalid {
			t.Errorf("%s was taken: %v", off, err)
		}
	}
}

// The registry by basic authentication, by a bearer token, and by a client's certificate, of its own or the brokers'.
func TestRegistrySignIn(t *testing.T) {
	ca, cert, key := clienttlstest.Authority(t)
	_, otherCert, otherKey := clienttlstest.Authority(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	serve := func(config *tls.Config, right func(*http.Request) bool) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
			if !right(r) {
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = fmt.Fprint(w, `{"error_code":401,"message":"Unauthorized"}`)
				return
			}
			_, _ = fmt.Fprint(w, `["a","b"]`)
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = config
		s.TLS.Certificates = []tls.Certificate{pair}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	basic := serve(&tls.Config{}, func(r *http.Request) bool {
		id, secret, _ := r.BasicAuth()
		return id == user && secret == password
	})
	bearer := serve(&tls.Config{}, func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+password })
	locked := clienttlstest.Lock(t, key, password)
	mutual := serve(&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}, func(*http.Request) bool { return true })
	trust := configBlock("tls.ca_file", ca)
	for _, tc := range []struct {
		way       string
		conn, bad kafka.Connection
		code      providers.Code
	}{
		{"registry basic", resolved(t, trust, "SCHEMA_REGISTRY_URL", basic, "SCHEMA_REGISTRY_API_KEY", user, "SCHEMA_REGISTRY_API_SECRET", password),
			resolved(t, trust, "SCHEMA_REGISTRY_URL", basic, "SCHEMA_REGISTRY_API_KEY", user, "SCHEMA_REGISTRY_API_SECRET", "wrong"), providers.Denied},
		{"registry bearer", resolved(t, trust, "SCHEMA_REGISTRY_REST_ENDPOINT", bearer, "SCHEMA_REGISTRY_BEARER_TOKEN", password),
			resolved(t, trust, "SCHEMA_REGISTRY_URL", bearer, "SCHEMA_REGISTRY_BEARER_TOKEN", "wrong"), providers.Denied},
		{"registry mTLS", resolved(t, configBlock("tls.ca_file", ca, "tls.certificate_file", cert, "tls.key_file", key), "SCHEMA_REGISTRY_URL", mutual),
			resolved(t, configBlock("tls.ca_file", ca, "tls.certificate_file", otherCert, "tls.key_file", otherKey), "SCHEMA_REGISTRY_URL", mutual), providers.Unavailable},
		{"registry mTLS with an encrypted key", resolved(t, configBlock("tls.ca_file", ca, "tls.certificate_file", cert, "tls.key_file", locked, "tls.key_password", password), "SCHEMA_REGISTRY_URL", mutual),
			resolved(t, configBlock("tls.ca_file", ca, "tls.certificate_file", cert, "tls.key_file", locked, "tls.key_password", password+"!"), "SCHEMA_REGISTRY_URL", mutual), providers.Invalid},
		{"registry properties file", resolved(t, configBlock(), "KAFKA_CLIENT_PROPERTIES", properties(t, "schema.registry.url="+mutual+"\nschema.registry.ssl.ca.location="+ca+
			"\nschema.registry.ssl.certificate.location="+cert+"\nschema.registry.ssl.key.location="+locked+"\nschema.registry.ssl.key.password="+password+"\n")),
			resolved(t, configBlock(), "KAFKA_CLIENT_PROPERTIES", properties(t, "schema.registry.url="+basic+"\nschema.registry.ssl.ca.location="+ca+"\nbasic.auth.user.info="+user+":wrong\n")), providers.Denied},
	} {
		providertest.SignIn(t, tc.way, func(t *testing.T) {
			if n, err := tc.conn.PingRegistry(within(t, 10*time.Second)); err != nil || n != 2 {
				t.Errorf("%d subjects, %v", n, err)
			}
		}, func(t *testing.T) {
			t.Parallel()
			if _, err := tc.bad.PingRegistry(within(t, 3*time.Second)); providers.CodeOf(err) != tc.code || strings.Contains(err.Error(), password) {
				t.Errorf("a wrong one: %v (%s)", err, providers.CodeOf(err))
			}
		})
	}
}

// A connection that is lost while it signs in is tried again: librdkafka says the same of it as of a wrong password.
func TestLostSignIn(t *testing.T) {
	c, there := fake(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", user, password))
	there.Protocol, there.Mechanism, there.User, there.Password = "SASL_PLAINTEXT", "PLAIN", user, password
	var lost atomic.Int32
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(kmsg.Request) (kmsg.Response, error, bool) {
		lost.Add(1)
		return nil, errors.New("cut"), true
	})
	got := provider(t, there).Resource("kafka_topic").Read(within(t, 20*time.Second), []providers.Ref{{ID: "t"}})[0]
	if got.Err != nil || lost.Load() != 1 {
		t.Errorf("%d lost, %v", lost.Load(), got.Err)
	}
}

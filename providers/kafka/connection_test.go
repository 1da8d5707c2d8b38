package kafka

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

func object(pairs ...any) cty.Value {
	m := map[string]cty.Value{}
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			m[pairs[i].(string)] = cty.StringVal(v)
		case bool:
			m[pairs[i].(string)] = cty.BoolVal(v)
		case cty.Value:
			m[pairs[i].(string)] = v
		}
	}
	return cty.ObjectVal(m)
}

func TestResolve(t *testing.T) {
	env := map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": "env:9092", "KAFKA_API_KEY": "key", "KAFKA_API_SECRET": "s3cret",
		"SCHEMA_REGISTRY_REST_ENDPOINT": "https://sr.example/", "SCHEMA_REGISTRY_API_KEY": "srkey", "SCHEMA_REGISTRY_API_SECRET": "sr-s3cret",
	}
	for _, c := range []struct {
		name  string
		block cty.Value
		env   map[string]string
		want  Connection
		from  []string
		err   string
	}{
		{
			name: "environment", env: env,
			want: Connection{BootstrapServers: "env:9092", Protocol: "SASL_SSL", Mechanism: "PLAIN", User: "key", Password: "s3cret",
				RegistryURL: "https://sr.example", RegistryUser: "srkey", RegistryPassword: "sr-s3cret"},
			from: []string{"kafka bootstrap_servers KAFKA_BOOTSTRAP_SERVERS", "kafka password KAFKA_API_SECRET", "kafka mechanism default",
				"kafka security_protocol default", "schema registry url SCHEMA_REGISTRY_REST_ENDPOINT"},
		},
		{
			name: "block wins by field", env: env,
			block: object("bootstrap_servers", "block:9092", "sasl", object("username", "u", "mechanism", "SCRAM-SHA-512"), "tls", object("enabled", false),
				"schema_registry", object("url", "http://user:pw@sr:8081")),
			want: Connection{BootstrapServers: "block:9092", Protocol: "SASL_PLAINTEXT", Mechanism: "SCRAM-SHA-512", User: "u", Password: "s3cret",
				RegistryURL: "http://sr:8081", RegistryUser: "srkey", RegistryPassword: "sr-s3cret"},
			from: []string{"kafka bootstrap_servers provider block", "kafka password KAFKA_API_SECRET", "kafka security_protocol provider block"},
		},
		{
			name: "no sign-in", block: object("bootstrap_servers", "b:1", "schema_registry", object("url", "http://user:pw@sr:8081")),
			want: Connection{BootstrapServers: "b:1", Protocol: "PLAINTEXT", RegistryURL: "http://sr:8081", RegistryUser: "user", RegistryPassword: "pw"},
		},
		{name: "protocol variable", env: map[string]string{"KAFKA_SECURITY_PROTOCOL": "ssl"}, want: Connection{Protocol: "SSL"}},
		{name: "bad protocol", env: map[string]string{"KAFKA_SECURITY_PROTOCOL": "tcp"}, err: "must be PLAINTEXT"},
		{name: "no password", env: map[string]string{"KAFKA_API_KEY": "k"}, err: "needs a user name and a password"},
		{name: "key without certificate", block: object("tls", object("key_file", "k.pem")), err: "belong together"},
		{name: "bad url", env: map[string]string{"SCHEMA_REGISTRY_URL": "sr:8081"}, err: "URL is not one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			block := c.block
			if block == cty.NilVal {
				block = cty.NullVal(Config.Type())
			}
			got, sources, err := Resolve(block, func(name string) string { return c.env[name] })
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || providers.CodeOf(err) != providers.Invalid {
					t.Fatalf("got %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %v %#v, want %#v", err, struct{ Connection }{got}, c.want)
			}
			var all []string
			for _, s := range sources {
				all = append(all, s.System+" "+s.Setting+" "+s.From)
			}
			for _, want := range c.from {
				if !contains(all, want) {
					t.Errorf("sources %q lack %q", all, want)
				}
			}
			for _, secret := range []string{"s3cret", "pw"} {
				if text := fmt.Sprintf("%v %+v %#v %s", got, got, got, sources); strings.Contains(text, secret) {
					t.Errorf("%q shows in %s", secret, text)
				}
			}
		})
	}
}

func TestKindsAreSound(t *testing.T) {
	for _, k := range append(Kinds(), Config) {
		for _, err := range k.Lint() {
			t.Error(err)
		}
	}
}

func TestNoAddress(t *testing.T) {
	p, err := New(Connection{Protocol: "PLAINTEXT"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for kind, want := range map[string]string{"kafka_topic": "KAFKA_BOOTSTRAP_SERVERS", "schema_subject": "SCHEMA_REGISTRY_URL"} {
		got := p.Resource(kind).Read(t.Context(), []providers.Ref{{ID: "x"}})[0]
		var e *providers.Error
		if !errors.As(got.Err, &e) || e.Code != providers.Invalid || !strings.Contains(e.Hint, want) {
			t.Errorf("%s: %#v", kind, got.Err)
		}
	}
	if p.Resource("azure_queue") != nil {
		t.Error("a resource of another system")
	}
}

func FuzzProperties(f *testing.F) {
	f.Add("sasl.username=a\n# b\nschema.registry.basic.auth.user.info=a:b\n")
	f.Add("x")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProperties(text)
		for name, value := range p {
			if err != nil || !strings.Contains(text, value) {
				t.Errorf("%q gave %s = %q, %v", text, name, value, err)
			}
		}
	})
}

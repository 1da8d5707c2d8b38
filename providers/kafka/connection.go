package kafka

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/internal/clienttls"
	"mkt/internal/oidc"
	"mkt/spec"
)

// Config describes the block provider "kafka".
var Config = &spec.Kind{
	Name: "kafka",
	Doc: "Where Kafka and the schema registry are, and who signs in. What the block leaves out comes from the environment: " +
		"`KAFKA_BOOTSTRAP_SERVERS`, `KAFKA_API_KEY`, `KAFKA_API_SECRET`, `KAFKA_SASL_MECHANISM`, `KAFKA_SECURITY_PROTOCOL`, `SCHEMA_REGISTRY_URL` (or " +
		"`SCHEMA_REGISTRY_REST_ENDPOINT`), `SCHEMA_REGISTRY_API_KEY` and `SCHEMA_REGISTRY_API_SECRET`, or `SCHEMA_REGISTRY_BEARER_TOKEN`; for OAUTHBEARER " +
		"`KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL`, `…_CLIENT_ID`, `…_CLIENT_SECRET`, `…_SCOPE` and `…_EXTENSIONS`. What these leave out comes from the " +
		"properties file that `properties_file` or `KAFKA_CLIENT_PROPERTIES` names.",
	Example: `provider "kafka" {
  bootstrap_servers = "pkc-12345.westeurope.azure.confluent.cloud:9092"
  schema_registry { url = "https://psrc-12345.westeurope.azure.confluent.cloud" }
}
`,
	Attrs: []spec.Attr{
		{Name: "bootstrap_servers", Type: cty.String, Doc: "Brokers to ask first, `host:port` separated by commas."},
		{Name: "properties_file", Type: cty.String, Doc: "A client's properties file, as librdkafka, kcat and Confluent Cloud write it: `bootstrap.servers=…`, `sasl.username=…`. What it says about signing in must be known to mkt; the rest is left alone."},
	},
	Blocks: []spec.Nested{
		{Name: "sasl", Max: 1, Doc: "Sign-in with SASL. For Confluent Cloud, the user name is an API key and the password its secret.", Attrs: []spec.Attr{
			{Name: "mechanism", Type: cty.String, Doc: "`PLAIN` (the default), `SCRAM-SHA-256`, `SCRAM-SHA-512`, or `OAUTHBEARER` with a block oidc.", Check: oneOf("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", oidc.Mechanism)},
			{Name: "username", Type: cty.String, Doc: "User name or API key."},
			{Name: "password", Type: cty.String, Secret: true, Doc: "Password or API secret."},
		}, Blocks: []spec.Nested{
			{Name: "oidc", Max: 1, Doc: "Where the tokens of OAUTHBEARER come from: client credentials at an OpenID Connect provider.", Attrs: []spec.Attr{
				{Name: "token_endpoint", Type: cty.String, Doc: "URL that gives tokens."},
				{Name: "client_id", Type: cty.String, Doc: "Client id."},
				{Name: "client_secret", Type: cty.String, Secret: true, Doc: "Client secret."},
				{Name: "scope", Type: cty.String, Doc: "Scopes to ask for, separated by spaces."},
				{Name: "extensions", Type: cty.String, Doc: "SASL extensions, `key=value,key=value`. Confluent Cloud wants `logicalCluster` and `identityPoolId`.",
					Check: func(v cty.Value) error { _, err := oidc.Extensions(v.AsString()); return err }},
			}},
		}},
		{Name: "tls", Max: 1, Doc: "Encryption. On by default when there is something to sign in with.", Attrs: []spec.Attr{
			{Name: "enabled", Type: cty.Bool, Doc: "False for brokers that speak plain text."},
			{Name: "ca_file", Type: cty.String, Doc: "PEM file with the authorities to trust, for brokers and registry; the system's by default."},
			{Name: "certificate_file", Type: cty.String, Doc: "PEM file with the client's certificate."},
			{Name: "key_file", Type: cty.String, Doc: "PEM file with the client's private key, encrypted or not."},
			{Name: "key_password", Type: cty.String, Secret: true, Doc: "Password of an encrypted key."},
		}},
		{Name: "schema_registry", Max: 1, Doc: "The schema registry.", Attrs: []spec.Attr{
			{Name: "url", Type: cty.String, Doc: "Base URL."},
			{Name: "bearer_token", Type: cty.String, Secret: true, Doc: "A token that signs in instead of basic_auth."},
		}, Blocks: []spec.Nested{
			{Name: "tls", Max: 1, Doc: "Encryption, where it is another one than the brokers'.", Attrs: []spec.Attr{
				{Name: "ca_file", Type: cty.String, Doc: "PEM file with the authorities to trust."},
				{Name: "certificate_file", Type: cty.String, Doc: "PEM file with the client's certificate."},
				{Name: "key_file", Type: cty.String, Doc: "PEM file with the client's private key, encrypted or not."},
				{Name: "key_password", Type: cty.String, Secret: true, Doc: "Password of an encrypted key."},
			}},
			{Name: "basic_auth", Max: 1, Doc: "HTTP basic authentication.", Attrs: []spec.Attr{
				{Name: "username", Type: cty.String, Doc: "User name or API key."},
				{Name: "password", Type: cty.String, Secret: true, Doc: "Password or API secret."},
			}},
		}},
	},
}

// Connection is where Kafka and the registry are and what signs in. It holds
// secrets; printing it shows none.
type Connection struct {
	BootstrapServers string // host:port,host:port
	Protocol         string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	Mechanism        string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; "" without SASL
	User, Password   string

	// With OAUTHBEARER: where tokens come from, and who asks for them.
	TokenEndpoint, ClientID, ClientSecret, Scope, Extensions string

	TLS clienttls.Files // for the brokers

	RegistryURL                    string // without user info
	RegistryUser, RegistryPassword string
	RegistryToken                  string // instead of user and password

	RegistryTLS clienttls.Files // Resolve makes them the brokers' unless said otherwise
}

// String tells where the connection leads.
func (c Connection) String() string {
	return fmt.Sprintf("kafka %s (%s), schema registry %s", c.BootstrapServers, c.Protocol, c.RegistryURL)
}

// GoString is String, so that no format prints secrets.
func (c Connection) GoString() string { return c.String() }

// Systems, as Source names them.
const (
	systemKafka    = "kafka"
	systemRegistry = "schema registry"
)

// ClientConfig returns the connection to the brokers as librdkafka's properties
// (librdkafka, CONFIGURATION.md). It holds secrets.
func (c Connection) ClientConfig() map[string]string {
	m := map[string]string{
		"bootstrap.servers": c.BootstrapServers,
		"security.protocol": c.Protocol,
		"client.id":         "mkt",
		// Brokers may ask clients for metrics (KIP-714); mkt sends none.
		"enable.metrics.push": "false",
	}
	set := func(key, value string) {
		if value != "" {
			m[key] = value
		}
	}
	if strings.HasPrefix(c.Protocol, "SASL_") {
		set("sasl.mechanism", c.Mechanism)
		set("sasl.username", c.User)
		set("sasl.password", c.Password)
		if c.Mechanism == oidc.Mechanism {
			set("sasl.oauthbearer.method", "oidc")
			set("sasl.oauthbearer.token.endpoint.url", c.TokenEndpoint)
			set("sasl.oauthbearer.client.id", c.ClientID)
			set("sasl.oauthbearer.client.secret", c.ClientSecret)
			set("sasl.oauthbearer.scope", c.Scope)
			set("sasl.oauthbearer.extensions", c.Extensions)
			if strings.HasPrefix(c.TokenEndpoint, "https:") {
				set("https.ca.location", c.TLS.CA)
			}
		}
	}
	set("ssl.ca.location", c.TLS.CA)
	set("ssl.certificate.location", c.TLS.Certificate)
	set("ssl.key.location", c.TLS.Key)
	set("ssl.key.password", c.TLS.KeyPassword)
	return m
}

// at walks into nested objects; cty.NilVal where there is nothing.
func at(v cty.Value, path ...string) cty.Value {
	for _, name := range path {
		if v == cty.NilVal || !v.IsKnown() || v.IsNull() || !v.Type().HasAttribute(name) {
			return cty.NilVal
		}
		v = v.GetAttr(name)
	}
	return v
}

func oneOf(values ...string) func(cty.Value) error {
	return func(v cty.Value) error {
		for _, want := range values {
			if v.AsString() == want {
				return nil
			}
		}
		return spec.NotOneOf{Words: values, Text: "must be one of " + strings.Join(values, ", ")}
	}
}

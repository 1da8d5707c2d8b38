package kafka

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/internal/oidc"
	"mkt/providers"
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
			{Name: "key_file", Type: cty.String, Doc: "PEM file with the client's private key."},
		}},
		{Name: "schema_registry", Max: 1, Doc: "The schema registry.", Attrs: []spec.Attr{
			{Name: "url", Type: cty.String, Doc: "Base URL."},
			{Name: "bearer_token", Type: cty.String, Secret: true, Doc: "A token that signs in instead of basic_auth."},
		}, Blocks: []spec.Nested{
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

	CAFile, CertificateFile, KeyFile string // PEM; "" for the system's and none

	RegistryURL                    string // without user info
	RegistryUser, RegistryPassword string
	RegistryToken                  string // instead of user and password
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

// Resolve merges the provider's block, an object of Config's type, over the
// environment, and tells for each setting where it came from. getenv returns ""
// for what is not set. It does not fail for what is missing: New does, when a
// system is used that has no address.
func Resolve(block cty.Value, getenv func(string) string) (Connection, []providers.Source, error) {
	var c Connection
	var sources []providers.Source
	took := func(system, setting, from string) {
		sources = append(sources, providers.Source{System: system, Setting: setting, From: from})
	}
	// find returns the block's value, else that of the first variable that is set, else that of the properties file.
	var file properties
	var path string
	find := func(system, setting string, in []string, variables ...string) (value, from string) {
		if v := at(block, in...); len(in) > 0 && v != cty.NilVal && !v.IsNull() && v.IsKnown() {
			return v.AsString(), "provider block"
		}
		for _, name := range variables {
			if v := getenv(name); v != "" {
				return v, name
			}
		}
		if system == systemRegistry {
			setting = "registry." + setting
		}
		return file[setting], path
	}
	pick := func(system, setting string, in []string, variables ...string) string {
		value, from := find(system, setting, in, variables...)
		if value != "" {
			took(system, setting, from)
		}
		return value
	}
	if path = pick(systemKafka, "properties_file", []string{"properties_file"}, "KAFKA_CLIENT_PROPERTIES"); path != "" {
		var err error
		if file, err = readProperties(path); err != nil {
			return Connection{}, sources, err
		}
	}
	c.BootstrapServers = pick(systemKafka, "bootstrap_servers", []string{"bootstrap_servers"}, "KAFKA_BOOTSTRAP_SERVERS")
	mechanism, by := find(systemKafka, "mechanism", []string{"sasl", "mechanism"}, "KAFKA_SASL_MECHANISM")
	if mechanism == oidc.Mechanism {
		const variable = "KAFKA_SASL_OAUTHBEARER_"
		c.TokenEndpoint = pick(systemKafka, "token_endpoint", []string{"sasl", "oidc", "token_endpoint"}, variable+"TOKEN_ENDPOINT_URL")
		c.ClientID = pick(systemKafka, "client_id", []string{"sasl", "oidc", "client_id"}, variable+"CLIENT_ID")
		c.ClientSecret = pick(systemKafka, "client_secret", []string{"sasl", "oidc", "client_secret"}, variable+"CLIENT_SECRET")
		c.Scope = pick(systemKafka, "scope", []string{"sasl", "oidc", "scope"}, variable+"SCOPE")
		c.Extensions = pick(systemKafka, "extensions", []string{"sasl", "oidc", "extensions"}, variable+"EXTENSIONS")
	} else {
		c.User = pick(systemKafka, "username", []string{"sasl", "username"}, "KAFKA_API_KEY")
		c.Password = pick(systemKafka, "password", []string{"sasl", "password"}, "KAFKA_API_SECRET")
	}
	if c.User != "" || mechanism == oidc.Mechanism {
		if mechanism == "" {
			mechanism, by = "PLAIN", "default"
		}
		c.Mechanism = mechanism
		took(systemKafka, "mechanism", by)
	}
	c.CAFile = pick(systemKafka, "ca_file", []string{"tls", "ca_file"})
	c.CertificateFile = pick(systemKafka, "certificate_file", []string{"tls", "certificate_file"})
	c.KeyFile = pick(systemKafka, "key_file", []string{"tls", "key_file"})

	var from string
	c.Protocol, from = protocol(block, c, func() (string, string) { return find(systemKafka, "security_protocol", nil, "KAFKA_SECURITY_PROTOCOL") })
	took(systemKafka, "security_protocol", from)

	c.RegistryURL = pick(systemRegistry, "url", []string{"schema_registry", "url"}, "SCHEMA_REGISTRY_URL", "SCHEMA_REGISTRY_REST_ENDPOINT")
	if token, _ := find(systemRegistry, "bearer_token", []string{"schema_registry", "bearer_token"}, "SCHEMA_REGISTRY_BEARER_TOKEN"); token == "" {
		c.RegistryUser = pick(systemRegistry, "username", []string{"schema_registry", "basic_auth", "username"}, "SCHEMA_REGISTRY_API_KEY")
		c.RegistryPassword = pick(systemRegistry, "password", []string{"schema_registry", "basic_auth", "password"}, "SCHEMA_REGISTRY_API_SECRET")
	} else if basic := at(block, "schema_registry", "basic_auth"); basic != cty.NilVal && !basic.IsNull() {
		return Connection{}, sources, &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("schema_registry"),
			Err: errors.New("the schema registry has both a bearer token and basic_auth"), Hint: "Keep one of the two; the token may come from SCHEMA_REGISTRY_BEARER_TOKEN."}
	} else {
		c.RegistryToken = pick(systemRegistry, "bearer_token", []string{"schema_registry", "bearer_token"}, "SCHEMA_REGISTRY_BEARER_TOKEN")
	}
	if err := c.check(); err != nil {
		return Connection{}, sources, err
	}
	return c, sources, nil
}

// protocol decides how to speak to the brokers, and says who decided. named is the protocol that the environment or a file names.
func protocol(block cty.Value, c Connection, named func() (protocol, from string)) (protocol, from string) {
	enabled := at(block, "tls", "enabled")
	tls := c.Mechanism != "" || c.CAFile != "" || c.CertificateFile != ""
	from = "default"
	switch {
	case enabled != cty.NilVal && !enabled.IsNull() && enabled.IsKnown():
		tls, from = enabled.True(), "provider block"
	default:
		if name, by := named(); name != "" {
			return strings.ToUpper(name), by
		}
	}
	protocol = map[bool]string{true: "SSL", false: "PLAINTEXT"}[tls]
	if c.Mechanism != "" {
		protocol = "SASL_" + protocol
	}
	return protocol, from
}

// check looks at what can be wrong without asking anybody, and moves user info
// out of the registry's URL.
func (c *Connection) check() error {
	switch c.Protocol {
	case "PLAINTEXT", "SSL":
	case "SASL_PLAINTEXT", "SASL_SSL":
		if c.Mechanism == oidc.Mechanism {
			if err := c.checkOIDC(); err != nil {
				return err
			}
		} else if c.User == "" || c.Password == "" {
			return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("sasl"), Err: fmt.Errorf("%s needs a user name and a password", c.Protocol),
				Hint: "Set both in the block sasl, or KAFKA_API_KEY and KAFKA_API_SECRET."}
		}
	default:
		return providers.Errorf(providers.Invalid, "KAFKA_SECURITY_PROTOCOL must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
	}
	if (c.CertificateFile == "") != (c.KeyFile == "") {
		return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("tls"), Err: fmt.Errorf("certificate_file and key_file belong together"), Hint: "Set both or neither."}
	}
	if c.RegistryURL == "" {
		return nil
	}
	u, err := url.Parse(c.RegistryURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The URL is not shown: it may hold a password.
		return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("schema_registry").GetAttr("url"),
			Err: fmt.Errorf("the schema registry's URL is not one"), Hint: "Write it like https://host:port."}
	}
	if u.User != nil && c.RegistryUser == "" {
		c.RegistryUser = u.User.Username()
		c.RegistryPassword, _ = u.User.Password()
	}
	u.User = nil
	c.RegistryURL = strings.TrimSuffix(u.String(), "/")
	return nil
}

// checkOIDC looks at what OAUTHBEARER needs. A secret goes over TLS, or nowhere beyond this machine.
func (c *Connection) checkOIDC() error {
	at := cty.GetAttrPath("sasl").GetAttr("oidc")
	if c.TokenEndpoint == "" || c.ClientID == "" || c.ClientSecret == "" {
		return &providers.Error{Code: providers.Invalid, Path: at, Err: errors.New("OAUTHBEARER needs a token endpoint, a client id and its secret"),
			Hint: "Set them in the block oidc in sasl, or in KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, …_CLIENT_ID and …_CLIENT_SECRET."}
	}
	u, err := url.Parse(c.TokenEndpoint)
	ip := net.ParseIP("")
	if err == nil {
		ip = net.ParseIP(u.Hostname())
	}
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || ip == nil || !ip.IsLoopback()) {
		return &providers.Error{Code: providers.Invalid, Path: at.GetAttr("token_endpoint"), Err: errors.New("the token endpoint is no https URL"), Hint: "Write it like https://host/path, without credentials."}
	}
	if _, err := oidc.Extensions(c.Extensions); err != nil {
		return &providers.Error{Code: providers.Invalid, Path: at.GetAttr("extensions"), Err: err}
	}
	return nil
}

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
				set("https.ca.location", c.CAFile)
			}
		}
	}
	set("ssl.ca.location", c.CAFile)
	set("ssl.certificate.location", c.CertificateFile)
	set("ssl.key.location", c.KeyFile)
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

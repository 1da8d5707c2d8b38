package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/internal/clienttls"
	"mkt/internal/oidc"
	"mkt/providers"
)

// Resolve merges the provider's block, an object of Config's type, over the
// environment, and tells for each setting where it came from. getenv returns ""
// for what is not set. It does not fail for what is missing: New does, when a
// system is used that has no address.
func Resolve(block cty.Value, getenv func(string) string) (Connection, []providers.Source, error) {
	var c Connection
	var sources []providers.Source
	// find looks at the block, then at the variables, then at the properties file.
	var file properties
	var path string
	find := func(system, setting string, in []string, variables ...string) (value string, from providers.Source) {
		from = providers.Source{System: system, Setting: setting}
		offer := func(v, where string) {
			switch {
			case v == "":
			case value == "":
				value, from.From = v, where
			default:
				from.Over = append(from.Over, where)
			}
		}
		if v := at(block, in...); len(in) > 0 && v != cty.NilVal && !v.IsNull() && v.IsKnown() {
			offer(v.AsString(), "provider block")
		}
		for _, name := range variables {
			offer(getenv(name), name)
		}
		if system == systemRegistry {
			setting = "registry." + setting
		}
		offer(file[setting], path)
		return value, from
	}
	pick := func(system, setting string, in []string, variables ...string) string {
		value, from := find(system, setting, in, variables...)
		if value != "" {
			sources = append(sources, from)
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
			mechanism, by = "PLAIN", providers.Source{System: systemKafka, Setting: "mechanism", From: "default"}
		}
		c.Mechanism = mechanism
		sources = append(sources, by)
	}
	files := func(system string, in ...string) clienttls.Files {
		pick := func(setting string) string { return pick(system, setting, append(slices.Clone(in), setting)) }
		return clienttls.Files{CA: pick("ca_file"), Certificate: pick("certificate_file"), Key: pick("key_file"), KeyPassword: pick("key_password")}
	}
	c.TLS = files(systemKafka, "tls")

	name, by := find(systemKafka, "security_protocol", nil, "KAFKA_SECURITY_PROTOCOL")
	var from string
	if c.Protocol, from = protocol(block, c, name, by.From); from != by.From {
		by = providers.Source{System: systemKafka, Setting: "security_protocol", From: from}
	}
	sources = append(sources, by)

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
	own := files(systemRegistry, "schema_registry", "tls")
	c.RegistryTLS = own
	if own.Certificate == "" && own.Key == "" {
		c.RegistryTLS = c.TLS
	}
	c.RegistryTLS.CA = cmp.Or(own.CA, c.TLS.CA)
	if err := c.check(); err != nil {
		return Connection{}, sources, err
	}
	return c, sources, nil
}

// protocol decides how to speak to the brokers, and says who decided. name is the protocol that the environment or a file, by,
// names.
func protocol(block cty.Value, c Connection, name, by string) (protocol, from string) {
	enabled := at(block, "tls", "enabled")
	tls := c.Mechanism != "" || c.TLS.CA != "" || c.TLS.Certificate != ""
	from = "default"
	switch {
	case enabled != cty.NilVal && !enabled.IsNull() && enabled.IsKnown():
		tls, from = enabled.True(), "provider block"
	case name != "":
		return strings.ToUpper(name), by
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
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("tls"), Err: fmt.Errorf("certificate_file and key_file belong together"), Hint: "Set both or neither."}
	}
	if (c.RegistryTLS.Certificate == "") != (c.RegistryTLS.Key == "") {
		return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("schema_registry").GetAttr("tls"), Err: fmt.Errorf("certificate_file and key_file belong together"), Hint: "Set both or neither."}
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

package kafka

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"mkt/providers"
)

// properties are the settings of a client's properties file (librdkafka, CONFIGURATION.md; Confluent Cloud's client.properties),
// by the names that Resolve has for them.
type properties map[string]string

// propertyNames lead from a property to a setting, which is "" for those that change nothing here.
var propertyNames = map[string]string{
	"bootstrap.servers": "bootstrap_servers", "metadata.broker.list": "bootstrap_servers", "security.protocol": "security_protocol",
	"sasl.mechanism": "mechanism", "sasl.mechanisms": "mechanism", "sasl.username": "username", "sasl.password": "password",
	"sasl.oauthbearer.method": "", "sasl.oauthbearer.token.endpoint.url": "token_endpoint", "sasl.oauthbearer.client.id": "client_id",
	"sasl.oauthbearer.client.secret": "client_secret", "sasl.oauthbearer.scope": "scope", "sasl.oauthbearer.extensions": "extensions",
	"ssl.ca.location": "ca_file", "ssl.certificate.location": "certificate_file", "ssl.key.location": "key_file", "ssl.key.password": "key_password",
	"schema.registry.url": "registry.url", "basic.auth.credentials.source": "", "schema.registry.basic.auth.credentials.source": "",
	"basic.auth.user.info": "registry.user_info", "schema.registry.basic.auth.user.info": "registry.user_info",
	"schema.registry.ssl.ca.location": "registry.ca_file", "schema.registry.ssl.certificate.location": "registry.certificate_file", "schema.registry.ssl.key.location": "registry.key_file",
	"schema.registry.ssl.key.password": "registry.key_password",
	"bearer.auth.token":                "registry.bearer_token", "schema.registry.bearer.auth.token": "registry.bearer_token",
}

// guarded begin the names of properties that sign in or secure: one of these that is not known must not be passed over.
var guarded = []string{"security.", "sasl.", "ssl.", "enable.ssl", "basic.auth.", "bearer.auth.", "schema.registry."}

func readProperties(path string) (properties, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o022 != 0 {
		err = fmt.Errorf("%s may be written by others than its owner: chmod 600 it", path)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("read the client properties: %w", err), Hint: "Set properties_file, or KAFKA_CLIENT_PROPERTIES, to a file that is there."}
	}
	p, err := parseProperties(string(text))
	if err != nil {
		return nil, &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("%s: %w", path, err)}
	}
	return p, nil
}

// parseProperties reads lines of name=value. Its errors show no value.
func parseProperties(text string) (properties, error) {
	out := properties{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			return nil, fmt.Errorf("line %d is not written like name=value", n)
		}
		setting, known := propertyNames[name]
		switch {
		case name == "sasl.jaas.config":
			return nil, fmt.Errorf("line %d: sasl.jaas.config is for Java; write sasl.username and sasl.password", n)
		case name == "sasl.oauthbearer.method" && !strings.EqualFold(value, "oidc"):
			return nil, fmt.Errorf("line %d: sasl.oauthbearer.method must be oidc", n)
		case known && setting != "":
			out[setting] = value
		case !known && slices.ContainsFunc(guarded, func(prefix string) bool { return strings.HasPrefix(name, prefix) }):
			return nil, fmt.Errorf("line %d: mkt does not know the property %q, and does not sign in without it", n, name)
		}
	}
	if user, password, ok := strings.Cut(out["registry.user_info"], ":"); ok {
		out["registry.username"], out["registry.password"] = user, password
	}
	return out, nil
}

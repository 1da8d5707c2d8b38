package kafka

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"mkt/internal/clienttls"
	"mkt/internal/oidc"
	"mkt/providers"
)

// Notes say what of the connection's credentials ends when, and what of them is not kept or sent well: of the brokers and of the
// registry. They show no secret.
func (c Connection) Notes(now time.Time) (brokers, registry []string) {
	brokers = certificate(c.TLS, now)
	if c.RegistryURL != "" {
		registry = certificate(c.RegistryTLS, now)
	}
	switch {
	case c.Mechanism == oidc.Mechanism:
		brokers = append(brokers, "tokens are asked for with client_secret, and again before they end; when the secret ends, the identity provider knows")
	case c.Mechanism != "" && c.User != "":
		brokers = append(brokers, "username and password have no end that Kafka tells")
	}
	if c.Protocol == "SASL_PLAINTEXT" && !strings.HasPrefix(c.Mechanism, "SCRAM-") {
		for host := range strings.FieldsFuncSeq(c.BootstrapServers, func(r rune) bool { return r == ',' || r == ' ' }) {
			if name, _, err := net.SplitHostPort(host); err == nil && !providers.Loopback(name) {
				brokers = append(brokers, fmt.Sprintf("SASL_PLAINTEXT sends the credential in clear to %s; use SASL_SSL", host))
				break
			}
		}
	}
	if end, ok := providers.TokenEnd(c.RegistryToken); ok {
		registry = append(registry, providers.Ends("bearer_token", end, now))
	}
	if u, err := url.Parse(c.RegistryURL); err == nil && u.Scheme == "http" && !providers.Loopback(u.Hostname()) && (c.RegistryUser != "" || c.RegistryToken != "") {
		registry = append(registry, fmt.Sprintf("the credential goes in clear to %s; use https", u.Host))
	}
	return brokers, registry
}

// certificate says when a client's certificate ends, and who may read its key.
func certificate(files clienttls.Files, now time.Time) (notes []string) {
	if files.Certificate == "" {
		return nil
	}
	if pair, err := clienttls.Pair(files); err == nil && pair.Leaf != nil {
		notes = append(notes, providers.Ends("the certificate of certificate_file", pair.Leaf.NotAfter, now))
	}
	return append(notes, providers.Exposed("the key of the certificate", files.Key)...)
}

package kafka

import (
	"crypto/tls"
	"time"

	"mkt/providers"
)

// Notes say what of the connection's credentials ends when, of the brokers and of the registry. They show no secret.
func (c Connection) Notes(now time.Time) (brokers, registry []string) {
	if c.CertificateFile != "" {
		if pair, err := tls.LoadX509KeyPair(c.CertificateFile, c.KeyFile); err == nil && pair.Leaf != nil {
			brokers = append(brokers, providers.Ends("the certificate of certificate_file", pair.Leaf.NotAfter, now))
		}
	}
	if end, ok := providers.TokenEnd(c.RegistryToken); ok {
		registry = append(registry, providers.Ends("bearer_token", end, now))
	}
	return brokers, registry
}

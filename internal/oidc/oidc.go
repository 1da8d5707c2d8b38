// Package oidc signs in to Kafka with the tokens of an OpenID Connect provider (KIP-768, client credentials) for franz-go, by
// the properties that librdkafka does the same by (librdkafka, CONFIGURATION.md). It knows nothing of mkt.
package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Mechanism is the name of the SASL mechanism.
const Mechanism = "OAUTHBEARER"

// requestLimit bounds one request for a token.
const requestLimit = 10 * time.Second

// New returns the mechanism for librdkafka's properties sasl.oauthbearer.* and https.ca.location. A token is asked for at the
// first sign-in and again before it ends. It is safe for concurrent use.
func New(props map[string]string) (sasl.Mechanism, error) {
	if method := props["sasl.oauthbearer.method"]; !strings.EqualFold(method, "oidc") {
		return nil, fmt.Errorf("sasl.oauthbearer.method is %q, and only oidc is known here", method)
	}
	config := clientcredentials.Config{
		ClientID: props["sasl.oauthbearer.client.id"], ClientSecret: props["sasl.oauthbearer.client.secret"],
		TokenURL: props["sasl.oauthbearer.token.endpoint.url"], Scopes: strings.Fields(props["sasl.oauthbearer.scope"]),
	}
	if config.ClientID == "" || config.ClientSecret == "" || config.TokenURL == "" {
		return nil, errors.New("OAUTHBEARER needs a token endpoint, a client id and its secret")
	}
	extensions, err := Extensions(props["sasl.oauthbearer.extensions"])
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if file := props["https.ca.location"]; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read https.ca.location: %w", err)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("https.ca.location %s holds no certificate in PEM", file)
		}
	}
	source := config.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: transport, Timeout: requestLimit}))
	return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
		token, err := source.Token()
		if err != nil {
			return oauth.Auth{}, fmt.Errorf("ask %s for a token: %w", config.TokenURL, err)
		}
		return oauth.Auth{Token: token.AccessToken, Extensions: extensions}, nil
	}), nil
}

// Refused says whether the token endpoint answered, and gave no token; not one that wants to be asked later.
func Refused(err error) bool {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.Response == nil {
		return false
	}
	status := answer.Response.StatusCode
	return status < http.StatusInternalServerError && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
}

// Extensions reads librdkafka's form of SASL extensions: logicalCluster=lkc-1,identityPoolId=pool-1.
func Extensions(text string) (map[string]string, error) {
	out := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || key == "auth" {
			return nil, errors.New("the extensions are not written like key=value,key=value")
		}
		out[key] = value
	}
	return out, nil
}

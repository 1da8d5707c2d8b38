package streamtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bearer makes the embedded broker one that lets in who shows a token, and no
// longer than the token lasts: it says how long that is, and closes the
// connection of who does not sign in again by then (KIP-368).
type Bearer struct {
	life time.Duration

	mu     sync.Mutex
	ends   map[string]time.Time // by token
	refuse bool
	asked  int
	late   int
}

// RequireBearer sets the broker and s.Props up. Tokens come from an OpenID
// Connect provider of the test's own and last for life. Connections that are
// made after this are held to it.
func (s *Stack) RequireBearer(life time.Duration) *Bearer {
	s.T.Helper()
	c, ok := s.Cluster.(*kfake.Cluster)
	if !ok {
		s.T.Skip("the tokens of real servers are not ours to give")
	}
	b := &Bearer{life: life, ends: map[string]time.Time{}}
	provider := httptest.NewServer(b)
	s.T.Cleanup(provider.Close)
	c.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		res := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
		res.SupportedMechanisms = []string{"OAUTHBEARER"}
		return res, nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		res := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		left := time.Until(b.end(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes))
		if res.SessionLifetimeMillis = left.Milliseconds(); left <= 0 {
			res.SessionLifetimeMillis = 0
			res.ErrorCode, res.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr("the token is not valid, or not any more")
		}
		return res, nil, true
	})
	s.Wire.mu.Lock()
	s.Wire.bearer = b
	s.Wire.mu.Unlock()
	for name, value := range map[string]string{"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
		"sasl.oauthbearer.client.id": "mkt", "sasl.oauthbearer.client.secret": "the secret", "sasl.oauthbearer.token.endpoint.url": provider.URL + "/token"} {
		s.Props[name] = value
	}
	return b
}

// Refuse makes the provider give no token any more, or give them again.
func (b *Bearer) Refuse(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = on
}

// Asked is how many tokens were given, and how many connections were closed
// since theirs had ended.
func (b *Bearer) Asked() (tokens, closed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked, b.late
}

// ServeHTTP is the provider's token endpoint (RFC 6749, Client Credentials Grant).
func (b *Bearer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, secret, _ := r.BasicAuth(); b.refuse || secret != "the secret" && secret != "the+secret" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client","error_description":"the client is switched off"}`)
		return
	}
	b.asked++
	now := time.Now()
	claims := fmt.Sprintf(`{"sub":"mkt","jti":"%d","iat":%d,"exp":%.3f}`, b.asked, now.Unix(), float64(now.Add(b.life).UnixMilli())/1000)
	token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
	b.ends[token] = now.Add(b.life)
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token, int(b.life.Seconds()))
}

// end is when the token in a client's message ends (RFC 7628), the zero time
// for none that was given.
func (b *Bearer) end(message []byte) time.Time {
	_, token, _ := bytes.Cut(message, []byte("auth=Bearer "))
	token, _, _ = bytes.Cut(token, []byte{1})
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ends[string(token)]
}

// admits says whether a request of a connection is taken, which is signed in
// until then.
func (b *Bearer) admits(request []byte, until *time.Time) bool {
	switch kmsg.Key(binary.BigEndian.Uint16(request[4:])) {
	case kmsg.ApiVersions, kmsg.SASLHandshake:
		return true
	case kmsg.SASLAuthenticate:
		if end := b.end(request); !end.IsZero() {
			*until = end
		}
		return true
	}
	if time.Now().Before(*until) {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !until.IsZero() {
		b.late++
	}
	return false
}

// Tokens is a credential of Azure whose tokens last for Life, and which gives
// none while Refuse says why.
type Tokens struct {
	Life time.Duration

	mu    sync.Mutex
	ends  map[string]time.Time
	fails error
}

// errNoToken is as azidentity says it (AuthenticationFailedError).
type errNoToken struct{ error }

func (errNoToken) NonRetriable() {}

// Refuse makes the credential give no token, or give them again where why is "".
func (t *Tokens) Refuse(why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fails = nil; why != "" {
		t.fails = errNoToken{errors.New(why)}
	}
}

// Given is how many tokens were given.
func (t *Tokens) Given() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.ends)
}

// GetToken implements azcore.TokenCredential.
func (t *Tokens) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fails != nil {
		return azcore.AccessToken{}, t.fails
	}
	if t.ends == nil {
		t.ends = map[string]time.Time{}
	}
	token, end := fmt.Sprintf("token-%d", len(t.ends)), time.Now().Add(t.Life)
	t.ends[token] = end
	return azcore.AccessToken{Token: token, ExpiresOn: end}, nil
}

// Open opens a container with the credential. What comes with a token that has
// ended does not reach the account.
func (t *Tokens) Open(url string) (*container.Client, error) {
	opts := &container.ClientOptions{ClientOptions: noRetries}
	opts.InsecureAllowCredentialWithHTTP = true // over loopback
	opts.Transport = &http.Client{Transport: t}
	return container.NewClient(url, t, opts)
}

// RoundTrip implements http.RoundTripper.
func (t *Tokens) RoundTrip(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	end := t.ends[strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")]
	t.mu.Unlock()
	req = req.Clone(req.Context())
	if req.Header.Set("Authorization", "Bearer "+accountToken); time.Now().After(end) {
		req.Header.Set("Authorization", "Bearer ended")
	}
	return http.DefaultTransport.RoundTrip(req)
}

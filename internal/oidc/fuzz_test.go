package oidc

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever a token endpoint answers, there is a token or an error, which does not show the secret.
func FuzzToken(f *testing.F) {
	f.Add(200, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
	f.Add(200, `{"access_token":1,"expires_in":"x"}`)
	f.Add(401, `{"error":"invalid_client"}`)
	f.Add(503, "")
	var status int
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, code int, text string) {
		if code < 200 || code > 599 || code >= 300 && code < 400 || code == 204 || code == 205 {
			t.Skip()
		}
		status, body = code, text
		m, err := New(map[string]string{"sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "i", "sasl.oauthbearer.client.secret": "S3CR3T-of-the-client", "sasl.oauthbearer.token.endpoint.url": s.URL})
		if err != nil {
			t.Fatal(err)
		}
		_, said, err := m.Authenticate(context.Background(), "")
		if err == nil && !strings.Contains(string(said), "auth=Bearer ") || err != nil && strings.Contains(err.Error(), "S3CR3T-of-the-client") {
			t.Errorf("%q, %v", said, err)
		}
	})
}

func FuzzExtensions(f *testing.F) {
	f.Add("logicalCluster=lkc-1,identityPoolId=pool-1")
	f.Add("auth=x")
	f.Add(",=,")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Extensions(text)
		for name := range got {
			if name == "" || name == "auth" || err != nil && len(got) > 0 {
				t.Errorf("%q: %q, %v", text, got, err)
			}
		}
	})
}

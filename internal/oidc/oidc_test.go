package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestMechanism(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		id, secret, _ := r.BasicAuth()
		if id == "hasty" || r.FormValue("client_id") == "hasty" {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		if secret != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		_, _ = fmt.Fprint(w, `{"access_token":"t0ken","token_type":"Bearer","expires_in":3600}`)
	}))
	defer s.Close()
	props := map[string]string{"sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "i", "sasl.oauthbearer.client.secret": "s3cret",
		"sasl.oauthbearer.token.endpoint.url": s.URL, "sasl.oauthbearer.extensions": "logicalCluster=lkc-1"}
	m, err := New(props)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, said, err := m.Authenticate(context.Background(), "")
		if err != nil || !strings.Contains(string(said), "Bearer t0ken") || !strings.Contains(string(said), "logicalCluster=lkc-1") {
			t.Errorf("%q, %v", said, err)
		}
	}
	if asked != 1 {
		t.Errorf("%d requests for one token", asked)
	}
	props["sasl.oauthbearer.client.secret"] = "wr0ng"
	if m, err = New(props); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Authenticate(context.Background(), ""); !Refused(err) || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("refused: %v", err)
	}
	props["sasl.oauthbearer.client.id"] = "hasty"
	if m, err = New(props); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Authenticate(context.Background(), ""); err == nil || Refused(err) {
		t.Errorf("told to come later: %v", err)
	}
	for name, value := range map[string]string{"sasl.oauthbearer.method": "default", "sasl.oauthbearer.client.id": "", "sasl.oauthbearer.extensions": "x", "https.ca.location": "/no/such"} {
		before := props[name]
		props[name] = value
		if _, err := New(props); err == nil {
			t.Errorf("%s = %q was taken", name, value)
		}
		props[name] = before
	}
}

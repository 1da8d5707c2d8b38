package kafka

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mkt/providers"
)

// Whatever a registry answers, there is a value or an error, which does not show the password.
func FuzzRegistryAnswer(f *testing.F) {
	f.Add(200, `{"mode":"READWRITE"}`)
	f.Add(200, `[1,2`)
	f.Add(404, `{"error_code":40401,"message":"Subject not found"}`)
	f.Add(422, `<html>`)
	var status int
	var body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, code int, text string) {
		if code < 200 || code >= 500 || code >= 300 && code < 400 || code == 204 || code == 205 || code == 408 || code == 429 {
			t.Skip() // others are tried again
		}
		status, body = code, text
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		conn := Connection{RegistryURL: s.URL, RegistryUser: "u", RegistryPassword: "P4SSWORD-of-the-registry"}
		for _, do := range []string{"read", "register", "compatibility"} {
			a := conn.RegistryAbilities(ctx, []providers.Need{{Name: "s", Do: do}})[0]
			if strings.Contains(a.Why, "P4SSWORD-of-the-registry") || a.May == "" {
				t.Errorf("%+v", a)
			}
		}
	})
}

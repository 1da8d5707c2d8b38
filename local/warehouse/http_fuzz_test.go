package warehouse

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Any request without a session is answered, gets none without the password, and never makes the warehouse fault.
func FuzzHTTP(f *testing.F) {
	f.Add("POST", "/session/v1/login-request?databaseName=a&roleName=%zz", `{"data":{"LOGIN_NAME":"mkt","PASSWORD":"x","SESSION_PARAMETERS":{"a":1}}}`, "")
	f.Add("POST", "/session/v1/login-request", `{"data":{"AUTHENTICATOR":"SNOWFLAKE_JWT","TOKEN":"a.b.c"}}`, "")
	f.Add("POST", "/queries/v1/query-request?requestId=x", `{"sqlText":"SELECT 1","bindings":{"1":{"type":"FIXED","value":"1"}}}`, `Snowflake Token="x"`)
	f.Add("POST", "/session/token-request", `{"oldSessionToken":"x","requestType":"RENEW"}`, `Snowflake Token="None"`)
	f.Add("GET", "/results/../x/0", "", "")
	w, err := Open(Config{Dir: f.TempDir(), Account: "local", User: "mkt", Password: "the password of the test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = w.Close() })
	f.Fuzz(func(t *testing.T, method, path, body, authorization string) {
		req, err := http.NewRequest(method, "http://warehouse"+path, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") || strings.Contains(body, "the password") {
			t.Skip()
		}
		req.Header.Set("Authorization", authorization)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, req)
		if rec.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
		if strings.Contains(path, "login-request") && strings.Contains(rec.Body.String(), `"success":true`) {
			t.Errorf("let in by %s", body)
		}
	})
}

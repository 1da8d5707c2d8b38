package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"
)

// HTTP returns the URL of a proxy of the server at target. system is its name in Request, and "snowflake" has the
// statements of that protocol named and refused as it does.
func (w *Wire) HTTP(t testing.TB, system, target string) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // URLs in answers lead to the proxy
		},
		Transport:    transport,
		ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { cut(rw) },
	}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		verdict := w.arrives(system, nameOf(system, r, body))
		switch verdict.Fault {
		case None:
			proxy.ServeHTTP(rw, r)
		case Cut:
			cut(rw)
		case Lost:
			proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
			if verdict.Done != nil {
				verdict.Done()
			}
			cut(rw)
		case Slow:
			answer := httptest.NewRecorder()
			proxy.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
			time.Sleep(w.Delay)
			for name, values := range answer.Header() {
				rw.Header()[name] = values
			}
			rw.WriteHeader(answer.Code)
			_, _ = rw.Write(answer.Body.Bytes())
		case Refused:
			refuse(rw, system, r)
		case Throttled:
			rw.Header().Set("Retry-After", "1")
			rw.Header().Set("x-ms-error-code", "ServerBusy")
			if system == "blob" || system == "queue" {
				rw.WriteHeader(http.StatusServiceUnavailable)
			} else {
				rw.WriteHeader(http.StatusTooManyRequests)
			}
		}
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		transport.CloseIdleConnections()
	})
	return s.URL
}

// cut ends the connection without an answer.
func cut(rw http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(rw).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// nameOf names a request: method and path, what is asked for there, and of a statement the first words.
func nameOf(system string, r *http.Request, body []byte) string {
	if system == "snowflake" {
		last := strings.TrimSuffix(path.Base(r.URL.Path), "-request")
		var q struct {
			SQL string `json:"sqlText"`
		}
		if json.Unmarshal(body, &q) == nil && q.SQL != "" {
			words := strings.Fields(q.SQL)
			last += " " + strings.Join(words[:min(len(words), 5)], " ")
		}
		if r.URL.Path == "/session" {
			last = "session " + r.URL.RawQuery[:min(len(r.URL.RawQuery), len("delete=true"))]
		}
		return last
	}
	name := r.Method + " " + r.URL.Path
	asked := url.Values{}
	for _, key := range []string{"restype", "comp", "permanent", "verbose", "normalize", "deleted"} {
		if v := r.URL.Query().Get(key); v != "" {
			asked.Set(key, v)
		}
	}
	if len(asked) > 0 {
		name += "?" + asked.Encode()
	}
	return name
}

// refuse answers as the system does to those who may not.
func refuse(rw http.ResponseWriter, system string, r *http.Request) {
	switch system {
	case "snowflake": // says everything with 200
		code, text := "003001", "SQL access control error: Insufficient privileges to operate"
		if strings.Contains(r.URL.Path, "login") {
			code, text = "390100", "Incorrect username or password was specified."
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"success":false,"code":%q,"message":%q,"data":{"errorCode":%q,"sqlState":"42501"}}`, code, text, code)
	case "registry":
		rw.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		rw.WriteHeader(http.StatusForbidden)
		fmt.Fprint(rw, `{"error_code":40301,"message":"User is denied operation"}`)
	default:
		rw.Header().Set("x-ms-error-code", "AuthorizationPermissionMismatch")
		rw.WriteHeader(http.StatusForbidden)
	}
}

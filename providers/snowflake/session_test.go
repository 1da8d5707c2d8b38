package snowflake_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"

	"mkt/local/warehouse"
	"mkt/providers/snowflake"
)

// TestSessionsEnd has a server forget its sessions between two statements: readers and writers go on in new ones.
func TestSessionsEnd(t *testing.T) {
	cfg := warehouse.Config{Dir: t.TempDir(), Account: "local", User: "mkt", Password: password}
	var now atomic.Pointer[warehouse.Warehouse]
	open := func() {
		t.Helper()
		if was := now.Load(); was != nil {
			if err := was.Close(); err != nil {
				t.Fatal(err)
			}
		}
		w, err := warehouse.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		now.Store(w)
	}
	open()
	t.Cleanup(func() { _ = now.Load().Close() })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.Load().ServeHTTP(w, r) }))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	db, err := snowflake.Connection{Account: "local", User: "mkt", Password: password, Host: u.Hostname(), Port: port, Protocol: "http"}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{"CREATE DATABASE IF NOT EXISTS A", "CREATE TABLE A.PUBLIC.T (N NUMBER)", "INSERT INTO A.PUBLIC.T VALUES (1)"} {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		open()
		if err := db.PingContext(t.Context()); err == nil {
			t.Fatal("a session is there that the server has forgotten")
		}
		if err := db.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		open()
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM A.PUBLIC.T").Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d rows, %v; want 1", n, err)
	}
}

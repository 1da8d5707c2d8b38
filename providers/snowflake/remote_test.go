package snowflake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/providers/snowflake"
	"mkt/spec"
)

func TestDeniedIsNeitherMissingNorRetried(t *testing.T) {
	conn := embedded(t)
	conn.Password = "wrong"
	start := time.Now()
	_, err := conn.Open(t.Context())
	if providers.CodeOf(err) != providers.Denied || time.Since(start) > 5*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, conn, conn), "wrong") {
		t.Error("the password is in the error or in the printed connection")
	}
	r := provider(t, conn).Resource("snowflake_database").Read(t.Context(), []providers.Ref{{ID: "A"}, {ID: "B"}})
	for _, got := range r {
		if got.Err == nil || got.State != cty.NilVal {
			t.Errorf("denied was read as %#v", got)
		}
	}
}

// TestNoSuchAccount answers the login as Snowflake does under the name of no account.
func TestNoSuchAccount(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		defer s.Close()
		conn := at(t, s.URL)
		conn.Account = "nobody-there"
		start := time.Now()
		_, err := conn.Open(t.Context())
		e := providers.Detail(err)
		if e == nil || e.Code != providers.Unconfigured || !strings.Contains(err.Error(), "nobody-there") || !strings.Contains(e.Hint, "no Snowflake account of that name") || time.Since(start) > 3*time.Second {
			t.Errorf("%d: %v after %v", status, err, time.Since(start))
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	conn := snowflake.Connection{Account: "local", User: "mkt", Password: password, Host: "127.0.0.1", Port: port, Protocol: "http"}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	start := time.Now()
	p := provider(t, conn)
	kinds := snowflake.Kinds()
	providers.Each(ctx, len(kinds), kinds, func(ctx context.Context, k *spec.Kind) struct{} { // together, and not one after the other
		r := p.Resource(k.Name).Read(ctx, []providers.Ref{{ID: "A"}, {ID: "A.B"}, {ID: "A.B.C"}})
		for _, got := range r {
			code := providers.CodeOf(got.Err)
			if got.Err == nil || code != providers.Unavailable && code != providers.Invalid && !errors.Is(got.Err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", k.Name, got.Err)
			}
		}
		return struct{}{}
	})
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestCancelled(t *testing.T) {
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices when the client goes
		<-r.Context().Done()
	}))
	defer hang.Close()
	conn := at(t, hang.URL)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	start := time.Now()
	r := provider(t, conn).Resource("snowflake_database").Read(ctx, []providers.Ref{{ID: "A"}})
	if r[0].Err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("got %v after %v", r[0].Err, time.Since(start))
	}
}

// at is the embedded connection through another address.
func at(t *testing.T, address string) snowflake.Connection {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn := embedded(t)
	conn.Host = u.Hostname()
	conn.Port, _ = strconv.Atoi(u.Port())
	return conn
}

// through puts a handler before the embedded warehouse.
func through(t *testing.T, before func(http.ResponseWriter, *http.Request, string) bool) snowflake.Connection {
	t.Helper()
	conn := embedded(t)
	target, _ := url.Parse(fmt.Sprintf("http://%s:%d", conn.Host, conn.Port))
	proxy := httputil.NewSingleHostReverseProxy(target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !before(w, r, string(body)) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return at(t, s.URL)
}

// TestStatementEndsWithTheLimits cuts the connection at each try of a statement that changes something: it ends a few times the limit later,
// and not when the driver gives up.
func TestStatementEndsWithTheLimits(t *testing.T) {
	conn := through(t, func(w http.ResponseWriter, _ *http.Request, body string) bool {
		if !strings.Contains(body, "CREATE DATABASE") {
			return false
		}
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = c.Close()
		}
		return true
	})
	b := providertest.NewBench(t, snowflake.Kinds(), map[string]providers.Provider{"snowflake": provider(t, conn)})
	p := b.MustPlan(t, `snowflake_database "cut" {}`)
	hard := providers.WithLimits(t.Context(), providers.Limits{Call: 500 * time.Millisecond, Retry: 500 * time.Millisecond, Connect: 500 * time.Millisecond})
	start := time.Now()
	_, diags := planner.Apply(t.Context(), p, planner.ApplyOptions{Ledger: b.Store(), Hard: hard})
	if took := time.Since(start); !strings.Contains(providertest.Text(diags), "Could not create: snowflake_database.cut") || took > 4*time.Second {
		t.Errorf("it took %s: %s", took, providertest.Text(diags))
	}
}

func TestOneShowReadsWholeSchema(t *testing.T) {
	var shows atomic.Int32
	conn := through(t, func(_ http.ResponseWriter, _ *http.Request, body string) bool {
		if strings.Contains(body, `"SHOW `) {
			shows.Add(1)
		}
		return false
	})
	t.Cleanup(func() { sql(t, embedded(t), "DROP DATABASE IF EXISTS MARKET") })
	setup := []string{"CREATE DATABASE MARKET", "CREATE SCHEMA MARKET.RAW"}
	var refs []providers.Ref
	for i := range 40 {
		setup = append(setup, fmt.Sprintf("CREATE FILE FORMAT MARKET.RAW.F%d TYPE = JSON", i))
		refs = append(refs, providers.Ref{ID: fmt.Sprintf("MARKET.RAW.F%d", i)})
	}
	sql(t, embedded(t), setup...)
	refs = append(refs, providers.Ref{ID: "MARKET.RAW.MISSING"})
	got := provider(t, conn).Resource("snowflake_file_format").Read(t.Context(), refs)
	for i, r := range got {
		if r.Err != nil || (r.State == cty.NilVal) != (i == 40) {
			t.Errorf("%s: %#v", refs[i].ID, r)
		}
	}
	if n := shows.Load(); n != 1 {
		t.Errorf("%d SHOW statements for one schema", n)
	}
}

func TestReadsAreRetried(t *testing.T) {
	var failed atomic.Int32
	conn := through(t, func(w http.ResponseWriter, r *http.Request, body string) bool {
		if strings.Contains(body, `"SHOW `) && failed.Add(1) <= 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	r := provider(t, conn).Resource("snowflake_database").Read(t.Context(), []providers.Ref{{ID: "NOBODY"}})
	if r[0].Err != nil || failed.Load() < 2 {
		t.Errorf("%v after %d tries", r[0].Err, failed.Load())
	}
}

// TestTokenIsMintedRotatedAndNeverKept follows a stage through the life of its token.
func TestTokenIsMintedRotatedAndNeverKept(t *testing.T) {
	conn := embedded(t)
	sql(t, conn, "CREATE DATABASE MARKET", "CREATE SCHEMA MARKET.RAW")
	t.Cleanup(func() { sql(t, conn, "DROP DATABASE IF EXISTS MARKET") })
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	minted := 0
	p := snowflake.New(conn, snowflake.Options{HashKey: []byte("key"), Now: func() time.Time { return now },
		MintSAS: func(_ context.Context, container string, permissions []string, expires time.Time) (string, error) {
			minted++
			if container != "https://acct.blob.core.windows.net/c" || strings.Join(permissions, ",") != "list,read" || !expires.Equal(now.Add(10*24*time.Hour)) {
				t.Errorf("minted for %s %v %v", container, permissions, expires)
			}
			return fmt.Sprintf("sv=1&sig=TOPSECRET%d", minted), nil
		}})
	defer p.Close()
	r := p.Resource("snowflake_stage")
	desired, err := r.Complete(cty.ObjectVal(map[string]cty.Value{
		"schema": cty.StringVal("MARKET.RAW"), "name": cty.StringVal("S"), "qualified_name": cty.NullVal(cty.String),
		"container": cty.StringVal("https://acct.blob.core.windows.net/c"), "path": cty.StringVal(""), "storage_integration": cty.NullVal(cty.String),
		"file_format": cty.NullVal(cty.String), "url": cty.NullVal(cty.String), "sas_expires_at": cty.UnknownVal(cty.String), "comment": cty.StringVal(""),
		"sas": cty.ObjectVal(map[string]cty.Value{"permissions": cty.ListVal([]cty.Value{cty.StringVal("list"), cty.StringVal("read")}),
			"expires_in": cty.StringVal("10d"), "rotate_before": cty.StringVal("3d")}),
	}))
	if err != nil {
		t.Fatal(err)
	}
	change := providers.Change{Address: "snowflake_stage.s", ID: "MARKET.RAW.S", After: desired}
	made := r.Create(t.Context(), []providers.Change{change})[0]
	if made.Err != nil {
		t.Fatal(made.Err)
	}
	clean := func(res providers.Result) {
		t.Helper()
		if s := fmt.Sprintf("%#v %v %v", res.State, res.Private, res.Err); strings.Contains(s, "TOPSECRET") {
			t.Error("the token is kept:", s)
		}
	}
	clean(made)
	if minted != 1 || len(made.Private["sas_hash"]) != 64 || made.State.GetAttr("sas_expires_at").AsString() != "2026-01-11T00:00:00Z" {
		t.Fatalf("minted %d: %v %#v", minted, made.Private, made.State)
	}
	refine := func() bool {
		c := providers.Change{ID: change.ID, Before: made.State, After: made.State, Private: made.Private}
		return !r.(providers.Refiner).Refine(t.Context(), []providers.Change{c})[0].State.GetAttr("sas_expires_at").IsKnown()
	}
	now = now.Add(7*24*time.Hour - time.Minute)
	if refine() {
		t.Error("rotated too early")
	}
	now = now.Add(2 * time.Minute)
	if !refine() {
		t.Fatal("not rotated though less than rotate_before is left")
	}
	rotated := r.Update(t.Context(), []providers.Change{{ID: change.ID, Before: made.State, After: desired, Private: made.Private}})[0]
	clean(rotated)
	if rotated.Err != nil || minted != 2 || rotated.Private["sas_hash"] == made.Private["sas_hash"] || rotated.Incarnation != made.Incarnation {
		t.Errorf("%v, minted %d, %v", rotated.Err, minted, rotated.Private)
	}
	// A refused statement must not tell the token either.
	again := r.Create(t.Context(), []providers.Change{change})[0]
	clean(again)
	if providers.CodeOf(again.Err) != providers.Exists {
		t.Errorf("created twice: %v", again.Err)
	}
}

func TestHolds(t *testing.T) {
	conn := embedded(t)
	sql(t, conn, "CREATE DATABASE MARKET", "CREATE SCHEMA MARKET.RAW", "CREATE TABLE MARKET.RAW.T (A FLOAT)", "CREATE TABLE MARKET.RAW.EMPTY (A FLOAT)",
		"INSERT INTO MARKET.RAW.T SELECT 1 UNION ALL SELECT 2", "CREATE STAGE MARKET.RAW.S URL = 'azure://acct.blob.core.windows.net/c/'",
		"CREATE FILE FORMAT MARKET.RAW.F TYPE = JSON", "CREATE PIPE MARKET.RAW.P AS COPY INTO MARKET.RAW.T FROM @MARKET.RAW.S FILE_FORMAT = (FORMAT_NAME = 'MARKET.RAW.F') MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
	t.Cleanup(func() { sql(t, conn, "DROP DATABASE IF EXISTS MARKET") })
	p := provider(t, conn)
	for _, c := range []struct{ kind, id, want string }{
		{"snowflake_table", "MARKET.RAW.T", "2 rows, "},
		{"snowflake_table", "MARKET.RAW.EMPTY", ""},
		{"snowflake_table", "MARKET.RAW.MISSING", ""},
		{"snowflake_schema", "MARKET.RAW", "2 tables with 2 rows ("},
		{"snowflake_database", "MARKET", "the load history of 1 pipe"},
		{"snowflake_database", "NOBODY", ""},
		{"snowflake_pipe", "MARKET.RAW.P", "load history"},
		{"snowflake_stage", "MARKET.RAW.S", "the loading by P (STOPPED_STAGE_DROPPED)"},
		{"snowflake_file_format", "MARKET.RAW.F", "the loading by P (STOPPED_FILE_FORMAT_DROPPED)"},
	} {
		got := p.Resource(c.kind).(providers.Holder).Holds(t.Context(), []providers.Ref{{ID: c.id}})[0]
		if got.Err != nil || !strings.Contains(got.Loss, c.want) || c.want == "" && got.Loss != "" {
			t.Errorf("%s %s: got %q, %v; want %q", c.kind, c.id, got.Loss, got.Err, c.want)
		}
	}
}

// pipeStack is a pipe with all that it names; path is the stage's, column the table's only column.
func pipeStack(path, column, format string) string {
	return schema + fmt.Sprintf(`
		snowflake_table "t" {
			schema = snowflake_schema.raw
			column "a" { type = "%s" }
		}
		snowflake_file_format "json" {
			schema = snowflake_schema.raw
			type   = "%s"
		}
		snowflake_stage "s" {
			schema    = snowflake_schema.raw
			container = "https://acct.blob.core.windows.net/c"
			path      = "%s"
		}
		snowflake_pipe "p" {
			schema = snowflake_schema.raw
			copy {
				into                 = snowflake_table.t
				from                 = snowflake_stage.s
				file_format          = snowflake_file_format.json
				match_by_column_name = "CASE_INSENSITIVE"
			}
		}`, column, format, path)
}

// TestPipeFollowsWhatItNames changes each object that a pipe names: the same apply makes a living pipe of it.
func TestPipeFollowsWhatItNames(t *testing.T) {
	w := world(t)
	b := providertest.NewBench(t, snowflake.Kinds(), map[string]providers.Provider{"snowflake": w.Provider})
	pipe := w.Provider.Resource("snowflake_pipe")
	read := func() providers.Reading {
		got := pipe.Read(t.Context(), []providers.Ref{{ID: "MARKET.RAW.P"}})[0]
		if got.Err != nil || got.State == cty.NilVal || got.State.GetAttr("stopped").AsString() != "" {
			t.Fatalf("the pipe is not alive: %#v", got)
		}
		return got
	}
	b.MustApply(t, pipeStack("a", "FLOAT", "JSON"))
	last := read().Incarnation
	for _, c := range []struct{ name, stack string }{
		{"stage moved", pipeStack("b", "FLOAT", "JSON")},
		{"file format replaced", pipeStack("b", "FLOAT", "AVRO")},
		{"table replaced", pipeStack("b", "DATE", "AVRO")},
	} {
		b.MustApply(t, c.stack)
		b.MustBeEmpty(t, c.stack)
		now := read().Incarnation
		if now == last {
			t.Errorf("%s: the pipe is the old one", c.name)
		}
		last = now
	}
}

// TestStoppedPipeIsReplaced drops and makes a stage behind a pipe: the pipe is dead, and the next plan replaces it.
func TestStoppedPipeIsReplaced(t *testing.T) {
	w := world(t)
	b := providertest.NewBench(t, snowflake.Kinds(), map[string]providers.Provider{"snowflake": w.Provider})
	stack := pipeStack("a", "FLOAT", "JSON")
	b.MustApply(t, stack)
	sql(t, w.Any.(snowflake.Connection), "DROP STAGE MARKET.RAW.S", "CREATE STAGE MARKET.RAW.S URL = 'azure://acct.blob.core.windows.net/c/a/'")
	got := w.Provider.Resource("snowflake_pipe").Read(t.Context(), []providers.Ref{{ID: "MARKET.RAW.P"}})[0]
	if got.Err != nil || got.State.GetAttr("stopped").AsString() != "STOPPED_STAGE_DROPPED" {
		t.Fatalf("%#v", got)
	}
	p := b.MustPlan(t, stack)
	if text := providertest.Dump(p); !strings.Contains(text, "STOPPED_STAGE_DROPPED") {
		t.Errorf("the plan does not say it:\n%s", text)
	}
}

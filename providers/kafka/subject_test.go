package kafka_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/local/registry"
	"mkt/providers"
	"mkt/providers/kafka"
)

const (
	row       = `{"type":"record","name":"Row","namespace":"m","fields":[{"name":"a","type":"string"}]}`
	rowOther  = "{ \"name\": \"m.Row\",\n \"type\": \"record\", \"fields\": [ {\"type\": {\"type\": \"string\"}, \"name\": \"a\"} ] }"
	rowMore   = `{"type":"record","name":"Row","namespace":"m","fields":[{"name":"a","type":"string"},{"name":"b","type":"long","default":0}]}`
	rowBroken = `{"type":"record","name":"Row","namespace":"m","fields":[{"name":"a","type":"string"},{"name":"b","type":"long"}]}`
)

// subjects starts a registry behind handler (nil for none) and returns what
// manages its subjects.
func subjects(t *testing.T, around func(http.Handler) http.Handler) providers.Resource {
	t.Helper()
	r, err := registry.Open(registry.Config{Dir: t.TempDir(), User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	var h http.Handler = r
	if around != nil {
		h = around(r)
	}
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.Close(); _ = r.Close() })
	return provider(t, kafka.Connection{RegistryURL: s.URL, RegistryUser: user, RegistryPassword: password}).Resource("schema_subject")
}

func subject(name, schema string, pairs ...string) cty.Value {
	m := map[string]cty.Value{
		"name": cty.StringVal(name), "format": cty.StringVal("AVRO"), "schema": kafka.Subject.Attr("schema").Norm(cty.StringVal(schema)),
		"compatibility": cty.UnknownVal(cty.String), "mode": cty.UnknownVal(cty.String), "normalize": cty.UnknownVal(cty.Bool),
		"deletion": cty.StringVal("soft"), "id": cty.UnknownVal(cty.Number), "version": cty.UnknownVal(cty.Number),
		"reference": cty.ListValEmpty(kafka.Subject.Block("reference").Type().ElementType()),
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = cty.StringVal(pairs[i+1])
	}
	return cty.ObjectVal(m)
}

func with(v cty.Value, name string, to cty.Value) cty.Value {
	m := v.AsValueMap()
	m[name] = to
	return cty.ObjectVal(m)
}

func read(t *testing.T, r providers.Resource, name string, private map[string]string) cty.Value {
	t.Helper()
	got := r.Read(within(t, 20*time.Second), []providers.Ref{{ID: name, Private: private}})[0]
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	return got.State
}

func TestSubjectLife(t *testing.T) {
	r := subjects(t, nil)
	ctx := within(t, 60*time.Second)
	if got := read(t, r, "s", nil); got != cty.NilVal {
		t.Fatalf("before: %#v", got)
	}
	made := r.Create(ctx, []providers.Change{create(subject("s", row, "compatibility", "FULL", "deletion", "hard")), create(subject("plain/one", row))})
	if made[0].Err != nil || made[1].Err != nil {
		t.Fatalf("create: %+v", made)
	}
	state := read(t, r, "s", made[0].Private)
	for name, want := range map[string]cty.Value{
		"compatibility": cty.StringVal("FULL"), "mode": cty.StringVal("READWRITE"), "normalize": cty.False, "deletion": cty.StringVal("hard"),
		"id": cty.NumberIntVal(1), "version": cty.NumberIntVal(1), "schema": made[0].State.GetAttr("schema"),
	} {
		if !state.GetAttr(name).RawEquals(want) || !made[0].State.GetAttr(name).RawEquals(want) {
			t.Errorf("%s: read %#v, created %#v, want %#v", name, state.GetAttr(name), made[0].State.GetAttr(name), want)
		}
	}
	if got := read(t, r, "plain/one", nil).GetAttr("compatibility"); !got.RawEquals(cty.StringVal("BACKWARD")) {
		t.Errorf("effective level %#v", got)
	}
	if again := r.Create(ctx, []providers.Change{create(subject("s", rowMore))})[0]; providers.CodeOf(again.Err) != providers.Exists {
		t.Errorf("create again: %v", again.Err)
	}

	// A new version, another level, normalization and a mode, in one update.
	after := with(subject("s", rowMore, "compatibility", "BACKWARD_TRANSITIVE", "deletion", "soft", "mode", "READONLY"), "normalize", cty.True)
	updated := r.Update(ctx, []providers.Change{{ID: "s", Before: state, After: after}})[0]
	if updated.Err != nil {
		t.Fatal(updated.Err)
	}
	state = read(t, r, "s", updated.Private)
	for name, want := range map[string]cty.Value{
		"compatibility": cty.StringVal("BACKWARD_TRANSITIVE"), "mode": cty.StringVal("READONLY"), "normalize": cty.True, "deletion": cty.StringVal("soft"), "version": cty.NumberIntVal(2),
	} {
		if !state.GetAttr(name).RawEquals(want) {
			t.Errorf("after update %s: %#v, want %#v", name, state.GetAttr(name), want)
		}
	}
	if res := r.Delete(ctx, []providers.Change{{ID: "s", Before: state}})[0]; providers.CodeOf(res.Err) != providers.Conflict {
		t.Errorf("delete of a read-only subject: %v", res.Err)
	}
	// Out of read-only and on to the next version in one update.
	third := with(with(after, "mode", cty.StringVal("READWRITE")), "schema", cty.StringVal(strings.Replace(rowMore, `"default":0`, `"default":1`, 1)))
	if updated = r.Update(ctx, []providers.Change{{ID: "s", Before: state, After: third}})[0]; updated.Err != nil || !updated.State.GetAttr("version").RawEquals(cty.NumberIntVal(3)) {
		t.Fatalf("reopened: %#v %v", updated.State, updated.Err)
	}
	hard := with(updated.State, "deletion", cty.StringVal("hard"))
	for range 2 { // the second finds nothing and is content
		if res := r.Delete(ctx, []providers.Change{{ID: "s", Before: hard}})[0]; res.Err != nil {
			t.Errorf("delete: %v", res.Err)
		}
	}
	if got := read(t, r, "s", nil); got != cty.NilVal {
		t.Errorf("after: %#v", got)
	}
}

// A registry that takes normalize and forgets it, as Apicurio does, is named as what cannot do it.
func TestSubjectNormalizeIsNotKept(t *testing.T) {
	r := subjects(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
			w.WriteHeader(answer.Code)
			_, _ = io.WriteString(w, strings.ReplaceAll(answer.Body.String(), `"normalize":true`, `"normalize":false`))
		})
	})
	short := providers.WithLimits(within(t, 20*time.Second), providers.Limits{Call: 10 * time.Second, Retry: 200 * time.Millisecond, Connect: time.Second})
	made := r.Create(short, []providers.Change{create(with(subject("s", row), "normalize", cty.True))})[0]
	if d := providers.Detail(made.Err); d == nil || d.Code != providers.Invalid || !strings.Contains(d.Error(), "does not keep it") || d.Hint == "" || made.State == cty.NilVal {
		t.Errorf("%#v, %+v", made.State, made.Err)
	}
	if made := r.Create(within(t, 20*time.Second), []providers.Change{create(with(subject("t", row), "normalize", cty.False))})[0]; made.Err != nil {
		t.Error(made.Err)
	}
}

func TestSubjectRefine(t *testing.T) {
	r := subjects(t, nil)
	ctx := within(t, 60*time.Second)
	refine := func(before cty.Value, schema string, pairs ...string) providers.Result {
		after := with(with(subject("s", schema, pairs...), "mode", before.GetAttr("mode")), "normalize", before.GetAttr("normalize"))
		if len(pairs) == 0 {
			after = with(after, "compatibility", before.GetAttr("compatibility"))
		}
		return r.(providers.Refiner).Refine(ctx, []providers.Change{{ID: "s", Before: before, After: after}})[0]
	}
	if res := r.Create(ctx, []providers.Change{create(subject("s", row))})[0]; res.Err != nil {
		t.Fatal(res.Err)
	}
	before := read(t, r, "s", nil)
	for _, same := range []string{row, rowOther} {
		if res := refine(before, same); res.Err != nil || !res.State.GetAttr("schema").RawEquals(before.GetAttr("schema")) {
			t.Errorf("%s shows as a change: %#v %v", same, res.State.GetAttr("schema"), res.Err)
		}
	}
	if res := refine(before, rowMore); res.Err != nil || res.State.GetAttr("schema").RawEquals(before.GetAttr("schema")) {
		t.Errorf("a new version: %#v %v", res.State, res.Err)
	}
	res := refine(before, rowBroken)
	if providers.CodeOf(res.Err) != providers.Invalid || !strings.Contains(res.Err.Error(), "BACKWARD") || !strings.Contains(res.Err.Error(), "READER_FIELD_MISSING_DEFAULT_VALUE") {
		t.Errorf("incompatible: %v", res.Err)
	}
	if res := refine(before, rowBroken, "compatibility", "NONE"); res.Err != nil {
		t.Errorf("under a level that the same change sets: %v", res.Err)
	}
	// Without a plan, the registry refuses it at apply.
	after := with(subject("s", rowBroken), "compatibility", before.GetAttr("compatibility"))
	if res := r.Update(ctx, []providers.Change{{ID: "s", Before: before, After: after}})[0]; providers.CodeOf(res.Err) != providers.Invalid || !strings.Contains(res.Err.Error(), "BACKWARD") {
		t.Errorf("applied: %v", res.Err)
	}
	if res := r.Update(ctx, []providers.Change{{ID: "s", Before: before, After: subject("s", rowMore)}})[0]; res.Err != nil {
		t.Fatal(res.Err)
	}
	if res := refine(read(t, r, "s", nil), row); providers.CodeOf(res.Err) != providers.Invalid || !strings.Contains(res.Err.Error(), "version 1") {
		t.Errorf("back to an earlier version: %v", res.Err)
	}
	// Normalization finds what differs as written.
	if res := r.Create(ctx, []providers.Change{create(subject("n", `{"type":"string","x":1,"y":2}`))})[0]; res.Err != nil {
		t.Fatal(res.Err)
	}
	before = read(t, r, "n", nil)
	after = with(before, "schema", cty.StringVal(`{"type":"string","y":2,"x":1}`))
	res = r.(providers.Refiner).Refine(ctx, []providers.Change{{ID: "n", Before: before, After: after}})[0]
	if res.Err != nil || !res.State.RawEquals(before) {
		t.Errorf("the same when normalized: %#v %v", res.State, res.Err)
	}
}

func TestSubjectReferences(t *testing.T) {
	r := subjects(t, nil)
	ctx := within(t, 60*time.Second)
	ref := cty.ListVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("m.Row"), "subject": cty.StringVal("row"), "version": cty.NumberIntVal(1)})})
	list := with(subject("list", `{"type":"array","items":"m.Row"}`), "reference", ref)
	if res := r.Create(ctx, []providers.Change{create(list)})[0]; providers.CodeOf(res.Err) != providers.Invalid {
		t.Errorf("a reference to nothing: %v", res.Err)
	}
	for _, v := range []cty.Value{subject("row", row), list} {
		if res := r.Create(ctx, []providers.Change{create(v)})[0]; res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	if got := read(t, r, "list", nil).GetAttr("reference"); !got.RawEquals(ref) {
		t.Errorf("read %#v", got)
	}
	if res := r.Delete(ctx, []providers.Change{{ID: "row", Before: read(t, r, "row", nil)}})[0]; providers.CodeOf(res.Err) != providers.Conflict {
		t.Errorf("delete of what is referred to: %v", res.Err)
	}
}

func TestRegistryFailures(t *testing.T) {
	var broken atomic.Int32 // how many requests still fail
	var status atomic.Int32
	var most, now atomic.Int32
	r := subjects(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			if broken.Add(-1) >= 0 {
				http.Error(w, "<html>down</html>", int(status.Load()))
				return
			}
			h.ServeHTTP(w, req)
		})
	})
	for _, code := range []int32{http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		status.Store(code)
		broken.Store(2)
		got := r.Read(within(t, 20*time.Second), []providers.Ref{{ID: "s"}})[0]
		if got.Err != nil || got.State != cty.NilVal {
			t.Errorf("%d twice, then fine: %+v", code, got)
		}
	}
	for code, want := range map[int32]providers.Code{403: providers.Denied, 503: providers.Unavailable, 429: providers.Throttled} {
		status.Store(code)
		broken.Store(1 << 20)
		got := r.Read(within(t, time.Second), []providers.Ref{{ID: "s"}})[0]
		if providers.CodeOf(got.Err) != want {
			t.Errorf("%d: %v (%q)", code, got.Err, providers.CodeOf(got.Err))
		}
	}
	broken.Store(0)

	// Many subjects: bounded parallelism, each answered.
	var changes []providers.Change
	var refs []providers.Ref
	for i := range 40 {
		changes = append(changes, create(subject(fmt.Sprintf("many-%d", i), row)))
		refs = append(refs, providers.Ref{ID: fmt.Sprintf("many-%d", i)})
	}
	for _, res := range r.Create(within(t, 30*time.Second), changes) {
		if res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	for _, got := range r.Read(within(t, 30*time.Second), refs) {
		if got.Err != nil || !got.State.GetAttr("id").RawEquals(cty.NumberIntVal(1)) {
			t.Fatalf("%+v", got)
		}
	}
	if most.Load() > 8 {
		t.Errorf("%d requests at once", most.Load())
	}
}

func TestRegistryDeniedUnreachableTimeout(t *testing.T) {
	reg, err := registry.Open(registry.Config{Dir: t.TempDir(), User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(reg)
	t.Cleanup(func() { s.Close(); _ = reg.Close() })
	ref := []providers.Ref{{ID: "s"}}
	got := provider(t, kafka.Connection{RegistryURL: s.URL, RegistryUser: user, RegistryPassword: "wrong-s3cret"}).Resource("schema_subject").Read(within(t, 10*time.Second), ref)[0]
	if providers.CodeOf(got.Err) != providers.Denied || strings.Contains(got.Err.Error(), "s3cret") {
		t.Errorf("wrong password: %v", got.Err)
	}
	got = provider(t, kafka.Connection{RegistryURL: "http://127.0.0.1:1"}).Resource("schema_subject").Read(within(t, time.Second), ref)[0]
	if providers.CodeOf(got.Err) != providers.Unavailable || !strings.Contains(got.Err.Error(), "127.0.0.1:1") {
		t.Errorf("unreachable: %v", got.Err)
	}
	hang := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(func() { close(hang); silent.Close() })
	start := time.Now()
	got = provider(t, kafka.Connection{RegistryURL: silent.URL}).Resource("schema_subject").Read(within(t, 500*time.Millisecond), ref)[0]
	if providers.CodeOf(got.Err) != providers.Unavailable || time.Since(start) > 5*time.Second {
		t.Errorf("silent: %v after %s", got.Err, time.Since(start))
	}
}

// TestRegistryRetryAfter has the registry say when to ask again, by Confluent's client and by the requests that it lacks.
func TestRegistryRetryAfter(t *testing.T) {
	var busy atomic.Pointer[string] // the path that is refused once
	r := subjects(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if path := busy.Load(); path != nil && strings.HasPrefix(req.URL.Path, *path) && busy.CompareAndSwap(path, nil) {
				w.Header().Set("Retry-After", "1")
				http.Error(w, "{}", http.StatusTooManyRequests)
				return
			}
			h.ServeHTTP(w, req)
		})
	})
	ctx := within(t, 20*time.Second)
	if res := r.Create(ctx, []providers.Change{create(subject("s", row))})[0]; res.Err != nil {
		t.Fatal(res.Err)
	}
	for _, path := range []string{"/subjects/", "/config/"} {
		busy.Store(&path)
		began := time.Now()
		got := r.Read(ctx, []providers.Ref{{ID: "s"}})[0]
		if took := time.Since(began); got.Err != nil || busy.Load() != nil || took < time.Second {
			t.Errorf("%s: told to wait for 1s, it took %s: %v", path, took, got.Err)
		}
	}
}

// lagging is a registry of which a second instance, which has not heard of the last change, answers the next question of each sort.
func lagging(next http.Handler) http.Handler {
	var mu sync.Mutex
	before, late := map[string]*httptest.ResponseRecorder{}, map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		answer := httptest.NewRecorder()
		if path := r.URL.String(); r.Method != http.MethodGet {
			next.ServeHTTP(answer, r)
			for path := range before {
				late[path] = true
			}
		} else if late[path] {
			answer, late[path] = before[path], false
		} else {
			next.ServeHTTP(answer, r)
			before[path] = answer
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// TestSubjectOnSeveralInstances: what an instance of the registry that lags behind answers is not what is there.
func TestSubjectOnSeveralInstances(t *testing.T) {
	r := subjects(t, lagging)
	ctx := within(t, 20*time.Second)
	made := r.Create(ctx, []providers.Change{create(subject("s", row))})[0]
	if made.Err != nil || !made.State.GetAttr("version").RawEquals(cty.NumberIntVal(1)) {
		t.Fatalf("%#v, %v", made.State, made.Err)
	}
	after := subject("s", rowMore)
	for _, attr := range []string{"compatibility", "mode", "normalize"} {
		after = with(after, attr, made.State.GetAttr(attr))
	}
	more := r.Update(ctx, []providers.Change{{ID: "s", Before: made.State, After: after}})[0]
	if more.Err != nil || !more.State.GetAttr("version").RawEquals(cty.NumberIntVal(2)) || !more.State.GetAttr("id").RawEquals(cty.NumberIntVal(2)) {
		t.Fatalf("%#v, %v", more.State, more.Err)
	}
	after = with(with(after, "compatibility", cty.StringVal("FULL")), "normalize", cty.True)
	set := r.Update(ctx, []providers.Change{{ID: "s", Before: more.State, After: after}})[0]
	if set.Err != nil || !set.State.GetAttr("compatibility").RawEquals(cty.StringVal("FULL")) {
		t.Fatalf("%#v, %v", set.State, set.Err)
	}
	if gone := r.Delete(ctx, []providers.Change{{ID: "s", Before: set.State}})[0]; gone.Err != nil {
		t.Fatal(gone.Err)
	}
	if again := r.Create(ctx, []providers.Change{create(subject("s", row))})[0]; again.Err != nil {
		t.Errorf("its name is not free: %v", again.Err)
	}
}

// TestSubjectMadeAndNotSeen refuses what comes after a subject was registered: the error does not say that there is none.
func TestSubjectMadeAndNotSeen(t *testing.T) {
	for _, settings := range []int{http.StatusOK, http.StatusForbidden} { // the setting is taken, or refused as well
		made := false
		r := subjects(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if made && (r.Method == http.MethodGet || settings != http.StatusOK) {
					http.Error(w, `{"error_code":403,"message":"no"}`, http.StatusForbidden)
					return
				}
				made = made || r.Method == http.MethodPost
				next.ServeHTTP(w, r)
			})
		})
		got := r.Create(within(t, 20*time.Second), []providers.Change{create(subject("s", row, "compatibility", "FULL"))})[0]
		if d := providers.Detail(got.Err); d == nil || d.Code != providers.Unknown || d.Hint == "" || (strings.Contains(got.Err.Error(), "set the compatibility") != (settings != http.StatusOK)) {
			t.Errorf("%#v, %v", got.State, got.Err)
		}
	}
}

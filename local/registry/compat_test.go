package registry_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"mkt/local/registry"
)

func record(fields ...string) string {
	return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
}

// TestCompatibilityPairs checks what may follow what: b for BACKWARD, f for
// FORWARD (Schema Registry documentation, "Schema Evolution and Compatibility").
func TestCompatibilityPairs(t *testing.T) {
	const (
		a    = `{"name":"a","type":"string"}`
		aDef = `{"name":"a","type":"string","default":"x"}`
		n    = `{"name":"n","type":"int"}`
		nDef = `{"name":"n","type":"int","default":1}`
		nOpt = `{"name":"n","type":["null","int"],"default":null}`
	)
	enum := func(symbols string) string {
		return `{"type":"enum","name":"E","symbols":["` + strings.ReplaceAll(symbols, " ", `","`) + `"]}`
	}
	for _, c := range []struct {
		what, old, new string
		b, f           bool
	}{
		{"the same", record(a), record(a), true, true},
		{"field added", record(a), record(a, n), false, true},
		{"field with default added", record(a), record(a, nDef), true, true},
		{"optional field added", record(a), record(a, nOpt), true, true},
		{"field removed", record(a, n), record(a), true, false},
		{"field with default removed", record(a, nDef), record(a), true, true},
		{"field renamed", record(a), record(`{"name":"b","type":"string"}`), false, false},
		{"field renamed with alias", record(a), record(`{"name":"b","type":"string","aliases":["a"]}`), true, false},
		{"default added", record(a), record(aDef), true, true},
		{"order of fields", record(a, n), record(n, a), true, true},
		{"doc", record(a), record(`{"name":"a","type":"string","doc":"d"}`), true, true},
		{"int to long", `"int"`, `"long"`, true, false},
		{"long to int", `"long"`, `"int"`, false, true},
		{"int to double", `"int"`, `"double"`, true, false},
		{"string to bytes", `"string"`, `"bytes"`, true, true},
		{"string to int", `"string"`, `"int"`, false, false},
		{"type to union", `"int"`, `["null","int"]`, true, false},
		{"union to type", `["null","int"]`, `"int"`, false, true},
		{"branch added", `["null","int"]`, `["null","int","string"]`, true, false},
		{"branch removed", `["null","int","string"]`, `["null","int"]`, false, true},
		{"branches reordered", `["null","int"]`, `["int","null"]`, true, true},
		{"symbol added", enum("A B"), enum("A B C"), true, false},
		{"symbol removed", enum("A B"), enum("A"), false, true},
		{"record renamed", record(a), strings.Replace(record(a), `"R"`, `"S"`, 1), false, false},
		{"fixed size", `{"type":"fixed","name":"F","size":4}`, `{"type":"fixed","name":"F","size":8}`, false, false},
		{"array items widened", `{"type":"array","items":"int"}`, `{"type":"array","items":"long"}`, true, false},
		{"map values changed", `{"type":"map","values":"int"}`, `{"type":"map","values":"string"}`, false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := serve(t)
			for level, want := range map[string]bool{
				"NONE": true, "BACKWARD": c.b, "BACKWARD_TRANSITIVE": c.b, "FORWARD": c.f, "FORWARD_TRANSITIVE": c.f,
				"FULL": c.b && c.f, "FULL_TRANSITIVE": c.b && c.f,
			} {
				call(t, s, "PUT", "/config/"+level, fmt.Sprintf(`{"compatibility":%q}`, level))
				if status, got := call(t, s, "POST", "/subjects/"+level+"/versions", body(c.old)); status != 200 {
					t.Fatal(got)
				}
				status, got := call(t, s, "POST", "/subjects/"+level+"/versions", body(c.new))
				if ok := status == 200; ok != want || !ok && (status != 409 || !strings.Contains(got, level)) {
					t.Errorf("%s: %d %s, want accepted %v", level, status, got, want)
				}
			}
		})
	}
}

// TestTransitive: each version fits the one before, the third does not fit the first.
func TestTransitive(t *testing.T) {
	const a = `{"name":"a","type":"string"}`
	steps := []string{record(a), record(a, `{"name":"n","type":"int","default":1}`), record(a, `{"name":"n","type":"int"}`)}
	for level, want := range map[string]int{"BACKWARD": 200, "BACKWARD_TRANSITIVE": 409, "FULL": 200, "FULL_TRANSITIVE": 409} {
		s := serve(t)
		call(t, s, "PUT", "/config", fmt.Sprintf(`{"compatibility":%q}`, level))
		var status int
		for _, step := range steps {
			status, _ = call(t, s, "POST", "/subjects/s/versions", body(step))
		}
		if status != want {
			t.Errorf("%s: third version %d, want %d", level, status, want)
		}
	}
}

func serve(t *testing.T) *httptest.Server {
	s, _ := open(t, t.TempDir())
	return s
}

func FuzzRegister(f *testing.F) {
	for _, s := range []string{v1, v1Spaced, v2, `["null","int"]`, `{"type":"string","b":2,"a":1}`,
		`{"type":"fixed","name":"a.b.C","size":2,"aliases":["a.b.D"]}`,
		`{"type":"record","name":"A","namespace":"x","fields":[{"name":"n","type":{"type":"enum","name":"y.E","symbols":["S"]},"order":"ascending"},{"name":"m","type":"y.E"},{"name":"o","type":["null","A"]}]}`} {
		f.Add(body(s))
	}
	f.Add(`{"schema":"\"int\"","references":[{"name":"x","subject":"s","version":-1}],"metadata":{},"ruleSet":{}}`)
	r, err := registry.Open(registry.Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	do := func(path, text string) (int, string) {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(text)))
		return w.Code, w.Body.String()
	}
	put := httptest.NewRequest("PUT", "/config", strings.NewReader(`{"compatibility":"NONE"}`))
	r.ServeHTTP(httptest.NewRecorder(), put)
	f.Fuzz(func(t *testing.T, text string) {
		status, got := do("/subjects/s/versions", text)
		if status >= 500 {
			t.Fatalf("register: %d %s", status, got)
		}
		if status != 200 {
			return
		}
		if strings.Contains(text, "-1") {
			return // a reference to the latest version means another one by now
		}
		// What was registered is found, as written and normalized.
		for _, path := range []string{"/subjects/s", "/subjects/s?normalize=true"} {
			if status, again := do(path, text); status != 200 {
				t.Fatalf("%s: %d %s after %s", path, status, again, got)
			}
		}
	})
}

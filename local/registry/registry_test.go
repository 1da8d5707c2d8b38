package registry_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry/rest"

	"mkt/local/registry"
)

const user, password = "mkt", "local-secret"

const (
	v1       = `{"type":"record","name":"Row","namespace":"m","fields":[{"name":"a","type":"string"}]}`
	v1Spaced = ` { "name":"Row" , "namespace":"m", "type":"record", "fields":[ {"type":{"type":"string"},"name":"a"} ] } `
	v2       = `{"type":"record","name":"Row","namespace":"m","fields":[{"name":"a","type":"string"},{"name":"b","type":["null","long"],"default":null}]}`
	v2Broken = `{"type":"record","name":"Row","namespace":"m","fields":[{"name":"a","type":"string"},{"name":"b","type":"long"}]}`
)

func open(t *testing.T, dir string) (*httptest.Server, func()) {
	t.Helper()
	r, err := registry.Open(registry.Config{Dir: dir, User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r)
	closed := false
	stop := func() {
		if !closed {
			closed = true
			s.Close()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func client(t *testing.T, url string) schemaregistry.Client {
	t.Helper()
	c, err := schemaregistry.NewClient(schemaregistry.NewConfigWithBasicAuthentication(url, user, password))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func info(schema string, refs ...schemaregistry.Reference) schemaregistry.SchemaInfo {
	return schemaregistry.SchemaInfo{Schema: schema, SchemaType: "AVRO", References: refs}
}

func code(err error) int {
	if e, ok := errors.AsType[*rest.Error](err); ok {
		return e.Code
	}
	return 0
}

func TestRealClient(t *testing.T) {
	s, _ := open(t, t.TempDir())
	c := client(t, s.URL)
	first, err := c.RegisterFullResponse("t-value", info(v1), false)
	if err != nil || first.ID != 1 || first.Version != 1 {
		t.Fatalf("%+v %v", first, err)
	}
	// The same schema has one id, however written and wherever it stands.
	if id, err := c.Register("other/slash-value", info(v1Spaced), false); err != nil || id != 1 {
		t.Errorf("id %d %v", id, err)
	}
	if id, err := c.Register("t-value", info(v2), false); err != nil || id != 2 {
		t.Errorf("id %d %v", id, err)
	}
	if _, err := c.Register("t-value", info(v2Broken), false); code(err) != 409 || !strings.Contains(err.Error(), "BACKWARD") {
		t.Errorf("incompatible: %v", err)
	}
	if ok, err := c.TestCompatibility("t-value", 1, info(v2Broken)); err != nil || ok {
		t.Errorf("compatible %v %v", ok, err)
	}
	if ok, err := c.TestSubjectCompatibility("t-value", info(v2)); err != nil || !ok {
		t.Errorf("compatible %v %v", ok, err)
	}
	if got, err := c.GetLatestSchemaMetadata("t-value"); err != nil || got.Version != 2 || got.ID != 2 || got.Schema != v2 {
		t.Errorf("latest %+v %v", got, err)
	}
	if got, err := c.GetSchemaMetadata("t-value", 1); err != nil || got.Schema != v1 {
		t.Errorf("version 1 %+v %v", got, err)
	}
	if got, err := client(t, s.URL).GetBySubjectAndID("t-value", 1); err != nil || got.Schema != v1 {
		t.Errorf("by id %+v %v", got, err)
	}
	if got, err := c.GetSubjectsAndVersionsByID(1); err != nil || fmt.Sprint(got) != "[{other/slash-value 1} {t-value 1}]" {
		t.Errorf("uses %v %v", got, err)
	}
	if got, err := c.GetByGUID(first.GUID); err != nil || got.Schema != v1 {
		t.Errorf("by guid %q: %+v %v", first.GUID, got, err)
	}
	if v, err := client(t, s.URL).GetVersion("t-value", info(v1Spaced), false); err != nil || v != 1 {
		t.Errorf("lookup %d %v", v, err)
	}
	if got, err := c.GetAllSubjects(); err != nil || fmt.Sprint(got) != "[other/slash-value t-value]" {
		t.Errorf("subjects %v %v", got, err)
	}
	if l, err := c.GetDefaultCompatibility(); err != nil || l != schemaregistry.Backward {
		t.Errorf("default level %v %v", l, err)
	}
	if _, err := c.GetCompatibility("t-value"); code(err) != 40408 {
		t.Errorf("no own level: %v", err)
	}
	if _, err := c.UpdateCompatibility("t-value", schemaregistry.None); err != nil {
		t.Error(err)
	}
	if got, err := c.GetConfig("t-value", true); err != nil || got.CompatibilityLevel != schemaregistry.None {
		t.Errorf("config %+v %v", got, err)
	}
	if id, err := c.Register("t-value", info(v2Broken), false); err != nil || id != 3 {
		t.Errorf("under NONE: %d %v", id, err)
	}
	if vs, err := c.DeleteSubject("t-value", false); err != nil || fmt.Sprint(vs) != "[1 2 3]" {
		t.Errorf("soft delete %v %v", vs, err)
	}
	if _, err := c.GetAllVersions("t-value"); code(err) != 40401 {
		t.Errorf("after soft delete: %v", err)
	}
	if vs, err := c.DeleteSubject("t-value", true); err != nil || fmt.Sprint(vs) != "[1 2 3]" {
		t.Errorf("hard delete %v %v", vs, err)
	}
}

func TestReferences(t *testing.T) {
	s, _ := open(t, t.TempDir())
	c := client(t, s.URL)
	if _, err := c.Register("row", info(v1), false); err != nil {
		t.Fatal(err)
	}
	list := `{"type":"record","name":"List","namespace":"m","fields":[{"name":"rows","type":{"type":"array","items":"m.Row"}}]}`
	if _, err := c.Register("list", info(list), false); code(err) != 42201 {
		t.Errorf("without its reference: %v", err)
	}
	if _, err := c.Register("list", info(list, schemaregistry.Reference{Name: "m.Row", Subject: "row", Version: 7}), false); code(err) != 42201 {
		t.Errorf("with a reference to nothing: %v", err)
	}
	ref := schemaregistry.Reference{Name: "m.Row", Subject: "row", Version: 1}
	if _, err := c.Register("list", info(list, ref), false); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetLatestSchemaMetadata("list")
	if err != nil || len(got.References) != 1 || got.References[0] != ref || strings.Contains(got.Schema, "m.Row") {
		t.Errorf("latest %+v %v", got, err)
	}
	if _, err := c.DeleteSubject("row", false); code(err) != 42206 {
		t.Errorf("delete of a referenced subject: %v", err)
	}
	if status, body := call(t, s, "GET", "/subjects/row/versions/1/referencedby", ""); status != 200 || body != "[2]" {
		t.Errorf("referenced by %d %s", status, body)
	}
}

// call sends a request with the password and returns status and body.
func call(t *testing.T, s *httptest.Server, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/vnd.schemaregistry.v1+json" {
		t.Errorf("%s %s: Content-Type %q", method, path, ct)
	}
	return resp.StatusCode, string(text)
}

// body writes a registration of a schema.
func body(schema string) string { return fmt.Sprintf(`{"schema":%q}`, schema) }

func TestStatusCodes(t *testing.T) {
	s, _ := open(t, t.TempDir())
	for i, c := range []struct {
		method, path, body string
		status             int
		want               string // in the answer
	}{
		{"GET", "/", "", 200, "{}"},
		{"GET", "/nowhere", "", 404, `"error_code":404`},
		{"GET", "/schemas/types", "", 200, `["AVRO"]`},
		{"GET", "/contexts", "", 200, `["."]`},
		{"GET", "/subjects", "", 200, "[]"},
		{"GET", "/subjects/s/versions", "", 404, `40401`},
		{"POST", "/subjects/s", body(v1), 404, "40401"},
		{"POST", "/subjects/s/versions", `{`, 400, "Malformed JSON"},
		{"POST", "/subjects/s/versions", `{"shema":"x"}`, 422, "Unrecognized field"},
		{"POST", "/subjects/s/versions", `{"schema":""}`, 422, "42201"},
		{"POST", "/subjects/s/versions", body(`{"type":"recrd"}`), 422, "42201"},
		{"POST", "/subjects/s/versions", `{"schema":"{}","schemaType":"PROTOBUF"}`, 422, "PROTOBUF"},
		{"POST", "/subjects/s/versions", `{"schema":"{}","schemaType":"JSON"}`, 422, "JSON"},
		{"POST", "/subjects/:.ctx:s/versions", body(v1), 422, "42208"},
		{"POST", "/subjects/s/versions", body(v1)[:20] + strings.Repeat("x", 2<<20) + `"}`, 422, "42209"},
		{"POST", "/subjects/s/versions", body(v1), 200, `"id":1`},
		{"POST", "/subjects/s/versions", body(v1Spaced), 200, `"version":1`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\"","id":9}`, 422, "42205"},
		{"POST", "/subjects/s", body(v1Spaced), 200, `"version":1`},
		{"POST", "/subjects/s", body(v2), 404, "40403"},
		{"GET", "/schemas/ids/1", "", 200, `"schema":`},
		{"GET", "/schemas/ids/1/schema", "", 200, v1},
		{"GET", "/schemas/ids/1/subjects", "", 200, `["s"]`},
		{"GET", "/schemas/ids/1/versions", "", 200, `[{"subject":"s","version":1}]`},
		{"GET", "/schemas/ids/2", "", 404, "40403"},
		{"GET", "/subjects/s/versions/latest", "", 200, `"version":1`},
		{"GET", "/subjects/s/versions/-1", "", 200, `"version":1`},
		{"GET", "/subjects/s/versions/1/schema", "", 200, v1},
		{"GET", "/subjects/s/versions/2", "", 404, "40402"},
		{"GET", "/subjects/s/versions/two", "", 422, "42202"},
		{"POST", "/compatibility/subjects/s/versions/latest?verbose=true", body(v2Broken), 200, `READER_FIELD_MISSING_DEFAULT_VALUE`},
		{"POST", "/compatibility/subjects/s/versions/3", body(v2), 404, "40402"},
		{"POST", "/compatibility/subjects/s/versions", body(v2), 200, `{"is_compatible":true}`},
		{"PUT", "/config/s", `{"compatibility":"SIDEWAYS"}`, 422, "42203"},
		{"PUT", "/config/s", `{"alias":"t"}`, 422, "alias"},
		{"PUT", "/config/s", `{}`, 422, "42203"},
		{"GET", "/config/s", "", 404, "40408"},
		{"GET", "/config/s?defaultToGlobal=true", "", 200, `"compatibilityLevel":"BACKWARD"`},
		{"PUT", "/config/s", `{"compatibility":"full_transitive"}`, 200, `{"compatibility":"FULL_TRANSITIVE"}`},
		{"GET", "/config/s", "", 200, `{"compatibilityLevel":"FULL_TRANSITIVE"}`},
		{"DELETE", "/config/s", "", 200, "FULL_TRANSITIVE"},
		{"DELETE", "/config/s", "", 404, "40408"},
		{"DELETE", "/config", "", 200, "BACKWARD"},
		{"GET", "/mode", "", 200, `{"mode":"READWRITE"}`},
		{"DELETE", "/mode", "", 200, "READWRITE"},
		{"DELETE", "/mode/s", "", 404, "40409"},
		{"GET", "/mode/s", "", 404, "40409"},
		{"PUT", "/mode/s", `{"mode":"SOMETIMES"}`, 422, "42204"},
		{"PUT", "/mode/s", `{"mode":"IMPORT"}`, 422, "42205"},
		{"PUT", "/mode/s", `{"mode":"READONLY"}`, 200, "READONLY"},
		{"POST", "/subjects/s/versions", body(v2), 422, "42205"},
		{"DELETE", "/subjects/s", "", 422, "42205"},
		{"DELETE", "/mode/s", "", 200, "READONLY"},
		{"DELETE", "/subjects/s?permanent=true", "", 404, "40405"},
		{"DELETE", "/subjects/s/versions/1?permanent=true", "", 404, "40407"},
		{"DELETE", "/subjects/s/versions/1", "", 200, "1"},
		{"DELETE", "/subjects/s/versions/1", "", 404, "40406"},
		{"DELETE", "/subjects/s", "", 404, "40404"},
		{"GET", "/subjects", "", 200, "[]"},
		{"GET", "/subjects?deleted=true", "", 200, `["s"]`},
		{"GET", "/subjects?deletedOnly=true", "", 200, `["s"]`},
		{"GET", "/subjects?deleted=true&subjectPrefix=t", "", 200, `[]`},
		{"GET", "/subjects/s/versions/1?deleted=true", "", 200, `"version":1`},
		{"POST", "/subjects/s/versions", body(v1), 200, `"version":2,"id":1`},
		{"GET", "/subjects?deletedOnly=true", "", 200, `[]`},
		{"GET", "/schemas?deleted=true&latestOnly=true&subjectPrefix=s", "", 200, `[{"subject":"s","version":2,`},
		{"GET", "/schemas?subjectPrefix=t", "", 200, `[]`},
		{"DELETE", "/subjects/s/versions/1?permanent=true", "", 200, "1"},
		{"DELETE", "/subjects/s", "", 200, "[2]"},
		{"DELETE", "/subjects/s?permanent=true", "", 200, "[2]"},
		{"DELETE", "/subjects/s", "", 404, "40401"},
	} {
		status, got := call(t, s, c.method, c.path, c.body)
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%d: %s %s %.60s: %d %s, want %d with %q", i, c.method, c.path, c.body, status, got, c.status, c.want)
		}
	}
	resp, err := http.Get(s.URL + "/subjects")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("without a password: %d", resp.StatusCode)
	}
}

func TestNormalizeAndMetadata(t *testing.T) {
	s, _ := open(t, t.TempDir())
	ab, ba := `{"type":"string","a":1,"b":2}`, `{"type":"string","b":2,"a":1}`
	if status, got := call(t, s, "POST", "/subjects/s/versions", body(ab)); status != 200 {
		t.Fatal(got)
	}
	if status, _ := call(t, s, "POST", "/subjects/s", body(ba)); status != 404 {
		t.Errorf("as written: %d, want 404", status)
	}
	if status, got := call(t, s, "POST", "/subjects/s?normalize=true", body(ba)); status != 200 {
		t.Errorf("normalized: %s", got)
	}
	if status, _ := call(t, s, "PUT", "/config/s", `{"normalize":true}`); status != 200 {
		t.Error(status)
	}
	if status, got := call(t, s, "POST", "/subjects/s", body(ba)); status != 200 {
		t.Errorf("by configuration: %s", got)
	}
	call(t, s, "POST", "/subjects/m/versions", `{"schema":"\"int\"","metadata":{"properties":{"owner":"x"}},"ruleSet":{"domainRules":[]}}`)
	status, got := call(t, s, "POST", "/subjects/m/versions", `{"schema":"\"int\"","metadata":{"properties":{"owner":"y"}}}`)
	if status != 200 || !strings.Contains(got, `"version":2`) {
		t.Errorf("metadata makes no difference: %s", got)
	}
	if _, got := call(t, s, "GET", "/subjects/m/metadata?key=owner&value=x", ""); !strings.Contains(got, `"version":1`) || !strings.Contains(got, `"ruleSet":{"domainRules":[]}`) {
		t.Errorf("by metadata: %s", got)
	}
}

func TestJournal(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, dir)
	if _, err := registry.Open(registry.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second owner: %v", err)
	}
	call(t, s, "POST", "/subjects/s/versions", body(v1))
	call(t, s, "POST", "/subjects/s/versions", body(v2))
	call(t, s, "POST", "/subjects/x/versions", body(`"int"`))
	call(t, s, "DELETE", "/subjects/x", "")
	call(t, s, "DELETE", "/subjects/x?permanent=true", "")
	call(t, s, "PUT", "/config", `{"compatibility":"FULL"}`)
	call(t, s, "PUT", "/mode/s", `{"mode":"READONLY"}`)
	_, before := call(t, s, "GET", "/schemas?deleted=true", "")
	path := filepath.Join(dir, "journal.jsonl")
	// What is acknowledged is in the file before anything is closed.
	if text, err := os.ReadFile(path); err != nil || strings.Count(string(text), "\n") != 7 {
		t.Errorf("journal: %s %v", text, err)
	}
	stop()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"schema":{"id":4,"text":"\"lo`); err != nil { // killed while writing
		t.Fatal(err)
	}
	f.Close()
	s, stop = open(t, dir)
	if _, after := call(t, s, "GET", "/schemas?deleted=true", ""); after != before {
		t.Errorf("came back as %s, was %s", after, before)
	}
	if _, got := call(t, s, "GET", "/config/s?defaultToGlobal=true", ""); !strings.Contains(got, "FULL") {
		t.Errorf("config %s", got)
	}
	if _, got := call(t, s, "GET", "/mode/s", ""); !strings.Contains(got, "READONLY") {
		t.Errorf("mode %s", got)
	}
	// An id is never given twice, not even that of a deleted schema.
	if _, got := call(t, s, "POST", "/subjects/y/versions", body(`"long"`)); !strings.Contains(got, `"id":4`) {
		t.Errorf("new id in %s", got)
	}
	stop()
	if err := os.WriteFile(path, []byte("nonsense\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(registry.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "journal.jsonl:1") {
		t.Errorf("damaged journal: %v", err)
	}
}

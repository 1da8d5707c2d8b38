package registry

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Any request is answered, and the registry is never at fault.
func FuzzHTTP(f *testing.F) {
	f.Add("POST", "/compatibility/subjects/s/versions/latest", `{"schema":"\"int\""}`)
	f.Add("PUT", "/config/s", `{"compatibility":"FULL","normalize":true}`)
	f.Add("PUT", "/mode", `{"mode":"READONLY"}`)
	f.Add("GET", "/schemas/ids/99999999999999999999", "")
	f.Add("DELETE", "/subjects/%2f/versions/-1?permanent=true", "[")
	r, err := Open(Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = r.Close() })
	f.Fuzz(func(t *testing.T, method, path, body string) {
		req, err := http.NewRequest(method, "http://registry"+path, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			t.Skip()
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	})
}

// A journal that is damaged is refused, and one that is taken is taken again.
func FuzzJournal(f *testing.F) {
	f.Add([]byte("{\"subject\":{\"subject\":\"s\",\"version\":1,\"id\":1}}\n"))
	f.Add([]byte("{\"mode\":{\"subject\":\"\",\"value\":\"READONLY\"}}\n{\"config\":{\"subject\":\"s\",\"value\":null}}\n"))
	f.Add([]byte("{}\nnull\n[1]\n"))
	f.Fuzz(func(t *testing.T, journal []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openStore(dir)
		if err != nil {
			return
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		if s, err = openStore(dir); err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		_ = s.close()
	})
}

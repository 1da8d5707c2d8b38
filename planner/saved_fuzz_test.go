package planner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is no plan is refused; what is taken has this version.
func FuzzLoadSaved(f *testing.F) {
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":99,"changes":[]}`))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "plan")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := LoadSaved(path)
		if err == nil && s.Version != SavedVersion || err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

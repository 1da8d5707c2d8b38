package source

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A file of lines that are no objects gives rows and errors, never more rows than lines.
func FuzzNDJSON(f *testing.F) {
	f.Add([]byte("{\"a\":1,\"b\":\"x\"}\n{\"b\":null,\"a\":2.5}\n"))
	f.Add([]byte("{\"a\":{\"b\":[1]}}\n[1]\n\n{"))
	f.Add([]byte("\xff\xfe{\"a\":\"\\ud800\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "x.ndjson")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(Config{Paths: []string{name}, Format: NDJSON, Limit: 10_000})
		if err != nil {
			return
		}
		defer r.Close()
		lines := 1
		for _, b := range data {
			if b == '\n' {
				lines++
			}
		}
		for rows := 0; ; rows++ {
			_, err := r.Next()
			if errors.Is(err, io.EOF) || err != nil {
				return
			}
			if rows > lines {
				t.Fatalf("more than %d rows", lines)
			}
		}
	})
}

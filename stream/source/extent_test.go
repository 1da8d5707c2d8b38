package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExtent(t *testing.T) {
	dir := t.TempDir()
	text := "a,b\n" + strings.Repeat("1,2\n", 200_000)
	for i := range 2 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.csv", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []uint64{0, 100_000} {
		r, err := Open(Config{Paths: []string{filepath.Join(dir, "*.csv")}, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		e := r.Extent()
		if part := e.Part(); part != 0 {
			t.Errorf("before the first row: %v", part)
		}
		all := 400_000.0
		if limit > 0 {
			all = float64(limit)
		}
		for n := 0; ; n++ {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			// What is read ahead is a block of the file.
			if part, want := e.Part(), float64(row.Number)/all; part < want-0.01 || part > want+0.25 || part > 1 {
				t.Fatalf("limit %d: after %d rows %v was read", limit, row.Number, part)
			}
		}
	}
	r, err := Open(Config{Paths: []string{Stdin}, Stdin: strings.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	if e := r.Extent(); e != nil || e.Part() != 0 {
		t.Errorf("standard input has an extent: %+v", e)
	}
}

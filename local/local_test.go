package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if path, err := Program(); err == nil || !strings.Contains(err.Error(), program) || !strings.Contains(err.Error(), "make build") {
		t.Fatalf("without the program: %q, %v", path, err)
	}
	want := filepath.Join(dir, program)
	if err := os.WriteFile(want, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if path, err := Program(); err != nil || path != want {
		t.Fatalf("in PATH: %q, %v; want %q", path, err, want)
	}
}

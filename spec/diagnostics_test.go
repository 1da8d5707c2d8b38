package spec

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each archive under testdata/diagnostics is a stack and what mkt says about it. Lines "var name=value", "env name=value"
// and "file name" in its comment set options. A stack in order gives an empty golden.
func TestDiagnostics(t *testing.T) {
	archives, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			want, golden := "", -1
			for i, f := range archive.Files {
				if f.Name == "want" {
					want, golden = string(f.Data), i
					continue
				}
				write(t, filepath.Join(dir, f.Name), string(f.Data))
			}
			opts := testOptions()
			opts.Vars = map[string]string{}
			env := map[string]string{}
			opts.Getenv = func(name string) string { return env[name] }
			for _, line := range strings.Split(string(archive.Comment), "\n") {
				verb, rest, _ := strings.Cut(line, " ")
				name, value, _ := strings.Cut(rest, "=")
				switch verb {
				case "var":
					opts.Vars[name] = value
				case "env":
					env[name] = value
				case "varfile":
					opts.VarFiles = append(opts.VarFiles, filepath.Join(dir, rest))
				}
			}
			s, diags := Load(dir, opts)
			if !diags.HasErrors() {
				diags = append(diags, s.Validate()...)
			}
			got := render(s, diags, dir)
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			if got == want {
				return
			}
			if !*update {
				t.Fatalf("got:\n%s\nwant:\n%s", got, want)
			}
			if golden < 0 {
				archive.Files = append(archive.Files, txtar.File{Name: "want"})
				golden = len(archive.Files) - 1
			}
			archive.Files[golden].Data = []byte(got)
			if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

package check_test

import (
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/tools/txtar"

	"mkt/check"
	"mkt/providers/azure"
	"mkt/providers/kafka"
	"mkt/providers/snowflake"
	"mkt/spec"
	"mkt/stream/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// write copies the shipped example into a directory, the first rows of its source only.
func write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	copyTo := func(name string, change func(string) string) {
		put(t, filepath.Join(dir, name), change(read(t, filepath.Join("../examples", name))))
	}
	same := func(s string) string { return s }
	copyTo("stack.hcl", same)
	copyTo("data/market_data.avsc", same)
	copyTo("data/sp500.csv", func(s string) string { return strings.Join(strings.SplitAfterN(s, "\n", 21)[:20], "") })
	return dir
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, dir string) *spec.Stack {
	t.Helper()
	s, diags := spec.Load(filepath.Join(dir, "stack.hcl"), spec.Options{
		Kinds: slices.Concat(kafka.Kinds(), azure.Kinds(), snowflake.Kinds()), App: spec.AppKinds(),
		Providers: []*spec.Kind{kafka.Config, azure.Config, snowflake.Config},
	})
	if !diags.HasErrors() {
		diags = s.Validate()
	}
	if diags.HasErrors() {
		t.Fatal(render(s, diags, dir))
	}
	return s
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func render(s *spec.Stack, diags hcl.Diagnostics, dir string) string {
	var b strings.Builder
	if err := hcl.NewDiagnosticTextWriter(&b, s.Files, 0, false).WriteDiagnostics(diags); err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(b.String(), dir+"/", "")
}

// readSource is what mkt does with a source, for plain CSV files.
func readSource(dir string) func(check.SourceConfig) ([]check.SourceFile, error) {
	return func(c check.SourceConfig) (files []check.SourceFile, err error) {
		if !filepath.IsAbs(c.Path) {
			c.Path = filepath.Join(dir, c.Path)
		}
		names, err := filepath.Glob(c.Path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			r := csv.NewReader(f)
			r.Comma = rune(c.Delimiter)
			rows, err := r.ReadAll()
			if err != nil {
				return nil, err
			}
			files = append(files, check.SourceFile{Name: name, Header: rows[0], Rows: rows[1:]})
		}
		return files, nil
	}
}

// property is what mkt says of a client's property.
func property(kind, name, value string) error {
	if kind == "producer" {
		return engine.CheckSender(name, value)
	}
	return engine.CheckReceiver(name, value)
}

// edit changes the stack by blocks of <<<<, ====, >>>> lines: what stands above ==== is replaced by what is below. An
// edit without anything above adds to the end.
func edit(t *testing.T, text, edits string) string {
	t.Helper()
	for i, block := range strings.Split(edits, "<<<<\n") {
		if i == 0 {
			continue
		}
		block, _, _ = strings.Cut(block, ">>>>")
		old, with, ok := strings.Cut(block, "====\n")
		old = strings.TrimSuffix(old, "\n")
		with = strings.TrimSuffix(with, "\n")
		switch {
		case !ok || old != "" && strings.Count(text, old) != 1:
			t.Fatalf("the edit's text is %d times in the stack:\n%s", strings.Count(text, old), old)
		case old == "":
			text += "\n" + with + "\n"
		default:
			text = strings.Replace(text, old, with, 1)
		}
	}
	return text
}

func TestShippedExample(t *testing.T) {
	dir := write(t)
	s := load(t, dir)
	for name, scope := range map[string]*spec.Scope{"without systems": nil, "as planned": planned(t, s)} {
		if diags := check.Run(check.Input{Stack: s, Scope: scope, Source: readSource(dir)}); len(diags) > 0 {
			t.Errorf("%s:\n%s", name, render(s, diags, dir))
		}
	}
}

// planned is a scope in which the servers have given the names they compute.
func planned(t testing.TB, s *spec.Stack) *spec.Scope {
	t.Helper()
	scope := s.NewScope()
	for _, b := range s.Order() {
		instances, diags := scope.Instances(b)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, inst := range instances {
			scope.Set(inst.Addr, completed(inst.Value))
		}
	}
	return scope
}

// Each archive under testdata is named after a rule. A file "fires…" is an edit of the shipped example under which the
// rule speaks; "want…" is what mkt then says. Under an edit "silent…" the rule says nothing. facts.json holds Facts,
// other files join the stack.
func TestRules(t *testing.T) {
	tested := map[string]bool{}
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range archives {
		id := strings.TrimSuffix(filepath.Base(path), ".txtar")
		tested[id] = true
		t.Run(id, func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fires, silent := 0, 0
			wants := map[string]string{}
			for _, f := range archive.Files {
				wants[f.Name] = string(f.Data)
			}
			for _, f := range slices.Clone(archive.Files) {
				suffix, fire := strings.CutPrefix(f.Name, "fires")
				_, still := strings.CutPrefix(f.Name, "silent")
				if !fire && !still {
					continue
				}
				got, found := runCase(t, archive, f)
				switch {
				case still && found[id] > 0:
					t.Errorf("%s: the rule speaks:\n%s", f.Name, got)
				case still:
					silent++
				case found[id] == 0:
					t.Errorf("%s: the rule does not speak:\n%s", f.Name, got)
				default:
					fires++
					golden(t, archive, "want"+suffix, got)
				}
			}
			if fires == 0 || silent == 0 {
				t.Errorf("%d cases fire and %d are silent: at least one of each is needed", fires, silent)
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	for _, r := range check.Rules() {
		if !tested[r.ID] {
			t.Errorf("the rule %s has no test", r.ID)
		}
		if r.Summary == "" || r.Doc == "" || r.Severity != hcl.DiagError && r.Severity != hcl.DiagWarning {
			t.Errorf("the rule %s is not fully described", r.ID)
		}
	}
}

// prepare writes the edited example of a case, and returns what its checks depend on.
func prepare(t *testing.T, archive *txtar.Archive, f txtar.File) (dir string, in check.Input) {
	t.Helper()
	dir = write(t)
	path := filepath.Join(dir, "stack.hcl")
	put(t, path, edit(t, read(t, path), string(f.Data)))
	for _, other := range archive.Files {
		switch name, own, split := strings.Cut(other.Name, "@"); {
		case split && own != f.Name, name == "facts.json":
		case !strings.HasPrefix(name, "fires") && !strings.HasPrefix(name, "silent") && !strings.HasPrefix(name, "want"):
			put(t, filepath.Join(dir, name), string(other.Data))
		}
	}
	return dir, again(t, archive, f, dir)
}

// again loads the example of a case as it is in dir.
func again(t *testing.T, archive *txtar.Archive, f txtar.File, dir string) check.Input {
	t.Helper()
	in := check.Input{Source: readSource(dir), Property: property}
	for _, other := range archive.Files {
		if name, own, split := strings.Cut(other.Name, "@"); name == "facts.json" && (!split || own == f.Name) {
			if err := json.Unmarshal(other.Data, &in.Facts); err != nil {
				t.Fatal(err)
			}
		}
	}
	in.Stack = load(t, dir)
	if strings.HasSuffix(f.Name, "-planned") {
		in.Scope = planned(t, in.Stack)
	}
	return in
}

// runCase checks the edited example; found counts the diagnostics by rule.
func runCase(t *testing.T, archive *txtar.Archive, f txtar.File) (got string, found map[string]int) {
	t.Helper()
	dir, in := prepare(t, archive, f)
	diags := check.Run(in)
	found = map[string]int{}
	for _, d := range diags {
		if related, ok := d.Extra.(check.Related); ok {
			found[related.Check]++
		}
		if d.Subject == nil || d.Subject.Filename == "" {
			t.Errorf("%s: a diagnostic without a place: %s", f.Name, d.Summary)
		}
	}
	return render(in.Stack, diags, dir), found
}

// golden compares with a file of the archive, or with -update writes it.
func golden(t *testing.T, archive *txtar.Archive, name, got string) {
	t.Helper()
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
	switch {
	case *update && i < 0:
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got)})
	case *update:
		archive.Files[i].Data = []byte(got)
	case i < 0:
		t.Errorf("%s is missing; got:\n%s", name, got)
	case string(archive.Files[i].Data) != got:
		t.Errorf("%s: got:\n%s\nwant:\n%s", name, got, archive.Files[i].Data)
	}
}

package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testsOf lists the tests that stand in a package's folder.
func testsOf(t *testing.T, pkg string) []string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", pkg)
	packages, err := parser.ParseDir(token.NewFileSet(), dir, func(f fs.FileInfo) bool { return strings.HasSuffix(f.Name(), "_test.go") }, parser.SkipObjectResolution) //nolint:staticcheck // build tags do not matter here
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range packages {
		for _, f := range p.Files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
					names = append(names, fn.Name.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

// The page has a row for each suite of the table, in its order, with the tests that the suite runs, and no other row: who adds a suite or
// a test to one has to run `make test-real`.
func TestPageIsOfTheTable(t *testing.T) {
	file, err := os.ReadFile(filepath.Join("..", "..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	table, exceptions := rows(text, "## What passes where"), rows(text, "## What a server cannot pass")
	if want := pageOf(table, exceptions); text != want {
		t.Errorf("%s has\n%s\nwant\n%s", page, text, want)
	}
	var got, want [][2]string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		got = append(got, [2]string{strings.TrimPrefix(cells[0], "| "), cells[1]})
	}
	for _, s := range suites {
		run := matching(t, s.pkg, s.run)
		for i, name := range run {
			run[i] = strings.TrimPrefix(name, "Test")
		}
		want = append(want, [2]string{s.title, strings.Join(run, ", ")})
		for _, name := range matching(t, s.pkg, cmp.Or(s.one, s.run)) {
			if !slices.Contains(run, strings.TrimPrefix(name, "Test")) {
				t.Errorf("%s: %s runs on one broker alone", s.title, name)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has\n%q\nand the table\n%q", page, got, want)
	}
}

// rows are those of the table below a heading.
func rows(text, heading string) string {
	_, text, _ = strings.Cut(text, heading+"\n\n")
	text, _, _ = strings.Cut(text, "\n\n")
	lines := strings.SplitAfterN(text+"\n", "\n", 3)
	return lines[len(lines)-1]
}

// matching are the tests of a package that -test.run runs; there must be some.
func matching(t *testing.T, pkg, run string) (names []string) {
	t.Helper()
	for _, name := range testsOf(t, pkg) {
		if regexp.MustCompile(run).MatchString(name) {
			names = append(names, name)
		}
	}
	if names == nil {
		t.Errorf("no test of %s is called %s", pkg, run)
	}
	return names
}

// Every kind of resource passes its suite on a real server, or it is said why not.
func TestEveryKindIsInTheTable(t *testing.T) {
	in := map[string]bool{}
	for _, s := range suites {
		for _, name := range matching(t, s.pkg, s.run) {
			in[s.pkg+" "+name] = true
		}
	}
	for _, s := range alone {
		for _, name := range matching(t, s.pkg, s.run) {
			in[s.pkg+" "+name] = true
		}
	}
	for _, pkg := range []string{"./providers/kafka", "./providers/azure", "./providers/snowflake"} {
		for _, name := range matching(t, pkg, "Conforms$") {
			if !in[pkg+" "+name] {
				t.Errorf("%s of %s is in no suite, and nothing says why it has no real server", name, pkg)
			}
		}
	}
}

// The reason of a skip is what that test logged, whatever others log beside it.
func TestReasonOfASkip(t *testing.T) {
	results, _, err := collect(strings.NewReader(`{"Action":"output","Test":"TestA","Output":"    a_test.go:7: it cannot\n"}
{"Action":"output","Test":"TestB","Output":"    b_test.go:8: it goes on\n"}
{"Action":"output","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Test":"TestA"}
`))
	if want := (outcome{"skip", "it cannot"}); err != nil || results["TestA"] != want {
		t.Errorf("got %v, %v, want %v", results["TestA"], err, want)
	}
}

package stream

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// faults are what the stream must survive, as the fault matrix of
// docs/explanation/exactly-once.md names them.
var faults = []string{
	"kill -9 before and after the produce acknowledgement", "kill -9 before and after the commit", "kill -9 mid-upload", "kill -9 after upload",
	"broker restart", "rebalance", "zombie writer",
	"blob 503", "blob timeout", "blob lost answer", "blob partial block list",
	"duplicated events", "late events", "reordered events", "lost events",
	"disk full", "poison rows", "schema change mid-stream", "SAS or credential expiring",
	"Kafka token expiring", "Kafka token not renewed", "Ctrl-C once and twice", "followed file rotated, compressed or replaced", "followed file cut in place",
	"topic re-created", "offset out of range", "blob removed before the commit", "file of a replay removed after it was loaded",
}

// Each fault has a row in the matrix, and each test that a row names exists.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/explanation/exactly-once.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## The fault matrix\n")
	if !found {
		t.Fatal("there is no section \"The fault matrix\"")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	tests := testNames(t)
	var rows []string
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[1]) == "Fault" {
			continue
		}
		fault := strings.TrimSpace(cells[1])
		rows = append(rows, fault)
		names := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			t.Errorf("%s: no test", fault)
		}
		for _, n := range names {
			if !tests[n[1]] {
				t.Errorf("%s: there is no %s", fault, n[1])
			}
		}
	}
	if !slices.Equal(rows, faults) {
		t.Errorf("the rows are\n%s\nand not\n%s", strings.Join(rows, "\n"), strings.Join(faults, "\n"))
	}
}

// testNames are the tests of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, dir := range []string{".", "../audit", "../local", "../cmd"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(text, -1) {
				out[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

package catalogue

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// named is a test or fuzz target that the page names with its package.
var named = regexp.MustCompile("`([a-z][a-z/]*) ((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// The page of threats names no test that is not there.
func TestThreatModel(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "explanation", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := named.FindAllSubmatch(text, -1)
	if len(found) < 40 {
		t.Errorf("only %d tests are named", len(found))
	}
	for _, m := range found {
		pkg, name := string(m[1]), string(m[2])
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pkg), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		there := false
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			there = there || regexp.MustCompile(`(?m)^func `+name+`\(`).Match(source)
		}
		if !there {
			t.Errorf("%s has no %s", pkg, name)
		}
	}
}

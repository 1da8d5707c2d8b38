package snowflake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// What the tests of this package make the provider send, by the shape of the statement: every shape is in
// testdata/sent.sql, which an independent grammar of Snowflake parses (.ci/clients/grammar.py). A statement of a new shape
// fails the tests until it is listed there.
var sent struct {
	sync.Mutex
	shapes map[string]bool
}

func init() {
	sent.shapes = map[string]bool{}
	observe = func(text string) {
		s := shape(text)
		sent.Lock()
		defer sent.Unlock()
		sent.shapes[s] = true
	}
}

var (
	reString    = regexp.MustCompile(`'(?:[^'\\]|''|\\.)*'`)
	reKeyword   = regexp.MustCompile(`(ENCRYPTION = \(TYPE =) '([A-Z_]+)'`)
	reQuoted    = regexp.MustCompile(`%([A-Z_]+)%`)
	reName      = regexp.MustCompile(`"(?:[^"]|"")*"`)
	reNumber    = regexp.MustCompile(`\b\d+\b`)
	reDotted    = regexp.MustCompile(`"N"(?:\."N")*`)
	reColumns   = regexp.MustCompile(`(?s)(CREATE (?:TRANSIENT )?TABLE "N") \(\n.*?\n\)`)
	reText      = regexp.MustCompile(`(?s)^(CREATE (?:OR REPLACE )?(?:SECURE )?VIEW .*?) AS\n.*`)
	reRuns      = regexp.MustCompile(`(?s)^((?:CREATE|ALTER) (?:DYNAMIC TABLE|TASK) .*?) AS\n.*`)
	reCluster   = regexp.MustCompile(`(CLUSTER BY) \(.*?\)+( |$)`)
	reType      = regexp.MustCompile(`(COLUMN "N" SET DATA TYPE|ADD COLUMN "N") [A-Z_]+(?:\([0, ]*\))?`)
	reDefault   = regexp.MustCompile(`DEFAULT (?:'S'|0|[A-Z_]+(?:\(\))?)`)
	reFolder    = regexp.MustCompile(`@"N"/[^ ]*`)
	rePrivilege = regexp.MustCompile(`^(GRANT|REVOKE|REVOKE GRANT OPTION FOR) [A-Z_ ,]+? ON (ACCOUNT )?`)
	reRepeat    = regexp.MustCompile(`('S')(?:, 'S')+`)
)

// shape is a statement with all names, texts and numbers alike, and without what users write.
func shape(text string) string {
	s := reKeyword.ReplaceAllString(text, "$1 %$2%") // a word that is written as a text
	s = reName.ReplaceAllString(reString.ReplaceAllString(s, "'S'"), `"N"`)
	s = reQuoted.ReplaceAllString(s, "'$1'")
	s = reDotted.ReplaceAllString(reNumber.ReplaceAllString(s, "0"), `"N"`)
	s = reColumns.ReplaceAllString(s, `$1 ("N" FLOAT)`)
	s = reText.ReplaceAllString(s, "$1 AS SELECT 0")
	s = reRuns.ReplaceAllString(s, "$1 AS SELECT 0")
	s = reCluster.ReplaceAllString(s, `$1 ("N")$2`)
	s = reType.ReplaceAllString(s, "$1 FLOAT")
	s = reDefault.ReplaceAllString(s, "DEFAULT 0")
	s = reFolder.ReplaceAllString(s, `@"N"/path/`)
	s = rePrivilege.ReplaceAllString(s, "$1 MONITOR ON $2")
	s = reRepeat.ReplaceAllString(s, "$1")
	return strings.Join(strings.Fields(s), " ")
}

// CompareSent holds what was sent against testdata/sent.sql; with -update the file gets what it lacks.
func CompareSent() error {
	path := filepath.Join("testdata", "sent.sql")
	data, err := os.ReadFile(path)
	if err != nil && !(*update && errors.Is(err, os.ErrNotExist)) {
		return err
	}
	var listed []string
	for line := range strings.Lines(string(data)) {
		listed = append(listed, strings.TrimSuffix(strings.TrimSpace(line), ";"))
	}
	sent.Lock()
	defer sent.Unlock()
	var lacking []string
	for s := range sent.shapes {
		if !slices.Contains(listed, s) {
			lacking = append(lacking, s)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	slices.Sort(lacking)
	if !*update {
		return fmt.Errorf("the provider sends what %s does not list (go test -update adds it; `make test-clients` parses it):\n%s", path, strings.Join(lacking, "\n"))
	}
	listed = append(listed, lacking...)
	slices.Sort(listed)
	return os.WriteFile(path, []byte(strings.Join(listed, ";\n")+";\n"), 0o644)
}

package catalogue

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mkt/providers/snowflake"
)

// systems are the headings of docs/how-to/credentials.md whose tables list ways to sign in, and the packages that prove them.
var systems = map[string]string{"Kafka": "kafka", "Schema registry": "kafka", "Azure": "azure", "Snowflake": "snowflake"}

// proof is a test of a table: the function, the way, and the outcome.
var proof = regexp.MustCompile("^`(Test[A-Za-z]+)/([^/`]+)/(accepted|refused)`$")

// Each way to sign in has a test that succeeds and one that is refused: providertest.SignIn runs both, and fails where the page
// does not list them. Here the page may list nothing that is not there.
func TestEveryCredential(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "how-to", "credentials.md"))
	if err != nil {
		t.Fatal(err)
	}
	heading, rows := "", map[string]int{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			heading = name
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 4 || strings.TrimSpace(cells[0]) == "way" {
			continue
		}
		rows[heading]++
		accepted, refused := proof.FindStringSubmatch(strings.TrimSpace(cells[2])), proof.FindStringSubmatch(strings.TrimSpace(cells[3]))
		if accepted == nil || refused == nil || accepted[1] != refused[1] || accepted[2] != refused[2] || accepted[3] == refused[3] {
			t.Errorf("%s: the row does not name a test that is accepted and the same one refused: %s", heading, line)
			continue
		}
		if ways := waysOf(t, filepath.Join("..", "..", systems[heading]), accepted[1]); !slices.Contains(ways, accepted[2]) {
			t.Errorf("%s: %s tries %q, and not %q", heading, accepted[1], ways, accepted[2])
		}
	}
	for heading := range systems {
		if rows[heading] == 0 {
			t.Errorf("no table under %q", heading)
		}
	}
	for _, way := range snowflake.Authenticators {
		if !strings.Contains(string(text), way) && !strings.Contains(string(text), strings.ReplaceAll(way, "_", " ")) {
			t.Errorf("the page does not speak of %s", way)
		}
	}
}

// waysOf are the texts in a test function that calls providertest.SignIn, as names of subtests.
func waysOf(t *testing.T, dir, function string) (ways []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Name.Name != function {
				continue
			}
			proves := false
			ast.Inspect(fn, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					proves = proves || n.Sel.Name == "SignIn"
				case *ast.BasicLit:
					if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
						ways = append(ways, strings.ReplaceAll(s, " ", "_"))
					}
				}
				return true
			})
			if !proves {
				ways = nil
			}
		}
	}
	return ways
}

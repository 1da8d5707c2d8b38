package providertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Credentials is the page whose tables list every way to sign in, from the folder of a provider.
const Credentials = "../../docs/how-to/credentials.md"

// SignIn proves one way to sign in: the right credential is accepted, and another one is refused. They run as the tests
// way/accepted and way/refused. Both must be in a table of Credentials; the test of package catalogue holds the way back.
func SignIn(t *testing.T, way string, accepted, refused func(t *testing.T)) {
	t.Helper()
	page, err := os.ReadFile(filepath.FromSlash(Credentials))
	if err != nil {
		t.Fatal(err)
	}
	top, _, _ := strings.Cut(t.Name(), "/")
	for name, run := range map[string]func(t *testing.T){"accepted": accepted, "refused": refused} {
		if full := top + "/" + strings.ReplaceAll(way, " ", "_") + "/" + name; !strings.Contains(string(page), "`"+full+"`") {
			t.Errorf("docs/how-to/credentials.md does not list %s", full)
		}
		t.Run(strings.ReplaceAll(way, " ", "_")+"/"+name, run)
	}
}

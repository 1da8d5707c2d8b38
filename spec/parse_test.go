package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// inPieces parses src in pieces of a size and compares it with the whole, unless the pieces give up.
func inPieces(t *testing.T, src []byte, size int) (taken bool) {
	t.Helper()
	got := parsePieces(src, "f.hcl", size)
	if got == nil {
		return false
	}
	want, diags := parseAt(src, "f.hcl", hcl.InitialPos)
	if len(diags) > 0 {
		t.Fatalf("pieces of %d bytes are well, and the whole is not: %v", size, diags)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("pieces of %d bytes are another file than the whole", size)
	}
	return true
}

func TestParsePieces(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile(filepath.Join("..", "examples", "stack.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, newline := range []string{"\n", "\r\n"} {
		src := []byte(strings.ReplaceAll(string(example), "\n", newline))
		for size := 1; size < 400; size += 13 {
			if !inPieces(t, src, size) {
				t.Errorf("pieces of %d bytes were not taken", size)
			}
		}
	}
	for name, src := range map[string]string{
		"a heredoc":           "kind \"a\" {\n  text = <<EOT\nx {\n}\nEOT\n}\n",
		"a comment":           "/*\nkind \"a\" {\n}\n*/\nkind \"b\" {\n}\n",
		"an object":           "a = {\n}\nb = {\n}\n",
		"a template":          "kind \"a\" {\n  text = \"${{\n}\n}\"\n}\n",
		"a brace too many":    "kind \"a\" {\n}\n}\nkind \"b\" {\n}\n",
		"the same name twice": "a = 1\nkind \"a\" {\n}\na = 2\n",
	} {
		if inPieces(t, []byte(src), 5) {
			t.Errorf("%s: was cut", name)
		}
	}
}

// TestLoadLargeFile: what is wrong stands where the whole file has it.
func TestLoadLargeFile(t *testing.T) {
	t.Parallel()
	var src strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&src, "kafka_topic \"t%d\" {\n  partitions = 1\n}\n", i)
	}
	src.WriteString("kafka_topic \"last\" {\n  partitions = nothing.at.all\n}\n")
	if src.Len() < 2*pieceSize {
		t.Fatal("the file is not large")
	}
	_, diags := parseNative([]byte(src.String()), "f.hcl")
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	src.WriteString("kafka_topic \"open\" {\n")
	_, diags = parseNative([]byte(src.String()), "f.hcl")
	if len(diags) != 1 || diags[0].Subject.Start.Line != 4000*3+4 {
		t.Fatalf("got %v", diags)
	}
}

func FuzzParsePieces(f *testing.F) {
	for _, src := range []string{"a \"b\" {\n  c = 1\n}\nd {\n}\n", "a {\n x = <<E\n}\nE\n}\n", "/*\n}\n*/ a {\n}\n", "a {\n b = \"${[\n}\n]}\"\n}\n", "\xef\xbb\xbfa {\n}\nb {}\n"} {
		f.Add([]byte(src), 3)
	}
	f.Fuzz(func(t *testing.T, src []byte, size int) {
		if size > 0 && len(src) < 1<<16 {
			inPieces(t, src, size)
		}
	})
}

// A file that is too deep to be parsed is told so; what only looks deep is not.
func TestTooDeep(t *testing.T) {
	t.Parallel()
	deep := "locals {\n  a = " + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + "\n}\n"
	if _, diags := parseNative([]byte(deep), "f.hcl"); !diags.HasErrors() || diags[0].Summary != "Too deep" || diags[0].Subject.Start.Line != 2 {
		t.Errorf("deep: %v", diags)
	}
	text := "locals {\n  a = \"" + strings.Repeat("([{", 5000) + "\"\n}\n"
	if _, diags := parseNative([]byte(text), "f.hcl"); diags.HasErrors() {
		t.Errorf("a text with brackets: %v", diags)
	}
}

package render

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// A line without end is quoted around what is wrong in it; a line that people write is quoted whole.
func TestDiagnosticOfALongLine(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	for name, line := range map[string]string{"begin": "WRONG" + long, "middle": long + "WRONG" + long, "end": long + "WRONG", "short": "a WRONG b"} {
		src := "first\n" + line + "\nlast\n"
		at := strings.Index(src, "WRONG")
		var b strings.Builder
		(&View{W: &b, Width: 80}).Diagnostics(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "S", Detail: "D.",
			Subject: &hcl.Range{Filename: "f.hcl", Start: hcl.Pos{Line: 2, Column: 1, Byte: at}, End: hcl.Pos{Line: 2, Column: 6, Byte: at + 5}},
		}}, map[string]*hcl.File{"f.hcl": {Bytes: []byte(src)}})
		out := b.String()
		if len(out) > 600 || !strings.Contains(out, "on f.hcl line 2") || !strings.Contains(out, "   2: ") || !strings.Contains(out, "WRONG") ||
			strings.ContainsRune(out, '\ufffd') || strings.Contains(out, "first") || strings.Contains(out, "…") == (name == "short") {
			t.Errorf("%s: %.700s", name, out)
		}
	}
}

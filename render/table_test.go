package render

import (
	"strings"
	"testing"
)

// What comes from elsewhere cannot command the terminal of who looks at it; texts of every language are as they are.
func TestTableShowsControlCharacters(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[31mred\x1b[0m": `\x1b[31mred\x1b[0m`,
		"bell\a nul\x00":     `bell\a nul\x00`,
		"back\rspace\b":      `back\rspace\b`,
		"c1 \u009b2J":        `c1 \u009b2J`,
		"\xff\xfe":           `\xff\xfe`,
		"é 漢 😀 \ufffd":       "é 漢 😀 \ufffd",
		`quote " \ slash`:    `quote " \ slash`,
	} {
		var b strings.Builder
		(&View{W: &b, Width: 80}).Table(Table{Columns: []string{"x"}, Right: []bool{false}, Rows: [][]*string{{&in}}})
		lines := strings.Split(b.String(), "\n")
		if got := strings.TrimRight(lines[2], " "); got != want {
			t.Errorf("%q is shown as %q, not %q", in, got, want)
		}
	}
}

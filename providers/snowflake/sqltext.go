package snowflake

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// word is a piece of SQL text: a quoted text, a name or number, or a sign. Comments and spaces between pieces are
// left out.
type word struct {
	text   string
	quoted byte // ' or " or $, or 0
	spaced bool // white space or a comment stood before it
	pos    int
}

// is tells a bare word by its upper-case form.
func (w word) is(s string) bool { return w.quoted == 0 && strings.EqualFold(w.text, s) }

// words cuts SQL text into its pieces. What is not closed reaches to the end.
func words(s string) []word {
	var out []word
	spaced := false
	for i := 0; i < len(s); {
		c := s[i]
		n, quoted := 1, byte(0)
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			i, spaced = i+1, true
			continue
		case strings.HasPrefix(s[i:], "--"), strings.HasPrefix(s[i:], "//") && (i == 0 || s[i-1] != ':'):
			if n = strings.IndexByte(s[i:], '\n'); n < 0 {
				n = len(s) - i
			}
			i, spaced = i+n, true
			continue
		case strings.HasPrefix(s[i:], "/*"):
			n = len(s) - i
			if end := strings.Index(s[i+2:], "*/"); end >= 0 {
				n = end + 4
			}
			i, spaced = i+n, true
			continue
		case strings.HasPrefix(s[i:], "$$"):
			quoted, n = '$', len(s)-i
			if end := strings.Index(s[i+2:], "$$"); end >= 0 {
				n = end + 4
			}
		case c == '\'' || c == '"':
			quoted, n = c, quotedLen(s[i:])
		case wordByte(c):
			for n < len(s)-i && wordByte(s[i+n]) {
				n++
			}
		}
		out = append(out, word{text: s[i : i+n], quoted: quoted, spaced: spaced && len(out) > 0, pos: i})
		i, spaced = i+n, false
	}
	return out
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] == '\'':
			i++
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// unquote gives the text of a quoted piece.
func (w word) unquote() string {
	t := w.text
	switch w.quoted {
	case '$':
		return strings.TrimSuffix(strings.TrimPrefix(t, "$$"), "$$")
	case '\'':
		if len(t) < 2 {
			return ""
		}
		return strings.NewReplacer(`''`, `'`, `\\`, `\`, `\'`, `'`, `\n`, "\n", `\t`, "\t").Replace(t[1 : len(t)-1])
	}
	return t
}

// canonical writes SQL text so that two texts that differ in comments, spacing or the case of bare words are equal.
func canonical(s string) string {
	var b strings.Builder
	ws := words(s)
	for len(ws) > 0 && ws[len(ws)-1].text == ";" {
		ws = ws[:len(ws)-1]
	}
	for i, w := range ws {
		t := w.text
		if w.quoted == 0 {
			t = strings.ToUpper(t)
		}
		if i > 0 && glue(ws[i-1], w) {
			b.WriteByte(' ')
		}
		b.WriteString(t)
	}
	return b.String()
}

// glue says whether a space must stand between two pieces so that they stay two.
func glue(a, b word) bool {
	bare := func(w word) bool { return w.quoted != 0 || wordByte(w.text[0]) }
	if bare(a) && bare(b) {
		return true
	}
	return !bare(a) && !bare(b) && b.spaced && strings.ContainsAny(a.text+b.text, "<>=|:-/*!")
}

func canonicalExpr(v cty.Value) cty.Value { return text(canonical(v.AsString())) }

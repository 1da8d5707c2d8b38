package dialect

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is the class of a [Token].
type Kind int

// The classes of tokens.
const (
	Ident    Kind = iota // a bare identifier or keyword; Value is its upper-case form
	Quoted               // "an identifier"; Value is the name without quotes
	String               // 'a string' or $$a string$$; Value is the text it stands for
	Number               // 12, 1.5, .5e3
	Operator             // anything else: ( ) , . :: => || <= …
	Param                // ? or $1 or :1, a bind variable
	Comment              // -- … or // … or /* … */
)

// Token is one lexical element of a statement. Text is the source text, Value what it stands for,
// Pos the byte offset where it begins, Line and Col (both from 1, Col in characters) the same for people.
type Token struct {
	Kind      Kind
	Text      string
	Value     string
	Pos       int
	Line, Col int
}

// is says whether the token is one of the bare words, given in upper case, or operators.
func (t Token) is(words ...string) bool {
	if t.Kind != Ident && t.Kind != Operator {
		return false
	}
	return slices.Contains(words, t.Value)
}

// SyntaxError says where a text stops being Snowflake SQL.
type SyntaxError struct {
	What      string
	Line, Col int
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("syntax error line %d at position %d: %s", e.Line, e.Col-1, e.What)
}

// Fold gives the name an unquoted identifier resolves to: its upper-case form.
func Fold(ident string) string { return strings.ToUpper(ident) }

// Quote writes a resolved name as a quoted identifier.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal writes a text as a DuckDB string literal.
func Literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Name gives the resolved name of an identifier token, and whether it is one.
func (t Token) Name() (string, bool) { return t.Value, t.Kind == Ident || t.Kind == Quoted }

var operators = []string{"::", "||", "<=", ">=", "<>", "!=", "=>", "->", ":="}

// Tokens splits SQL text into tokens, comments included, white space left out.
// Its error is a [*SyntaxError]: a quote or comment that does not end, or a character that cannot begin a token.
func Tokens(sql string) ([]Token, error) {
	l := lexer{src: sql, line: 1, col: 1}
	var out []Token
	for {
		l.space()
		if l.pos >= len(l.src) {
			return out, nil
		}
		t := Token{Pos: l.pos, Line: l.line, Col: l.col}
		n, err := l.scan(&t)
		if err != nil {
			return nil, err
		}
		t.Text = l.src[l.pos : l.pos+n]
		if t.Value == "" && t.Kind != String && t.Kind != Quoted {
			t.Value = t.Text
		}
		if t.Kind == Ident {
			t.Value = Fold(t.Text)
		}
		l.advance(n)
		out = append(out, t)
	}
}

// Split cuts a text at the semicolons that stand outside quotes, comments and $$…$$, and drops the
// parts that hold no statement.
func Split(sql string) ([]string, error) {
	toks, err := Tokens(sql)
	if err != nil {
		return nil, err
	}
	var out []string
	start, real := 0, false
	add := func(end int) {
		if real {
			out = append(out, strings.TrimSpace(sql[start:end]))
		}
		real = false
	}
	for _, t := range toks {
		switch {
		case t.Kind == Operator && t.Text == ";":
			add(t.Pos)
			start = t.Pos + 1
		case t.Kind != Comment:
			real = true
		}
	}
	add(len(sql))
	return out, nil
}

type lexer struct {
	src       string
	pos       int
	line, col int
}

func (l *lexer) advance(n int) {
	for _, r := range l.src[l.pos : l.pos+n] {
		if r == '\n' {
			l.line, l.col = l.line+1, 1
		} else {
			l.col++
		}
	}
	l.pos += n
}

func (l *lexer) space() {
	for l.pos < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if !unicode.IsSpace(r) && r != '\ufeff' {
			return
		}
		l.advance(n)
	}
}

func (l *lexer) fail(what string) error { return &SyntaxError{What: what, Line: l.line, Col: l.col} }

// scan finds the length of the token at the current position and fills in its kind and value.
func (l *lexer) scan(t *Token) (int, error) {
	s := l.src[l.pos:]
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case strings.HasPrefix(s, "--"), strings.HasPrefix(s, "//"):
		t.Kind = Comment
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			return i, nil
		}
		return len(s), nil
	case strings.HasPrefix(s, "/*"):
		t.Kind = Comment
		i := strings.Index(s[2:], "*/")
		if i < 0 {
			return 0, l.fail("comment does not end")
		}
		return i + 4, nil
	case strings.HasPrefix(s, "$$"):
		t.Kind = String
		i := strings.Index(s[2:], "$$")
		if i < 0 {
			return 0, l.fail("$$ string does not end")
		}
		t.Value = s[2 : 2+i]
		return i + 4, nil
	case r == '\'':
		t.Kind = String
		v, n, ok := stringLiteral(s)
		if !ok {
			return 0, l.fail("string does not end")
		}
		t.Value = v
		return n, nil
	case r == '"':
		t.Kind = Quoted
		v, n, ok := quotedIdent(s)
		if !ok {
			return 0, l.fail("quoted identifier does not end")
		}
		t.Value = v
		return n, nil
	case digit(r), r == '.' && len(s) > 1 && digit(rune(s[1])):
		t.Kind = Number
		return number(s), nil
	case r == '?':
		t.Kind = Param
		return 1, nil
	case (r == '$' || r == ':') && len(s) > 1 && digit(rune(s[1])):
		t.Kind = Param
		return 1 + count(s[1:], digit), nil
	case identStart(r):
		return count(s, identPart), nil
	case r == '$' && len(s) > 1 && identStart(rune(s[1])):
		t.Kind = Param
		return 1 + count(s[1:], identPart), nil
	}
	t.Kind = Operator
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return len(op), nil
		}
	}
	if strings.ContainsRune("()[]{},.;:+-*/%=<>!&|^~@", r) {
		return size, nil
	}
	return 0, l.fail(fmt.Sprintf("unexpected %q", r))
}

func digit(r rune) bool      { return r >= '0' && r <= '9' }
func identStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }
func identPart(r rune) bool  { return identStart(r) || r == '$' || unicode.IsDigit(r) }

// count gives the length in bytes of the prefix whose characters satisfy ok.
func count(s string, ok func(rune) bool) int {
	for i, r := range s {
		if !ok(r) {
			return i
		}
	}
	return len(s)
}

func number(s string) int {
	n := count(s, digit)
	if n < len(s) && s[n] == '.' {
		n++
		n += count(s[n:], digit)
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if d := count(s[e:], digit); d > 0 {
			n = e + d
		}
	}
	return n
}

func quotedIdent(s string) (value string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}

// stringLiteral reads a single-quoted string with ” and the backslash escapes of Snowflake's
// document "String & binary data types", section "Escape sequences".
func stringLiteral(s string) (value string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'' && i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case c == '\'':
			return b.String(), i + 1, true
		case c == '\\' && i+1 < len(s):
			i += escape(&b, s[i+1:])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}

// escape writes what the sequence after a backslash stands for and gives its length. A backslash
// before any other character is dropped.
func escape(b *strings.Builder, s string) int {
	if i := strings.IndexByte("bfnrt0", s[0]); i >= 0 && (s[0] != '0' || len(s) < 2 || !octal(s[1])) {
		b.WriteByte("\b\f\n\r\t\x00"[i])
		return 1
	}
	switch {
	case s[0] == 'x' && len(s) >= 3 && hex(s[1]) && hex(s[2]):
		b.WriteRune(parse(s[1:3], 16))
		return 3
	case s[0] == 'u' && len(s) >= 5 && hex(s[1]) && hex(s[2]) && hex(s[3]) && hex(s[4]):
		b.WriteRune(parse(s[1:5], 16))
		return 5
	case len(s) >= 3 && s[0] <= '3' && octal(s[0]) && octal(s[1]) && octal(s[2]):
		b.WriteRune(parse(s[:3], 8))
		return 3
	}
	b.WriteByte(s[0])
	return 1
}

func octal(c byte) bool { return c >= '0' && c <= '7' }
func hex(c byte) bool   { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func parse(s string, base rune) rune {
	var v rune
	for _, c := range strings.ToLower(s) {
		v = v*base + rune(strings.IndexRune("0123456789abcdef", c))
	}
	return v
}

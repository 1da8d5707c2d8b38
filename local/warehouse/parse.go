package warehouse

import (
	"context"
	"strconv"
	"strings"

	"mkt/local/dialect"
)

// statement is one parsed statement, ready to run in a session.
type statement interface {
	run(ctx context.Context, s *session) (*result, error)
}

// parser walks over the tokens of one statement.
type parser struct {
	src  string
	toks []dialect.Token
	i    int
}

func newParser(src string) (*parser, error) {
	toks, err := dialect.Tokens(src)
	if err != nil {
		return nil, err
	}
	p := &parser{src: src}
	for _, t := range toks {
		if t.Kind != dialect.Comment {
			p.toks = append(p.toks, t)
		}
	}
	for len(p.toks) > 0 && p.toks[len(p.toks)-1].Text == ";" {
		p.toks = p.toks[:len(p.toks)-1]
	}
	return p, nil
}

// peek gives the current token; past the end its Line is 0.
func (p *parser) peek() dialect.Token { return p.at(0) }

func (p *parser) at(n int) dialect.Token {
	if p.i+n < len(p.toks) {
		return p.toks[p.i+n]
	}
	return dialect.Token{Kind: dialect.Operator, Pos: len(p.src)}
}

func (p *parser) done() bool { return p.i >= len(p.toks) }

// word says whether the nth token from here is the given bare keyword or operator.
func (p *parser) word(n int, w string) bool {
	t := p.at(n)
	return (t.Kind == dialect.Ident || t.Kind == dialect.Operator) && t.Value == w && t.Line > 0
}

// accept skips the given words if they stand here, all of them.
func (p *parser) accept(words ...string) bool {
	for n, w := range words {
		if !p.word(n, w) {
			return false
		}
	}
	p.i += len(words)
	return true
}

func (p *parser) expect(words ...string) error {
	for _, w := range words {
		if !p.accept(w) {
			return errSyntax(p.peek())
		}
	}
	return nil
}

// end is the error of trailing text.
func (p *parser) end() error {
	if !p.done() {
		return errSyntax(p.peek())
	}
	return nil
}

const maxIdentifier = 255

func (p *parser) ident() (string, error) {
	t := p.peek()
	n, ok := t.Name()
	if !ok || t.Line == 0 || n == "" {
		return "", errSyntax(t)
	}
	if len([]rune(n)) > maxIdentifier {
		return "", compileError("001014", "42622", "identifier '%s…' is too long: at most %d characters", string([]rune(n)[:20]), maxIdentifier)
	}
	p.i++
	return n, nil
}

func (p *parser) str() (string, error) {
	t := p.peek()
	if t.Kind != dialect.String {
		return "", errSyntax(t)
	}
	p.i++
	return t.Value, nil
}

func (p *parser) integer() (int, error) {
	t := p.peek()
	n, err := strconv.Atoi(t.Text)
	if t.Kind != dialect.Number || err != nil {
		return 0, errSyntax(t)
	}
	p.i++
	return n, nil
}

// rest gives the text from here to the end of the statement and skips it.
func (p *parser) rest() string {
	if p.done() {
		return ""
	}
	last := p.toks[len(p.toks)-1]
	out := p.src[p.peek().Pos : last.Pos+len(last.Text)]
	p.i = len(p.toks)
	return out
}

// until gives the text up to a top-level occurrence of one of the words (exclusive) or the end.
func (p *parser) until(words ...string) string {
	start, end, depth := p.peek().Pos, p.peek().Pos, 0
	for ; !p.done(); p.i++ {
		t := p.peek()
		if depth == 0 {
			for _, w := range words {
				if p.word(0, w) {
					return strings.TrimSpace(p.src[start:end])
				}
			}
		}
		switch {
		case p.word(0, "("), p.word(0, "["), p.word(0, "{"):
			depth++
		case p.word(0, ")"), p.word(0, "]"), p.word(0, "}"):
			if depth == 0 {
				return strings.TrimSpace(p.src[start:end])
			}
			depth--
		}
		end = t.Pos + len(t.Text)
	}
	return strings.TrimSpace(p.src[start:end])
}

// objName is a name of one to three parts as written, resolved but not yet qualified.
type objName []string

func (n objName) String() string { return strings.Join(n, ".") }

func (n objName) last() string { return n[len(n)-1] }

func (p *parser) name() (objName, error) {
	if p.word(0, "IDENTIFIER") && p.word(1, "(") && p.at(2).Kind == dialect.String {
		inner, err := newParser(p.at(2).Value)
		if err != nil {
			return nil, err
		}
		p.i += 3
		n, err := inner.name()
		if err != nil {
			return nil, err
		}
		if err := inner.end(); err != nil {
			return nil, err
		}
		return n, p.expect(")")
	}
	var out objName
	for {
		if len(out) == 1 && p.word(0, ".") { // db..table means db.PUBLIC.table
			p.i++
			out = append(out, "PUBLIC")
		}
		s, err := p.ident()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
		if !p.word(0, ".") {
			return out, nil
		}
		if len(out) == 3 {
			return nil, errSyntax(p.peek())
		}
		p.i++
	}
}

// parseName reads a name given as text, for functions that take names as strings.
func parseName(s string) (objName, error) {
	p, err := newParser(s)
	if err != nil {
		return nil, err
	}
	n, err := p.name()
	if err != nil {
		return nil, err
	}
	return n, p.end()
}

// value is what stands after KEY = in a list of options.
type value struct {
	text   string  // an identifier (folded), string or number
	quoted bool    // it was a 'string'
	list   []value // ('a', 'b')
	opts   options // (KEY = value …)
	isList bool
	tok    dialect.Token
}

type option struct {
	key string
	val value
	tok dialect.Token
}

type options []option

// parseOptions reads KEY = value pairs, separated by white space or commas, until something else comes.
func (p *parser) parseOptions() (options, error) {
	var out options
	for {
		p.accept(",")
		t := p.peek()
		if t.Kind != dialect.Ident || !p.word(1, "=") {
			return out, nil
		}
		p.i += 2
		v, err := p.optionValue()
		if err != nil {
			return nil, err
		}
		for _, o := range out {
			if o.key == t.Value {
				return nil, compileError("001003", "42000", "duplicate property '%s' in line %d", t.Value, t.Line)
			}
		}
		out = append(out, option{t.Value, v, t})
	}
}

func (p *parser) optionValue() (value, error) {
	t := p.peek()
	v := value{tok: t}
	switch {
	case t.Kind == dialect.String:
		p.i++
		v.text, v.quoted = t.Value, true
	case t.Kind == dialect.Number:
		p.i++
		v.text = t.Text
	case p.accept("-"):
		n, err := p.integer()
		if err != nil {
			return v, err
		}
		v.text = strconv.Itoa(-n)
	case p.accept("("):
		v.isList = true
		if p.peek().Kind == dialect.Ident && p.word(1, "=") {
			opts, err := p.parseOptions()
			if err != nil {
				return v, err
			}
			v.opts = opts
			return v, p.expect(")")
		}
		for !p.accept(")") {
			if p.done() {
				return v, errSyntax(p.peek())
			}
			e, err := p.optionValue()
			if err != nil {
				return v, err
			}
			v.list = append(v.list, e)
			p.accept(",")
		}
	default:
		n, err := p.name()
		if err != nil {
			return v, err
		}
		v.text = n.String()
		if len(n) > 1 || t.Kind == dialect.Quoted {
			parts := make([]string, len(n))
			for i, s := range n {
				parts[i] = dialect.Quote(s)
			}
			v.text = strings.Join(parts, ".")
		}
	}
	return v, nil
}

// take removes an option from the list and gives its value.
func (o *options) take(key string) (value, bool) {
	for i, opt := range *o {
		if opt.key == key {
			*o = append((*o)[:i:i], (*o)[i+1:]...)
			return opt.val, true
		}
	}
	return value{}, false
}

// takeString removes an option into dst if it is there.
func (o *options) takeString(key string, dst *string) bool {
	v, ok := o.take(key)
	if ok {
		*dst = v.text
	}
	return ok
}

func (o *options) takeBool(key string, dst *bool) error {
	v, ok := o.take(key)
	if !ok {
		return nil
	}
	b, err := v.bool(key)
	*dst = b
	return err
}

func (o *options) takeInt(key string, dst *int) error {
	v, ok := o.take(key)
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(v.text)
	if err != nil {
		return errInvalid("invalid value [%s] for parameter '%s'", v.text, key)
	}
	*dst = n
	return nil
}

func (v value) bool(key string) (bool, error) {
	switch strings.ToUpper(v.text) {
	case "TRUE":
		return true, nil
	case "FALSE":
		return false, nil
	}
	return false, errInvalid("invalid value [%s] for parameter '%s'", v.text, key)
}

// refuseRest is the error of an option that nobody took.
func (o options) refuseRest(where string) error {
	if len(o) == 0 {
		return nil
	}
	return errUnsupported("the property %s of %s", o[0].key, where)
}

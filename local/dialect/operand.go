package dialect

import (
	"strconv"
	"strings"
)

// operand is one value of an expression with everything that belongs to it: casts, paths, OVER.
type operand struct {
	text    string
	nodes   int    // how many nodes it takes
	variant bool   // a path into a VARIANT that was not cast; text is JSON
	asText  string // the same as a text, for a cast
	plain   bool   // a column's name alone, or t.*
}

// operand rewrites the value that begins at ns[i].
func (r *rewriter) operand(ns []node, i int) (operand, error) {
	o, err := r.primary(ns, i)
	if err != nil {
		return operand{}, err
	}
	for {
		n, next := at(ns, i+o.nodes), at(ns, i+o.nodes+1)
		switch {
		case n.is("::"):
			t, used, err := parseType(ns[i+o.nodes+1:])
			if err != nil {
				return operand{}, err
			}
			o = operand{text: castOperand(o, t, false), nodes: o.nodes + 1 + used}
		case n.is(":") && (next.Kind == Ident || next.Kind == Quoted), n.bracket():
			if o, err = r.path(ns, i, o); err != nil {
				return operand{}, err
			}
		default:
			return o, nil
		}
	}
}

func castOperand(o operand, t typ, try bool) string {
	switch {
	case o.variant && t.name == "JSON":
		return o.text
	case o.variant && t.name == "VARCHAR" && t.length == 0:
		return o.asText
	case o.variant:
		return t.cast(o.asText, try)
	}
	return t.cast(o.text, try)
}

// path reads :a.b[0]['c'] behind a VARIANT. Names in it are case-sensitive.
func (r *rewriter) path(ns []node, i int, o operand) (operand, error) {
	var b strings.Builder
	b.WriteString("$")
	j := i + o.nodes
	for {
		n, next := at(ns, j), at(ns, j+1)
		switch {
		case n.is(":", ".") && (next.Kind == Ident || next.Kind == Quoted):
			name := next.Value
			if next.Kind == Ident {
				name = next.Text
			}
			if strings.Contains(name, `"`) {
				return operand{}, unsupported(next.Token, "a quote in a path")
			}
			b.WriteString(`."` + name + `"`)
			j += 2
		case n.bracket() && len(n.kids) == 1 && n.kids[0].Kind == Number:
			b.WriteString("[" + n.kids[0].Text + "]")
			j++
		case n.bracket() && len(n.kids) == 1 && n.kids[0].Kind == String && !strings.Contains(n.kids[0].Value, `"`):
			b.WriteString(`."` + n.kids[0].Value + `"`)
			j++
		case n.bracket():
			return operand{}, unsupported(n.Token, "an expression as index")
		default:
			p := Literal(b.String())
			return operand{text: "(" + o.text + " -> " + p + ")", asText: "(" + o.text + " ->> " + p + ")",
				variant: true, nodes: j - i}, nil
		}
	}
}

func (r *rewriter) primary(ns []node, i int) (operand, error) {
	n, next := ns[i], at(ns, i+1)
	switch {
	case n.Kind == String:
		return operand{text: Literal(n.Value), nodes: 1}, nil
	case n.Kind == Number:
		return operand{text: n.Text, nodes: 1}, nil
	case n.Kind == Param: // values that came with the statement stand in its text by now
		return operand{}, unsupported(n.Token, "the variable or column by position "+n.Text)
	case n.paren():
		if len(n.kids) == 1 && n.kids[0].is("+") {
			return operand{}, unsupported(n.Token, "outer join by (+)")
		}
		in, err := r.sequence(n.kids)
		if first := at(n.kids, 0); first.is("VALUES") && at(n.kids, 1).paren() {
			in = "SELECT * FROM (" + in + ") AS v(" + valueColumns(len(list(n.kids[1].kids))) + ")"
		}
		return operand{text: "(" + in + ")", nodes: 1}, err
	case n.group():
		return operand{}, unsupported(n.Token, "literal in "+n.Text+n.close.Text)
	case n.is("CASE"):
		return r.caseOf(ns, i)
	case n.is("DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ") && next.Kind == String:
		return operand{text: typ{name: types[n.Value], offset: offsetTypes[n.Value]}.cast(Literal(next.Value), false), nodes: 2}, nil
	case n.is("INTERVAL") && next.Kind == String:
		v, _, err := parseInterval(next.Token)
		return operand{text: v, nodes: 2}, err
	case n.is("NULL", "TRUE", "FALSE"):
		return operand{text: n.Value, nodes: 1}, nil
	case n.Kind == Ident || n.Kind == Quoted:
		return r.name(ns, i)
	}
	return operand{}, &SyntaxError{What: "unexpected " + strconv.Quote(n.Text), Line: n.Line, Col: n.Col}
}

// valueColumns names the columns of VALUES as Snowflake does: COLUMN1, COLUMN2, ….
func valueColumns(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = `"COLUMN` + strconv.Itoa(i+1) + `"`
	}
	return strings.Join(names, ", ")
}

// caseOf reads CASE … END; a CASE inside it is an operand of its own.
func (r *rewriter) caseOf(ns []node, i int) (operand, error) {
	depth := 0
	for j := i; j < len(ns); j++ {
		switch {
		case at(ns, j-1).is("."):
		case ns[j].is("CASE"):
			depth++
		case ns[j].is("END"):
			if depth--; depth > 0 {
				continue
			}
			in, err := r.sequence(ns[i+1 : j])
			return operand{text: "CASE " + in + " END", nodes: j - i + 1}, err
		}
	}
	return operand{}, &SyntaxError{What: "CASE has no END", Line: ns[i].Line, Col: ns[i].Col}
}

// name reads a.b.c, t.* or a call.
func (r *rewriter) name(ns []node, i int) (operand, error) {
	parts := []node{ns[i]}
	j := i + 1
	for at(ns, j).is(".") {
		p := at(ns, j+1)
		if p.is("*") && !p.group() {
			return operand{text: quoteAll(parts) + ".*", nodes: j + 2 - i, plain: true}, nil
		}
		if p.Kind != Ident && p.Kind != Quoted {
			return operand{}, &SyntaxError{What: "a name is missing after .", Line: ns[j].Line, Col: ns[j].Col}
		}
		parts = append(parts, p)
		j += 2
	}
	if at(ns, j).paren() && !columnList(ns, i, j) {
		if len(parts) > 1 || ns[i].Kind == Quoted {
			return operand{}, unsupported(ns[i].Token, "function "+r.source(ns[i:j]))
		}
		return r.call(ns, i)
	}
	if len(parts) == 1 && ns[i].Kind == Ident {
		if v, ok := contextual[ns[i].Value]; ok {
			return operand{text: v, nodes: 1}, nil
		}
	}
	return operand{text: quoteAll(parts), nodes: j - i, plain: true}, nil
}

// columnList tells INSERT INTO t (a, b) and WITH t (a, b) AS (…) from a call.
func columnList(ns []node, i, group int) bool {
	prev := at(ns, i-1)
	return prev.is("INTO") ||
		prev.is("WITH", "RECURSIVE", ",") && at(ns, group+1).is("AS") && at(ns, group+2).paren()
}

func quoteAll(parts []node) string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = Quote(p.Value)
	}
	return strings.Join(names, ".")
}

package dialect

import "strings"

// likeAny writes x LIKE ANY (a, b) out.
func (s *seq) likeAny(n, next node) error {
	group := at(s.ns, s.i+2)
	prev := at(s.ns, s.i-1)
	if !group.paren() || !s.operand || len(group.kids) == 0 || group.kids[0].is("SELECT") || len(s.out) > 1 && strings.Contains("||+-*/%", s.out[len(s.out)-2]) {
		return unsupported(n.Token, strings.TrimSpace(prevNot(prev)+n.Value)+" "+next.Value+" in this place")
	}
	join := " OR "
	if next.is("ALL") {
		join = " AND "
	}
	last := len(s.out) - 1
	left := s.out[last]
	var terms []string
	for _, a := range list(group.kids) {
		text, err := s.sequence(a)
		if err != nil {
			return err
		}
		terms = append(terms, left+" "+n.Value+" "+text)
	}
	s.out[last] = "(" + strings.Join(terms, join) + ")"
	s.next(3)
	return nil
}

func prevNot(n node) string {
	if n.is("NOT") {
		return "NOT "
	}
	return ""
}

// matchCondition writes ASOF JOIN … MATCH_CONDITION (…) [ON …] as DuckDB's ASOF LEFT JOIN … ON.
func (s *seq) matchCondition(group node) error {
	if !s.asof {
		return unsupported(s.ns[s.i].Token, "MATCH_CONDITION without ASOF JOIN")
	}
	text, err := s.sequence(group.kids)
	if err != nil {
		return err
	}
	s.asof = false
	s.next(2)
	s.add("ON "+text, true)
	switch next := at(s.ns, s.i); {
	case next.is("ON"):
		s.next(1)
		s.add("AND", false)
	case next.is("USING"):
		return unsupported(next.Token, "ASOF JOIN with USING")
	}
	return nil
}

// pivot names the columns of PIVOT (…) as Snowflake does: by the literal with its quotes.
func (s *seq) pivot(group node) error {
	var kids []node
	for i, n := range group.kids {
		if !n.paren() || !at(group.kids, i-1).is("IN") {
			kids = append(kids, n)
			continue
		}
		var in []node
		for j, v := range list(n.kids) {
			if first := at(v, 0); first.is("ANY", "SELECT") {
				return unsupported(first.Token, "PIVOT over "+first.Value)
			}
			if j > 0 {
				in = append(in, node{Token: Token{Kind: Operator, Text: ",", Value: ","}})
			}
			in = append(in, v...)
			if len(v) == 1 && v[0].Kind == String {
				in = append(in, node{Token: Token{Kind: Ident, Text: "AS", Value: "AS"}},
					node{Token: Token{Kind: Quoted, Value: Literal(v[0].Value)}})
			}
		}
		n.kids = in
		kids = append(kids, n)
	}
	text, err := s.sequence(kids)
	if err != nil {
		return err
	}
	s.next(2)
	s.add("PIVOT ("+text+")", true)
	return nil
}

// named reads NAME => value arguments.
func (c *call) named() (map[string][]node, error) {
	out := map[string][]node{}
	for _, a := range c.args {
		if len(a) < 3 || !a[1].is("=>") {
			return nil, c.unsupported("an argument of " + c.name.Value + " without a name")
		}
		out[a[0].Value] = a[2:]
	}
	return out, nil
}

// table is TABLE(FLATTEN(…)) or TABLE(GENERATOR(ROWCOUNT => n)).
func table(c *call) (operand, error) {
	if len(c.args) == 0 {
		return operand{}, c.arity()
	}
	in := rest(c.args)
	n := len(in)
	inner := call{rewriter: c.rewriter, name: at(in, n-2), args: list(at(in, n-1).kids)}
	if len(c.args) != 1 || n < 2 || !in[n-1].paren() {
		return operand{}, c.unsupported("TABLE over anything but a table function")
	}
	switch name := inner.name.Value; {
	case n == 2 && name == "FLATTEN":
		return flatten(&inner)
	case n == 2 && name == "GENERATOR":
		args, err := inner.named()
		if err != nil {
			return operand{}, err
		}
		rows, ok := args["ROWCOUNT"]
		if !ok || len(args) != 1 {
			return operand{}, inner.unsupported("GENERATOR with anything but ROWCOUNT")
		}
		text, err := inner.argText(rows)
		return operand{text: "(SELECT range AS " + seqColumn + " FROM range(CAST(" + text + " AS BIGINT)))"}, err
	}
	return operand{}, inner.unsupported("table function " + c.source(in[:n-1]))
}

// seqColumn is the column of a generator that SEQ4() counts in.
const seqColumn = `"$SEQ"`

func seqNumber(c *call) (operand, error) {
	if len(c.args) > 0 {
		return operand{}, c.arity()
	}
	return operand{text: seqColumn}, nil
}

// flatten is FLATTEN(INPUT => v [, PATH => 'a.b']), a table with KEY, PATH, INDEX, VALUE and THIS.
func flatten(c *call) (operand, error) {
	if len(c.args) == 1 && !at(c.args[0], 1).is("=>") {
		c.args = [][]node{append([]node{{Token: Token{Kind: Ident, Value: "INPUT"}}, {Token: Token{Kind: Operator, Value: "=>"}}}, c.args[0]...)}
	}
	args, err := c.named()
	if err != nil {
		return operand{}, err
	}
	in := args["INPUT"]
	if in == nil {
		return operand{}, c.unsupported("FLATTEN without INPUT")
	}
	for name := range args {
		if name != "INPUT" && name != "PATH" {
			return operand{}, c.unsupported("FLATTEN with " + name)
		}
	}
	o, err := c.operand(in, 0)
	if err != nil {
		return operand{}, err
	}
	if o.nodes != len(in) {
		return operand{}, c.unsupported("FLATTEN over an expression")
	}
	v := o.text
	if p := args["PATH"]; p != nil {
		if len(p) != 1 || p[0].Kind != String {
			return operand{}, c.unsupported("FLATTEN with a PATH that is not a literal")
		}
		v = "(" + v + " -> " + Literal(jsonPath(p[0].Value)) + ")"
	}
	array := "json_type(" + v + ") = 'ARRAY'"
	return operand{text: "LATERAL (SELECT CASE WHEN NOT " + array + ` THEN key END AS "KEY", substr(fullkey, 3) AS "PATH", CASE WHEN ` +
		array + ` THEN CAST(key AS INTEGER) END AS "INDEX", value AS "VALUE", ` + v + ` AS "THIS" FROM json_each(` + v + "))"}, nil
}

// jsonPath turns a.b[0] into DuckDB's path.
func jsonPath(p string) string { return "$." + strings.TrimPrefix(p, ".") }

// get is GET(v, index or name) or GET_PATH(v, 'a.b').
func get(c *call) (operand, error) {
	if len(c.args) != 2 || len(c.args[1]) != 1 {
		return operand{}, c.arity()
	}
	v, err := c.text(0)
	if err != nil {
		return operand{}, err
	}
	var p string
	switch k := c.args[1][0]; {
	case k.Kind == Number:
		p = "$[" + k.Text + "]"
	case k.Kind == String && c.name.is("GET"):
		p = `$."` + strings.ReplaceAll(k.Value, `"`, "") + `"`
	case k.Kind == String:
		p = jsonPath(k.Value)
	default:
		return operand{}, unsupported(k.Token, c.name.Value+" with an expression as key")
	}
	l := Literal(p)
	return operand{text: "(" + v + " -> " + l + ")", asText: "(" + v + " ->> " + l + ")", variant: true}, nil
}

// objectConstruct leaves keys with a NULL value out.
func objectConstruct(c *call) (operand, error) {
	args, err := c.texts()
	if err != nil || len(args)%2 != 0 {
		return operand{}, errOr(err, c.arity())
	}
	return operand{text: "json_merge_patch(CAST('{}' AS JSON), json_object(" + strings.Join(args, ", ") + "))"}, nil
}

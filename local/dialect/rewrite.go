package dialect

import "strings"

// Rewrite turns one Snowflake query, or an expression of one, into DuckDB SQL that gives the same
// answer. INSERT, UPDATE and DELETE with a query or expressions in them pass too. The error is an
// [*Unsupported] or a [*SyntaxError]; a text that is wrong in another way is left for DuckDB to refuse.
func Rewrite(sql string) (string, error) {
	toks, err := Tokens(sql)
	if err != nil {
		return "", err
	}
	ns, err := parseTree(toks)
	if err != nil {
		return "", err
	}
	if len(ns) > 0 && ns[len(ns)-1].is(";") {
		ns = ns[:len(ns)-1]
	}
	if len(ns) == 0 {
		return "", &SyntaxError{What: "the statement is empty", Line: 1, Col: 1}
	}
	if first := ns[0]; first.is("CREATE", "ALTER", "DROP", "GRANT", "REVOKE") {
		return "", unsupported(first.Token, "statement "+first.Value)
	}
	r := rewriter{src: sql}
	return r.sequence(ns)
}

func unsupported(t Token, what string) error {
	return &Unsupported{What: what, Line: t.Line, Col: t.Col}
}

type rewriter struct{ src string }

// source gives the text of nodes as it stands in the statement.
func (r *rewriter) source(ns []node) string {
	last := ns[len(ns)-1]
	end := last.Token
	if last.group() {
		end = last.close
	}
	return r.src[ns[0].Pos : end.Pos+len(end.Text)]
}

// sequence rewrites what stands between two brackets, or a whole statement: operands, operators and
// keywords in a row.
func (r *rewriter) sequence(ns []node) (string, error) {
	text, _, err := r.single(ns)
	return text, err
}

// single is sequence that also hands back the operand when it is the only thing there.
func (r *rewriter) single(ns []node) (string, *operand, error) {
	s := seq{rewriter: r, ns: ns}
	for s.i < len(ns) {
		if err := s.step(); err != nil {
			return "", nil, err
		}
	}
	s.endItem(len(ns))
	return strings.Join(s.out, " "), s.only, nil
}

// seq is a sequence on its way. operand says that the last piece of out is an operand.
type seq struct {
	*rewriter
	ns      []node
	i       int
	out     []string
	operand bool
	// The select list item that is being read: where it begins, whether it has a name already.
	inList, named bool
	item          int
	asof          bool     // the last join was ASOF
	only          *operand // what takes all of the nodes
}

func (s *seq) add(piece string, isOperand bool) {
	s.out, s.operand = append(s.out, piece), isOperand
}

// next takes n nodes as read.
func (s *seq) next(n int) { s.i += n }

func (s *seq) step() error {
	n := s.ns[s.i]
	switch {
	case n.Kind == Ident && n.is("CASE"), n.Kind == Ident && s.callOf(n):
		return s.takeOperand()
	case keyword(s.ns, s.i):
		return s.keyword(n)
	case n.Kind == Operator && !n.group() && n.Text != "*":
		return s.operator(n)
	case n.Text == "*" && n.Kind == Operator:
		s.next(1)
		s.named = s.named || !s.operand
		s.add("*", !s.operand && s.inList)
		return nil
	}
	if s.operand && (n.Kind == Ident || n.Kind == Quoted) {
		if err := s.refuseClause(n); err != nil {
			return err
		}
		s.alias(n) // SELECT a b, FROM a b
		return nil
	}
	return s.takeOperand()
}

// callOf says whether a reserved word is the name of a function here.
func (s *seq) callOf(n node) bool {
	next := at(s.ns, s.i+1)
	if at(s.ns, s.i-1).is(".") || !next.paren() {
		return false
	}
	return n.is("CAST", "TRY_CAST") || (n.is("LEFT", "RIGHT", "REGEXP", "ILIKE", "RLIKE", "LIKE") && !s.operand) ||
		(n.is("TABLE") && !s.operand)
}

func (s *seq) alias(n node) {
	s.add(Quote(n.Value), true)
	s.named = true
	s.next(1)
}

func (s *seq) takeOperand() error {
	o, err := s.rewriter.operand(s.ns, s.i)
	if err != nil {
		return err
	}
	if o.variant {
		prev, next := at(s.ns, s.i-1), at(s.ns, s.i+o.nodes)
		alone := (prev.Text == "" || prev.is("SELECT", "DISTINCT", ",")) &&
			(next.Text == "" || next.is(",", "AS", "FROM", "IS") || next.Kind == Ident && !keywords[next.Value])
		if !alone {
			return unsupported(s.ns[s.i].Token, "a VARIANT value without a cast in an expression (write v:path::TYPE)")
		}
	}
	if o.plain && s.i == s.item {
		if next := at(s.ns, s.i+o.nodes); next.Text == "" || next.is(",") || clauses[next.Value] {
			s.named = true
		}
	}
	if o.nodes == len(s.ns) {
		s.only = &o
	}
	s.next(o.nodes)
	s.add(o.text, true)
	return nil
}

// endItem ends the select list item before the node at end: an expression without a name gets
// its text, in upper case, as Snowflake names it.
func (s *seq) endItem(end int) {
	if s.inList && !s.named && end > s.item {
		s.add("AS "+Quote(strings.ToUpper(s.source(s.ns[s.item:end]))), true)
	}
	s.inList = false
}

func (s *seq) operator(n node) error {
	switch n.Text {
	case ",":
		if s.inList {
			s.endItem(s.i)
			s.inList, s.named, s.item = true, false, s.i+1
		}
		s.next(1)
		s.add(",", false)
		return nil
	case "/", "%":
		return s.divide(n)
	case "+", "-":
		if s.operand && at(s.ns, s.i+1).is("INTERVAL") && at(s.ns, s.i+2).Kind == String {
			return s.interval(n)
		}
	case "@":
		return unsupported(n.Token, "a stage in a query")
	case ";":
		return unsupported(n.Token, "more than one statement")
	case "=>", "->", ":=", ":", ".", "{", "}", "&", "|", "^", "~", "!":
		return unsupported(n.Token, "operator "+n.Text)
	}
	s.next(1)
	s.add(n.Text, false)
	return nil
}

// divide writes a division that fails on zero, as Snowflake's does; DuckDB's gives infinity.
func (s *seq) divide(n node) error {
	s.next(1)
	sign := ""
	for at(s.ns, s.i).is("-", "+") {
		sign += s.ns[s.i].Text + " "
		s.next(1)
	}
	if s.i >= len(s.ns) {
		return &SyntaxError{What: "an operand is missing after " + n.Text, Line: n.Line, Col: n.Col}
	}
	o, err := s.rewriter.operand(s.ns, s.i)
	if err != nil {
		return err
	}
	if o.variant {
		return unsupported(s.ns[s.i].Token, "a VARIANT value without a cast in an expression (write v:path::TYPE)")
	}
	right := sign + o.text
	if s.ns[s.i].Kind != Number || strings.Trim(s.ns[s.i].Text, "0.") == "" {
		right = "mkt_divisor(" + right + ")"
	}
	s.next(o.nodes)
	s.add(n.Text, false)
	s.add(right, true)
	return nil
}

// keyword handles a word that is no name.
func (s *seq) keyword(n node) error {
	if s.inList && clauses[n.Value] {
		s.endItem(s.i)
	}
	if err := s.refuseClause(n); err != nil {
		return err
	}
	next := at(s.ns, s.i+1)
	switch n.Value {
	case "SELECT":
		s.next(1)
		s.add("SELECT", false)
		if at(s.ns, s.i).is("DISTINCT", "ALL") {
			s.add(s.ns[s.i].Value, false)
			s.next(1)
		}
		s.inList, s.named, s.item = true, false, s.i
		return nil
	case "AS":
		return s.as(next)
	case "MINUS":
		return s.plain("EXCEPT")
	case "NULL", "TRUE", "FALSE":
		return s.takeOperand()
	case "REGEXP", "RLIKE":
		if s.operand {
			return s.plain("~")
		}
		if last := len(s.out) - 1; last >= 0 && s.out[last] == "NOT" {
			s.out = s.out[:last]
			return s.plain("!~")
		}
	case "LIKE", "ILIKE":
		if next.is("ANY", "ALL") {
			return s.likeAny(n, next)
		}
	case "ASOF":
		s.asof = true
		s.next(1)
		s.add("ASOF LEFT", false)
		return nil
	case "MATCH_CONDITION":
		return s.matchCondition(next)
	case "PIVOT":
		return s.pivot(next)
	case "LATERAL":
		if next.Kind == Ident && next.Value == "FLATTEN" {
			s.next(1)
			return s.takeOperand()
		}
	}
	return s.plain(n.Value)
}

func (s *seq) plain(word string) error {
	s.next(1)
	s.add(word, false)
	return nil
}

// as handles AS name, AS name(columns) and WITH name AS (query).
func (s *seq) as(next node) error {
	s.next(1)
	if next.paren() {
		s.add("AS", false)
		return nil
	}
	if next.Kind != Ident && next.Kind != Quoted {
		return &SyntaxError{What: "a name is missing after AS", Line: next.Line, Col: next.Col}
	}
	s.add("AS", false)
	s.alias(next)
	return nil
}

// refuseClause names the clauses that DuckDB has not, or has with another meaning.
func (s *seq) refuseClause(n node) error {
	next, prev := at(s.ns, s.i+1), at(s.ns, s.i-1)
	what := ""
	switch {
	case n.is("SAMPLE", "TABLESAMPLE"), n.is("MATCH_RECOGNIZE", "TOP", "CHANGES") && keyword(s.ns, s.i):
		what = n.Value
	case n.is("CONNECT") && next.is("BY"), n.is("START") && next.is("WITH"):
		what = "CONNECT BY"
	case n.is("AT", "BEFORE") && next.paren():
		what = "time travel (" + n.Value + ")"
	case n.is("FOR") && next.is("UPDATE"):
		what = "FOR UPDATE"
	case n.is("WINDOW") && at(s.ns, s.i+2).is("AS"):
		what = "WINDOW"
	case n.is("INTO") && !prev.is("INSERT"):
		what = "SELECT INTO"
	case n.is("NATURAL") && next.is("ASOF"):
		what = "NATURAL ASOF JOIN"
	}
	if what != "" {
		return unsupported(n.Token, what)
	}
	return nil
}

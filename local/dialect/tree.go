package dialect

// node is a token, or a bracketed group of nodes whose opening bracket is the token.
type node struct {
	Token
	kids  []node
	close Token // the closing bracket of a group
}

func (n node) group() bool   { return n.close.Text != "" }
func (n node) paren() bool   { return n.group() && n.Text == "(" }
func (n node) bracket() bool { return n.group() && n.Text == "[" }

// maxDepth bounds nesting, so that a hostile text cannot exhaust the stack.
const maxDepth = 200

// parseTree drops comments and closes brackets.
func parseTree(toks []Token) ([]node, error) {
	type open struct {
		at   Token
		kids []node
	}
	stack := []open{{}}
	closer := map[string]string{"(": ")", "[": "]", "{": "}"}
	for _, t := range toks {
		if t.Kind == Comment {
			continue
		}
		if t.Kind == Operator {
			switch t.Text {
			case "(", "[", "{":
				if len(stack) > maxDepth {
					return nil, unsupported(t, "nesting this deep")
				}
				stack = append(stack, open{at: t})
				continue
			case ")", "]", "}":
				top := stack[len(stack)-1]
				if len(stack) == 1 || closer[top.at.Text] != t.Text {
					return nil, &SyntaxError{What: "unexpected " + t.Text, Line: t.Line, Col: t.Col}
				}
				stack = stack[:len(stack)-1]
				up := &stack[len(stack)-1]
				up.kids = append(up.kids, node{Token: top.at, kids: top.kids, close: t})
				continue
			}
		}
		up := &stack[len(stack)-1]
		up.kids = append(up.kids, node{Token: t})
	}
	if top := stack[len(stack)-1]; len(stack) > 1 {
		return nil, &SyntaxError{What: top.at.Text + " is not closed", Line: top.at.Line, Col: top.at.Col}
	}
	return stack[0].kids, nil
}

// list cuts nodes at their commas. No nodes is an empty list.
func list(ns []node) [][]node {
	if len(ns) == 0 {
		return nil
	}
	var out [][]node
	start := 0
	for i, n := range ns {
		if n.is(",") {
			out = append(out, ns[start:i])
			start = i + 1
		}
	}
	return append(out, ns[start:])
}

// at gives the node at an index, or an empty one past either end.
func at(ns []node, i int) node {
	if i < 0 || i >= len(ns) {
		return node{Token: Token{Kind: Operator}}
	}
	return ns[i]
}

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

// keywords are the words that are never a name. The first lines are Snowflake's reserved words, from
// its document "Reserved & limited keywords".
var keywords = set(
	"ALL", "ALTER", "AND", "ANY", "AS", "BETWEEN", "BY", "CASE", "CAST", "COLUMN", "CREATE", "CROSS",
	"CURRENT", "DELETE", "DISTINCT", "DROP", "ELSE", "EXISTS", "FALSE", "FOLLOWING", "FROM", "FULL",
	"GRANT", "GROUP", "HAVING", "ILIKE", "IN", "INNER", "INSERT", "INTERSECT", "INTO", "IS", "JOIN",
	"LATERAL", "LEFT", "LIKE", "MINUS", "NATURAL", "NOT", "NULL", "OF", "ON", "OR", "ORDER", "QUALIFY",
	"REGEXP", "REVOKE", "RIGHT", "RLIKE", "ROW", "ROWS", "SAMPLE", "SELECT", "SET", "SOME", "START",
	"TABLE", "TABLESAMPLE", "THEN", "TO", "TRUE", "TRY_CAST", "UNION", "UNIQUE", "UPDATE", "USING",
	"VALUES", "WHEN", "WHENEVER", "WHERE", "WITH",
)

// clauses are the keywords that end a select list.
var clauses = set("FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "LIMIT", "OFFSET", "FETCH",
	"UNION", "EXCEPT", "MINUS", "INTERSECT", "INTO")

// keyword says whether the node at i is a keyword there. Words that are keywords only in their place
// are told by their neighbours.
func keyword(ns []node, i int) bool {
	n, next, prev := ns[i], at(ns, i+1), at(ns, i-1)
	if n.Kind != Ident || prev.is(".") {
		return false
	}
	if keywords[n.Value] {
		return true
	}
	switch n.Value {
	case "PARTITION":
		return next.is("BY")
	case "RANGE", "GROUPS":
		return next.is("BETWEEN", "UNBOUNDED", "CURRENT", "INTERVAL") || next.Kind == Number
	case "UNBOUNDED":
		return next.is("PRECEDING", "FOLLOWING")
	case "PRECEDING":
		return prev.is("UNBOUNDED") || prev.Kind == Number || prev.Kind == String
	case "NULLS":
		return next.is("FIRST", "LAST")
	case "FIRST", "LAST":
		return prev.is("NULLS", "FETCH")
	case "ASC", "DESC":
		return !next.is(".") && i > 0
	case "LIMIT", "OFFSET":
		return next.Kind == Number || next.Kind == Param || next.is("NULL")
	case "FETCH":
		return next.is("FIRST", "NEXT")
	case "NEXT":
		return prev.is("FETCH")
	case "ONLY":
		return prev.is("ROWS", "ROW")
	case "OUTER":
		return prev.is("LEFT", "RIGHT", "FULL")
	case "RECURSIVE":
		return prev.is("WITH")
	case "EXCLUDE", "RENAME":
		return prev.is("*")
	case "EXCEPT":
		return next.is("SELECT", "ALL") || next.paren()
	case "ESCAPE":
		return next.Kind == String && prev.Kind == String
	case "ROLLUP", "CUBE":
		return next.paren()
	case "GROUPING":
		return next.is("SETS")
	case "SETS":
		return prev.is("GROUPING")
	case "PIVOT", "UNPIVOT", "MATCH_RECOGNIZE":
		return next.paren()
	case "ASOF":
		return next.is("JOIN")
	case "MATCH_CONDITION":
		return next.paren()
	case "AT", "BEFORE", "CHANGES":
		return next.paren() && len(next.kids) > 1 && next.kids[1].is("=>")
	case "TOP":
		return prev.is("SELECT", "DISTINCT") && next.Kind == Number
	case "FOR":
		return next.is("UPDATE") || at(ns, i+2).is("IN")
	}
	return false
}

package dialect

import "strings"

// call is a function call with what may follow its arguments.
type call struct {
	*rewriter
	name     node
	args     [][]node
	distinct bool
	within   []node // of WITHIN GROUP (…)
	nulls    string // "", "IGNORE NULLS" or "RESPECT NULLS"
	over     []node // of OVER (…)
	isWithin bool
	isOver   bool
}

// maxText bounds what nested functions that need an argument twice can grow to, in bytes.
const maxText = 1 << 20

// call rewrites the function call that begins at ns[i].
func (r *rewriter) call(ns []node, i int) (operand, error) {
	group := ns[i+1]
	c := call{rewriter: r, name: ns[i], args: list(group.kids)}
	if len(c.args) > 0 {
		if f := c.args[0]; at(f, 0).is("DISTINCT", "ALL") {
			c.distinct = f[0].is("DISTINCT")
			c.args[0] = f[1:]
		}
		last := c.args[len(c.args)-1]
		if n := len(last); n > 2 && last[n-1].is("NULLS") && last[n-2].is("IGNORE", "RESPECT") {
			c.nulls = last[n-2].Value + " NULLS"
			c.args[len(c.args)-1] = last[:n-2]
		}
	}
	j := i + 2
	if at(ns, j).is("WITHIN") && at(ns, j+1).is("GROUP") && at(ns, j+2).paren() {
		c.within, c.isWithin = ns[j+2].kids, true
		j += 3
	}
	if at(ns, j).is("FROM") && at(ns, j+1).is("FIRST") && c.name.is("NTH_VALUE") {
		j += 2
	}
	if at(ns, j).is("IGNORE", "RESPECT") && at(ns, j+1).is("NULLS") {
		c.nulls = ns[j].Value + " NULLS"
		j += 2
	}
	if at(ns, j).is("OVER") && at(ns, j+1).paren() {
		c.over, c.isOver = ns[j+1].kids, true
		j += 2
	}
	for _, a := range c.args {
		if len(a) == 0 {
			return operand{}, &SyntaxError{What: "an argument is missing", Line: group.Line, Col: group.Col}
		}
	}
	o, err := c.rewrite()
	o.nodes = j - i
	if len(o.text) > maxText {
		return operand{}, unsupported(c.name.Token, "an expression this long")
	}
	return o, err
}

func (c *call) unsupported(what string) error { return unsupported(c.name.Token, what) }

func (c *call) rewrite() (operand, error) {
	name := c.name.Value
	if f, ok := special[name]; ok {
		if err := c.noneOf(windowed[name], withinGroup[name]); err != nil {
			return operand{}, err
		}
		return f(c)
	}
	if to, ok := aggregates[name]; ok {
		return c.aggregate(to, name)
	}
	if err := c.noneOf(false, false); err != nil {
		return operand{}, err
	}
	args, err := c.texts()
	if err != nil {
		return operand{}, err
	}
	if byArity, ok := templates[name]; ok {
		t, ok := byArity[len(c.args)]
		if !ok {
			return operand{}, c.arity()
		}
		return operand{text: fill(t, args)}, nil
	}
	if to, ok := renamed[name]; ok {
		return operand{text: to + "(" + strings.Join(args, ", ") + ")"}, nil
	}
	return operand{}, c.unsupported("function " + name)
}

// noneOf refuses OVER and WITHIN GROUP behind a function that takes none, and DISTINCT in it.
func (c *call) noneOf(over, within bool) error {
	switch {
	case c.isOver && !over:
		return c.unsupported("OVER behind " + c.name.Value)
	case c.isWithin && !within:
		return c.unsupported("WITHIN GROUP behind " + c.name.Value)
	case c.nulls != "" && !over:
		return c.unsupported(c.nulls + " behind " + c.name.Value)
	case c.distinct && !over:
		return c.unsupported("DISTINCT in " + c.name.Value)
	}
	return nil
}

// texts rewrites all arguments, each one so that it can stand beside an operator.
func (c *call) texts() ([]string, error) {
	out := make([]string, len(c.args))
	for i := range c.args {
		var err error
		if out[i], err = c.text(i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *call) text(i int) (string, error) { return c.argText(c.args[i]) }

func (c *call) argText(a []node) (string, error) {
	if len(a) == 0 {
		return "", &SyntaxError{What: "an argument is missing in " + c.name.Value, Line: c.name.Line, Col: c.name.Col}
	}
	if v := at(a, 1); v.is("=>") {
		return "", unsupported(a[0].Token, "argument "+a[0].Value+" =>")
	}
	text, only, err := c.single(a)
	switch {
	case err != nil:
		return "", err
	case only == nil && len(a) == 1:
		return text, nil
	case only == nil:
		return "(" + text + ")", nil
	case only.variant && readsText[c.name.Value]:
		return only.asText, nil
	case only.variant && !readsJSON[c.name.Value]:
		return "", unsupported(a[0].Token, "a VARIANT value without a cast in "+c.name.Value+" (write v:path::TYPE)")
	}
	return only.text, nil
}

// fill puts arguments in the places $1 to $9 of a template.
func fill(template string, args []string) string {
	var b strings.Builder
	for i := 0; i < len(template); i++ {
		if template[i] == '$' && i+1 < len(template) && template[i+1] >= '1' && template[i+1] <= '9' {
			b.WriteString(args[template[i+1]-'1'])
			i++
			continue
		}
		b.WriteByte(template[i])
	}
	return b.String()
}

// window writes the OVER clause, or nothing when there is none. Snowflake's frame for the functions
// in wholeFrame is the whole partition when none is written; DuckDB's ends at the current row.
func (c *call) window(frame string) (string, error) {
	if !c.isOver {
		return "", nil
	}
	spec, err := c.sequence(c.over)
	if err != nil {
		return "", err
	}
	for i := range c.over {
		if c.over[i].is("ROWS", "RANGE", "GROUPS") && keyword(c.over, i) {
			frame = ""
		}
	}
	return " OVER (" + strings.TrimSpace(spec+" "+frame) + ")", nil
}

const wholePartition = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"

// aggregate writes an aggregate or window function that only needs another name.
func (c *call) aggregate(to, name string) (operand, error) {
	if c.isWithin {
		return operand{}, c.unsupported("WITHIN GROUP behind " + name)
	}
	if c.nulls != "" && !takesNulls[name] {
		return operand{}, c.unsupported(c.nulls + " behind " + name)
	}
	if windowOnly[name] && !c.isOver {
		return operand{}, c.unsupported(name + " without OVER")
	}
	args, err := c.texts()
	if err != nil {
		return operand{}, err
	}
	in := strings.Join(args, ", ")
	if name == "COUNT" && len(args) > 1 {
		in = "CASE WHEN " + strings.Join(args, " IS NOT NULL AND ") + " IS NOT NULL THEN row(" + in + ") END"
	}
	if c.distinct {
		in = "DISTINCT " + in
	}
	if c.nulls == "IGNORE NULLS" {
		in += " IGNORE NULLS"
	}
	frame := ""
	if takesNulls[name] && !strings.HasPrefix(name, "L") || name == "LAST_VALUE" {
		frame = wholePartition
	}
	over, err := c.window(frame)
	return operand{text: to + "(" + in + ")" + over}, err
}

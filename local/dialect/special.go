package dialect

import "strings"

// special are the functions that need more than their arguments put in other places.
var special map[string]func(*call) (operand, error)

func init() {
	special = map[string]func(*call) (operand, error){
		"CAST": castCall, "TRY_CAST": castCall, "DECODE": decode, "CONCAT": concat, "GREATEST": strict("greatest"), "LEAST": strict("least"),
		"LISTAGG": listAgg, "ARRAY_AGG": arrayAgg, "PERCENTILE_CONT": percentile, "PERCENTILE_DISC": percentile,
		"RATIO_TO_REPORT": ratioToReport, "CONDITIONAL_TRUE_EVENT": trueEvent, "MIN_BY": by("arg_min"), "MAX_BY": by("arg_max"),
		"DATEADD": dateAdd, "TIMESTAMPADD": dateAdd, "TIMEADD": dateAdd, "DATEDIFF": dateDiff, "TIMESTAMPDIFF": dateDiff, "TIMEDIFF": dateDiff,
		"DATE_TRUNC": dateTrunc, "TRUNC": trunc, "TRUNCATE": trunc, "LAST_DAY": lastDay, "EXTRACT": extract, "DATE_PART": extract, "TIME_SLICE": timeSlice,
		"YEAR": fieldOf("year"), "QUARTER": fieldOf("quarter"), "MONTH": fieldOf("month"), "DAY": fieldOf("day"), "DAYOFMONTH": fieldOf("day"),
		"DAYOFWEEK": fieldOf("dow"), "DAYOFWEEKISO": fieldOf("isodow"), "DAYOFYEAR": fieldOf("doy"), "WEEK": fieldOf("week"),
		"WEEKOFYEAR": fieldOf("week"), "WEEKISO": fieldOf("week"), "YEAROFWEEK": fieldOf("isoyear"), "YEAROFWEEKISO": fieldOf("isoyear"),
		"HOUR": fieldOf("hour"), "MINUTE": fieldOf("minute"), "SECOND": fieldOf("second"),
		"DAYNAME": shortName("%a"), "MONTHNAME": shortName("%b"),
		"TO_DATE": toDate, "DATE": toDate, "TRY_TO_DATE": toDate,
		"TO_TIMESTAMP": toTimestamp, "TO_TIMESTAMP_NTZ": toTimestamp, "TRY_TO_TIMESTAMP": toTimestamp, "TRY_TO_TIMESTAMP_NTZ": toTimestamp,
		"TO_CHAR": toChar, "TO_VARCHAR": toChar,
		"TO_NUMBER": toNumber, "TO_DECIMAL": toNumber, "TO_NUMERIC": toNumber,
		"TRY_TO_NUMBER": toNumber, "TRY_TO_DECIMAL": toNumber, "TRY_TO_NUMERIC": toNumber,
		"GET": get, "GET_PATH": get, "OBJECT_CONSTRUCT": objectConstruct,
		"TABLE": table, "FLATTEN": flatten, "SEQ1": seqNumber, "SEQ2": seqNumber, "SEQ4": seqNumber, "SEQ8": seqNumber,
		"POSITION": position,
	}
	for _, name := range []string{"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP"} {
		special[name] = now
	}
}

// now is CURRENT_DATE() and the like; a precision is dropped.
func now(c *call) (operand, error) {
	if len(c.args) > 1 {
		return operand{}, c.arity()
	}
	return operand{text: contextual[c.name.Value]}, nil
}

// castCall is CAST(x AS type) and TRY_CAST(x AS type).
func castCall(c *call) (operand, error) {
	if len(c.args) == 0 {
		return operand{}, c.arity()
	}
	all := c.args[0]
	for i := range all {
		if !all[i].is("AS") || i == 0 || i+1 == len(all) {
			continue
		}
		t, used, err := parseType(append(append([]node{}, all[i+1:]...), rest(c.args[1:])...))
		if err != nil {
			return operand{}, err
		}
		if i+1+used != len(all) || len(c.args) != 1 {
			return operand{}, unsupported(all[i].Token, "this type in CAST")
		}
		text, only, err := c.single(all[:i])
		if err != nil {
			return operand{}, err
		}
		o := operand{text: "(" + text + ")"}
		if only != nil {
			o = *only
		}
		return operand{text: castOperand(o, t, c.name.is("TRY_CAST"))}, nil
	}
	return operand{}, &SyntaxError{What: "AS is missing in CAST", Line: c.name.Line, Col: c.name.Col}
}

func rest(args [][]node) []node {
	var out []node
	for _, a := range args {
		out = append(out, a...)
	}
	return out
}

func decode(c *call) (operand, error) {
	args, err := c.texts()
	if err != nil {
		return operand{}, err
	}
	if len(args) < 3 {
		return operand{}, c.arity()
	}
	var b strings.Builder
	b.WriteString("CASE")
	i := 1
	for ; i+1 < len(args); i += 2 {
		b.WriteString(" WHEN " + args[0] + " IS NOT DISTINCT FROM " + args[i] + " THEN " + args[i+1])
	}
	if i < len(args) {
		b.WriteString(" ELSE " + args[i])
	}
	return operand{text: b.String() + " END"}, nil
}

// concat is NULL when a part is; DuckDB's concat leaves the part out.
func concat(c *call) (operand, error) {
	args, err := c.texts()
	if err != nil || len(args) == 0 {
		return operand{}, errOr(err, c.arity())
	}
	for i := range args {
		args[i] = "mkt_text(" + args[i] + ")"
	}
	return operand{text: "(" + strings.Join(args, " || ") + ")"}, nil
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// strict is a function that is NULL when an argument is.
func strict(to string) func(*call) (operand, error) {
	return func(c *call) (operand, error) {
		args, err := c.texts()
		if err != nil || len(args) == 0 {
			return operand{}, errOr(err, c.arity())
		}
		return operand{text: "CASE WHEN " + strings.Join(args, " IS NOT NULL AND ") + " IS NOT NULL THEN " +
			to + "(" + strings.Join(args, ", ") + ") END"}, nil
	}
}

// position is POSITION(a IN b) or POSITION(a, b).
func position(c *call) (operand, error) {
	if len(c.args) == 1 {
		for i, n := range c.args[0] {
			if n.is("IN") && i > 0 && i+1 < len(c.args[0]) {
				c.args = [][]node{c.args[0][:i], c.args[0][i+1:]}
				break
			}
		}
	}
	args, err := c.texts()
	if err != nil || len(args) != 2 {
		return operand{}, errOr(err, c.arity())
	}
	return operand{text: "instr(" + args[1] + ", " + args[0] + ")"}, nil
}

// order gives " ORDER BY …" of WITHIN GROUP, or nothing.
func (c *call) order() (string, error) {
	if !c.isWithin {
		return "", nil
	}
	text, err := c.sequence(c.within)
	return " " + text, err
}

func (c *call) distinctText() string {
	if c.distinct {
		return "DISTINCT "
	}
	return ""
}

func listAgg(c *call) (operand, error) {
	args, err := c.texts()
	if err != nil || len(args) == 0 || len(args) > 2 {
		return operand{}, errOr(err, c.arity())
	}
	sep := "''"
	if len(args) == 2 {
		sep = args[1]
	}
	order, err := c.order()
	if err != nil {
		return operand{}, err
	}
	if c.distinct && order != "" {
		order = strings.Replace(order, args[0], "mkt_text("+args[0]+")", 1)
	}
	over, err := c.window("")
	return operand{text: "coalesce(string_agg(" + c.distinctText() + "mkt_text(" + args[0] + "), " + sep + order + ")" + over + ", '')"}, err
}

// arrayAgg leaves NULLs out, as Snowflake does, and gives a VARIANT.
func arrayAgg(c *call) (operand, error) {
	args, err := c.texts()
	if err != nil || len(args) != 1 {
		return operand{}, errOr(err, c.arity())
	}
	order, err := c.order()
	if err != nil {
		return operand{}, err
	}
	over, err := c.window("")
	return operand{text: "coalesce(to_json(list(" + c.distinctText() + args[0] + order + ") FILTER (WHERE " + args[0] +
		" IS NOT NULL)" + over + "), CAST('[]' AS JSON))"}, err
}

func percentile(c *call) (operand, error) {
	args, err := c.texts()
	if err != nil || len(args) != 1 || !c.isWithin {
		return operand{}, errOr(err, c.arity())
	}
	w := c.within
	if len(w) < 3 || !w[0].is("ORDER") || !w[1].is("BY") || len(list(w)) != 1 {
		return operand{}, c.unsupported("WITHIN GROUP without one ORDER BY expression")
	}
	w = w[2:]
	p := args[0]
	fn := map[string]string{"PERCENTILE_CONT": "quantile_cont", "PERCENTILE_DISC": "quantile_disc"}[c.name.Value]
	switch last := w[len(w)-1]; {
	case last.is("ASC"):
		w = w[:len(w)-1]
	case last.is("DESC") && fn == "quantile_disc":
		return operand{}, c.unsupported("PERCENTILE_DISC in descending order")
	case last.is("DESC"):
		w, p = w[:len(w)-1], "1 - "+p
	}
	x, err := c.argText(w)
	if err != nil {
		return operand{}, err
	}
	over, err := c.window("")
	return operand{text: fn + "(" + x + ", " + p + ")" + over}, err
}

func ratioToReport(c *call) (operand, error) {
	args, err := c.texts()
	if err != nil || len(args) != 1 || !c.isOver {
		return operand{}, errOr(err, c.arity())
	}
	over, err := c.window("")
	return operand{text: "(" + args[0] + " / nullif(sum(" + args[0] + ")" + over + ", 0))"}, err
}

func trueEvent(c *call) (operand, error) {
	args, err := c.texts()
	if err != nil || len(args) != 1 || !c.isOver {
		return operand{}, errOr(err, c.arity())
	}
	over, err := c.window("ROWS UNBOUNDED PRECEDING")
	return operand{text: "sum(CASE WHEN " + args[0] + " THEN 1 ELSE 0 END)" + over}, err
}

func by(to string) func(*call) (operand, error) {
	return func(c *call) (operand, error) {
		args, err := c.texts()
		if err != nil || len(args) != 2 {
			return operand{}, errOr(err, c.arity())
		}
		over, err := c.window("")
		return operand{text: to + "(" + strings.Join(args, ", ") + ")" + over}, err
	}
}

package dialect

import (
	"regexp"
	"strings"
)

// parts are the date and time parts by all their names, from Snowflake's document "Supported date and time parts".
var parts = func() map[string]string {
	m := map[string]string{}
	for part, names := range map[string]string{
		"year": "year y yy yyy yyyy yr years yrs", "quarter": "quarter q qtr qtrs quarters",
		"month": "month mm mon mons months", "week": "week w wk weekofyear woy wy weeks week_iso weekiso weekofyeariso",
		"day": "day d dd days dayofmonth", "hour": "hour h hh hr hours hrs", "minute": "minute m mi min minutes mins",
		"second": "second s sec seconds secs", "millisecond": "millisecond ms msec milliseconds",
		"microsecond": "microsecond us usec microseconds",
	} {
		for n := range strings.FieldsSeq(names) {
			m[n] = part
		}
	}
	return m
}()

// fields are the parts that only EXTRACT and DATE_PART know.
var fields = map[string]string{
	"dayofweek": "dow", "weekday": "dow", "dow": "dow", "dw": "dow", "dayofweekiso": "isodow", "dayofweek_iso": "isodow",
	"weekday_iso": "isodow", "dow_iso": "isodow", "dayofyear": "doy", "yearday": "doy", "doy": "doy", "dy": "doy",
	"yearofweek": "isoyear", "yearofweekiso": "isoyear", "epoch": "epoch", "epoch_second": "epoch", "epoch_seconds": "epoch",
}

// part reads a date part, bare or in quotes.
func (c *call) part(i int) (string, error) {
	a := c.args[i]
	if len(a) != 1 || a[0].Kind == Number || a[0].group() {
		return "", unsupported(a[0].Token, "a date part that is not a word")
	}
	p, ok := parts[strings.ToLower(a[0].Value)]
	if !ok {
		return "", unsupported(a[0].Token, "date part "+a[0].Value)
	}
	return p, nil
}

// date rewrites a date argument; a literal text in its place is a timestamp.
func (c *call) date(i int) (string, error) { return c.dateText(c.args[i]) }

func (c *call) dateText(a []node) (string, error) {
	if len(a) == 1 && a[0].Kind == String {
		return "CAST(" + Literal(a[0].Value) + " AS TIMESTAMP)", nil
	}
	return c.argText(a)
}

// interval gives n units of a part; n is SQL.
func interval(part, n string) string {
	n = "CAST(round(" + n + ") AS INTEGER)"
	switch part {
	case "quarter":
		return "to_months(3 * " + n + ")"
	case "second":
		return "to_seconds(CAST(" + n + " AS DOUBLE))"
	}
	return "to_" + part + "s(" + n + ")"
}

func wholeDays(part string) bool {
	switch part {
	case "year", "quarter", "month", "week", "day":
		return true
	}
	return false
}

// plus adds an interval to a date; one of whole days leaves a DATE a DATE.
func plus(date, op, interval string, days bool) string {
	sum := "(" + date + " " + op + " " + interval + ")"
	if days {
		return "cast_to_type(" + sum + ", " + date + ")"
	}
	return sum
}

func dateAdd(c *call) (operand, error) {
	if len(c.args) != 3 {
		return operand{}, c.arity()
	}
	part, err := c.part(0)
	if err != nil {
		return operand{}, err
	}
	n, err := c.text(1)
	if err != nil {
		return operand{}, err
	}
	d, err := c.date(2)
	return operand{text: plus(d, "+", interval(part, n), wholeDays(part))}, err
}

// dateDiff counts the boundaries of the part between two times.
func dateDiff(c *call) (operand, error) {
	if len(c.args) != 3 {
		return operand{}, c.arity()
	}
	part, err := c.part(0)
	if err != nil {
		return operand{}, err
	}
	a, err := c.date(1)
	if err != nil {
		return operand{}, err
	}
	b, err := c.date(2)
	if err != nil {
		return operand{}, err
	}
	a, b = "CAST("+a+" AS TIMESTAMP)", "CAST("+b+" AS TIMESTAMP)"
	if part == "week" {
		return operand{text: "(date_diff('day', date_trunc('week', " + a + "), date_trunc('week', " + b + ")) // 7)"}, nil
	}
	return operand{text: "date_diff('" + part + "', " + a + ", " + b + ")"}, nil
}

// dateTrunc handles DATE_TRUNC(part, date) and TRUNC(date, part).
func dateTrunc(c *call) (operand, error) {
	if len(c.args) != 2 {
		return operand{}, c.arity()
	}
	p, d := 0, 1
	if _, err := c.part(0); err != nil || c.args[1][0].Kind == String && len(c.args[1]) == 1 {
		p, d = 1, 0
	}
	part, err := c.part(p)
	if err != nil {
		return operand{}, err
	}
	x, err := c.date(d)
	return operand{text: "cast_to_type(date_trunc('" + part + "', " + x + "), " + x + ")"}, err
}

// trunc is TRUNC of a number or of a date.
func trunc(c *call) (operand, error) {
	if len(c.args) == 2 && c.args[1][0].Kind == String {
		return dateTrunc(c)
	}
	args, err := c.texts()
	if err != nil {
		return operand{}, err
	}
	t, ok := templates["TRUNC"][len(args)]
	if !ok {
		return operand{}, c.arity()
	}
	return operand{text: fill(t, args)}, nil
}

func lastDay(c *call) (operand, error) {
	part := "month"
	if len(c.args) == 2 {
		var err error
		if part, err = c.part(1); err != nil {
			return operand{}, err
		}
	} else if len(c.args) != 1 {
		return operand{}, c.arity()
	}
	d, err := c.date(0)
	return operand{text: "CAST(date_trunc('" + part + "', " + d + ") + " + interval(part, "1") + " - to_days(1) AS DATE)"}, err
}

// extract handles EXTRACT(part FROM date), DATE_PART(part, date).
func extract(c *call) (operand, error) {
	if len(c.args) == 1 && len(c.args[0]) > 2 && c.args[0][1].is("FROM") {
		c.args = [][]node{c.args[0][:1], c.args[0][2:]}
	}
	if len(c.args) != 2 {
		return operand{}, c.arity()
	}
	d, err := c.date(1)
	if err != nil {
		return operand{}, err
	}
	if f, ok := fields[strings.ToLower(c.args[0][0].Value)]; ok {
		return field(f, d), nil
	}
	part, err := c.part(0)
	return field(part, d), err
}

func field(name, date string) operand {
	if name == "epoch" {
		return operand{text: "CAST(floor(epoch(" + date + ")) AS BIGINT)"}
	}
	return operand{text: "date_part('" + name + "', " + date + ")"}
}

// fieldOf is a function that is a field of a date: YEAR(d).
func fieldOf(name string) func(*call) (operand, error) {
	return func(c *call) (operand, error) {
		if len(c.args) != 1 {
			return operand{}, c.arity()
		}
		d, err := c.date(0)
		return field(name, d), err
	}
}

// shortName is DAYNAME or MONTHNAME, three letters long.
func shortName(format string) func(*call) (operand, error) {
	return func(c *call) (operand, error) {
		if len(c.args) != 1 {
			return operand{}, c.arity()
		}
		d, err := c.date(0)
		return operand{text: "strftime(" + d + ", '" + format + "')"}, err
	}
}

// timeSlice is TIME_SLICE(date, length, part [, 'START' | 'END']); slices are counted from 1970-01-01, those of
// weeks from the Monday before.
func timeSlice(c *call) (operand, error) {
	if len(c.args) != 3 && len(c.args) != 4 {
		return operand{}, c.arity()
	}
	part, err := c.part(2)
	if err != nil {
		return operand{}, err
	}
	d, err := c.date(0)
	if err != nil {
		return operand{}, err
	}
	n, err := c.text(1)
	if err != nil {
		return operand{}, err
	}
	origin := "1970-01-01"
	if part == "week" {
		origin = "1969-12-29"
	}
	step := interval(part, n)
	slice := "time_bucket(" + step + ", CAST(" + d + " AS TIMESTAMP), TIMESTAMP '" + origin + "')"
	if len(c.args) == 4 {
		switch e := c.args[3]; {
		case len(e) == 1 && e[0].Kind == String && strings.EqualFold(e[0].Value, "END"):
			slice += " + " + step
		case len(e) == 1 && e[0].Kind == String && strings.EqualFold(e[0].Value, "START"):
		default:
			return operand{}, unsupported(e[0].Token, "TIME_SLICE to anything but 'START' or 'END'")
		}
	}
	return operand{text: "cast_to_type(" + slice + ", " + d + ")"}, nil
}

var intervalPart = regexp.MustCompile(`^\s*([+-]?\d+)\s*([A-Za-z]+)\s*$`)

// parseInterval reads INTERVAL '1 year, 3 days' and says whether it is of whole days.
func parseInterval(t Token) (text string, days bool, err error) {
	var sum []string
	days = true
	for p := range strings.SplitSeq(t.Value, ",") {
		m := intervalPart.FindStringSubmatch(p)
		if m == nil {
			return "", false, unsupported(t, "interval "+t.Text)
		}
		part, ok := parts[strings.ToLower(m[2])]
		if !ok {
			return "", false, unsupported(t, "interval in "+m[2])
		}
		days = days && wholeDays(part)
		sum = append(sum, interval(part, m[1]))
	}
	if len(sum) == 1 {
		return sum[0], days, nil
	}
	return "(" + strings.Join(sum, " + ") + ")", days, nil
}

// interval handles date + INTERVAL '…' in an expression.
func (s *seq) interval(op node) error {
	v, days, err := parseInterval(s.ns[s.i+2].Token)
	if err != nil {
		return err
	}
	last := len(s.out) - 1
	s.out[last] = plus(s.out[last], op.Text, v, days)
	s.next(3)
	s.operand = true
	return nil
}

func (c *call) arity() error {
	return c.unsupported("function " + c.name.Value + " with this number of arguments")
}

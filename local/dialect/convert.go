package dialect

import (
	"strconv"
	"strings"
)

// formats maps the elements of Snowflake's date and time formats to strftime's, the longest first.
var formats = []struct{ from, to string }{
	{"YYYY", "%Y"}, {"MMMM", "%B"}, {"HH24", "%H"}, {"HH12", "%I"}, {"MON", "%b"}, {"FF9", "%n"}, {"FF6", "%f"}, {"FF3", "%g"},
	{"YY", "%y"}, {"MM", "%m"}, {"DD", "%d"}, {"DY", "%a"}, {"AM", "%p"}, {"PM", "%p"}, {"MI", "%M"}, {"SS", "%S"}, {"FF", "%n"},
}

// format translates a date format given as a literal. It refuses what is no such format.
func (c *call) format(a []node) (string, error) {
	if len(a) != 1 || a[0].Kind != String {
		return "", unsupported(a[0].Token, "a format that is not a literal")
	}
	var b strings.Builder
	rest, found := a[0].Value, false
next:
	for rest != "" {
		for _, f := range formats {
			if len(rest) >= len(f.from) && strings.EqualFold(rest[:len(f.from)], f.from) {
				b.WriteString(f.to)
				rest, found = rest[len(f.from):], true
				continue next
			}
		}
		if rest[0] == '"' {
			if end := strings.IndexByte(rest[1:], '"'); end >= 0 {
				b.WriteString(strings.ReplaceAll(rest[1:1+end], "%", "%%"))
				rest = rest[end+2:]
				continue
			}
		}
		if !strings.ContainsRune("-/.,:; _T", rune(rest[0])) {
			return "", unsupported(a[0].Token, "format "+a[0].Text)
		}
		b.WriteByte(rest[0])
		rest = rest[1:]
	}
	if !found {
		return "", unsupported(a[0].Token, "format "+a[0].Text)
	}
	return Literal(b.String()), nil
}

// auto says whether a format argument is 'AUTO'.
func auto(a []node) bool {
	return len(a) == 1 && a[0].Kind == String && strings.EqualFold(a[0].Value, "AUTO")
}

// parsed reads a text by a format.
func (c *call) parsed() (string, error) {
	x, err := c.text(0)
	if err != nil {
		return "", err
	}
	f, err := c.format(c.args[1])
	if err != nil {
		return "", err
	}
	fn := "strptime"
	if strings.HasPrefix(c.name.Value, "TRY_") {
		fn = "try_strptime"
	}
	return fn + "(CAST(" + x + " AS VARCHAR), " + f + ")", nil
}

func toDate(c *call) (operand, error) {
	if len(c.args) == 2 && !auto(c.args[1]) {
		p, err := c.parsed()
		return operand{text: "CAST(" + p + " AS DATE)"}, err
	}
	if len(c.args) != 1 && len(c.args) != 2 {
		return operand{}, c.arity()
	}
	x, err := c.text(0)
	return operand{text: typ{name: "DATE"}.cast(x, c.name.is("TRY_TO_DATE"))}, err
}

func toTimestamp(c *call) (operand, error) {
	if len(c.args) == 2 && !auto(c.args[1]) {
		p, err := c.parsed()
		return operand{text: p}, err
	}
	if len(c.args) != 1 && len(c.args) != 2 {
		return operand{}, c.arity()
	}
	x, err := c.text(0)
	if strings.HasPrefix(c.name.Value, "TRY_") {
		return operand{text: "TRY(mkt_timestamp(" + x + "))"}, err
	}
	return operand{text: "mkt_timestamp(" + x + ")"}, err
}

func toChar(c *call) (operand, error) {
	if len(c.args) == 2 {
		d, err := c.date(0)
		if err != nil {
			return operand{}, err
		}
		f, err := c.format(c.args[1])
		return operand{text: "strftime(CAST(" + d + " AS TIMESTAMP), " + f + ")"}, err
	}
	if len(c.args) != 1 {
		return operand{}, c.arity()
	}
	x, err := c.text(0)
	return operand{text: "mkt_text(" + x + ")"}, err
}

// toNumber is TO_NUMBER(x [, precision [, scale]]).
func toNumber(c *call) (operand, error) {
	if len(c.args) == 0 || len(c.args) > 3 {
		return operand{}, c.arity()
	}
	numbers := [2]string{"38", "0"}
	for i, a := range c.args[1:] {
		if len(a) != 1 || a[0].Kind != Number {
			return operand{}, unsupported(a[0].Token, "a number format")
		}
		if _, err := strconv.Atoi(a[0].Text); err != nil {
			return operand{}, unsupported(a[0].Token, "this precision or scale")
		}
		numbers[i] = a[0].Text
	}
	x, err := c.text(0)
	return operand{text: typ{name: "DECIMAL(" + numbers[0] + "," + numbers[1] + ")"}.cast(x, strings.HasPrefix(c.name.Value, "TRY_"))}, err
}

package codec

import (
	"fmt"
	"strings"
	"time"
)

// layoutOf turns a format in Snowflake's letters ("Date and Time Formats in
// Conversion Functions") into a layout of package time.
func layoutOf(format string) (string, error) {
	var out strings.Builder
	for rest := format; rest != ""; {
		n := 1
		for _, e := range formatElements {
			if len(rest) >= len(e.letters) && strings.EqualFold(rest[:len(e.letters)], e.letters) {
				out.WriteString(e.layout)
				n = len(e.letters)
				break
			}
		}
		if n == 1 {
			c := rest[0]
			if c != 'T' && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_') {
				return "", fmt.Errorf("the format %q has %q, which is no element of a date or time: write YYYY, YY, MM, MON, DD, HH24, HH12, AM, MI, SS, FF, TZH:TZM or TZ", format, rest)
			}
			if c != '"' { // Snowflake's quotes around literal text
				out.WriteByte(c)
			}
		}
		rest = rest[n:]
	}
	layout := out.String()
	if layout != "" && !strings.Contains(layout, "06") {
		return "", fmt.Errorf("the format %q has no year: write YYYY or YY", format)
	}
	return layout, nil
}

// formatElements, the longer before those they begin with.
var formatElements = []struct{ letters, layout string }{
	{"YYYY", "2006"}, {"YY", "06"}, {"MMMM", "January"}, {"MON", "Jan"}, {"MM", "01"}, {"DD", "02"}, {"DY", "Mon"},
	{"HH24", "15"}, {"HH12", "03"}, {"MI", "04"}, {"SS.FF", "05"}, {"SS", "05"}, // a fraction is read behind seconds anyhow
	{"AM", "PM"}, {"PM", "PM"}, {"TZH:TZM", "-07:00"}, {"TZHTZM", "-0700"}, {"TZ", "Z07:00"},
}

// encodeWhen appends a date or timestamp that is written as c.layout says.
// Errors read on after the text.
func (c *column) encodeWhen(dst, text []byte) ([]byte, error) {
	t, err := time.Parse(c.layout, string(text))
	if err != nil {
		return dst, fmt.Errorf("does not have the form %s", c.form)
	}
	if c.node.op == opDate {
		return appendLong(dst, floorDiv(t.Unix(), secondsPerDay)), nil
	}
	if _, offset := t.Zone(); c.node.local && offset != 0 {
		return dst, errZone
	}
	per := perSecond(c.node.unit)
	nanos := int64(t.Nanosecond())
	if nanos%(1e9/per) != 0 {
		return dst, errFraction
	}
	v := t.Unix()*per + nanos/(1e9/per)
	if floorDiv(v, per) != t.Unix() {
		return dst, errYear
	}
	return appendLong(dst, v), nil
}

// Flat is the fields that a column can fill: those that are not nested.
func (s *Schema) Flat() []string {
	var out []string
	for i := range s.root.fields {
		f := &s.root.fields[i]
		if _, err := compileColumn(f, map[string]int{f.name: 0}); err == nil {
			out = append(out, f.name)
		}
	}
	return out
}

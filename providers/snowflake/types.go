package snowflake

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// The largest lengths and default precisions (Snowflake: "Summary of data types").
const (
	maxVarchar   = 134217728 // since 2025; the default length stayed
	plainVarchar = 16777216
	plainBinary  = 8388608
	maxBinary    = 67108864
)

var typeText = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_ ]*?)\s*(?:\(\s*([^()]*?)\s*\))?\s*$`)

// dataType is a type taken apart: its canonical word and its arguments.
type dataType struct {
	word string
	args []int
}

func (t dataType) String() string {
	if len(t.args) == 0 {
		return t.word
	}
	args := make([]string, len(t.args))
	for i, a := range t.args {
		args[i] = strconv.Itoa(a)
	}
	return t.word + "(" + strings.Join(args, ",") + ")"
}

// parseType reads any spelling of a type and gives the one that Snowflake reads back.
func parseType(s string) (dataType, error) {
	m := typeText.FindStringSubmatch(s)
	if m == nil {
		return dataType{}, fmt.Errorf("%q is no type", s)
	}
	word := strings.Join(strings.Fields(strings.ToUpper(m[1])), " ")
	var args []int
	if m[2] != "" {
		for _, a := range strings.Split(m[2], ",") {
			n, err := strconv.Atoi(strings.TrimSpace(a))
			if err != nil || n < 0 {
				return dataType{}, fmt.Errorf("%q: %q is no length or precision", s, strings.TrimSpace(a))
			}
			args = append(args, n)
		}
	}
	fixed := func(word string) (dataType, error) {
		if args != nil {
			return dataType{}, fmt.Errorf("%q: %s takes no arguments", s, word)
		}
		return dataType{word: word}, nil
	}
	one := func(word string, plain, low, high int) (dataType, error) {
		n := plain
		if len(args) > 0 {
			n = args[0]
		}
		if len(args) > 1 || n < low || n > high {
			return dataType{}, fmt.Errorf("%q: %s takes one number from %d to %d", s, word, low, high)
		}
		return dataType{word: word, args: []int{n}}, nil
	}
	switch word {
	case "VARCHAR", "STRING", "TEXT", "NVARCHAR", "NVARCHAR2", "CHAR VARYING", "NCHAR VARYING":
		return one("VARCHAR", plainVarchar, 1, maxVarchar)
	case "CHAR", "CHARACTER", "NCHAR":
		return one("VARCHAR", 1, 1, maxVarchar)
	case "BINARY", "VARBINARY":
		return one("BINARY", plainBinary, 1, maxBinary)
	case "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT":
		if _, err := fixed(word); err != nil {
			return dataType{}, err
		}
		return dataType{word: "NUMBER", args: []int{38, 0}}, nil
	case "NUMBER", "DECIMAL", "NUMERIC", "DEC":
		p := args
		if len(p) < 2 {
			p = append(p, []int{38, 0}[len(p):]...)
		}
		if len(p) > 2 || p[0] < 1 || p[0] > 38 || p[1] > p[0] {
			return dataType{}, fmt.Errorf("%q: precision goes from 1 to 38 and scale from 0 to the precision", s)
		}
		return dataType{word: "NUMBER", args: p}, nil
	case "FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "DOUBLE PRECISION", "REAL":
		return fixed("FLOAT")
	case "DATETIME", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMPNTZ", "TIMESTAMP WITHOUT TIME ZONE":
		return one("TIMESTAMP_NTZ", 9, 0, 9)
	case "TIMESTAMP_LTZ", "TIMESTAMPLTZ", "TIMESTAMP WITH LOCAL TIME ZONE":
		return one("TIMESTAMP_LTZ", 9, 0, 9)
	case "TIMESTAMP_TZ", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return one("TIMESTAMP_TZ", 9, 0, 9)
	case "TIME":
		return one("TIME", 9, 0, 9)
	case "DATE", "BOOLEAN", "VARIANT", "OBJECT", "ARRAY", "GEOGRAPHY", "GEOMETRY":
		return fixed(word)
	}
	return dataType{}, fmt.Errorf("%q is no type of Snowflake that mkt knows; write VARCHAR(n), NUMBER(p,s), FLOAT, BOOLEAN, DATE, TIME, TIMESTAMP_NTZ, TIMESTAMP_LTZ, TIMESTAMP_TZ, BINARY, VARIANT, OBJECT, ARRAY, GEOGRAPHY or GEOMETRY", s)
}

func checkType(v cty.Value) error {
	_, err := parseType(v.AsString())
	return err
}

// normType writes a type as DESC TABLE does.
func normType(v cty.Value) cty.Value {
	t, err := parseType(v.AsString())
	if err != nil {
		return v
	}
	return text(t.String())
}

// typeChange judges a change of a column's type: only a longer text and a higher precision keep the rows.
func typeChange(column, before, after string) spec.Verdict {
	if before == after {
		return spec.Verdict{Act: spec.Same}
	}
	b, err1 := parseType(before)
	a, err2 := parseType(after)
	replace := func(what string) spec.Verdict {
		return spec.Verdict{Act: spec.Replace, Why: fmt.Sprintf("column %s: %s (%s to %s) needs a new table", column, what, before, after)}
	}
	if err1 != nil || err2 != nil || a.word != b.word {
		return replace("another type")
	}
	switch a.word {
	case "VARCHAR", "BINARY":
		if a.word == "VARCHAR" && a.args[0] > b.args[0] {
			return spec.Verdict{Act: spec.InPlace}
		}
		if a.args[0] < b.args[0] {
			return replace("a shorter " + a.word)
		}
	case "NUMBER":
		switch {
		case a.args[1] != b.args[1]:
			return replace("another scale")
		case a.args[0] > b.args[0]:
			return spec.Verdict{Act: spec.InPlace}
		}
		return replace("a lower precision")
	}
	return replace("another type")
}

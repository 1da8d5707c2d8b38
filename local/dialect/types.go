package dialect

import (
	"strconv"
)

var types = map[string]string{
	"FLOAT": "DOUBLE", "FLOAT4": "DOUBLE", "FLOAT8": "DOUBLE", "DOUBLE": "DOUBLE", "REAL": "DOUBLE",
	"INT": "DECIMAL(38,0)", "INTEGER": "DECIMAL(38,0)", "BIGINT": "DECIMAL(38,0)", "SMALLINT": "DECIMAL(38,0)",
	"TINYINT": "DECIMAL(38,0)", "BYTEINT": "DECIMAL(38,0)",
	"VARCHAR": "VARCHAR", "STRING": "VARCHAR", "TEXT": "VARCHAR", "NVARCHAR": "VARCHAR", "CHAR": "VARCHAR",
	"CHARACTER": "VARCHAR", "NCHAR": "VARCHAR",
	"BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIME": "TIME",
	"DATETIME": "TIMESTAMP", "TIMESTAMP": "TIMESTAMP", "TIMESTAMP_NTZ": "TIMESTAMP", "TIMESTAMPNTZ": "TIMESTAMP",
	"TIMESTAMP_LTZ": "TIMESTAMPTZ", "TIMESTAMPLTZ": "TIMESTAMPTZ", "TIMESTAMP_TZ": "TIMESTAMPTZ", "TIMESTAMPTZ": "TIMESTAMPTZ",
	"BINARY": "BLOB", "VARBINARY": "BLOB",
	"VARIANT": "JSON", "OBJECT": "JSON", "ARRAY": "JSON",
}

// typ is a type as it stands in a text: DuckDB's name for it, and the length of a VARCHAR (0: none).
type typ struct {
	name   string
	length int
	offset bool // TIMESTAMP_TZ, whose values have an offset of their own
}

// parseType reads a type at the beginning of nodes and gives the number of nodes it takes.
func parseType(ns []node) (typ, int, error) {
	first := at(ns, 0)
	word, n := first.Value, 1
	if first.Kind != Ident {
		return typ{}, 0, unsupported(first.Token, "type "+first.Text)
	}
	switch {
	case word == "DOUBLE" && at(ns, 1).is("PRECISION"), word == "CHAR" && at(ns, 1).is("VARYING"):
		n = 2
	}
	var args []int
	if g := at(ns, n); g.paren() {
		for _, a := range list(g.kids) {
			v, err := strconv.Atoi(at(a, 0).Text)
			if len(a) != 1 || err != nil {
				return typ{}, 0, unsupported(g.Token, "type "+word+" with these arguments")
			}
			args = append(args, v)
		}
		n++
	}
	if word == "NUMBER" || word == "DECIMAL" || word == "NUMERIC" || word == "DEC" {
		p, s := 38, 0
		if len(args) > 0 {
			p = args[0]
		}
		if len(args) > 1 {
			s = args[1]
		}
		if p < 1 || p > 38 || s < 0 || s > p || len(args) > 2 {
			return typ{}, 0, &SyntaxError{What: "invalid precision or scale of " + word, Line: first.Line, Col: first.Col}
		}
		return typ{name: "DECIMAL(" + strconv.Itoa(p) + "," + strconv.Itoa(s) + ")"}, n, nil
	}
	name, ok := types[word]
	if !ok {
		return typ{}, 0, unsupported(first.Token, "type "+word)
	}
	t := typ{name: name, offset: offsetTypes[word]}
	if name == "VARCHAR" && len(args) == 1 {
		t.length = args[0]
	}
	return t, n, nil
}

// offsetTypes are the names of the type whose values keep an offset. DuckDB has none such, so that values of another offset than
// UTC's are refused when they are made (mkt_tz).
var offsetTypes = map[string]bool{"TIMESTAMP_TZ": true, "TIMESTAMPTZ": true}

// cast writes the conversion of a value, already rewritten, to a type. Text of a FLOAT or TIMESTAMP
// is written as Snowflake writes it, and VARCHAR(n) cuts.
func (t typ) cast(value string, try bool) string {
	switch {
	case t.offset && try:
		return "mkt_try_tz(" + value + ")"
	case t.offset:
		return "mkt_tz(" + value + ")"
	case t.name == "TIMESTAMPTZ":
		value = "mkt_offset(" + value + ")"
	}
	switch {
	case t.name == "VARCHAR" && t.length > 0:
		return "substr(mkt_text(" + value + "), 1, " + strconv.Itoa(t.length) + ")"
	case t.name == "VARCHAR":
		return "mkt_text(" + value + ")"
	case t.name == "JSON" && !try:
		return "to_json(" + value + ")"
	case try:
		return "TRY_CAST(" + value + " AS " + t.name + ")"
	}
	return "CAST(" + value + " AS " + t.name + ")"
}

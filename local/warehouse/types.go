package warehouse

import (
	"fmt"
	"strconv"
	"strings"
)

// dataType is a column type in Snowflake's canonical form.
type dataType struct {
	Base      string `json:"base"` // NUMBER, FLOAT, VARCHAR, BINARY, BOOLEAN, DATE, TIME, TIMESTAMP_NTZ/LTZ/TZ, VARIANT, OBJECT, ARRAY
	Precision int    `json:"p,omitempty"`
	Scale     int    `json:"s,omitempty"`
	Length    int    `json:"n,omitempty"`
}

const (
	maxVarchar = 16777216
	maxBinary  = 8388608
)

// typeNames maps every spelling to its canonical base (Snowflake document "Summary of data types").
var typeNames = map[string]string{
	"NUMBER": "NUMBER", "DECIMAL": "NUMBER", "DEC": "NUMBER", "NUMERIC": "NUMBER", "INT": "INT", "INTEGER": "INT",
	"BIGINT": "INT", "SMALLINT": "INT", "TINYINT": "INT", "BYTEINT": "INT",
	"FLOAT": "FLOAT", "FLOAT4": "FLOAT", "FLOAT8": "FLOAT", "DOUBLE": "FLOAT", "REAL": "FLOAT",
	"VARCHAR": "VARCHAR", "STRING": "VARCHAR", "TEXT": "VARCHAR", "NVARCHAR": "VARCHAR", "NVARCHAR2": "VARCHAR",
	"CHAR": "CHAR", "CHARACTER": "CHAR", "NCHAR": "CHAR",
	"BINARY": "BINARY", "VARBINARY": "BINARY", "BOOLEAN": "BOOLEAN", "DATE": "DATE", "TIME": "TIME",
	"DATETIME": "TIMESTAMP_NTZ", "TIMESTAMP": "TIMESTAMP_NTZ", "TIMESTAMP_NTZ": "TIMESTAMP_NTZ", "TIMESTAMPNTZ": "TIMESTAMP_NTZ",
	"TIMESTAMP_LTZ": "TIMESTAMP_LTZ", "TIMESTAMPLTZ": "TIMESTAMP_LTZ", "TIMESTAMP_TZ": "TIMESTAMP_TZ", "TIMESTAMPTZ": "TIMESTAMP_TZ",
	"VARIANT": "VARIANT", "OBJECT": "OBJECT", "ARRAY": "ARRAY",
}

// parseType reads a type with its arguments.
func (p *parser) parseType() (dataType, error) {
	t := p.peek()
	name, err := p.ident()
	if err != nil {
		return dataType{}, err
	}
	base, ok := typeNames[name]
	if !ok {
		return dataType{}, compileError("002040", "42601", "Unsupported data type '%s'.", t.Text)
	}
	if name == "DOUBLE" {
		p.accept("PRECISION")
	}
	if name == "CHAR" || name == "NCHAR" || name == "CHARACTER" {
		if p.accept("VARYING") {
			base = "VARCHAR"
		}
	}
	args, err := p.typeArgs()
	if err != nil {
		return dataType{}, err
	}
	arg := func(i, def, low, high int) (int, error) {
		if len(args) <= i {
			return def, nil
		}
		if args[i] < low || args[i] > high {
			return 0, compileError("001007", "22023", "invalid type parameter %d of %s: must be between %d and %d", args[i], name, low, high)
		}
		return args[i], nil
	}
	most := map[string]int{"NUMBER": 2, "VARCHAR": 1, "CHAR": 1, "BINARY": 1, "TIME": 1, "TIMESTAMP_NTZ": 1, "TIMESTAMP_LTZ": 1, "TIMESTAMP_TZ": 1}[base]
	if len(args) > most {
		return dataType{}, compileError("001007", "22023", "type %s takes %d parameters, got %d", name, most, len(args))
	}
	d := dataType{Base: base}
	switch base {
	case "INT":
		return dataType{Base: "NUMBER", Precision: 38}, nil
	case "NUMBER":
		if d.Precision, err = arg(0, 38, 1, 38); err == nil {
			d.Scale, err = arg(1, 0, 0, min(37, d.Precision))
		}
	case "CHAR":
		d.Base = "VARCHAR"
		d.Length, err = arg(0, 1, 1, maxVarchar)
	case "VARCHAR":
		d.Length, err = arg(0, maxVarchar, 1, maxVarchar)
	case "BINARY":
		d.Length, err = arg(0, maxBinary, 1, maxBinary)
	case "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ":
		d.Scale, err = arg(0, 9, 0, 9)
	}
	return d, err
}

func (p *parser) typeArgs() ([]int, error) {
	if !p.accept("(") {
		return nil, nil
	}
	var out []int
	for {
		n, err := p.integer()
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if p.accept(")") {
			return out, nil
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
}

// String gives the canonical name as DESC TABLE shows it.
func (d dataType) String() string {
	switch d.Base {
	case "NUMBER":
		return fmt.Sprintf("NUMBER(%d,%d)", d.Precision, d.Scale)
	case "VARCHAR", "BINARY":
		return fmt.Sprintf("%s(%d)", d.Base, d.Length)
	case "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ":
		return fmt.Sprintf("%s(%d)", d.Base, d.Scale)
	}
	return d.Base
}

// duck gives the DuckDB type that stores the values. DuckDB's FLOAT has 4 bytes, hence DOUBLE;
// timestamps keep microseconds.
func (d dataType) duck() string {
	switch d.Base {
	case "NUMBER":
		return fmt.Sprintf("DECIMAL(%d,%d)", d.Precision, d.Scale)
	case "FLOAT":
		return "DOUBLE"
	case "BINARY":
		return "BLOB"
	case "TIMESTAMP_NTZ":
		return "TIMESTAMP"
	case "TIMESTAMP_LTZ", "TIMESTAMP_TZ":
		return "TIMESTAMPTZ"
	case "VARIANT", "OBJECT", "ARRAY":
		return "JSON"
	}
	return d.Base
}

// cast gives the DuckDB expression of a value of the type; it fails where x is none.
func (d dataType) cast(x string) string {
	switch d.Base {
	case "TIMESTAMP_TZ":
		return "mkt_tz(" + x + ")"
	case "TIMESTAMP_LTZ":
		x = "mkt_offset(" + x + ")"
	}
	return "CAST(" + x + " AS " + d.duck() + ")"
}

// tryCast is cast with NULL for what is none.
func (d dataType) tryCast(x string) string {
	if d.Base == "TIMESTAMP_TZ" {
		return "load_tz(CAST(" + x + " AS VARCHAR))"
	}
	return "TRY_CAST(" + x + " AS " + d.duck() + ")"
}

// semi says whether the type is semi-structured.
func (d dataType) semi() bool { return d.Base == "VARIANT" || d.Base == "OBJECT" || d.Base == "ARRAY" }

// column describes one column of a result as the protocol does.
type column struct {
	Name       string  `json:"name"`
	Type       string  `json:"type"` // fixed, real, text, date, time, timestamp_ntz, …
	Precision  int     `json:"precision"`
	Scale      int     `json:"scale"`
	Length     int     `json:"length"`
	ByteLength int     `json:"byteLength"`
	Nullable   bool    `json:"nullable"`
	Fields     []field `json:"fields,omitempty"`
	Database   string  `json:"database"`
	Schema     string  `json:"schema"`
	Table      string  `json:"table"`
	text       bool    // the DuckDB value must be cast to text first
}

type field struct{}

// duckColumn describes a result column from its DuckDB type name as DESCRIBE gives it.
func duckColumn(name, duck string) column {
	c := column{Name: name, Nullable: true}
	base, args, _ := strings.Cut(strings.TrimSuffix(duck, ")"), "(")
	fixed := func(p, s int) { c.Type, c.Precision, c.Scale = "fixed", p, s }
	switch base {
	case "BOOLEAN":
		c.Type = "boolean"
	case "TINYINT", "UTINYINT":
		fixed(3, 0)
	case "SMALLINT", "USMALLINT":
		fixed(5, 0)
	case "INTEGER", "UINTEGER":
		fixed(10, 0)
	case "BIGINT":
		fixed(18, 0)
	case "UBIGINT":
		fixed(20, 0)
	case "HUGEINT", "UHUGEINT":
		fixed(38, 0)
	case "DECIMAL":
		p, s, _ := strings.Cut(args, ",")
		pi, _ := strconv.Atoi(p)
		si, _ := strconv.Atoi(s)
		fixed(pi, si)
	case "FLOAT", "DOUBLE":
		c.Type = "real"
	case "DATE":
		c.Type = "date"
	case "TIME":
		c.Type, c.Scale = "time", 9
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		c.Type, c.Scale = "timestamp_ntz", 9
	case "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ":
		c.Type, c.Scale = "timestamp_ltz", 9
	case "BLOB":
		c.Type, c.Length, c.ByteLength = "binary", maxBinary, maxBinary
	case "JSON":
		c.Type, c.text = "variant", true
	case "STRUCT", "MAP":
		c.Type, c.text = "object", true
	default:
		c.Type, c.Length, c.ByteLength = "text", maxVarchar, maxVarchar
		c.text = base != "VARCHAR"
	}
	if strings.HasSuffix(duck, "[]") {
		c = column{Name: name, Nullable: true, Type: "array", text: true}
	}
	return c
}

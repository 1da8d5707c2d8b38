package row

import (
	"fmt"
	"strconv"
	"strings"
)

// FromSnowflake reads the shape of a Snowflake column type such as
// "VARCHAR(256)", "number(38, 0)" or "TIMESTAMP_NTZ(9)". Names and defaults
// are those of the Snowflake documentation, "Summary of data types". The
// result has no name and is nullable; the caller sets both.
func FromSnowflake(typ string) (Field, error) {
	name, args, err := splitType(typ)
	if err != nil {
		return Field{}, err
	}
	arg := func(i, otherwise int) int {
		if i < len(args) {
			return args[i]
		}
		return otherwise
	}
	f := Field{Nullable: true}
	most := 1
	switch name {
	case "VARCHAR", "STRING", "TEXT", "NVARCHAR", "NVARCHAR2", "CHAR VARYING", "NCHAR VARYING":
		f.Type, f.Length = String, arg(0, 16777216)
	case "CHAR", "CHARACTER", "NCHAR":
		f.Type, f.Length = String, arg(0, 1)
	case "NUMBER", "DECIMAL", "DEC", "NUMERIC":
		f.Type, f.Precision, f.Scale = Decimal, arg(0, 38), arg(1, 0)
		most = 2
	case "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT":
		f.Type, f.Precision = Decimal, 38
		most = 0
	case "FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "DOUBLE PRECISION", "REAL":
		f.Type, most = Double, 0
	case "BOOLEAN":
		f.Type, most = Boolean, 0
	case "BINARY", "VARBINARY":
		f.Type, f.Length = Bytes, arg(0, 8388608)
	case "DATE":
		f.Type, most = Date, 0
	case "TIME":
		f.Type, f.Unit = Time, Unit(arg(0, 9))
	case "TIMESTAMP_NTZ", "TIMESTAMPNTZ", "TIMESTAMP WITHOUT TIME ZONE", "DATETIME", "TIMESTAMP":
		f.Type, f.Unit, f.Local = Timestamp, Unit(arg(0, 9)), true
	case "TIMESTAMP_LTZ", "TIMESTAMPLTZ", "TIMESTAMP WITH LOCAL TIME ZONE",
		"TIMESTAMP_TZ", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		f.Type, f.Unit = Timestamp, Unit(arg(0, 9))
	case "VARIANT", "OBJECT", "ARRAY":
		f.Type, most = Variant, 0
	default:
		return Field{}, fmt.Errorf("unknown column type %q", typ)
	}
	if len(args) > most {
		return Field{}, fmt.Errorf("column type %q: %s takes at most %d argument(s)", typ, name, most)
	}
	if f.Type == Decimal && (f.Precision < 1 || f.Precision > 38 || f.Scale > f.Precision) {
		return Field{}, fmt.Errorf("column type %q: precision must be 1 to 38 and scale at most the precision", typ)
	}
	if (f.Type == Time || f.Type == Timestamp) && f.Unit > Nanos {
		return Field{}, fmt.Errorf("column type %q: at most 9 digits of a second", typ)
	}
	return f, nil
}

// splitType takes "NUMBER( 10 , 2 )" apart: the upper-case name with single
// spaces, and the arguments.
func splitType(typ string) (string, []int, error) {
	head, rest, has := strings.Cut(strings.TrimSpace(typ), "(")
	name := strings.ToUpper(strings.Join(strings.Fields(head), " "))
	if !has {
		return name, nil, nil
	}
	inner, after, closed := strings.Cut(rest, ")")
	if !closed {
		return "", nil, fmt.Errorf("column type %q: missing )", typ)
	}
	// "TIMESTAMP(9) WITH TIME ZONE" names its type around the argument.
	if tail := strings.Join(strings.Fields(after), " "); tail != "" {
		name += " " + strings.ToUpper(tail)
	}
	var args []int
	for part := range strings.SplitSeq(inner, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 0 {
			return "", nil, fmt.Errorf("column type %q: argument %q is no number", typ, strings.TrimSpace(part))
		}
		args = append(args, n)
	}
	return name, args, nil
}

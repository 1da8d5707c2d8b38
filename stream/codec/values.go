package codec

import (
	"fmt"

	"mkt/row"
)

// Value is one field's value, read by the field's row.Type:
//
//	String, Enum       B, the text
//	Bytes              B
//	Boolean            I, 0 or 1
//	Int32, Int64       I
//	Float, Double      F
//	Decimal            B, its plain text
//	Date               I, days since 1970-01-01
//	Time               N, nanoseconds since midnight
//	Timestamp          I, seconds since 1970-01-01, and N, nanoseconds
//	Variant            B, JSON text
type Value struct {
	Null bool
	I, N int64
	F    float64
	B    []byte
}

// Values appends the values of the datum's fields, in schema order. Text and
// bytes may point into datum.
func (s *Schema) Values(dst []Value, datum []byte) ([]Value, error) {
	r := reader{datum}
	for i := range s.root.fields {
		f := &s.root.fields[i]
		v, err := f.node.read(&r)
		if err != nil {
			return dst, fmt.Errorf("field %q: %w", f.name, err)
		}
		dst = append(dst, v)
	}
	if len(r.b) > 0 {
		return dst, errTrailing
	}
	return dst, nil
}

// Defaults is the values that the fields have where a record's own schema does
// not have them, in schema order: the default, or null (Avro specification,
// "Schema Resolution").
func (s *Schema) Defaults() ([]Value, error) {
	out := make([]Value, len(s.root.fields))
	for i := range s.root.fields {
		f := &s.root.fields[i]
		out[i].Null = true
		if !f.isDef {
			continue
		}
		var err error
		if out[i], err = f.node.read(&reader{f.def}); err != nil {
			return nil, fmt.Errorf("field %q: default: %w", f.name, err)
		}
	}
	return out, nil
}

func (n *node) read(r *reader) (v Value, err error) {
	if n.op == opUnion && (n.value >= 0 || n.null >= 0 && len(n.branches) == 1) {
		i, err := r.index(len(n.branches), errBranch)
		if err != nil {
			return v, err
		}
		n = n.branches[i]
	}
	switch n.op {
	case opNull:
		v.Null = true
	case opBoolean:
		var b bool
		if b, err = r.boolean(); b {
			v.I = 1
		}
	case opInt, opDate:
		v.I, err = r.int()
	case opLong:
		v.I, err = r.long()
	case opTime:
		v.N, err = r.long()
		v.N *= 1e9 / perSecond(n.unit)
	case opTimestamp:
		v.I, err = r.long()
		per := perSecond(n.unit)
		seconds := floorDiv(v.I, per)
		v.I, v.N = seconds, (v.I-seconds*per)*(1e9/per)
	case opFloat:
		var f float32
		f, err = r.float()
		v.F = float64(f)
	case opDouble:
		v.F, err = r.double()
	case opString:
		v.B, err = r.bytes()
	case opEnum:
		var i int
		if i, err = r.index(len(n.symbols), errSymbol); err == nil {
			v.B = []byte(n.symbols[i])
		}
	case opBytes, opFixed:
		v.B, err = n.rawBytes(r)
	case opDecimal, opDecimalFixed:
		var raw []byte
		if raw, err = n.rawBytes(r); err == nil {
			v.B = decimalText(nil, raw, n.scale)
		}
	default:
		v.B, err = n.appendJSON(nil, r, 0)
		if string(v.B) == "null" {
			v = Value{Null: true}
		}
	}
	return v, err
}

// ParseText reads the text form of a value, as it stands in JSON strings and
// CSV fields, for the types that have one: Date, Time, Timestamp, Decimal,
// Bytes.
func ParseText(f row.Field, text []byte) (v Value, err error) {
	switch f.Type {
	case row.Date:
		v.I, err = parseDate(text)
	case row.Time:
		v.N, err = parseTime(text, row.Nanos)
	case row.Timestamp:
		// Seconds and fraction apart: nanoseconds would not hold every year.
		if v.I, err = parseTimestamp(cutFraction(text), row.Seconds, f.Local); err == nil {
			v.N, err = fraction(text)
		}
	case row.Decimal:
		v.B = text
	case row.Bytes:
		v.B, err = appendHex(nil, text)
	default:
		err = fmt.Errorf("is no text form of a %s", f.Type)
	}
	return v, err
}

// cutFraction is a timestamp without its fraction of a second.
func cutFraction(text []byte) []byte {
	i, end := fractionOf(text)
	if i < 0 {
		return text
	}
	return append(append(make([]byte, 0, len(text)), text[:i]...), text[end:]...)
}

// fraction is the timestamp's fraction of a second, in nanoseconds.
func fraction(text []byte) (int64, error) {
	i, end := fractionOf(text)
	if i < 0 {
		return 0, nil
	}
	var n int64
	scale := int64(1e8)
	for _, c := range text[i+1 : end] {
		if scale == 0 && c != '0' {
			return 0, errFraction
		}
		n += int64(c-'0') * scale
		scale /= 10
	}
	return n, nil
}

// fractionOf is where the point of the fraction is and where its digits end.
func fractionOf(text []byte) (int, int) {
	for i, c := range text {
		if c != '.' {
			continue
		}
		end := i + 1
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		return i, end
	}
	return -1, -1
}

package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"mkt/row"
	"mkt/stream/codec"
)

// shape is the list of fields that rows are compared by.
type shape struct {
	fields []row.Field
	index  map[string]int
	vals   []codec.Value // of the row at hand
	absent []codec.Value // what a field is that a row has not; nil: null
	buf    []byte
}

// resolved is the shape of a schema's rows in which a field that a row was
// written without has its default, as it has in the rows of the source.
func resolved(schema *codec.Schema) (*shape, error) {
	s := newShape(schema.Row.Fields)
	var err error
	s.absent, err = schema.Defaults()
	return s, err
}

func newShape(fields []row.Field) *shape {
	s := &shape{fields: fields, index: map[string]int{}, vals: make([]codec.Value, len(fields))}
	for i, f := range fields {
		s.index[f.Name] = i
	}
	return s
}

// only is the shape of those fields that keep says, nested ones left out: a
// table holds them in a form of its own.
func (s *shape) only(keep func(name string) bool) *shape {
	var fields []row.Field
	for _, f := range s.fields {
		if f.Type != row.Variant && keep(f.Name) {
			fields = append(fields, f)
		}
	}
	return newShape(fields)
}

// clear makes every value what it is when a row does not say it.
func (s *shape) clear() {
	if s.absent != nil {
		copy(s.vals, s.absent)
		return
	}
	for i := range s.vals {
		s.vals[i] = codec.Value{Null: true}
	}
}

// hash is the xxhash64 of the row's canonical form.
func (s *shape) hash() uint64 {
	b := s.buf[:0]
	for i := range s.fields {
		b = appendCanonical(b, s.fields[i], s.vals[i])
	}
	s.buf = b
	return xxhash.Sum64(b)
}

// appendCanonical appends a value such that equal values of a field, and only
// those, have equal bytes, wherever they were read: zero has no sign, a float
// is rounded to a float, a decimal has no zeros at its ends.
func appendCanonical(b []byte, f row.Field, v codec.Value) []byte {
	if v.Null {
		return append(b, 0)
	}
	b = append(b, 1)
	switch f.Type {
	case row.Float, row.Double:
		x := v.F
		if f.Type == row.Float {
			x = float64(float32(x))
		}
		if x == 0 {
			x = 0
		}
		if math.IsNaN(x) {
			x = math.NaN()
		}
		return binary.BigEndian.AppendUint64(b, math.Float64bits(x))
	case row.Boolean, row.Int32, row.Int64, row.Date:
		return binary.BigEndian.AppendUint64(b, uint64(v.I))
	case row.Time:
		return binary.BigEndian.AppendUint64(b, uint64(v.N))
	case row.Timestamp:
		b = binary.BigEndian.AppendUint64(b, uint64(v.I))
		return binary.BigEndian.AppendUint64(b, uint64(v.N))
	case row.Decimal:
		text := plainDecimal(v.B)
		return append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return append(binary.AppendUvarint(b, uint64(len(v.B))), v.B...)
}

// plainDecimal is a decimal's text without a plus, zeros that mean nothing or
// a sign before zero.
func plainDecimal(text []byte) []byte {
	neg := bytes.HasPrefix(text, []byte{'-'})
	text = bytes.TrimLeft(text, "+-")
	whole, frac, _ := bytes.Cut(text, []byte{'.'})
	whole = bytes.TrimLeft(whole, "0")
	frac = bytes.TrimRight(frac, "0")
	if len(whole) == 0 && len(frac) == 0 {
		return []byte{'0'}
	}
	out := make([]byte, 0, len(text)+2)
	if neg {
		out = append(out, '-')
	}
	if len(whole) == 0 {
		out = append(out, '0')
	}
	out = append(out, whole...)
	if len(frac) > 0 {
		out = append(append(out, '.'), frac...)
	}
	return out
}

// setDatum takes in an Avro datum of any schema: fields are met by name,
// others are left out.
func (s *shape) setDatum(schema *codec.Schema, datum []byte, scratch *[]codec.Value) error {
	vals, err := schema.Values((*scratch)[:0], datum)
	*scratch = vals
	if err != nil {
		return err
	}
	s.clear()
	for i, f := range schema.Row.Fields {
		if at, ok := s.index[f.Name]; ok {
			s.vals[at] = promote(f, s.fields[at], vals[i])
		}
	}
	return nil
}

// promote turns a value of an older schema's field into the type of the
// newer one (Avro specification, "Schema Resolution").
func promote(from, to row.Field, v codec.Value) codec.Value {
	whole := from.Type == row.Int32 || from.Type == row.Int64
	if !v.Null && whole && (to.Type == row.Float || to.Type == row.Double) {
		v.F = float64(v.I)
	}
	return v
}

// rowHash ties a row's content to its number, so that each row of the source
// is one of a kind even if its content is not.
func rowHash(number, content uint64) uint64 {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], number)
	binary.BigEndian.PutUint64(b[8:], content)
	return xxhash.Sum64(b[:])
}

// text shows the row at hand as people read it.
func (s *shape) text() string {
	b := []byte{'{'}
	for i, f := range s.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(codec.AppendString(b, f.Name), ':')
		v := s.vals[i]
		switch {
		case v.Null:
			b = append(b, "null"...)
		case f.Type == row.Boolean:
			b = strconv.AppendBool(b, v.I == 1)
		case f.Type == row.Int32 || f.Type == row.Int64:
			b = strconv.AppendInt(b, v.I, 10)
		case f.Type == row.Float || f.Type == row.Double:
			b = strconv.AppendFloat(b, v.F, 'g', -1, 64)
		case f.Type == row.Date:
			b = codec.AppendString(b, time.Unix(v.I*86400, 0).UTC().Format(time.DateOnly))
		case f.Type == row.Time:
			b = codec.AppendString(b, time.Unix(0, v.N).UTC().Format("15:04:05.999999999"))
		case f.Type == row.Timestamp:
			b = codec.AppendString(b, time.Unix(v.I, v.N).UTC().Format("2006-01-02T15:04:05.999999999"))
		case f.Type == row.Bytes:
			b = codec.AppendString(b, hex.EncodeToString(v.B))
		default:
			b = codec.AppendString(b, string(v.B))
		}
	}
	return string(append(b, '}'))
}

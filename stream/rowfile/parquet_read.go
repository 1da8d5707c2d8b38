package rowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"mkt/row"
	"mkt/stream/codec"
)

// EachParquet goes through the rows of a Parquet file as the values of the
// given fields, in their order; a field that has no column is null. The
// values are valid until the next row.
func EachParquet(file []byte, fields []row.Field, f func([]codec.Value) error) (err error) {
	defer func() {
		// The library panics on some files that are no Parquet.
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is broken: %v", r)
		}
	}()
	in, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return err
	}
	index := map[int]int{} // column → field
	leaves := map[int]parquet.Node{}
	for i, of := range fields {
		if leaf, ok := in.Schema().Lookup(of.Name); ok {
			index[leaf.ColumnIndex], leaves[leaf.ColumnIndex] = i, leaf.Node
		}
	}
	rows := parquet.NewReader(in)
	defer rows.Close()
	batch := make([]parquet.Row, 128)
	vals := make([]codec.Value, len(fields))
	for {
		n, end := rows.ReadRows(batch)
		for _, r := range batch[:n] {
			for i := range vals {
				vals[i] = codec.Value{Null: true}
			}
			for _, v := range r {
				i, ok := index[v.Column()]
				if !ok || v.IsNull() {
					continue
				}
				if vals[i], err = parquetValue(leaves[v.Column()].Type(), fields[i], v); err != nil {
					return fmt.Errorf("column %q: %w", fields[i].Name, err)
				}
			}
			if err := f(vals); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(end, io.EOF):
			return nil
		case end != nil:
			return end
		case n == 0:
			return io.ErrNoProgress
		}
	}
}

// parquetValue reads a column's value as one of a field.
func parquetValue(t parquet.Type, f row.Field, v parquet.Value) (out codec.Value, err error) {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	var n int64
	switch t.Kind() {
	case parquet.Boolean:
		if v.Boolean() {
			n = 1
		}
	case parquet.Int32:
		n = int64(v.Int32())
	case parquet.Int64:
		n = v.Int64()
	}
	switch f.Type {
	case row.Boolean, row.Int32, row.Int64, row.Date:
		out.I = n
	case row.Float, row.Double:
		switch t.Kind() {
		case parquet.Float:
			out.F = float64(v.Float())
		case parquet.Double:
			out.F = v.Double()
		default:
			out.F = float64(n)
		}
	case row.Time:
		of, ok := logical.(*format.TimeType)
		if !ok || of.Unit.Value == nil {
			return out, fmt.Errorf("is of type %s, a time is needed", t)
		}
		out.N = n * int64(of.Unit.Value.Duration())
	case row.Timestamp:
		of, ok := logical.(*format.TimestampType)
		if !ok || of.Unit.Value == nil {
			return out, fmt.Errorf("is of type %s, a timestamp is needed", t)
		}
		per := int64(time.Second / of.Unit.Value.Duration())
		if out.I = n / per; n%per < 0 {
			out.I--
		}
		out.N = (n - out.I*per) * (1e9 / per)
	case row.Decimal:
		of, ok := logical.(*format.DecimalType)
		if !ok {
			return out, fmt.Errorf("is of type %s, a decimal is needed", t)
		}
		out.B = DecimalText(t.Kind(), v, int(of.Scale))
	default:
		out.B = v.ByteArray()
	}
	return out, nil
}

// DecimalText is the plain text of a decimal of that physical type and scale.
func DecimalText(kind parquet.Kind, v parquet.Value, scale int) []byte {
	whole := new(big.Int)
	switch kind {
	case parquet.Int32:
		whole.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		whole.SetInt64(v.Int64())
	default:
		b := v.ByteArray()
		whole.SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 {
			whole.Sub(whole, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	digits := new(big.Int).Abs(whole).String()
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	if scale > 0 {
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if whole.Sign() < 0 {
		digits = "-" + digits
	}
	return []byte(digits)
}

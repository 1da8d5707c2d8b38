package rowfile

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	parquetgzip "github.com/parquet-go/parquet-go/compress/gzip"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"mkt/row"
	"mkt/stream/codec"
)

// parquetFile is a Parquet file: a column for each field of the schema, named
// as the field is. Types are those of the document "Parquet Logical Type
// Definitions":
//
//	String, Enum        STRING
//	Variant             STRING, JSON text
//	Decimal             DECIMAL, the smallest type that holds the precision
//	Date                DATE
//	Time, Timestamp     TIME, TIMESTAMP of the field's unit; a timestamp that
//	                    is not local is an instant (isAdjustedToUTC)
//	others              the physical type alone
type parquetFile struct {
	schema  *codec.Schema
	buf     Output
	w       *parquet.GenericWriter[any]
	columns []*parquet.ColumnWriter // by field
	fields  []parquetField
	values  []codec.Value
	held    []byte // the data that the fields' values point into
	waiting int    // rows in the fields' values
	pending int    // bytes of data since the last row group
}

// parquetField turns the values of one field into those of its column.
type parquetField struct {
	row.Field
	column int
	size   int // bytes of a decimal that is no integer, 0 if it is
	values []parquet.Value
}

const (
	parquetBatch = 256      // rows handed over at a time
	rowGroup     = 16 << 20 // bytes of data in a row group
	pageSize     = 256 << 10
	dictionary   = 512 << 10 // most bytes of a dictionary
)

var parquetCodecs = map[string]compress.Codec{
	"gzip":   &parquetgzip.Codec{Level: gzip.BestSpeed},
	"zstd":   &zstd.Codec{Level: zstd.SpeedFastest},
	"snappy": &parquet.Snappy,
	"none":   &parquet.Uncompressed,
}

func newParquet(compression string, schema *codec.Schema) (Writer, error) {
	if len(schema.Row.Fields) == 0 {
		return nil, fmt.Errorf("the schema %s has no field, and a parquet file needs a column", schema.Row.Name)
	}
	f := &parquetFile{schema: schema}
	root := parquet.Group{}
	for _, of := range schema.Row.Fields {
		if of.Type == row.Decimal && of.Precision < 1 {
			return nil, fmt.Errorf("field %q: a decimal of precision %d has no form in a parquet file", of.Name, of.Precision)
		}
		field := parquetField{Field: of}
		node := field.node()
		if of.Nullable {
			node = parquet.Optional(node)
		}
		root[of.Name] = node
		f.fields = append(f.fields, field)
	}
	shape := parquet.NewSchema(schema.Row.Name, root)
	f.w = parquet.NewGenericWriter[any](&f.buf, shape, parquet.DataPageVersion(1), parquet.PageBufferSize(pageSize),
		parquet.DictionaryMaxBytes(dictionary), parquet.Compression(parquetCodecs[compression]), parquet.CreatedBy("mkt", "", ""))
	for i := range f.fields {
		leaf, ok := shape.Lookup(f.fields[i].Name)
		if !ok {
			return nil, fmt.Errorf("field %q has no column in the parquet file", f.fields[i].Name)
		}
		f.fields[i].column = leaf.ColumnIndex
		f.columns = append(f.columns, f.w.ColumnWriters()[leaf.ColumnIndex])
	}
	return f, nil
}

var parquetUnits = map[row.Unit]parquet.TimeUnit{row.Millis: parquet.Millisecond, row.Micros: parquet.Microsecond, row.Nanos: parquet.Nanosecond}

func (f *parquetField) node() parquet.Node {
	switch f.Type {
	case row.Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case row.Int32:
		return parquet.Leaf(parquet.Int32Type)
	case row.Int64:
		return parquet.Leaf(parquet.Int64Type)
	case row.Float:
		return parquet.Leaf(parquet.FloatType)
	case row.Double:
		return parquet.Leaf(parquet.DoubleType)
	case row.Bytes:
		return parquet.Leaf(parquet.ByteArrayType)
	case row.Date:
		return parquet.Date()
	case row.Time:
		return parquet.TimeAdjusted(parquetUnits[f.Unit], false)
	case row.Timestamp:
		return parquet.TimestampAdjusted(parquetUnits[f.Unit], !f.Local)
	case row.Decimal:
		switch {
		case f.Precision <= 9:
			return parquet.Decimal(f.Scale, f.Precision, parquet.Int32Type)
		case f.Precision <= 18:
			return parquet.Decimal(f.Scale, f.Precision, parquet.Int64Type)
		}
		most := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(f.Precision)), nil)
		f.size = most.BitLen()/8 + 1 // one bit is the sign
		return parquet.Decimal(f.Scale, f.Precision, parquet.FixedLenByteArrayType(f.size))
	case row.String, row.Enum:
		return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	}
	return parquet.String()
}

func (f *parquetFile) Add(datum []byte) (unfit, err error) {
	if unfit := f.schema.Valid(datum); unfit != nil {
		return unfit, nil
	}
	at := len(f.held)
	f.held = append(f.held, datum...)
	if f.values, unfit = f.schema.Values(f.values[:0], f.held[at:]); unfit != nil {
		return unfit, nil
	}
	for i := range f.fields {
		c := &f.fields[i]
		c.values = append(c.values, c.value(f.values[i]))
	}
	f.pending += len(datum)
	if f.waiting++; f.waiting < parquetBatch {
		return nil, nil
	}
	if err := f.hand(); err != nil {
		return nil, err
	}
	if f.pending < rowGroup {
		return nil, nil
	}
	f.pending = 0
	return nil, f.w.Flush()
}

// value is a field's value as its column has it.
func (f *parquetField) value(v codec.Value) (out parquet.Value) {
	level := 0
	if f.Nullable {
		level = 1
	}
	if v.Null {
		return parquet.NullValue().Level(0, 0, f.column)
	}
	switch f.Type {
	case row.Boolean:
		out = parquet.BooleanValue(v.I == 1)
	case row.Int32, row.Date:
		out = parquet.Int32Value(int32(v.I))
	case row.Int64:
		out = parquet.Int64Value(v.I)
	case row.Float:
		out = parquet.FloatValue(float32(v.F))
	case row.Double:
		out = parquet.DoubleValue(v.F)
	case row.Time:
		switch f.Unit {
		case row.Millis:
			out = parquet.Int32Value(int32(v.N / 1e6))
		case row.Micros:
			out = parquet.Int64Value(v.N / 1e3)
		default:
			out = parquet.Int64Value(v.N)
		}
	case row.Timestamp:
		per := perSecond(f.Unit)
		out = parquet.Int64Value(v.I*per + v.N/(1e9/per))
	case row.Decimal:
		out = f.decimal(v.B)
	default:
		out = parquet.ByteArrayValue(v.B)
	}
	return out.Level(0, level, f.column)
}

func perSecond(u row.Unit) int64 {
	switch u {
	case row.Millis:
		return 1e3
	case row.Micros:
		return 1e6
	}
	return 1e9
}

// decimal is the number that a decimal's text has without its point. The text
// has all digits of the scale, and not more than the precision.
func (f *parquetField) decimal(text []byte) parquet.Value {
	n, _ := new(big.Int).SetString(string(bytes.Replace(text, []byte{'.'}, nil, 1)), 10)
	switch {
	case f.Precision <= 9:
		return parquet.Int32Value(int32(n.Int64()))
	case f.Precision <= 18:
		return parquet.Int64Value(n.Int64())
	}
	if n.Sign() < 0 { // two's complement
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*f.size)))
	}
	return parquet.FixedLenByteArrayValue(n.FillBytes(make([]byte, f.size)))
}

// hand gives the columns the values that wait.
func (f *parquetFile) hand() error {
	for i := range f.fields {
		c := &f.fields[i]
		if _, err := f.columns[i].WriteRowValues(c.values); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		clear(c.values) // they point into the data
		c.values = c.values[:0]
	}
	f.waiting, f.held = 0, f.held[:0]
	return nil
}

func (f *parquetFile) Stored() int64 { return f.buf.Len() }
func (f *parquetFile) File() *Output { return &f.buf }

func (f *parquetFile) Memory() int64 {
	return f.buf.Memory() + int64(f.pending) + int64(len(f.fields))*compressorMemory/8
}

func (f *parquetFile) Close() error {
	if err := f.hand(); err != nil {
		return err
	}
	err := f.w.Close()
	f.w, f.columns, f.fields = nil, nil, nil
	return err
}

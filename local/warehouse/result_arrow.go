package warehouse

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/duckdb/duckdb-go/v2"
)

// A result's first rows travel in the answer, the others in files that the client fetches.
const (
	inlineRows = 20_000
	chunkRows  = 100_000
	batchRows  = 10_000 // rows of one Arrow record
)

type arrowChunk struct {
	file string
	rows int
	size int64
}

type arrowResult struct {
	first  string // base64 of an Arrow IPC stream
	chunks []arrowChunk
	total  int64
	secret string
}

var (
	ntzType = arrow.StructOf(arrow.Field{Name: "epoch", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, arrow.Field{Name: "fraction", Type: arrow.PrimitiveTypes.Int32, Nullable: true})
	tzType  = arrow.StructOf(append(ntzType.Fields(), arrow.Field{Name: "timezone", Type: arrow.PrimitiveTypes.Int32, Nullable: true})...)
)

// utcOffset is how Snowflake writes an offset of no minutes: 1440 is added to each. DuckDB keeps the instant alone.
const utcOffset = 1440

// arrowField gives the Arrow shape in which Snowflake sends a column of this type.
func arrowField(c column) arrow.Field {
	var t arrow.DataType = arrow.BinaryTypes.String
	switch c.Type {
	case "fixed":
		t = arrow.PrimitiveTypes.Int64
		if c.Precision > 18 {
			t = &arrow.Decimal128Type{Precision: 38, Scale: int32(c.Scale)}
		}
	case "real":
		t = arrow.PrimitiveTypes.Float64
	case "boolean":
		t = arrow.FixedWidthTypes.Boolean
	case "date":
		t = arrow.FixedWidthTypes.Date32
	case "time":
		t = arrow.PrimitiveTypes.Int64
	case "binary":
		t = arrow.BinaryTypes.Binary
	case "timestamp_ntz", "timestamp_ltz":
		t = ntzType
	case "timestamp_tz":
		t = tzType
	}
	meta := arrow.NewMetadata(
		[]string{"logicalType", "precision", "scale", "charLength", "byteLength", "finalType"},
		[]string{logicalType(c.Type), strconv.Itoa(c.Precision), strconv.Itoa(c.Scale), strconv.Itoa(c.Length), strconv.Itoa(c.ByteLength), "T"})
	return arrow.Field{Name: c.Name, Type: t, Nullable: true, Metadata: meta}
}

func logicalType(t string) string { return string(bytes.ToUpper([]byte(t))) }

// arrowRows reads all rows and writes them as Arrow streams: the first ones in memory, the rest to files.
func (w *Warehouse) arrowRows(id string, cols []column, rows *sql.Rows) (*arrowResult, error) {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrowField(c)
	}
	schema := arrow.NewSchema(fields, nil)
	out := &arrowResult{secret: randomToken()}
	vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
	for i := range vals {
		ptrs[i] = &vals[i]
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	// write sends up to limit rows to dst; more is false after the last row.
	write := func(dst io.Writer, limit int) (n int, more bool, err error) {
		wr := ipc.NewWriter(dst, ipc.WithSchema(schema))
		flush := func() error {
			rec := b.NewRecordBatch()
			defer rec.Release()
			return wr.Write(rec)
		}
		more = true
		for n < limit {
			if more = rows.Next(); !more {
				break
			}
			if err := rows.Scan(ptrs...); err != nil {
				return n, false, err
			}
			for i, v := range vals {
				if err := appendValue(b.Field(i), cols[i], v); err != nil {
					return n, false, fmt.Errorf("column %s: %w", cols[i].Name, err)
				}
			}
			if n++; n%batchRows == 0 {
				if err := flush(); err != nil {
					return n, false, err
				}
			}
		}
		if n%batchRows != 0 {
			if err := flush(); err != nil {
				return n, false, err
			}
		}
		return n, more, wr.Close()
	}
	var first bytes.Buffer
	n, more, err := write(&first, inlineRows)
	out.first, out.total = base64.StdEncoding.EncodeToString(first.Bytes()), int64(n)
	for err == nil && more {
		c := arrowChunk{file: w.chunkFile(id, len(out.chunks))}
		if c.rows, more, err = writeChunk(c.file, write); err != nil {
			break
		}
		if c.rows == 0 {
			os.Remove(c.file)
			break
		}
		if st, e := os.Stat(c.file); e == nil {
			c.size = st.Size()
		}
		out.chunks = append(out.chunks, c)
		out.total += int64(c.rows)
	}
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		for _, c := range out.chunks {
			os.Remove(c.file)
		}
		return nil, err
	}
	return out, nil
}

func writeChunk(file string, write func(io.Writer, int) (int, bool, error)) (int, bool, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, false, err
	}
	buf := bufio.NewWriterSize(f, 1<<18)
	n, more, err := write(buf, chunkRows)
	if err == nil {
		err = buf.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return n, more, err
}

// appendValue adds one value as the DuckDB driver gives it.
func appendValue(b array.Builder, c column, v any) error {
	if v == nil {
		b.AppendNull()
		return nil
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		s, ok := v.(string)
		if !ok {
			s = fmt.Sprint(v)
		}
		if c.Type != "text" {
			s = indented(s)
		}
		b.Append(s)
	case *array.Int64Builder:
		if t, ok := v.(time.Time); ok { // TIME, in nanoseconds
			b.Append(int64(t.Hour()*3600+t.Minute()*60+t.Second())*1e9 + int64(t.Nanosecond()))
			return nil
		}
		n, err := bigValue(v)
		if err != nil {
			return err
		}
		b.Append(n.Int64())
	case *array.Decimal128Builder:
		n, err := bigValue(v)
		if err != nil {
			return err
		}
		b.Append(decimal128.FromBigInt(n))
	case *array.Float64Builder:
		switch f := v.(type) {
		case float64:
			b.Append(f)
		case float32:
			b.Append(float64(f))
		default:
			return fmt.Errorf("unexpected %T for a float", v)
		}
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.(time.Time).Unix() / 86400))
	case *array.BinaryBuilder:
		b.Append(v.([]byte))
	case *array.StructBuilder:
		t := v.(time.Time)
		b.Append(true)
		b.FieldBuilder(0).(*array.Int64Builder).Append(t.Unix())
		b.FieldBuilder(1).(*array.Int32Builder).Append(int32(t.Nanosecond()))
		if b.NumField() == 3 {
			b.FieldBuilder(2).(*array.Int32Builder).Append(utcOffset)
		}
	default:
		return fmt.Errorf("no Arrow form for %T", v)
	}
	return nil
}

func bigValue(v any) (*big.Int, error) {
	switch n := v.(type) {
	case int8:
		return big.NewInt(int64(n)), nil
	case int16:
		return big.NewInt(int64(n)), nil
	case int32:
		return big.NewInt(int64(n)), nil
	case int64:
		return big.NewInt(n), nil
	case uint8:
		return big.NewInt(int64(n)), nil
	case uint16:
		return big.NewInt(int64(n)), nil
	case uint32:
		return big.NewInt(int64(n)), nil
	case uint64:
		return new(big.Int).SetUint64(n), nil
	case *big.Int:
		return n, nil
	case duckdb.Decimal:
		return n.Value, nil
	}
	return nil, fmt.Errorf("unexpected %T for a number", v)
}

// indented shows objects and arrays the way Snowflake does, over several lines.
func indented(s string) string {
	if s == "" || s[0] != '{' && s[0] != '[' {
		return s
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(s), "", "  ") != nil {
		return s
	}
	return b.String()
}

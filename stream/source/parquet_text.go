package source

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"mkt/stream/rowfile"
)

// cellText appends the text of a value that is not null.
type cellText func(dst []byte, v parquet.Value) []byte

// textOf is how the values of a type read as text. The types are those of the
// document "Parquet Logical Type Definitions". Bytes without a logical type
// are text, which is what many writers mean, or hexadecimal where the field
// that they fill holds bytes (binaryField).
func textOf(t parquet.Type, binaryField bool) (cellText, error) {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.DecimalType:
		kind, scale := t.Kind(), int(l.Scale)
		return func(dst []byte, v parquet.Value) []byte { return append(dst, rowfile.DecimalText(kind, v, scale)...) }, nil
	case *format.DateType:
		return func(dst []byte, v parquet.Value) []byte {
			return time.Unix(int64(v.Int32())*86400, 0).UTC().AppendFormat(dst, time.DateOnly)
		}, nil
	case *format.TimeType:
		return timeText(t.Kind(), l)
	case *format.TimestampType:
		return timestampText(l)
	case *format.IntType:
		if !l.IsSigned {
			return unsignedText(t.Kind())
		}
	case *format.StringType, *format.EnumType, *format.JsonType:
		return plainText, nil
	case *format.UUIDType:
		return uuidText, nil
	case *format.BsonType:
		return hexText, nil
	case nil:
	case *format.NullType:
		return func(dst []byte, _ parquet.Value) []byte { return dst }, nil
	default:
		return nil, fmt.Errorf("is of the type %s, which has no text", t)
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendBool(dst, v.Boolean()) }, nil
	case parquet.Int32:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendInt(dst, int64(v.Int32()), 10) }, nil
	case parquet.Int64:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendInt(dst, v.Int64(), 10) }, nil
	case parquet.Float: // exactly, whether the field is a float or a double
		return func(dst []byte, v parquet.Value) []byte {
			return strconv.AppendFloat(dst, float64(v.Float()), 'g', -1, 64)
		}, nil
	case parquet.Double:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendFloat(dst, v.Double(), 'g', -1, 64) }, nil
	case parquet.Int96:
		return int96Text, nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		if binaryField {
			return hexText, nil
		}
		return plainText, nil
	}
	return nil, fmt.Errorf("is of the type %s, which has no text", t)
}

func plainText(dst []byte, v parquet.Value) []byte { return append(dst, v.ByteArray()...) }
func hexText(dst []byte, v parquet.Value) []byte   { return hex.AppendEncode(dst, v.ByteArray()) }

func uuidText(dst []byte, v parquet.Value) []byte {
	b := v.ByteArray()
	if len(b) != 16 {
		return hex.AppendEncode(dst, b)
	}
	for i, n := range []int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst, b = hex.AppendEncode(dst, b[:n]), b[n:]
	}
	return dst
}

func unsignedText(kind parquet.Kind) (cellText, error) {
	if kind == parquet.Int32 {
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendUint(dst, uint64(v.Uint32()), 10) }, nil
	}
	return func(dst []byte, v parquet.Value) []byte { return strconv.AppendUint(dst, v.Uint64(), 10) }, nil
}

var errUnit = errors.New("has a unit of time that is not known")

func timeText(kind parquet.Kind, l *format.TimeType) (cellText, error) {
	if l.Unit.Value == nil {
		return nil, errUnit
	}
	unit := l.Unit.Value.Duration()
	return func(dst []byte, v parquet.Value) []byte {
		n := int64(v.Int32())
		if kind == parquet.Int64 {
			n = v.Int64()
		}
		if day := int64(24 * time.Hour / unit); n < 0 || n >= day {
			return strconv.AppendInt(dst, n, 10) // no time, and no row takes it for one
		}
		return time.Unix(0, n*int64(unit)).UTC().AppendFormat(dst, "15:04:05.999999999")
	}, nil
}

const localTime = "2006-01-02T15:04:05.999999999"

func timestampText(l *format.TimestampType) (cellText, error) {
	if l.Unit.Value == nil {
		return nil, errUnit
	}
	per, layout := int64(time.Second/l.Unit.Value.Duration()), localTime
	if l.IsAdjustedToUTC {
		layout += "Z07:00"
	}
	return func(dst []byte, v parquet.Value) []byte {
		n := v.Int64()
		seconds := n / per
		if n%per < 0 {
			seconds--
		}
		return time.Unix(seconds, (n-seconds*per)*(1e9/per)).UTC().AppendFormat(dst, layout)
	}, nil
}

// int96Text is a timestamp as Hive and older Spark write it: nanoseconds of a
// day, and the Julian day. Whether it is an instant is not said.
func int96Text(dst []byte, v parquet.Value) []byte {
	const epoch = 2440588 // the Julian day of 1970-01-01
	i := v.Int96()
	var b [8]byte
	binary.LittleEndian.PutUint32(b[:], i[0])
	binary.LittleEndian.PutUint32(b[4:], i[1])
	nanos := int64(binary.LittleEndian.Uint64(b[:]))
	day := int64(i[2]) - epoch
	return time.Unix(day*86400, nanos).UTC().AppendFormat(dst, localTime)
}

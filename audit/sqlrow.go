package audit

import (
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"mkt/row"
	"mkt/stream/codec"
)

// sqlValue reads what a database/sql driver gives for a column as the value
// of a field. Drivers differ: a number may come as an integer, a float or
// text, a date as time.Time or text. What is no value of the field, such as a
// whole number's with a fraction, is an error.
func sqlValue(f row.Field, x any) (v codec.Value, err error) {
	if x == nil {
		return codec.Value{Null: true}, nil
	}
	switch f.Type {
	case row.Boolean:
		switch b := x.(type) {
		case bool:
			if b {
				v.I = 1
			}
			return v, nil
		}
		b, err := strconv.ParseBool(sqlText(x))
		if b {
			v.I = 1
		}
		return v, err
	case row.Int32, row.Int64:
		switch n := x.(type) {
		case int64:
			return codec.Value{I: n}, nil
		case float64:
			if n != math.Trunc(n) || math.Abs(n) >= 1<<63 {
				return v, fmt.Errorf("%v is no whole number", n)
			}
			return codec.Value{I: int64(n)}, nil
		}
		text := sqlText(x)
		if !decimal.MatchString(text) {
			return v, fmt.Errorf("%q is no whole number", text)
		}
		v.I, err = strconv.ParseInt(string(plainDecimal([]byte(text))), 10, 64)
		return v, err
	case row.Float, row.Double:
		switch n := x.(type) {
		case float64:
			return codec.Value{F: n}, nil
		case int64:
			return codec.Value{F: float64(n)}, nil
		}
		v.F, err = strconv.ParseFloat(sqlText(x), 64)
		return v, err
	case row.Decimal:
		if n, ok := x.(float64); ok {
			return codec.Value{B: strconv.AppendFloat(nil, n, 'f', -1, 64)}, nil
		}
		text := sqlText(x)
		if !decimal.MatchString(text) {
			return v, fmt.Errorf("%q is no decimal", text)
		}
		return codec.Value{B: []byte(text)}, nil
	case row.Bytes:
		if b, ok := x.([]byte); ok {
			return codec.Value{B: b}, nil
		}
		v.B, err = hex.DecodeString(sqlText(x))
		return v, err
	case row.Date, row.Time, row.Timestamp:
		if t, ok := x.(time.Time); ok {
			if f.Type == row.Date && t.Hour()+t.Minute()+t.Second()+t.Nanosecond() > 0 {
				return v, fmt.Errorf("%s is no date", t)
			}
			return timeValue(f, t), nil
		}
		return codec.ParseText(f, []byte(sqlText(x)))
	}
	return codec.Value{B: []byte(sqlText(x))}, nil
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$`)

// timeValue takes a driver's time apart. A column without a zone comes as UTC
// or in the session's zone, in both cases showing the wall clock it holds.
func timeValue(f row.Field, t time.Time) (v codec.Value) {
	wall := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	switch f.Type {
	case row.Date:
		v.I = wall.Unix() / 86400
		if wall.Unix()%86400 < 0 {
			v.I--
		}
	case row.Time:
		v.N = int64(t.Hour()*3600+t.Minute()*60+t.Second())*1e9 + int64(t.Nanosecond())
	case row.Timestamp:
		if f.Local {
			t = wall
		}
		v.I, v.N = t.Unix(), int64(t.Nanosecond())
	}
	return v
}

// sqlText is a driver's value as text.
func sqlText(x any) string {
	switch s := x.(type) {
	case string:
		return s
	case []byte:
		return string(s)
	}
	return fmt.Sprint(x)
}

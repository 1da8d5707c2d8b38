package warehouse

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

func textColumn(name string) column {
	return column{Name: name, Type: "text", Length: maxVarchar, ByteLength: maxVarchar, Nullable: true}
}

func numberColumn(name string) column {
	return column{Name: name, Type: "fixed", Precision: 38, Nullable: true}
}

func timeColumn(name string) column {
	return column{Name: name, Type: "timestamp_ltz", Scale: 3, Nullable: true}
}

// textResult is the one-cell answer of DDL statements.
func textResult(typeID int64, name, text string) *result {
	return &result{typeID: typeID, cols: []column{textColumn(name)}, rows: [][]*string{{&text}}}
}

func status(format string, args ...any) *result {
	return textResult(typeDDL, "status", fmt.Sprintf(format, args...))
}

// affected is the answer of DML: one number per column, as text.
func affected(typeID int64, name string, n int64) *result {
	s := strconv.FormatInt(n, 10)
	return &result{typeID: typeID, cols: []column{numberColumn(name)}, rows: [][]*string{{&s}}}
}

// table builds rows for SHOW and DESCRIBE; cells are strings, ints, times or nil.
type table struct {
	cols []column
	rows [][]*string
}

func newTable(names ...string) *table {
	t := &table{}
	for _, n := range names {
		switch n {
		case "created_on":
			t.cols = append(t.cols, timeColumn(n))
		case "rows", "bytes":
			t.cols = append(t.cols, numberColumn(n))
		default:
			t.cols = append(t.cols, textColumn(n))
		}
	}
	return t
}

func (t *table) add(cells ...any) {
	row := make([]*string, len(t.cols))
	for i, c := range cells {
		row[i] = cell(c)
	}
	t.rows = append(t.rows, row)
}

// result keeps the rows in the order added.
func (t *table) result() *result { return &result{typeID: typeShow, cols: t.cols, rows: t.rows} }

func cell(v any) *string {
	var s string
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		s = v
	case *string:
		return v
	case time.Time:
		s = epoch(v)
	case bool:
		s = strconv.FormatBool(v)
	default:
		s = fmt.Sprint(v)
	}
	return &s
}

// wantsJSON says whether the results of queries travel as JSON: to the driver for Node, which reads nothing else, and
// where a driver's parameter, such as PYTHON_CONNECTOR_QUERY_RESULT_FORMAT, asks for it.
func (s *session) wantsJSON() bool {
	for name, value := range s.params {
		if strings.HasSuffix(name, "QUERY_RESULT_FORMAT") && strings.EqualFold(value, "JSON") {
			return true
		}
	}
	return strings.EqualFold(s.app, "JavaScript")
}

// jsonRows reads all rows as the protocol writes them in JSON.
func jsonRows(cols []column, rows *sql.Rows) ([][]*string, error) {
	var out [][]*string
	vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
	for i := range vals {
		ptrs[i] = &vals[i]
	}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		row := make([]*string, len(cols))
		for i, v := range vals {
			if v == nil {
				continue
			}
			s, err := jsonCell(cols[i], v)
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", cols[i].Name, err)
			}
			row[i] = &s
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// jsonCell writes one value as the DuckDB driver gives it.
func jsonCell(c column, v any) (string, error) {
	switch v := v.(type) {
	case string:
		if c.Type != "text" {
			return indented(v), nil
		}
		return v, nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 64), nil
	case []byte:
		return strings.ToUpper(hex.EncodeToString(v)), nil
	case time.Time:
		switch c.Type {
		case "date":
			return strconv.FormatInt(v.Unix()/86400, 10), nil
		case "time":
			return fmt.Sprintf("%d.%09d", v.Hour()*3600+v.Minute()*60+v.Second(), v.Nanosecond()), nil
		}
		if c.Type == "timestamp_tz" {
			return epoch(v) + fmt.Sprintf(" %d", utcOffset), nil
		}
		return epoch(v), nil
	}
	if c.Type != "fixed" {
		return indented(fmt.Sprint(v)), nil // as in Arrow, what has no form of its own travels as text
	}
	n, err := bigValue(v)
	if err != nil {
		return "", err
	}
	if c.Scale == 0 {
		return n.String(), nil
	}
	return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Scale)), nil)).FloatString(c.Scale), nil
}

// epoch writes an instant as seconds with nine decimals; before 1970 the whole is negative, not only the seconds.
func epoch(t time.Time) string {
	sec, nano, sign := t.Unix(), int64(t.Nanosecond()), ""
	if sec < 0 {
		sign = "-"
		if sec = -sec; nano > 0 {
			sec, nano = sec-1, 1e9-nano
		}
	}
	return fmt.Sprintf("%s%d.%09d", sign, sec, nano)
}

package warehouse

import (
	"fmt"
	"strconv"
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
		s = fmt.Sprintf("%d.%09d", v.Unix(), v.Nanosecond())
	case bool:
		s = strconv.FormatBool(v)
	default:
		s = fmt.Sprint(v)
	}
	return &s
}

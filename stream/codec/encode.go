package codec

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"mkt/row"
)

// Options say how the columns of a CSV file meet the fields of a schema.
type Options struct {
	Rename map[string]string // column → field
	Drop   []string          // columns that are left out
	Null   []string          // words that stand for null; nil is the empty field alone

	// DateFormat and TimestampFormat are how dates and timestamps are
	// written, in Snowflake's letters: "DD.MM.YYYY HH24:MI:SS". Empty: ISO
	// 8601. What names no zone is in UTC.
	DateFormat      string
	TimestampFormat string
}

// Null is a field that is null whatever the words for null are. It is known by
// its identity, not its text. A nil field is one that the row does not have.
var Null = []byte("null")

func same(a, b []byte) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// Plan encodes the rows of files with one header. It is made by Compile.
type Plan struct {
	columns []column
	null    []string
	fields  int
}

// column is one field of the schema, in schema order.
type column struct {
	name     string
	node     *node  // the value, never a union
	src      int    // CSV column, -1: def is written
	def      []byte // what is written without a column
	isDef    bool   // there is such
	union    bool   // value and null are branches
	value    byte   // encoded branch index of the value
	nullable bool
	null     byte   // encoded branch index of null
	form     string // of a date or timestamp that is not in ISO 8601, as Options has it
	layout   string // the same for package time
}

// Compile matches a CSV header with a schema. Every column must be a field
// (after Rename) or in Drop; every field must have a column, a default, or be
// nullable. The error names everything that does not fit.
func Compile(s *Schema, header []string, opt Options) (*Plan, error) {
	var problems []error
	source := map[string]int{}
	var strangers []string
	for i, col := range header {
		name := col
		if to, ok := opt.Rename[col]; ok {
			name = to
		} else if slices.Contains(opt.Drop, col) {
			continue
		}
		if _, ok := s.Row.Field(name); !ok {
			if _, renamed := opt.Rename[col]; renamed {
				problems = append(problems, fmt.Errorf("column %q is renamed to %q, which is no field of schema %s", col, name, s.Row.Name))
			} else {
				strangers = append(strangers, col)
			}
			continue
		}
		if _, twice := source[name]; twice {
			problems = append(problems, fmt.Errorf("two columns fill the field %q", name))
			continue
		}
		source[name] = i
	}
	for _, col := range slices.Sorted(maps.Keys(opt.Rename)) {
		if _, filled := source[opt.Rename[col]]; !filled && !slices.Contains(header, col) {
			problems = append(problems, fmt.Errorf("there is no column %q to rename to %q", col, opt.Rename[col]))
		}
	}
	for _, col := range strangers {
		problems = append(problems, stranger(s, col, source))
	}
	forms, layouts := map[op]string{opDate: opt.DateFormat, opTimestamp: opt.TimestampFormat}, map[op]string{}
	for what, form := range forms {
		layout, err := layoutOf(form)
		if err != nil {
			problems = append(problems, err)
		}
		layouts[what] = layout
	}
	p := &Plan{null: opt.Null, fields: len(header)}
	if opt.Null == nil {
		p.null = []string{""}
	}
	for i := range s.root.fields {
		c, err := compileColumn(&s.root.fields[i], source)
		if err != nil {
			problems = append(problems, err)
		}
		c.form, c.layout = forms[c.node.op], layouts[c.node.op]
		p.columns = append(p.columns, c)
	}
	if len(problems) > 0 {
		return nil, joined(problems)
	}
	return p, nil
}

// stranger is the error for a column that no field takes, with the rename
// that was probably meant.
func stranger(s *Schema, col string, taken map[string]int) error {
	for _, f := range s.Row.Fields {
		if _, ok := taken[f.Name]; !ok && row.Plain(f.Name) == row.Plain(col) {
			return fmt.Errorf("column %q is no field of schema %s; did you mean rename = { %q = %q }?", col, s.Row.Name, col, f.Name)
		}
	}
	return fmt.Errorf("column %q is no field of schema %s; rename it to one or drop it", col, s.Row.Name)
}

func compileColumn(f *field, source map[string]int) (column, error) {
	c := column{name: f.name, node: f.node, src: -1, def: f.def, isDef: f.isDef}
	src, ok := source[f.name]
	if !ok {
		if !f.isDef {
			return c, fmt.Errorf("field %q has no column, no default, and is not nullable", f.name)
		}
		return c, nil
	}
	c.src = src
	if n := f.node; n.op == opUnion {
		if n.value < 0 {
			return c, fmt.Errorf("field %q is a union of several types, which a column cannot fill", f.name)
		}
		c.union, c.value, c.node = true, byte(n.value<<1), n.branches[n.value]
		if n.null >= 0 {
			c.nullable, c.null = true, byte(n.null<<1)
		}
	}
	switch c.node.op {
	case opRecord, opArray, opMap, opNull, opUnion:
		return c, fmt.Errorf("field %q is nested, which a column cannot fill", f.name)
	}
	return c, nil
}

var errNull = errors.New("is null, and the schema does not allow null")

// Encode appends the Avro datum of one row. The error names the field; dst is
// then returned as it came.
func (p *Plan) Encode(dst []byte, fields [][]byte) ([]byte, error) {
	start := len(dst)
	if len(fields) != p.fields {
		return dst, fmt.Errorf("the row has %d fields, the header has %d", len(fields), p.fields)
	}
	var err error
	for i := range p.columns {
		c := &p.columns[i]
		if c.src < 0 || fields[c.src] == nil && c.isDef {
			dst = append(dst, c.def...)
			continue
		}
		text := fields[c.src]
		if text == nil {
			return dst[:start], fmt.Errorf("field %q: the row has none, and the schema has no default", c.name)
		}
		if p.isNull(text) {
			if c.nullable {
				dst = append(dst, c.null)
				continue
			}
			if c.node.op != opString || len(text) > 0 {
				return dst[:start], fmt.Errorf("field %q: %q %w", c.name, text, errNull)
			}
		}
		if c.union {
			dst = append(dst, c.value)
		}
		if c.layout != "" {
			dst, err = c.encodeWhen(dst, text)
		} else {
			dst, err = c.node.encode(dst, text)
		}
		if err != nil {
			return dst[:start], fmt.Errorf("field %q: %q %w", c.name, clip(text), err)
		}
	}
	return dst, nil
}

func (p *Plan) isNull(text []byte) bool {
	if same(text, Null) {
		return true
	}
	for _, w := range p.null {
		if string(text) == w {
			return true
		}
	}
	return false
}

// encode appends one value that is not null. Errors read on after the text.
func (n *node) encode(dst, text []byte) ([]byte, error) {
	switch n.op {
	case opDouble:
		f, err := parseDouble(text)
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), err
	case opString:
		if !utf8.Valid(text) {
			return dst, errors.New("is not UTF-8")
		}
		return append(appendLong(dst, int64(len(text))), text...), nil
	case opDate:
		days, err := parseDate(text)
		return appendLong(dst, days), err
	case opLong:
		v, err := parseInt(text, 64)
		return appendLong(dst, v), err
	case opInt:
		v, err := parseInt(text, 32)
		return appendLong(dst, v), err
	case opFloat:
		f, err := parseFloat(text)
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(f)), err
	case opBoolean:
		return encodeBoolean(dst, text)
	case opTimestamp:
		v, err := parseTimestamp(text, n.unit, n.local)
		return appendLong(dst, v), err
	case opTime:
		v, err := parseTime(text, n.unit)
		return appendLong(dst, v), err
	case opDecimal, opDecimalFixed:
		return n.encodeDecimal(dst, text)
	case opEnum:
		for i, s := range n.symbols {
			if s == string(text) {
				return appendLong(dst, int64(i)), nil
			}
		}
		return dst, fmt.Errorf("is none of the symbols %s", strings.Join(n.symbols, ", "))
	case opBytes:
		if len(text)%2 == 1 {
			return dst, errNoHex
		}
		return appendHex(appendLong(dst, int64(len(text)/2)), text)
	case opFixed:
		if len(text) != 2*n.size {
			return dst, fmt.Errorf("is not %d bytes in hexadecimal", n.size)
		}
		return appendHex(dst, text)
	}
	return dst, errors.New("cannot be encoded")
}

var errNoHex = errors.New("is not hexadecimal")

func appendHex(dst, text []byte) ([]byte, error) {
	out, err := hex.AppendDecode(dst, text)
	if err != nil {
		return dst, errNoHex
	}
	return out, nil
}

func encodeBoolean(dst, text []byte) ([]byte, error) {
	switch strings.ToLower(string(text)) {
	case "true", "t", "1":
		return append(dst, 1), nil
	case "false", "f", "0":
		return append(dst, 0), nil
	}
	return dst, errors.New("is neither true nor false")
}

// clip keeps a message short whatever the field holds.
func clip(text []byte) []byte {
	if len(text) > 80 {
		return append(slices.Clone(text[:77]), "..."...)
	}
	return text
}

// joined is one line for several problems.
func joined(problems []error) error {
	if len(problems) == 1 {
		return problems[0]
	}
	parts := make([]string, len(problems))
	for i, p := range problems {
		parts[i] = p.Error()
	}
	return errors.New(strings.Join(parts, "; "))
}

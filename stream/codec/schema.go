// Package codec turns rows from one form into the next by plans that are
// compiled once from an Avro schema: CSV field bytes into Avro bytes
// (Compile), Avro bytes into JSON text (Schema.AppendJSON) or into values
// (Schema.Values). Nothing stands in between, and a row allocates nothing.
//
// The text forms, in CSV and in JSON alike:
//
//   - bytes and fixed are hexadecimal (Snowflake's default BINARY_FORMAT);
//   - date is YYYY-MM-DD; time and timestamps are ISO 8601, a utc timestamp
//     with Z in JSON, without a zone taken as UTC in CSV;
//   - decimal is exact, a number in CSV and a string of digits in JSON, since
//     readers take JSON numbers for doubles;
//   - float and double are the shortest text that reads back the same; NaN
//     and the infinities have no JSON text and are refused.
//
// It knows nothing of files, Kafka or blobs. All plans are safe for
// concurrent use.
package codec

import (
	"fmt"
	"strconv"

	"github.com/twmb/avro"

	"mkt/row"
)

type op byte

const (
	opNull op = iota
	opBoolean
	opInt
	opLong
	opFloat
	opDouble
	opString
	opBytes
	opFixed
	opEnum
	opDecimal // bytes
	opDecimalFixed
	opDate
	opTime      // int or long by unit
	opTimestamp // long
	opRecord
	opArray
	opMap
	opUnion
)

// node is one type of a schema.
type node struct {
	op       op
	unit     row.Unit
	local    bool
	scale    int
	prec     int
	size     int // fixed
	symbols  []string
	fields   []field // record
	item     *node   // array, map
	branches []*node // union
	null     int     // union: index of the null branch, -1 for none
	value    int     // union of null and one other: index of the other, -1 otherwise
}

// field is one field of a record.
type field struct {
	name  string
	key   []byte // `"name":`
	node  *node
	def   []byte // encoded default, nil for none
	isDef bool
}

// Schema is a parsed Avro record schema with its registry id.
type Schema struct {
	ID   int
	Row  row.Schema
	root *node
	avro *avro.Schema
}

// Parse compiles the Avro schema text, a record. Referenced schemas come
// first in refs, those they refer to before them.
func Parse(id int, text string, refs ...string) (*Schema, error) {
	var cache avro.SchemaCache
	for _, ref := range refs {
		if _, err := cache.Parse(ref); err != nil {
			return nil, fmt.Errorf("parse referenced avro schema: %w", err)
		}
	}
	parsed, err := cache.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parse avro schema: %w", err)
	}
	root := parsed.Root().ExpandReferences()
	shape, err := row.FromAvroNode(root)
	if err != nil {
		return nil, err
	}
	b := builder{named: map[string]*node{}}
	n, err := b.build(root)
	if err != nil {
		return nil, err
	}
	return &Schema{ID: id, Row: shape, root: n, avro: parsed}, nil
}

type builder struct{ named map[string]*node }

var primitives = map[string]op{"null": opNull, "boolean": opBoolean, "int": opInt, "long": opLong,
	"float": opFloat, "double": opDouble, "string": opString, "bytes": opBytes}

func (b builder) build(s *avro.SchemaNode) (*node, error) {
	n := &node{null: -1, value: -1}
	switch s.Type {
	case "fixed", "enum", "record", "error":
		full := s.Name
		if s.Namespace != "" {
			full = s.Namespace + "." + s.Name
		}
		b.named[full] = n
	}
	switch s.Type {
	case "fixed":
		n.op, n.size = opFixed, s.Size
		if s.LogicalType == "decimal" {
			n.op, n.prec, n.scale = opDecimalFixed, s.Precision, s.Scale
		}
		return n, nil
	case "enum":
		n.op, n.symbols = opEnum, s.Symbols
		return n, nil
	case "record", "error":
		return n, b.record(n, s)
	case "array", "map":
		n.op = opArray
		of := s.Items
		if s.Type == "map" {
			n.op, of = opMap, s.Values
		}
		var err error
		n.item, err = b.build(of)
		return n, err
	case "union":
		return n, b.union(n, s)
	}
	if known, ok := b.named[s.Type]; ok {
		return known, nil
	}
	o, ok := primitives[s.Type]
	if !ok {
		return nil, fmt.Errorf("avro type %q is not known", s.Type)
	}
	n.op = o
	shape, err := row.FromAvroNode(&avro.SchemaNode{Type: "record", Fields: []avro.SchemaField{{Type: *s}}})
	if err != nil {
		return nil, err
	}
	f := shape.Fields[0]
	switch f.Type {
	case row.Decimal:
		n.op, n.prec, n.scale = opDecimal, f.Precision, f.Scale
	case row.Date:
		n.op = opDate
	case row.Time:
		n.op, n.unit = opTime, f.Unit
	case row.Timestamp:
		n.op, n.unit, n.local = opTimestamp, f.Unit, f.Local
	}
	return n, nil
}

func (b builder) record(n *node, s *avro.SchemaNode) error {
	n.op = opRecord
	for i := range s.Fields {
		sf := &s.Fields[i]
		of, err := b.build(&sf.Type)
		if err != nil {
			return fmt.Errorf("field %q: %w", sf.Name, err)
		}
		f := field{name: sf.Name, key: append(strconv.AppendQuote(nil, sf.Name), ':'), node: of}
		if sf.HasDefault {
			def, err := sf.Type.Schema()
			if err == nil {
				f.def, err = def.Encode(sf.Default)
			}
			if err != nil {
				return fmt.Errorf("field %q: default: %w", sf.Name, err)
			}
			f.isDef = true
		} else if of.op == opUnion && of.null >= 0 {
			f.def, f.isDef = appendLong(nil, int64(of.null)), true
		}
		n.fields = append(n.fields, f)
	}
	return nil
}

func (b builder) union(n *node, s *avro.SchemaNode) error {
	n.op = opUnion
	for i := range s.Branches {
		br, err := b.build(&s.Branches[i])
		if err != nil {
			return err
		}
		if br.op == opNull {
			n.null = i
		} else {
			n.value = i
		}
		n.branches = append(n.branches, br)
	}
	if others := len(n.branches); n.null >= 0 && others != 2 || n.null < 0 && others != 1 {
		n.value = -1
	}
	return nil
}

// appendLong appends v as an Avro int or long: zig-zag, base 128.
func appendLong(dst []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		dst = append(dst, byte(u)|0x80)
		u >>= 7
	}
	return append(dst, byte(u))
}

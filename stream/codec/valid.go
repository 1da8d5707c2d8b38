package codec

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/twmb/avro"
)

// Valid returns nil if the bytes are one datum of the schema and nothing else,
// its texts UTF-8, its decimals within their precision and its times of day
// within a day. The error names the field.
func (s *Schema) Valid(datum []byte) error {
	r := reader{datum}
	err := s.root.skip(&r, 0)
	if err == nil && len(r.b) > 0 {
		err = errTrailing
	}
	return err
}

// skip reads over one value.
func (n *node) skip(r *reader, depth int) error {
	if n.op == opUnion {
		i, err := r.index(len(n.branches), errBranch)
		if err != nil {
			return err
		}
		n = n.branches[i]
	}
	var err error
	switch n.op {
	case opNull:
	case opBoolean:
		_, err = r.boolean()
	case opInt, opDate:
		_, err = r.int()
	case opLong, opTimestamp:
		_, err = r.long()
	case opTime:
		var v int64
		if v, err = r.long(); err == nil && (v < 0 || v >= secondsPerDay*perSecond(n.unit)) {
			err = errClock
		}
	case opFloat:
		_, err = r.take(4)
	case opDouble:
		_, err = r.take(8)
	case opEnum:
		_, err = r.index(len(n.symbols), errSymbol)
	case opString:
		err = skipText(r)
	case opBytes, opFixed:
		_, err = n.rawBytes(r)
	case opDecimal, opDecimalFixed:
		var b []byte
		if b, err = n.rawBytes(r); err == nil && digitsOf(b) > n.prec {
			err = fmt.Errorf("a decimal has more digits than its precision, %d", n.prec)
		}
	default:
		if depth == maxDepth {
			return errDepth
		}
		return n.skipNested(r, depth+1)
	}
	return err
}

// digitsOf is how many digits the unscaled value of a decimal has.
func digitsOf(b []byte) int {
	text := decimalText(make([]byte, 0, 48), b, 0)
	return len(bytes.TrimPrefix(text, []byte{'-'}))
}

func skipText(r *reader) error {
	b, err := r.bytes()
	if err == nil && !utf8.Valid(b) {
		err = errUTF8
	}
	return err
}

func (n *node) skipNested(r *reader, depth int) error {
	if n.op == opRecord {
		for i := range n.fields {
			if err := n.fields[i].node.skip(r, depth); err != nil {
				return fmt.Errorf("field %q: %w", n.fields[i].name, err)
			}
		}
		return nil
	}
	for {
		count, err := r.block()
		if err != nil || count == 0 {
			return err
		}
		if n.item.op == opNull && count > int64(len(r.b)) {
			return errLength // items without bytes: nothing else bounds them
		}
		for ; count > 0; count-- {
			if n.op == opMap {
				if err := skipText(r); err != nil {
					return err
				}
			}
			if err := n.item.skip(r, depth); err != nil {
				return err
			}
		}
	}
}

// Avro is the schema as the Avro library has it, complete in itself: what it
// refers to is written out.
func (s *Schema) Avro() (*avro.Schema, error) { return s.avro.Root().ExpandReferences().Schema() }

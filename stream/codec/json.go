package codec

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the datum as one JSON object, fields in schema order,
// without a line end. On an error, which names the field, dst is returned as
// it came; the datum then is no datum of s or has no JSON text.
func (s *Schema) AppendJSON(dst, datum []byte) ([]byte, error) {
	r := reader{datum}
	out, err := s.root.appendJSON(dst, &r, 0)
	if err == nil && len(r.b) > 0 {
		err = errTrailing
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (n *node) appendJSON(dst []byte, r *reader, depth int) ([]byte, error) {
	if n.op == opUnion {
		i, err := r.index(len(n.branches), errBranch)
		if err != nil {
			return dst, err
		}
		n = n.branches[i]
	}
	switch n.op {
	case opNull:
		return append(dst, "null"...), nil
	case opDouble:
		f, err := r.double()
		if err != nil {
			return dst, err
		}
		return appendFloat(dst, f, 64)
	case opFloat:
		f, err := r.float()
		if err != nil {
			return dst, err
		}
		return appendFloat(dst, float64(f), 32)
	case opString:
		b, err := r.bytes()
		if err != nil {
			return dst, err
		}
		return appendString(dst, b)
	case opLong:
		v, err := r.long()
		return strconv.AppendInt(dst, v, 10), err
	case opInt:
		v, err := r.int()
		return strconv.AppendInt(dst, v, 10), err
	case opDate, opTime, opTimestamp:
		dst, err := n.appendWhen(append(dst, '"'), r)
		return append(dst, '"'), err
	case opBoolean:
		v, err := r.boolean()
		return strconv.AppendBool(dst, v), err
	case opEnum:
		i, err := r.index(len(n.symbols), errSymbol)
		if err != nil {
			return dst, err
		}
		return append(append(append(dst, '"'), n.symbols[i]...), '"'), nil
	case opBytes, opFixed, opDecimal, opDecimalFixed:
		b, err := n.rawBytes(r)
		if err != nil {
			return dst, err
		}
		dst = append(dst, '"')
		if n.op == opDecimal || n.op == opDecimalFixed {
			dst = decimalText(dst, b, n.scale)
		} else {
			dst = hex.AppendEncode(dst, b)
		}
		return append(dst, '"'), nil
	}
	if depth == maxDepth {
		return dst, errDepth
	}
	return n.appendNested(dst, r, depth+1)
}

func (n *node) appendNested(dst []byte, r *reader, depth int) ([]byte, error) {
	var err error
	if n.op == opRecord {
		dst = append(dst, '{')
		for i := range n.fields {
			f := &n.fields[i]
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, f.key...)
			if dst, err = f.node.appendJSON(dst, r, depth); err != nil {
				return dst, fmt.Errorf("field %q: %w", f.name, err)
			}
		}
		return append(dst, '}'), nil
	}
	opening, closing := byte('['), byte(']')
	if n.op == opMap {
		opening, closing = '{', '}'
	}
	dst = append(dst, opening)
	first := true
	for {
		count, err := r.block()
		if err != nil {
			return dst, err
		}
		if count == 0 {
			return append(dst, closing), nil
		}
		if n.item.op == opNull && count > int64(len(r.b)) {
			return dst, errLength // items without bytes: nothing else bounds them
		}
		for ; count > 0; count-- {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if n.op == opMap {
				key, err := r.bytes()
				if err != nil {
					return dst, err
				}
				if dst, err = appendString(dst, key); err != nil {
					return dst, err
				}
				dst = append(dst, ':')
			}
			if dst, err = n.item.appendJSON(dst, r, depth); err != nil {
				return dst, err
			}
		}
	}
}

// rawBytes reads bytes or fixed.
func (n *node) rawBytes(r *reader) ([]byte, error) {
	if n.op == opFixed || n.op == opDecimalFixed {
		return r.take(int64(n.size))
	}
	return r.bytes()
}

// appendWhen appends the text of a date, time or timestamp.
func (n *node) appendWhen(dst []byte, r *reader) ([]byte, error) {
	v, err := r.long()
	if err != nil {
		return dst, err
	}
	switch n.op {
	case opDate:
		dst, ok := appendDate(dst, v)
		if !ok {
			return dst, errYear
		}
		return dst, nil
	case opTime:
		if v < 0 || v >= secondsPerDay*perSecond(n.unit) {
			return dst, errClock
		}
		return appendClock(dst, v, n.unit), nil
	}
	dst, ok := appendTimestamp(dst, v, n.unit, n.local)
	if !ok {
		return dst, errYear
	}
	return dst, nil
}

// appendFloat appends the shortest text that reads back the same, in the
// form that encoding/json gives.
func appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, errNaN
	}
	abs := math.Abs(f)
	if bits == 64 {
		if out, ok := appendShort(dst, f, abs); ok {
			return out, nil
		}
	}
	format := byte('f')
	if abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits), nil
}

// appendShort appends a number that has at most fifteen digits, of which six
// are decimals, or none; most prices and volumes are of those. Else it says no.
// The decimal is then the shortest that reads back the same: no two decimals of
// fifteen digits are one float64 (IEEE 754; DBL_DIG of C), so a shorter one
// would be another number.
func appendShort(dst []byte, f, abs float64) ([]byte, bool) {
	if abs < 1e15 && abs == math.Trunc(abs) && (abs != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, int64(f), 10), true
	}
	if !(abs >= 1e-6 && abs < 1e9) {
		return dst, false
	}
	n := uint64(abs*1e6 + 0.5)
	if float64(n)/1e6 != abs { // both are exact, so the division rounds once
		return dst, false
	}
	if f < 0 {
		dst = append(dst, '-')
	}
	whole := uint32(n / 1e6) // below 1e9
	rest := uint32(n - uint64(whole)*1e6)
	dst = append(strconv.AppendUint(dst, uint64(whole), 10), '.')
	dst = appendPair(appendPair(appendPair(dst, rest/10000), rest/100%100), rest%100)
	for dst[len(dst)-1] == '0' { // rest is not zero
		dst = dst[:len(dst)-1]
	}
	return dst, true
}

// appendPair appends the two digits of n < 100.
func appendPair(dst []byte, n uint32) []byte {
	return append(dst, pairs[2*n], pairs[2*n+1])
}

const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

const hexDigits = "0123456789abcdef"

// appendString appends b as a JSON string. It must be UTF-8.
func appendString(dst, b []byte) ([]byte, error) {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(b); {
		c := b[i]
		if c >= 0x80 {
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size == 1 {
				return dst, errUTF8
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, b[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, b[start:]...), '"'), nil
}

// AppendString appends text as a JSON string; bytes that are not UTF-8 are
// replaced by U+FFFD.
func AppendString(dst []byte, text string) []byte {
	out, err := appendString(dst, []byte(text))
	if err != nil {
		out, _ = appendString(dst, []byte(string([]rune(text))))
	}
	return out
}

package codec

import (
	"encoding/binary"
	"errors"
	"math"
)

// errShort and the like mean that the bytes are no datum of the schema.
var (
	errShort    = errors.New("the datum is cut short")
	errVarint   = errors.New("a variable-length number is too long")
	errBranch   = errors.New("a union has no such branch")
	errLength   = errors.New("a length is negative or beyond the datum")
	errSymbol   = errors.New("an enum has no such symbol")
	errDepth    = errors.New("the datum is nested too deep")
	errTrailing = errors.New("bytes follow the datum")
	errUTF8     = errors.New("a string is not UTF-8")
	errBool     = errors.New("a boolean is neither 0 nor 1")
	errNaN      = errors.New("the number is NaN or infinite, which JSON has no text for")
	errYear     = errors.New("the year is not between 0 and 9999")
	errClock    = errors.New("the time of day is out of range")
)

// maxDepth bounds recursion: a schema may refer to itself.
const maxDepth = 64

// reader reads Avro's primitives from a datum.
type reader struct{ b []byte }

func (r *reader) long() (int64, error) {
	var u uint64
	for i := 0; i < len(r.b); i++ {
		c := r.b[i]
		if i == 9 && c > 1 || i > 9 {
			return 0, errVarint
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.b = r.b[i+1:]
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	return 0, errShort
}

func (r *reader) int() (int64, error) {
	v, err := r.long()
	if err == nil && (v > math.MaxInt32 || v < math.MinInt32) {
		return 0, errVarint
	}
	return v, err
}

func (r *reader) take(n int64) ([]byte, error) {
	if n < 0 {
		return nil, errLength
	}
	if n > int64(len(r.b)) {
		return nil, errShort
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out, nil
}

func (r *reader) bytes() ([]byte, error) {
	n, err := r.long()
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

func (r *reader) boolean() (bool, error) {
	b, err := r.take(1)
	if err != nil {
		return false, err
	}
	if b[0] > 1 {
		return false, errBool
	}
	return b[0] == 1, nil
}

func (r *reader) float() (float32, error) {
	b, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(b)), nil
}

func (r *reader) double() (float64, error) {
	b, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

// index reads a union branch or enum symbol below n.
func (r *reader) index(n int, out error) (int, error) {
	v, err := r.long()
	if err != nil {
		return 0, err
	}
	if v < 0 || v >= int64(n) {
		return 0, out
	}
	return int(v), nil
}

// block reads the head of an array or map block: how many items follow, 0 at
// the end. A negative count is followed by the block's size, which is not
// needed (Avro specification, "Arrays").
func (r *reader) block() (int64, error) {
	n, err := r.long()
	if err != nil || n >= 0 {
		return n, err
	}
	if n == math.MinInt64 {
		return 0, errLength
	}
	_, err = r.long()
	return -n, err
}

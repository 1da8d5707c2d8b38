package codec

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unsafe"
)

var (
	errNoNumber = errors.New("is no number")
	errNoInt    = errors.New("is no whole number")
	errRange    = errors.New("is out of range")
)

var powersOfTen = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseDouble reads a decimal number, rounded to the nearest double. A
// mantissa below 2^53 with a power of ten up to 22 is exact in one operation
// (Clinger, "How to read floating point numbers accurately", 1990); the rest
// is strconv's.
func parseDouble(b []byte) (float64, error) {
	var mant uint64
	i := 0
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		i = 1
	}
	// Nineteen digits fit into 64 bits. Longer texts, leading zeros or not, are strconv's.
	if len(b)-i > 19 {
		return parseSlow(b, 64)
	}
	digits := -i // of both sides of the point, once i is added
	for ; i < len(b); i++ {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		mant = mant*10 + uint64(d)
	}
	frac := 0
	if i < len(b) && b[i] == '.' {
		from := i + 1
		for i = from; i < len(b); i++ {
			d := b[i] - '0'
			if d > 9 {
				break
			}
			mant = mant*10 + uint64(d)
		}
		frac = i - from
		digits--
	}
	if digits+i == 0 || i < len(b) || mant >= 1<<53 {
		return parseSlow(b, 64)
	}
	f := float64(mant) / powersOfTen[frac]
	if neg {
		f = -f
	}
	return f, nil
}

func parseFloat(b []byte) (float32, error) {
	f, err := parseSlow(b, 32)
	return float32(f), err
}

// parseSlow takes what a decimal number is made of and nothing else that
// strconv would: no NaN, no infinity, no hexadecimal, no underscore.
func parseSlow(b []byte, bits int) (float64, error) {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, errNoNumber
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), bits)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return 0, errRange
		}
		return 0, errNoNumber
	}
	return f, nil
}

// parseInt reads a whole number of at most the given bits, 32 or 64.
func parseInt(b []byte, bits int) (int64, error) {
	i := 0
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		i = 1
	}
	if i == len(b) {
		return 0, errNoInt
	}
	var v uint64
	for ; i < len(b); i++ {
		d := b[i] - '0'
		if d > 9 {
			return 0, errNoInt
		}
		if v > (math.MaxUint64-9)/10 {
			return 0, errRange
		}
		v = v*10 + uint64(d)
	}
	limit := uint64(1)<<(bits-1) - 1
	if neg {
		limit++
	}
	if v > limit {
		return 0, errRange
	}
	if neg {
		return int64(-v), nil
	}
	return int64(v), nil
}

// encodeDecimal appends the unscaled value, big-endian two's complement: the
// fewest bytes for bytes, the fixed size for fixed (Avro specification,
// "Decimal").
func (n *node) encodeDecimal(dst, text []byte) ([]byte, error) {
	unscaled, err := parseDecimal(text, n.prec, n.scale)
	if err != nil {
		return dst, err
	}
	raw := twosComplement(unscaled)
	if n.op == opDecimal {
		return append(appendLong(dst, int64(len(raw))), raw...), nil
	}
	if len(raw) > n.size {
		return dst, errRange
	}
	pad := byte(0)
	if unscaled.Sign() < 0 {
		pad = 0xff
	}
	for range n.size - len(raw) {
		dst = append(dst, pad)
	}
	return append(dst, raw...), nil
}

// parseDecimal reads a plain decimal number as its value times 10^scale.
// Digits that would be lost are an error, zeros are not.
func parseDecimal(text []byte, prec, scale int) (*big.Int, error) {
	digits := make([]byte, 0, len(text)+scale)
	frac, point := 0, false
	for i, c := range text {
		switch {
		case i == 0 && (c == '-' || c == '+'):
			digits = append(digits, c)
		case c >= '0' && c <= '9':
			if point {
				if frac == scale {
					if c != '0' {
						return nil, fmt.Errorf("has more than %d digits after the point", scale)
					}
					continue
				}
				frac++
			}
			digits = append(digits, c)
		case c == '.' && !point:
			point = true
		default:
			return nil, errNoNumber
		}
	}
	for ; frac < scale; frac++ {
		digits = append(digits, '0')
	}
	if !hasDigit(text) {
		return nil, errNoNumber
	}
	if len(digits) > 400 {
		return nil, errRange
	}
	if len(digits) == 0 || len(digits) == 1 && (digits[0] == '-' || digits[0] == '+') {
		digits = append(digits, '0') // ".0" of scale 0
	}
	v, ok := new(big.Int).SetString(string(digits), 10)
	if !ok {
		return nil, errNoNumber
	}
	if s := v.Text(10); len(s) > prec && (v.Sign() >= 0 || len(s)-1 > prec) {
		return nil, fmt.Errorf("has more than %d digits", prec)
	}
	return v, nil
}

func hasDigit(text []byte) bool {
	for _, c := range text {
		if c >= '0' && c <= '9' {
			return true
		}
	}
	return false
}

func twosComplement(v *big.Int) []byte {
	if v.Sign() >= 0 {
		b := v.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	// -v-1 has the same bits, inverted.
	b := new(big.Int).Not(v).Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

// decimalText appends the number that a decimal's bytes hold.
func decimalText(dst, raw []byte, scale int) []byte {
	v := new(big.Int).SetBytes(raw)
	if len(raw) > 0 && raw[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
	}
	s := v.Text(10)
	if s[0] == '-' {
		dst = append(dst, '-')
		s = s[1:]
	}
	for len(s) <= scale {
		s = "0" + s
	}
	dst = append(dst, s[:len(s)-scale]...)
	if scale > 0 {
		dst = append(dst, '.')
		dst = append(dst, s[len(s)-scale:]...)
	}
	return dst
}

package codec

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// checkFloat compares the text of a number with that of strconv.
func checkFloat(t *testing.T, f float64) {
	t.Helper()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	want := strconv.FormatFloat(f, format, -1, 64)
	if got, err := appendFloat([]byte("x"), f, 64); err != nil || string(got) != "x"+want {
		t.Fatalf("%v: got %q, %v; want %q", f, got, err, want)
	}
}

func TestFloatIsStrconv(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300_000 {
		scale := math.Pow10(r.IntN(12))
		f := math.Round(r.Float64()*math.Pow10(r.IntN(16))) / scale
		checkFloat(t, f)
		checkFloat(t, -f)
		checkFloat(t, math.Nextafter(f, 1e300))
		checkFloat(t, math.Float64frombits(r.Uint64()))
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1e-6, 9.99999e-7, 1e-7, 999999999.999999, 999999999.9999999, 1e9, 1e15 - 1, 1e15 - 0.125, 1e15, 1e15 + 2, 1 << 53, 0.1, 0.3, 528.690002} {
		checkFloat(t, f)
	}
}

func FuzzFloat(f *testing.F) {
	f.Add(528.690002)
	f.Add(1e-6)
	f.Fuzz(checkFloat)
}

package rowfile

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func TestOutput(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{0, 1, piece - 1, piece, piece + 1, 3*piece + 17} {
		var o Output
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		for at := 0; at < size; {
			n := min(1+r.IntN(piece), size-at)
			if got, err := o.Write(want[at : at+n]); got != n || err != nil {
				t.Fatalf("write %d: %d, %v", n, got, err)
			}
			at += n
		}
		if o.Len() != int64(size) || o.Memory() < int64(size) || o.Memory() >= int64(size)+piece {
			t.Errorf("%d bytes: length %d, memory %d", size, o.Len(), o.Memory())
		}
		if err := iotest.TestReader(o.Reader(), want); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		first := o.Reader()
		if got, err := io.ReadAll(o.Reader()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: read others, %v", size, err)
		}
		if at, err := first.Seek(0, io.SeekCurrent); at != 0 || err != nil {
			t.Errorf("a reader moved another to %d, %v", at, err)
		}
	}
}

package rowfile

import "io"

// piece is how much memory an Output takes at a time.
const piece = 64 << 10

// Output is a file in memory. It grows in pieces, so that nothing is copied and
// no more than a piece is taken in advance. Writing is for one goroutine; what
// is written may then be read by any number.
type Output struct {
	pieces [][]byte // full but for the last
	size   int64
}

// Write appends; it never fails.
func (o *Output) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		last := len(o.pieces) - 1
		if last < 0 || len(o.pieces[last]) == piece {
			o.pieces = append(o.pieces, make([]byte, 0, piece))
			last++
		}
		free := o.pieces[last]
		took := copy(free[len(free):piece], p)
		o.pieces[last] = free[:len(free)+took]
		p = p[took:]
	}
	o.size += int64(n)
	return n, nil
}

// Len is how many bytes were written.
func (o *Output) Len() int64 { return o.size }

// Memory is how many bytes are taken for them.
func (o *Output) Memory() int64 { return int64(len(o.pieces)) * piece }

// ReadAt is that of io.ReaderAt.
func (o *Output) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	for n < len(p) && at < o.size {
		took := copy(p[n:], o.pieces[at/piece][at%piece:])
		n += took
		at += int64(took)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Reader reads all of it from the beginning.
func (o *Output) Reader() io.ReadSeeker { return io.NewSectionReader(o, 0, o.size) }

package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// scanner splits one file into records as RFC 4180 has them, with two
// liberties that files in the wild need: \n ends a line as well as \r\n, and
// a quote inside an unquoted field is itself. Blank lines are no records.
type scanner struct {
	name   string
	in     io.Reader
	delim  byte
	max    int // most bytes of a record
	digest *xxhash.Digest

	buf    []byte
	pos    int // start of what is not consumed yet
	skip   int // length of the last record's line end, at pos
	eof    bool
	done   bool
	line   int   // line at pos
	total  int64 // bytes consumed
	fields [][]byte
	slab   []byte // unquoted fields that had doubled quotes

	object *object   // NDJSON, nil for CSV
	tail   *followed // the file, if it may still grow
}

type record struct {
	raw    []byte
	fields [][]byte
	line   int
	err    error
}

func newScanner(name string, in io.Reader, cfg Config, digest *xxhash.Digest) *scanner {
	s := &scanner{name: name, in: in, delim: cfg.Delimiter, max: cfg.MaxRow, digest: digest,
		buf: make([]byte, 0, 1<<16), line: 1}
	s.tail, _ = in.(*followed)
	if cfg.Format == NDJSON {
		s.object = newObject(cfg)
	}
	return s
}

var (
	errMore     = errors.New("more input needed")
	errUnclosed = errors.New("quote never closed")
	errEmpty    = errors.New("the file is empty, a header is needed")
)

// byteOrderMarks are what may stand before the header: the mark itself, and
// the mark after someone read it as Latin-1 and wrote it as UTF-8.
var byteOrderMarks = [][]byte{[]byte("\xef\xbb\xbf"), []byte("\xc3\xaf\xc2\xbb\xc2\xbf")}

var utf16 = [][]byte{[]byte("\xff\xfe"), []byte("\xfe\xff")}

// begin passes over the byte order marks at the start of a file.
func (s *scanner) begin() error {
	begun := func(mark []byte) bool { return len(s.buf) < len(mark) && bytes.HasPrefix(mark, s.buf) }
	for !s.eof && (slices.ContainsFunc(byteOrderMarks, begun) || slices.ContainsFunc(utf16, begun)) { // no further: a file may grow
		if err := s.fill(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(s.buf, utf16[0]) || bytes.HasPrefix(s.buf, utf16[1]) {
		return fmt.Errorf("%s: the file is UTF-16; convert it to UTF-8 first", s.name)
	}
	for _, mark := range byteOrderMarks {
		if bytes.HasPrefix(s.buf[s.pos:], mark) {
			s.consume(len(mark))
		}
	}
	return nil
}

// header reads the first record.
func (s *scanner) header() ([]string, error) {
	rec, err := s.next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", s.name, errEmpty)
	}
	if err != nil {
		return nil, err
	}
	if rec.err != nil {
		return nil, fmt.Errorf("%s:%d: header: %w", s.name, rec.line, rec.err)
	}
	out := make([]string, len(rec.fields))
	for i, f := range rec.fields {
		out[i] = string(bytes.TrimSpace(f))
	}
	return out, nil
}

// next returns the next record, or io.EOF. The digest then covers everything
// up to the end of the record, without its line end.
func (s *scanner) next() (record, error) {
	for {
		rest := s.buf[s.pos+s.skip:]
		if len(rest) == 0 && s.eof {
			return record{}, s.end()
		}
		line := s.line + min(s.skip, 1)
		end, skip, err := s.split(rest)
		if errors.Is(err, errMore) {
			if len(rest) > s.max {
				return record{}, fmt.Errorf("%s:%d: the row is longer than %d bytes; is a quote never closed?", s.name, line, s.max)
			}
			if err := s.fill(); err != nil {
				return record{}, err
			}
			continue
		}
		if errors.Is(err, errUnclosed) {
			return record{}, fmt.Errorf("%s:%d: the row opens a quote that is never closed", s.name, line)
		}
		if end > s.max {
			return record{}, fmt.Errorf("%s:%d: the row is longer than %d bytes; is a quote never closed?", s.name, line, s.max)
		}
		if skip == 0 && end > 0 && s.tail != nil && s.tail.grows {
			return record{}, s.end() // the line may be half of one
		}
		rec := record{raw: rest[:end], line: line, err: err}
		if err == nil {
			rec.fields = s.fields
		}
		s.consume(s.skip + end)
		s.skip = skip
		if end > 0 {
			return rec, nil
		}
	}
}

// end ends the file behind the last record's line end.
func (s *scanner) end() error {
	s.consume(s.skip)
	s.skip, s.done = 0, true
	return io.EOF
}

// consume takes the next n bytes into the digest and the counts.
func (s *scanner) consume(n int) {
	chunk := s.buf[s.pos : s.pos+n]
	s.digest.Write(chunk)
	s.line += bytes.Count(chunk, newline)
	s.pos += n
	s.total += int64(n)
}

var newline = []byte{'\n'}

// fill reads more input behind what is not consumed yet.
func (s *scanner) fill() error {
	if s.pos > 0 {
		n := copy(s.buf[:cap(s.buf)], s.buf[s.pos:])
		s.buf, s.pos = s.buf[:n], 0
	}
	if len(s.buf) == cap(s.buf) {
		grown := make([]byte, len(s.buf), 2*cap(s.buf))
		copy(grown, s.buf)
		s.buf = grown
	}
	for range 100 {
		n, err := s.in.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if err == io.EOF {
			s.eof = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s.name, cut(err))
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("read %s: %w", s.name, io.ErrNoProgress)
}

// split finds the first record of b and its fields, left in s.fields: end is
// its length, skip that of its line end. It fails with errMore when b does
// not hold all of it and with errUnclosed when no input can end it; any other
// error is of this record alone.
func (s *scanner) split(b []byte) (end, skip int, err error) {
	nl := bytes.IndexByte(b, '\n')
	if nl < 0 && !s.eof {
		return 0, 0, errMore
	}
	line := b
	if nl >= 0 {
		line, skip = b[:nl], 1
	}
	if s.object == nil && bytes.IndexByte(line, '"') >= 0 {
		return s.splitQuoted(b)
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
		skip++
	}
	if s.object != nil {
		if len(bytes.TrimSpace(line)) > 0 {
			s.fields, err = s.object.split(line)
		}
		return len(line), skip, err
	}
	s.fields = s.fields[:0]
	rest := line
	for {
		i := bytes.IndexByte(rest, s.delim)
		if i < 0 {
			s.fields = append(s.fields, rest)
			return len(line), skip, nil
		}
		s.fields = append(s.fields, rest[:i])
		rest = rest[i+1:]
	}
}

// splitQuoted is split for a record whose first line holds a quote.
func (s *scanner) splitQuoted(b []byte) (end, skip int, err error) {
	s.fields, s.slab = s.fields[:0], s.slab[:0]
	var bad error
	i := 0
	for {
		if i < len(b) && b[i] == '"' {
			field, n, err := s.quoted(b[i:])
			if err != nil {
				return 0, 0, err
			}
			i += n
			s.fields = append(s.fields, field)
			if i < len(b) && b[i] != s.delim && b[i] != '\n' && !(b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n')) {
				bad = errors.New("text follows a closing quote")
			}
		} else {
			n := bytes.IndexAny(b[i:], string([]byte{s.delim, '\n'}))
			if n < 0 {
				n = len(b) - i
			}
			field := b[i : i+n]
			if i+n == len(b) || b[i+n] == '\n' {
				field = bytes.TrimSuffix(field, []byte{'\r'})
			}
			s.fields = append(s.fields, field)
			i += len(field)
		}
		// Behind a bad field its rest is passed over up to the next border.
		for i < len(b) && b[i] != s.delim && b[i] != '\n' && !(b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n')) {
			i++
		}
		switch {
		case i == len(b) && !s.eof:
			return 0, 0, errMore
		case i == len(b):
			return i, 0, bad
		case b[i] == s.delim:
			i++
		case b[i] == '\n':
			return i, 1, bad
		case i+1 == len(b) && !s.eof:
			return 0, 0, errMore
		case i+1 == len(b):
			return i, 1, bad
		default: // \r\n
			return i, 2, bad
		}
	}
}

// quoted reads the field that opens with the quote b[0] and returns it
// without its quotes, and how many bytes it took.
func (s *scanner) quoted(b []byte) ([]byte, int, error) {
	start, doubled := len(s.slab), false
	i := 1
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			if !s.eof {
				return nil, 0, errMore
			}
			return nil, 0, errUnclosed
		}
		end := i + n
		if end+1 == len(b) && !s.eof {
			return nil, 0, errMore // a doubled quote may follow
		}
		if end+1 < len(b) && b[end+1] == '"' {
			s.slab = append(s.slab, b[i:end+1]...)
			doubled = true
			i = end + 2
			continue
		}
		if !doubled {
			return b[1:end], end + 1, nil
		}
		s.slab = append(s.slab, b[i:end]...)
		return s.slab[start:len(s.slab):len(s.slab)], end + 1, nil
	}
}

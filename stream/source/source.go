// Package source reads rows from CSV, NDJSON and Parquet files as a producer sends them and as
// an audit counts them again: in a fixed order, numbered from 1 over all
// files, with a running digest of every byte read so far. It opens globs,
// .gz and .zst files and standard input.
//
// Of a Parquet file the digest is that of its columns' names and its values'
// text, and a row's line is its number in the file.
//
// It knows nothing of Avro, Kafka or what a row means.
package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"mkt/stream/codec"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// The formats of a source.
const (
	CSV    = "csv"
	NDJSON = "ndjson" // a JSON object a line
	// Parquet files of columns that are not nested. Their types say how the
	// values read as text.
	Parquet = "parquet"
)

// Config says what to read.
type Config struct {
	Paths     []string // globs; Stdin reads standard input
	Format    string   // CSV (also empty), NDJSON or Parquet
	Delimiter byte     // of CSV, between fields; 0 is a comma
	// Header is the columns of CSV files that begin with their first row, nil
	// if their first line is the header; of NDJSON the members of the objects.
	Header []string
	Drop   []string // of NDJSON and Parquet: members and columns that are not taken
	Binary []string // of Parquet: columns whose bytes are to read as hexadecimal
	MaxRow int      // most bytes of one row; 0 is 1 MiB
	Limit  uint64   // most rows, 0 for all

	// Follow reads files that may still grow, and those that come after
	// them; a line counts once it has its end. Reader.Follow says from when
	// on Next waits for them, until Done is closed.
	Follow bool
	Done   <-chan struct{}

	Stdin io.Reader // what Stdin reads; nil is os.Stdin
}

// Row is one row of the source. Its slices are valid until the next call of
// Next.
type Row struct {
	Number uint64 // 1-based, over all files, headers and blank lines not counted
	File   string
	Line   int      // 1-based line of the file at which the row starts
	Raw    []byte   // of Parquet nil, see Text
	Fields [][]byte // unquoted

	// Digest is the xxhash64 of all source bytes up to the end of the row,
	// without the row's own line end: a final line that gains its line end
	// later keeps its digest.
	Digest uint64

	// Err says why Raw cannot be split into fields; Fields is then nil.
	Err error

	header []string
}

// Text is the row as it stands in the file, or a JSON object of the texts of
// its columns where that is no text.
func (r *Row) Text() []byte {
	if r.Raw != nil || len(r.Fields) != len(r.header) {
		return r.Raw
	}
	b := []byte{'{'}
	for i, f := range r.Fields {
		if f == nil {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(quoted(b, []byte(r.header[i])), ':')
		if IsNull(f) {
			b = append(b, "null"...)
		} else {
			b = quoted(b, f)
		}
	}
	return append(b, '}')
}

// IsNull says whether a field is no value whatever stands for that: codec.Null.
func IsNull(field []byte) bool { return len(field) > 0 && &field[0] == &codec.Null[0] }

// quoted appends a JSON string. What is no UTF-8 stays so.
func quoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// Files expands the globs of paths (*, **, ?, [a-z], {a,b}), each sorted, a file
// named twice read once. A pattern that matches nothing, or a directory that
// cannot be read, is an error.
func Files(paths []string) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	for _, p := range paths {
		names := []string{p}
		if p != Stdin {
			var err error
			if names, err = doublestar.FilepathGlob(p, doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors()); err != nil {
				return nil, fmt.Errorf("source path %q: %w", p, err)
			}
			if len(names) == 0 {
				return nil, fmt.Errorf("source path %q matches no file", p)
			}
			sort.Strings(names)
		}
		for _, n := range names {
			if !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the source names no path")
	}
	return out, nil
}

// Reader reads the rows of a source. It is for one goroutine.
type Reader struct {
	cfg     Config
	files   []string
	next    int      // index into files of the one to open next
	name    string   // of the present file
	scan    *scanner // of the present file
	table   *table   // likewise, of Parquet
	total   int64    // bytes of Parquet's values
	stored  int64    // bytes read of the present file, as it is stored
	closers []io.Closer
	header  []string
	digest  *xxhash.Digest
	number  uint64
	row     Row

	// Of a source that is followed:
	waiting bool        // for files to grow
	in      io.Reader   // of the present file
	own     os.FileInfo // of the present file
	due     os.FileInfo // of the file to open next, nil if none was looked at
	before  uint64      // rows of the files before the present one
}

// Open expands cfg.Paths and stands before the first row.
func Open(cfg Config) (*Reader, error) {
	expand := Files
	if cfg.Follow {
		expand = list
	}
	files, err := expand(cfg.Paths)
	if err != nil {
		return nil, err
	}
	if cfg.Follow {
		if err := checkFollow(files); err != nil {
			return nil, err
		}
		if cfg.Format == Parquet {
			return nil, errors.New("a Parquet file cannot be followed: it is whole or it is none")
		}
	}
	if cfg.Delimiter == 0 {
		cfg.Delimiter = ','
	}
	if cfg.MaxRow == 0 {
		cfg.MaxRow = 1 << 20
	}
	if cfg.Stdin == nil {
		cfg.Stdin = os.Stdin
	}
	return &Reader{cfg: cfg, files: files, digest: xxhash.New()}, nil
}

// Header is the header of the file that the last row came from, or, before
// the first row, nil. A new file is a new slice.
func (r *Reader) Header() []string { return r.header }

// Position is the file and line of the last row, for messages.
func (r *Reader) Position() string { return fmt.Sprintf("%s:%d", r.row.File, r.row.Line) }

// Bytes is the number of (decompressed) bytes read up to the last row.
func (r *Reader) Bytes() int64 {
	if r.scan == nil {
		return r.total
	}
	return r.scan.total
}

// Next returns the next row, or io.EOF after the last. A row that cannot be
// split is returned with Err set; an error of Next itself ends the source.
func (r *Reader) Next() (*Row, error) {
	if r.cfg.Limit > 0 && r.number == r.cfg.Limit {
		return nil, io.EOF
	}
	for {
		if r.table == nil && (r.scan == nil || r.scan.done) {
			if err := r.open(); err != nil && !(r.cfg.Follow && errors.Is(err, errEmpty)) {
				return nil, err
			}
		}
		rec, err := r.record()
		if errors.Is(err, io.EOF) {
			if r.cfg.Follow {
				if err := r.another(); err != nil {
					return nil, err
				}
			}
			r.finish()
			continue
		}
		if err != nil {
			return nil, err
		}
		r.number++
		r.row = Row{Number: r.number, File: r.name, Line: rec.line, Raw: rec.raw,
			Fields: rec.fields, Digest: r.digest.Sum64(), Err: rec.err, header: r.header}
		if rec.err == nil && len(rec.fields) != len(r.header) {
			r.row.Err = fmt.Errorf("the row has %d fields, the header has %d", len(rec.fields), len(r.header))
			r.row.Fields = nil
		}
		return &r.row, nil
	}
}

func (r *Reader) record() (record, error) {
	if r.table != nil {
		return r.table.next()
	}
	return r.scan.next()
}

// open opens the next file and reads its header.
func (r *Reader) open() error {
	if r.next == len(r.files) {
		return io.EOF
	}
	name := r.files[r.next]
	r.next++
	r.name, r.stored, r.before = name, 0, r.number
	if r.cfg.Format == Parquet {
		t, err := openTable(name, r.cfg, r.digest, &r.total)
		if err != nil {
			return err
		}
		r.table, r.header = t, t.header
		return nil
	}
	in, err := r.input(name)
	if err != nil {
		return err
	}
	r.in = in
	total := r.Bytes()
	r.scan = newScanner(name, in, r.cfg, r.digest)
	r.scan.total = total
	if err := r.scan.begin(); err != nil {
		return err
	}
	if r.cfg.Header == nil {
		r.header, err = r.scan.header()
	} else {
		r.header = slices.Clone(r.cfg.Header)
	}
	return err
}

func (r *Reader) input(name string) (io.Reader, error) {
	if name == Stdin {
		return r.cfg.Stdin, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	r.closers = append(r.closers, f)
	if r.cfg.Follow {
		if r.own, err = f.Stat(); err != nil {
			return nil, fmt.Errorf("open source: %w", err)
		}
		if r.due != nil && !os.SameFile(r.due, r.own) {
			return nil, fmt.Errorf("%s was replaced before it was read; %w", name, ErrGone)
		}
	}
	in := &counted{from: f, n: &r.stored}
	switch {
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(bufio.NewReaderSize(in, 1<<16))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, cut(err))
		}
		return z, nil
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, cut(err))
		}
		r.closers = append(r.closers, z.IOReadCloser())
		return z, nil
	}
	if r.cfg.Follow {
		return &followed{r: r, f: f}, nil
	}
	return in, nil
}

// cut says what it means that a compressed file ends before its end.
func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the file ends too early: it was cut, or is still being written")
	}
	return err
}

// counted adds up the bytes that are read through it.
type counted struct {
	from io.Reader
	n    *int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	*c.n += int64(n)
	return n, err
}

func (r *Reader) finish() {
	if r.table != nil {
		r.table.close()
		r.table = nil
	}
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i].Close()
	}
	r.closers = r.closers[:0]
}

// Close closes what is open. It never fails on what was read.
func (r *Reader) Close() error {
	r.finish()
	return nil
}

// Header is one file with its header.
type Header struct {
	File    string
	Columns []string
}

// Headers reads the header of every file of the source but standard input,
// so that a misfit is known before anything is sent. A followed file that has
// no line yet is left out.
func Headers(cfg Config) ([]Header, error) {
	r, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []Header
	for _, name := range r.files {
		if name == Stdin {
			continue
		}
		one := &Reader{cfg: r.cfg, files: []string{name}, digest: xxhash.New()}
		err := one.open()
		one.Close()
		if cfg.Follow && errors.Is(err, errEmpty) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Header{File: name, Columns: one.header})
	}
	return out, nil
}

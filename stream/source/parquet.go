package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"mkt/stream/codec"
)

// table reads the rows of a Parquet file. A value is the text that it would
// have in a CSV file (cellText), null is codec.Null, so that all behind it is
// the same for every format. It goes through the row groups one after the
// other, a column's page at a time: memory is bounded by a page of each column.
//
// A row's digest is of the texts, not of the file: a file that is compressed
// anew has the same rows.
type table struct {
	name    string
	file    *os.File
	in      *parquet.File
	header  []string
	columns []column
	groups  []parquet.RowGroup // left
	left    int64              // rows of the present group that are not read
	batch   int                // rows that the columns hold
	at      int                // the next of them
	row     int                // number of the last one in the file
	total   *int64
	digest  *xxhash.Digest
	fields  [][]byte
	max     int
}

// column is a column of the file.
type column struct {
	index   int // of its chunk in a row group
	dropped bool
	text    cellText
	pages   parquet.Pages
	page    parquet.Page
	values  parquet.ValueReader
	cells   []cell // of the batch
	slab    []byte
}

// cell is where a value's text ends in the slab, and where it begins.
type cell struct {
	from, to int
	null     bool
}

// tableRows is how many rows are turned to text at a time.
const tableRows = 256

// openTable opens a Parquet file and looks at its columns.
func openTable(name string, cfg Config, digest *xxhash.Digest, total *int64) (t *table, err error) {
	if name == Stdin {
		return nil, errors.New("a source of Parquet cannot be standard input: it is read from its end")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	defer func() {
		if r := recover(); r != nil {
			err = broken(name, r)
		}
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	if err := footer(f, info.Size()); err != nil {
		return nil, fmt.Errorf("%s is no Parquet file that can be read: %w", name, err)
	}
	in, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(1<<16))
	if err != nil {
		// Not wrapped: it may be of an end of file, which is no end of the source.
		return nil, fmt.Errorf("%s is no Parquet file that can be read: %v", name, err) //nolint:errorlint // see above
	}
	t = &table{name: name, file: f, in: in, groups: in.RowGroups(), digest: digest, total: total, max: cfg.MaxRow}
	var problems []string
	for _, c := range in.Root().Columns() {
		dropped := slices.Contains(cfg.Drop, c.Name())
		if !c.Leaf() || c.Repeated() {
			if !dropped {
				problems = append(problems, fmt.Sprintf("column %q is nested", c.Name()))
			}
			continue
		}
		col := column{index: c.Index(), dropped: dropped}
		if !dropped {
			if col.text, err = textOf(c.Type(), slices.Contains(cfg.Binary, c.Name())); err != nil {
				problems = append(problems, fmt.Sprintf("column %q %v", c.Name(), err))
			}
		}
		t.header = append(t.header, c.Name())
		t.columns = append(t.columns, col)
	}
	if err := codecs(in); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: %s; a source's columns hold single values: drop what cannot be read", name, strings.Join(problems, "; "))
	}
	if len(t.header) == 0 {
		return nil, fmt.Errorf("%s has no column that can be read", name)
	}
	for _, h := range t.header {
		_, _ = digest.WriteString(h) // of a hash, which does not fail
		_, _ = digest.Write([]byte{0})
	}
	t.fields = make([][]byte, len(t.columns))
	return t, nil
}

// footer checks the length of the file's metadata, for which the library takes
// memory as it stands there.
func footer(f *os.File, size int64) error {
	var end [8]byte
	if size < int64(len(end))+4 {
		return errors.New("it is too short")
	}
	if _, err := f.ReadAt(end[:], size-int64(len(end))); err != nil {
		return fmt.Errorf("read its end: %v", err) //nolint:errorlint // an end of file is no end of the source
	}
	if string(end[4:]) != "PAR1" {
		return errors.New("it does not end as one does")
	}
	if n := int64(binary.LittleEndian.Uint32(end[:])); n > size-12 {
		return fmt.Errorf("it says that its metadata has %d bytes, and has %d itself", n, size)
	}
	return nil
}

// codecs refuses compressions that are rare and whose decoder takes all memory
// when the data is damaged.
func codecs(in *parquet.File) error {
	for _, g := range in.Metadata().RowGroups {
		for i := range g.Columns {
			switch c := g.Columns[i].MetaData.Codec; c {
			case format.Uncompressed, format.Snappy, format.Gzip, format.Zstd, format.Brotli:
			default:
				return fmt.Errorf("compression %s is not supported; write the file with zstd, snappy or gzip", c)
			}
		}
	}
	return nil
}

func broken(name string, r any) error { return fmt.Errorf("%s is no whole Parquet file: %v", name, r) }

// next returns the next row, or io.EOF after the last.
func (t *table) next() (record, error) {
	if t.at == t.batch {
		if err := t.fill(); err != nil {
			return record{}, err
		}
	}
	size := 0
	for i := range t.columns {
		c := &t.columns[i]
		if c.dropped {
			continue
		}
		cell := c.cells[t.at]
		mark := byte(1)
		if t.fields[i] = c.slab[cell.from:cell.to:cell.to]; cell.null {
			t.fields[i], mark = codec.Null, 0
		}
		n := cell.to - cell.from
		size += n
		_, _ = t.digest.Write([]byte{mark, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
		_, _ = t.digest.Write(c.slab[cell.from:cell.to])
	}
	t.at++
	t.row++
	*t.total += int64(size)
	rec := record{fields: t.fields, line: t.row}
	if size > t.max {
		rec.fields, rec.err = nil, fmt.Errorf("the row is longer than %d bytes", t.max)
	}
	return rec, nil
}

// fill reads the next rows of all columns.
func (t *table) fill() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = broken(t.name, r)
		}
	}()
	for t.left == 0 {
		t.release()
		if len(t.groups) == 0 {
			return io.EOF
		}
		g := t.groups[0]
		t.groups, t.left = t.groups[1:], g.NumRows()
		chunks := g.ColumnChunks()
		for i := range t.columns {
			if c := &t.columns[i]; !c.dropped {
				c.pages = chunks[c.index].Pages()
			}
		}
	}
	n := int(min(t.left, tableRows))
	for i := range t.columns {
		c := &t.columns[i]
		if c.dropped {
			continue
		}
		if err := c.read(n); err != nil {
			return fmt.Errorf("%s: column %q, behind row %d: %w", t.name, t.header[i], t.row, err)
		}
	}
	t.left -= int64(n)
	t.batch, t.at = n, 0
	return nil
}

// read turns the column's next n values to text.
func (c *column) read(n int) error {
	c.cells, c.slab = c.cells[:0], c.slab[:0]
	var vals [tableRows]parquet.Value
	for len(c.cells) < n {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				return errors.New("it ends before the others do")
			}
			if err != nil {
				return err
			}
			c.page, c.values = page, page.Values()
		}
		got, err := c.values.ReadValues(vals[:n-len(c.cells)])
		for _, v := range vals[:got] {
			from := len(c.slab)
			if !v.IsNull() {
				c.slab = c.text(c.slab, v)
			}
			c.cells = append(c.cells, cell{from, len(c.slab), v.IsNull()})
		}
		switch {
		case errors.Is(err, io.EOF):
			parquet.Release(c.page)
			c.page, c.values = nil, nil
		case err != nil:
			return err
		case got == 0:
			return io.ErrNoProgress
		}
	}
	return nil
}

// release gives back what the columns hold of a row group.
func (t *table) release() {
	for i := range t.columns {
		c := &t.columns[i]
		if c.page != nil {
			parquet.Release(c.page)
		}
		if c.pages != nil {
			_ = c.pages.Close() // of a file that was only read
		}
		c.page, c.values, c.pages = nil, nil, nil
	}
}

func (t *table) close() {
	defer func() { _ = recover() }() // of a broken file, which was told already
	defer t.file.Close()
	t.release()
}

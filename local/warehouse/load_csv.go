package warehouse

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mkt/local/dialect"
)

// rawCSV reads the records that csvLines wrote: one JSON array of texts per line.
func (b *boundCopy) rawCSV(ctx context.Context, conn *sql.Conn, f *localFile) ([]feed, string, error) {
	if err := run(ctx, conn, fmt.Sprintf(`CREATE TEMP TABLE "mkt_raw" AS SELECT row_number() OVER () AS n, l FROM read_json(%s, format = 'newline_delimited', records = false, columns = {'l': 'VARCHAR[]'}, compression = 'uncompressed')`,
		dialect.Literal(f.path))); err != nil {
		return nil, "", err
	}
	if b.def.Select != "" {
		return b.transform(ctx, conn, f)
	}
	var feeds []feed
	add := func(c tableColumn, i int) {
		x := fmt.Sprintf("l[%d]", i)
		feeds = append(feeds, feed{c, x, c.Type.fromText(x)})
	}
	if b.def.Match != "" {
		for _, c := range b.table.Table.Columns {
			i := slices.IndexFunc(f.header, func(h string) bool {
				return h == c.Name || b.def.Match == "CASE_INSENSITIVE" && strings.EqualFold(h, c.Name)
			})
			if i < 0 {
				feeds = append(feeds, feed{c, "NULL", "NULL"})
				continue
			}
			add(c, i+1)
		}
		return feeds, fmt.Sprintf("len(l) <> %d", len(f.header)), nil
	}
	cols := b.def.Columns
	if cols == nil {
		cols = b.table.names()
	}
	for i, n := range cols {
		add(b.table.Table.Columns[b.table.Table.index(n)], i+1)
	}
	if !b.format.flag("ERROR_ON_COLUMN_COUNT_MISMATCH") {
		return feeds, "false", nil
	}
	return feeds, fmt.Sprintf("len(l) <> %d", len(cols)), nil
}

// csvReader reads CSV as a Snowflake file format describes it.
type csvReader struct {
	in        *bufio.Reader
	delim     string
	record    string
	quote     byte
	escape    byte // in quoted fields
	bareEsc   byte // in other fields
	trim      bool
	emptyNull bool
	skipBlank bool
	nullIf    []string
}

var csvEscapes = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\\`, `\`)

func newCSVReader(in io.Reader, f *formatDef) (*csvReader, error) {
	r := &csvReader{in: bufio.NewReaderSize(in, 1<<16), nullIf: f.nullIf(), trim: f.flag("TRIM_SPACE"),
		emptyNull: f.flag("EMPTY_FIELD_AS_NULL"), skipBlank: f.flag("SKIP_BLANK_LINES")}
	one := func(name string) (byte, error) {
		v := csvEscapes.Replace(f.get(name))
		if v == "NONE" || v == "" {
			return 0, nil
		}
		if len(v) != 1 {
			return 0, errInvalid("invalid value [%s] for parameter '%s': one character is needed", v, name)
		}
		return v[0], nil
	}
	var err error
	if r.quote, err = one("FIELD_OPTIONALLY_ENCLOSED_BY"); err != nil {
		return nil, err
	}
	if r.escape, err = one("ESCAPE"); err != nil {
		return nil, err
	}
	if r.bareEsc, err = one("ESCAPE_UNENCLOSED_FIELD"); err != nil {
		return nil, err
	}
	r.delim, r.record = csvEscapes.Replace(f.get("FIELD_DELIMITER")), csvEscapes.Replace(f.get("RECORD_DELIMITER"))
	if r.delim == "NONE" {
		r.delim = ""
	}
	if bom, _ := r.in.Peek(3); string(bom) == "\ufeff" && f.flag("SKIP_BYTE_ORDER_MARK") {
		r.in.Discard(3)
	}
	return r, nil
}

// at says whether the text stands next in the input, and skips it.
func (r *csvReader) at(s string) bool {
	if s == "" {
		return false
	}
	if p, _ := r.in.Peek(len(s)); string(p) != s {
		return false
	}
	r.in.Discard(len(s))
	return true
}

// endRecord skips a record delimiter. The default one also stands for CR LF.
func (r *csvReader) endRecord() bool {
	return r.record == "\n" && r.at("\r\n") || r.at(r.record)
}

// read gives the fields of the next record, nil for NULL; io.EOF after the last one.
func (r *csvReader) read() ([]*string, error) {
	for {
		if _, err := r.in.Peek(1); err != nil {
			return nil, err
		}
		if r.skipBlank && r.endRecord() {
			continue
		}
		var rec []*string
		for {
			f, last, err := r.field()
			if err != nil {
				return nil, err
			}
			rec = append(rec, f)
			if last {
				return rec, nil
			}
		}
	}
}

func (r *csvReader) field() (f *string, last bool, err error) {
	var b, raw []byte
	quoted := false
	if r.trim {
		for r.at(" ") {
		}
	}
	if c, _ := r.in.Peek(1); r.quote != 0 && len(c) == 1 && c[0] == r.quote {
		quoted = true
		r.in.Discard(1)
		for {
			c, err := r.in.ReadByte()
			if err == io.EOF {
				return nil, false, errors.New("a quoted field does not end")
			}
			if err != nil {
				return nil, false, err
			}
			if c == r.escape && r.escape != 0 && c != r.quote {
				if c, err = r.in.ReadByte(); err != nil {
					return nil, false, errors.New("a quoted field does not end")
				}
				b = append(b, unescape(c))
				continue
			}
			if c == r.quote {
				if r.at(string(r.quote)) {
					b = append(b, c)
					continue
				}
				break
			}
			b = append(b, c)
		}
		if r.trim {
			for r.at(" ") {
			}
		}
	}
	done := func() *string {
		s := string(b)
		if !quoted {
			if r.trim {
				s = strings.TrimRight(s, " ")
			}
			if slices.Contains(r.nullIf, string(raw)) {
				return nil
			}
		}
		if s == "" && !quoted && r.emptyNull || slices.Contains(r.nullIf, s) {
			return nil
		}
		return &s
	}
	for {
		if r.at(r.delim) {
			return done(), false, nil
		}
		if r.endRecord() {
			return done(), true, nil
		}
		c, err := r.in.ReadByte()
		if err == io.EOF {
			return done(), true, nil
		}
		if err != nil {
			return nil, false, err
		}
		if quoted {
			return nil, false, fmt.Errorf("found character %q instead of a field delimiter after a quoted field", c)
		}
		raw = append(raw, c)
		if c == r.bareEsc && c != 0 {
			if c, err = r.in.ReadByte(); err == nil {
				raw = append(raw, c)
				b = append(b, unescape(c))
			}
			continue
		}
		b = append(b, c)
	}
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	}
	return c
}

// csvLines writes the records of a CSV file as JSON arrays, one per line, and gives the header if it has one.
func csvLines(out *bufio.Writer, in io.Reader, f *formatDef) (header []string, err error) {
	r, err := newCSVReader(in, f)
	if err != nil {
		return nil, err
	}
	skip, _ := strconv.Atoi(f.get("SKIP_HEADER"))
	parse := f.flag("PARSE_HEADER")
	var line []byte
	for {
		rec, err := r.read()
		if errors.Is(err, io.EOF) {
			return header, nil
		}
		if err != nil {
			return nil, err
		}
		if skip > 0 {
			skip--
			continue
		}
		if parse {
			parse = false
			for _, h := range rec {
				header = append(header, deref(h))
			}
			continue
		}
		line = append(line[:0], '[')
		for i, f := range rec {
			if i > 0 {
				line = append(line, ',')
			}
			if f == nil {
				line = append(line, "null"...)
				continue
			}
			raw, err := json.Marshal(*f)
			if err != nil {
				return nil, err
			}
			line = append(line, raw...)
		}
		line = append(line, ']', '\n')
		if _, err := out.Write(line); err != nil {
			return nil, err
		}
	}
}

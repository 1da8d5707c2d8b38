package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Table is a result in rows and columns. Cells are text as it is printed; a nil cell is SQL's NULL.
type Table struct {
	Columns []string
	Right   []bool // columns that hold numbers
	Rows    [][]*string
}

// Table writes t aligned under its header.
func (v *View) Table(t Table) {
	w := table.NewWriter()
	w.SetOutputMirror(v.W)
	style := table.StyleDefault
	style.Box = table.BoxStyle{PaddingLeft: "", PaddingRight: "  ", MiddleHorizontal: "-", UnfinishedRow: "…"}
	style.Options = table.Options{SeparateHeader: true}
	style.Format.Header = text.FormatDefault
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	header := make(table.Row, len(t.Columns))
	configs := make([]table.ColumnConfig, len(t.Columns))
	for i, name := range t.Columns {
		header[i] = v.bold(name)
		configs[i] = table.ColumnConfig{Number: i + 1}
		if t.Right[i] {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	w.SetColumnConfigs(configs)
	w.AppendHeader(header)
	for _, r := range t.Rows {
		row := make(table.Row, len(r))
		for i, cell := range r {
			if cell == nil {
				row[i] = v.dim("NULL")
			} else {
				row[i] = visible(*cell)
			}
		}
		w.AppendRow(row)
	}
	w.Render()
}

// visible is a text of elsewhere as it may be shown to a person: characters that command a terminal stand for themselves.
func visible(s string) string {
	plain := func(r rune) bool { return r == '\n' || r == '\t' || !unicode.IsControl(r) && r != utf8.RuneError }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if _, n := utf8.DecodeRuneInString(s[i:]); plain(r) || r == utf8.RuneError && n > 1 {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.Quote(s[i:i+n]), `"`))
		}
	}
	return b.String()
}

// CSV writes t with a header line; NULL is an empty field.
func (t Table) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(t.Columns); err != nil {
		return err
	}
	record := make([]string, len(t.Columns))
	for _, r := range t.Rows {
		for i, cell := range r {
			record[i] = ""
			if cell != nil {
				record[i] = *cell
			}
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// JSON returns t as one object per row. Numbers are JSON numbers, everything else is text.
func (t Table) JSON() []json.RawMessage {
	out := make([]json.RawMessage, 0, len(t.Rows))
	for _, r := range t.Rows {
		var b bytes.Buffer
		b.WriteByte('{')
		for i, cell := range r {
			if i > 0 {
				b.WriteByte(',')
			}
			name, _ := json.Marshal(t.Columns[i])
			b.Write(name)
			b.WriteByte(':')
			switch {
			case cell == nil:
				b.WriteString("null")
			case t.Right[i] && json.Valid([]byte(*cell)):
				b.WriteString(*cell)
			default:
				text, _ := json.Marshal(*cell)
				b.Write(text)
			}
		}
		b.WriteByte('}')
		out = append(out, b.Bytes())
	}
	return out
}

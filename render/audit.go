package render

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/text"

	"mkt/audit"
)

var hopWords = map[audit.Kind]string{
	audit.Source: "source", audit.Topic: "topic", audit.DeadLetters: "dead letters", audit.Files: "files", audit.TableRows: "table",
}

// Audit writes what an audit found, the verdict last and in one line.
func (v *View) Audit(r audit.Report) {
	t := Table{
		Columns: []string{"hop", "of", "expected", "found", "lost", "doubled"},
		Right:   []bool{false, false, true, true, true, true},
	}
	for _, h := range r.Hops {
		row := []string{hopWords[h.Kind] + " " + h.Name, h.Of, humanize.Comma(h.Expected), humanize.Comma(h.Got), humanize.Comma(h.Lost), humanize.Comma(h.Doubled)}
		cells := make([]*string, len(row))
		for i := range row {
			cells[i] = &row[i]
		}
		t.Rows = append(t.Rows, cells)
	}
	v.Table(t)
	for _, h := range r.Hops {
		v.hop(h)
	}
	v.Printf("\n%s\n", v.verdict(r))
}

// hop writes what a row of numbers cannot say.
func (v *View) hop(h audit.Hop) {
	where := hopWords[h.Kind] + " " + h.Name
	say := func(n int64, what string) {
		if n > 0 {
			v.Printf("%s: %s %s\n", where, humanize.Comma(n), what)
		}
	}
	say(h.Skipped, "bad rows were skipped, as the stack says")
	say(h.Foreign, "records came from elsewhere")
	for _, p := range h.Problems {
		v.Printf("%s %s: %s\n", v.paint("✗", text.FgRed), where, p)
	}
	for _, n := range h.Notes {
		v.Printf("%s\n", v.dim(where+": "+n))
	}
	for _, e := range h.Examples {
		word := "lost"
		if e.Doubled {
			word = "doubled"
		}
		row := ""
		if e.Row > 0 {
			row = fmt.Sprintf(" (row %s)", humanize.Comma(int64(e.Row)))
		}
		v.Printf("  %s %s%s: %s\n", v.paint(word, text.FgRed), e.Where, row, e.Text)
	}
}

// verdict is the audit in one line: the count at every kind of hop, and what is lost and doubled.
func (v *View) verdict(r audit.Report) string {
	var lost, doubled int64
	counts := map[audit.Kind]int64{}
	for _, h := range r.Hops {
		lost += h.Lost
		doubled += h.Doubled
		counts[h.Kind] += h.Got
	}
	var parts []string
	for _, kind := range []audit.Kind{audit.Source, audit.Topic, audit.DeadLetters, audit.Files, audit.TableRows} {
		if n, ok := counts[kind]; ok {
			parts = append(parts, hopWords[kind]+" "+humanize.Comma(n))
		}
	}
	mark := v.paint("Audit passed:", text.Bold, text.FgGreen)
	if !r.OK() {
		mark = v.paint("Audit failed:", text.Bold, text.FgRed)
	}
	return fmt.Sprintf("%s %s rows; %s lost, %s doubled.", mark, strings.Join(parts, ", "), humanize.Comma(lost), humanize.Comma(doubled))
}

// AuditJSON is an audit as -json prints it.
type AuditJSON struct {
	OK      bool      `json:"ok"`
	Lost    int64     `json:"lost"`
	Doubled int64     `json:"doubled"`
	Hops    []HopJSON `json:"hops"`
}

// HopJSON is one hop of an audit.
type HopJSON struct {
	Hop      string        `json:"hop"` // source, topic, dead_letters, files, table
	Name     string        `json:"name"`
	Of       string        `json:"of,omitempty"`
	Expected int64         `json:"expected"`
	Found    int64         `json:"found"`
	Lost     int64         `json:"lost"`
	Doubled  int64         `json:"doubled"`
	Skipped  int64         `json:"skipped,omitempty"`
	Bad      int64         `json:"bad,omitempty"`
	Foreign  int64         `json:"foreign,omitempty"`
	Files    int64         `json:"files,omitempty"`
	Examples []ExampleJSON `json:"examples,omitempty"`
	Problems []string      `json:"problems,omitempty"`
	Notes    []string      `json:"notes,omitempty"`
}

// ExampleJSON is one lost or doubled row.
type ExampleJSON struct {
	Doubled bool   `json:"doubled"` // otherwise lost
	Where   string `json:"where"`
	Row     uint64 `json:"row,omitempty"`
	Text    string `json:"text"`
}

// NewAuditJSON returns r in its JSON form.
func NewAuditJSON(r audit.Report) AuditJSON {
	out := AuditJSON{OK: r.OK(), Hops: []HopJSON{}}
	for _, h := range r.Hops {
		out.Lost += h.Lost
		out.Doubled += h.Doubled
		j := HopJSON{
			Hop: string(h.Kind), Name: h.Name, Of: h.Of, Expected: h.Expected, Found: h.Got, Lost: h.Lost, Doubled: h.Doubled,
			Skipped: h.Skipped, Bad: h.Bad, Foreign: h.Foreign, Files: h.Files, Problems: h.Problems, Notes: h.Notes,
		}
		for _, e := range h.Examples {
			j.Examples = append(j.Examples, ExampleJSON(e))
		}
		out.Hops = append(out.Hops, j)
	}
	return out
}

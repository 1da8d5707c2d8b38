package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/text"

	"mkt/stream"
)

// plainEvery is how often a run says something where nobody watches.
const plainEvery = 10 * time.Second

// StreamProgress shows a run as it goes: in a terminal lines that are redrawn, otherwise a plain line now and then.
type StreamProgress struct {
	View  *View
	lines int       // drawn last, on a terminal
	said  time.Time // when the last plain lines were written, or the run began
}

// Took implements stream.Observer.
func (p *StreamProgress) Took(stream.Step) {}

// Progress implements stream.Observer.
func (p *StreamProgress) Progress(s stream.Snapshot) {
	lines := progressLines(s)
	if !p.View.Terminal {
		switch {
		case p.said.IsZero(): // a short run is told by its report
			p.said = time.Now()
		case time.Since(p.said) >= plainEvery:
			p.said = time.Now()
			p.View.Printf("%s\n", strings.Join(lines, "\n"))
		}
		return
	}
	var b strings.Builder
	if p.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.lines)
	}
	for _, l := range lines {
		b.WriteString("\x1b[2K" + text.Trim(l, max(p.View.Width-1, 20)) + "\n")
	}
	p.lines = len(lines)
	p.View.Printf("%s", b.String())
}

func progressLines(s stream.Snapshot) []string {
	var lines []string
	seconds := max(s.Elapsed.Seconds(), 0.001)
	for _, p := range s.Producers {
		line := fmt.Sprintf("producer %-12s %-9s row %s  %s rows  %s rows/s", p.Name, p.State, humanize.Comma(int64(p.Row)),
			humanize.Comma(p.Rows), humanize.Comma(int64(float64(p.Rows)/seconds)))
		lines = append(lines, line+notes(note{p.DeadLetters, "dead letters"}, note{p.Skipped, "skipped"}, note{p.Retries, "retries"}))
	}
	for _, c := range s.Consumers {
		line := fmt.Sprintf("consumer %-12s %-9s %s rows in %s files  %s  lag %s", c.Name, c.State, humanize.Comma(c.Rows),
			humanize.Comma(c.Files), humanize.Bytes(uint64(c.Bytes)), humanize.Comma(c.Lag))
		lines = append(lines, line+notes(note{c.Adopted, "adopted"}, note{c.DeadLetters, "dead letters"}, note{c.Retries, "retries"}))
	}
	return lines
}

type note struct {
	n    int64
	what string
}

func notes(list ...note) string {
	var b strings.Builder
	for _, x := range list {
		if x.n > 0 {
			fmt.Fprintf(&b, "  %s %s", humanize.Comma(x.n), x.what)
		}
	}
	return b.String()
}

// StreamReport writes what a run did.
func (v *View) StreamReport(r stream.Report) {
	for _, p := range r.Producers {
		resumed := ""
		if p.ResumedAt > 0 {
			resumed = fmt.Sprintf("; went on after row %s", humanize.Comma(int64(p.ResumedAt)))
		}
		v.Printf("producer %s: %s to %s%s%s\n", v.bold(p.Name), plural(p.Rows, "row", "rows"), p.Topic, resumed,
			notes(note{p.DeadLetters, "dead letters"}, note{p.Skipped, "skipped"}))
	}
	for _, c := range r.Consumers {
		v.Printf("consumer %s: %s from %s in %s, %s%s\n", v.bold(c.Name), plural(c.Rows, "row", "rows"), c.Topic,
			plural(c.Files, "file", "files"), humanize.Bytes(uint64(c.Bytes)),
			notes(note{c.Adopted, "files found written already"}, note{c.DeadLetters, "dead letters"}))
	}
	v.Printf("%s\n", v.dim("in "+short(r.Elapsed)))
}

// Arrival says that a pipe has loaded a consumer's files.
func (v *View) Arrival(pipe, table string, files int) {
	v.Printf("pipe %s: %s loaded into %s\n", v.bold(pipe), plural(int64(files), "file", "files"), table)
}

// ArrivalJSON says so as one line of JSON.
func ArrivalJSON(w io.Writer, pipe, table string, files int) error {
	return json.NewEncoder(w).Encode(struct {
		Type  string `json:"type"`
		Pipe  string `json:"pipe"`
		Table string `json:"table"`
		Files int    `json:"files"`
	}{"arrival", pipe, table, files})
}

// StreamJSON writes a run's progress as one JSON object a line.
type StreamJSON struct{ W io.Writer }

// Took implements stream.Observer.
func (p *StreamJSON) Took(stream.Step) {}

// Progress implements stream.Observer.
func (p *StreamJSON) Progress(s stream.Snapshot) { _ = streamJSON(p.W, "progress", s) }

// StreamReportJSON writes what a run did as one line of JSON.
func StreamReportJSON(w io.Writer, r stream.Report) error { return streamJSON(w, "report", r) }

func streamJSON(w io.Writer, kind string, r stream.Report) error {
	type producer struct {
		Name        string `json:"name"`
		Topic       string `json:"topic"`
		State       string `json:"state"`
		ResumedAt   uint64 `json:"resumed_at"`
		Row         uint64 `json:"row"`
		Rows        int64  `json:"rows"`
		Bytes       int64  `json:"bytes"`
		DeadLetters int64  `json:"dead_letters"`
		Skipped     int64  `json:"skipped"`
		Retries     int64  `json:"retries"`
	}
	type consumer struct {
		Name        string `json:"name"`
		Topic       string `json:"topic"`
		State       string `json:"state"`
		Read        int64  `json:"read"`
		Rows        int64  `json:"rows"`
		Bytes       int64  `json:"bytes"`
		Files       int64  `json:"files"`
		Adopted     int64  `json:"adopted"`
		DeadLetters int64  `json:"dead_letters"`
		Lag         int64  `json:"lag"`
		Retries     int64  `json:"retries"`
	}
	out := struct {
		Type      string     `json:"type"`
		Seconds   float64    `json:"seconds"`
		Producers []producer `json:"producers,omitempty"`
		Consumers []consumer `json:"consumers,omitempty"`
	}{Type: kind, Seconds: r.Elapsed.Seconds()}
	for _, p := range r.Producers {
		out.Producers = append(out.Producers, producer{p.Name, p.Topic, string(p.State), p.ResumedAt, p.Row, p.Rows, p.Bytes, p.DeadLetters, p.Skipped, p.Retries})
	}
	for _, c := range r.Consumers {
		out.Consumers = append(out.Consumers, consumer{c.Name, c.Topic, string(c.State), c.Read, c.Rows, c.Bytes, c.Files, c.Adopted, c.DeadLetters, c.Lag, c.Retries})
	}
	return json.NewEncoder(w).Encode(out)
}

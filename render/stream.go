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
	Pipes func() []PipeStatus // that load what the run writes, as they stand now; may be nil

	pace  pace
	lines int       // drawn last, on a terminal
	said  time.Time // when the last plain lines were written, or the run began
}

// Took implements stream.Observer.
func (p *StreamProgress) Took(stream.Step) {}

// Progress implements stream.Observer.
func (p *StreamProgress) Progress(s stream.Snapshot) {
	p.pace.add(s)
	if !p.View.Terminal {
		switch {
		case p.said.IsZero(): // a short run is told by its report
			p.said = time.Now()
		case time.Since(p.said) >= plainEvery:
			p.said = time.Now()
			p.View.Printf("%s\n", strings.Join(p.text(s), "\n"))
		}
		return
	}
	lines := p.text(s)
	var b strings.Builder
	if p.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.lines)
	}
	for _, l := range lines {
		b.WriteString("\x1b[2K" + text.Trim(l, max(p.View.Width-1, 1)) + "\n")
	}
	p.lines = max(p.lines, len(lines))
	for range p.lines - len(lines) { // a line that went leaves an empty one: the cursor has to end where it was
		b.WriteString("\x1b[2K\n")
	}
	p.View.Printf("%s", b.String())
}

func (p *StreamProgress) text(s stream.Snapshot) []string {
	v := p.View
	var lines []string
	for i, one := range s.Producers {
		speed := p.pace.producer(i)
		line := fmt.Sprintf("producer %s %s row %s  %s rows  %s rows/s", v.bold(fmt.Sprintf("%-12s", one.Name)), v.state(one.State), humanize.Comma(int64(one.Row)),
			humanize.Comma(one.Rows), humanize.Comma(int64(speed.rows)))
		if one.Part > 0 && one.Part < 1 {
			line += fmt.Sprintf("  %d%%", int(100*one.Part))
		}
		lines = append(lines, line+eta(speed)+notes(note{one.DeadLetters, "dead letter", "dead letters"}, note{one.Skipped, "skipped", "skipped"}, note{one.Retries, "retry", "retries"}))
	}
	for i, one := range s.Consumers {
		speed := p.pace.consumer(i)
		line := fmt.Sprintf("consumer %s %s %s rows in %s files  %s  %s rows/s  lag %s", v.bold(fmt.Sprintf("%-12s", one.Name)), v.state(one.State), humanize.Comma(one.Rows),
			humanize.Comma(one.Files), humanize.Bytes(uint64(one.Bytes)), humanize.Comma(int64(speed.rows)), humanize.Comma(one.Lag))
		lines = append(lines, line+eta(speed)+notes(note{one.Adopted, "adopted", "adopted"}, note{one.DeadLetters, "dead letter", "dead letters"}, note{one.Retries, "retry", "retries"}))
	}
	for _, pipe := range p.pipes() {
		line := fmt.Sprintf("pipe     %s %s %s", v.bold(fmt.Sprintf("%-12s", pipe.Name)), v.pipeState(pipe), plural(pipe.Pending, "file", "files")+" pending")
		if pipe.Error != "" {
			line += "  " + pipe.Error
		}
		lines = append(lines, line)
	}
	return lines
}

func (p *StreamProgress) pipes() []PipeStatus {
	if p.Pipes == nil {
		return nil
	}
	return p.Pipes()
}

// state is a state, as wide as the longest.
func (v *View) state(s stream.State) string {
	padded := fmt.Sprintf("%-9s", s)
	switch s {
	case stream.Running, stream.Done:
		return v.paint(padded, text.FgGreen)
	case stream.Failed:
		return v.paint(padded, text.FgRed)
	}
	return v.paint(padded, text.FgYellow)
}

func (v *View) pipeState(p PipeStatus) string {
	if p.State != "RUNNING" || p.Error != "" {
		return v.paint(p.State, text.FgRed)
	}
	return v.paint(p.State, text.FgGreen)
}

func eta(s speed) string {
	if s.eta == 0 {
		return ""
	}
	return "  eta " + s.eta.String()
}

type note struct {
	n         int64
	one, many string
}

func notes(list ...note) string {
	var b strings.Builder
	for _, x := range list {
		if x.n > 0 {
			b.WriteString("  " + plural(x.n, x.one, x.many))
		}
	}
	return b.String()
}

// A file that partition_by ends before it has so many rows is small, and worth a word if there are many.
const (
	smallFile = 1000
	manyCuts  = 50
)

// StreamReport writes what a run did.
func (v *View) StreamReport(r stream.Report) {
	for _, p := range r.Producers {
		resumed := ""
		if p.ResumedAt > 0 {
			resumed = fmt.Sprintf("; went on after row %s", humanize.Comma(int64(p.ResumedAt)))
		}
		v.Printf("producer %s: %s to %s%s%s\n", v.bold(p.Name), plural(p.Rows, "row", "rows"), p.Topic, resumed,
			notes(note{p.DeadLetters, "dead letter", "dead letters"}, note{p.Skipped, "skipped", "skipped"}))
	}
	for _, c := range r.Consumers {
		v.Printf("consumer %s: %s from %s in %s, %s%s\n", v.bold(c.Name), plural(c.Rows, "row", "rows"), c.Topic,
			plural(c.Files, "file", "files"), humanize.Bytes(uint64(c.Bytes)),
			notes(note{c.Adopted, "file found written already", "files found written already"}, note{c.DeadLetters, "dead letter", "dead letters"}, note{c.Cuts, "file ended by partition_by", "files ended by partition_by"}))
		if c.Cuts >= manyCuts && c.Rows/c.Files < smallFile {
			v.Printf("  partition_by makes small files, %s rows each: each is an upload, an event and a load. Choose larger spans, or send the data in order.\n",
				humanize.Comma(c.Rows/c.Files))
		}
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

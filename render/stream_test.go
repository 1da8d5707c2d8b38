package render_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mkt/render"
	"mkt/stream"
)

var update = flag.Bool("update", false, "rewrite the expected outputs")

// run is snapshots of a run, two seconds apart.
func run() (list []stream.Snapshot) {
	for i := range 4 {
		n := int64(i)
		p := stream.ProducerStatus{Name: "prices", Topic: "prices", State: stream.Running, Row: uint64(1000 * n), Rows: 1000 * n, Part: 0.1 * float64(n), Skipped: n / 3}
		c := stream.ConsumerStatus{Name: "blobs", Topic: "prices", State: stream.Running, Read: 800 * n, Rows: 500 * n, Bytes: 9000 * n, Files: n, Lag: 200 * n,
			Lags: []stream.PartitionLag{{Partition: 0, Lag: 150 * n}, {Partition: 1, Lag: 50 * n}}}
		if i == 0 {
			p.State, c.State = stream.Resuming, stream.Starting
		}
		list = append(list, stream.Snapshot{Elapsed: time.Duration(2*i) * time.Second, Producers: []stream.ProducerStatus{p}, Consumers: []stream.ConsumerStatus{c}})
	}
	return list
}

func pipes() []render.PipeStatus {
	return []render.PipeStatus{{Name: "M.RAW.A", State: "RUNNING", Pending: 2}, {Name: "M.RAW.B", State: "PAUSED", Error: "stale"}}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what is expected; -update rewrites it. Got:\n%s", path, got)
	}
}

// screen is what a terminal shows after all that was written to it. It knows the sequences that the live view uses.
func screen(t *testing.T, width int, written string) string {
	t.Helper()
	var lines []string
	row, col := 0, 0
	for i := 0; i < len(written); {
		switch rest := written[i:]; {
		case strings.HasPrefix(rest, "\x1b["):
			end := strings.IndexAny(rest, "AKm")
			switch arg := rest[2:end]; rest[end] {
			case 'A':
				for _, d := range arg {
					row -= int(d - '0')
				}
				col = 0
			case 'K':
				for len(lines) <= row {
					lines = append(lines, "")
				}
				lines[row] = ""
			}
			i += end + 1
		case rest[0] == '\n':
			row, col = row+1, 0
			i++
		default:
			r := []rune(rest)[0]
			for len(lines) <= row {
				lines = append(lines, "")
			}
			lines[row] += string(r)
			if col++; col >= width {
				t.Fatalf("a line is wider than the terminal's %d columns: %s", width, lines[row])
			}
			i += len(string(r))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestStreamTerminal(t *testing.T) {
	for _, c := range []struct {
		name  string
		width int
		color bool
	}{{"wide", 120, false}, {"narrow", 40, false}, {"color", 100, true}} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			loaded := pipes()
			p := render.StreamProgress{View: &render.View{W: &out, Width: c.width, Terminal: true, Color: c.color}, Pipes: func() []render.PipeStatus { return loaded }}
			for i, s := range run() {
				if i == 3 {
					loaded = loaded[:1] // a line that goes leaves nothing behind
				}
				p.Progress(s)
			}
			if c.color {
				golden(t, "stream-color.txt", strings.ReplaceAll(out.String(), "\x1b", "ESC"))
			} else if regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(out.String()) {
				t.Errorf("colour: %q", out.String())
			}
			golden(t, "stream-"+c.name+"-screen.txt", screen(t, c.width, out.String()))
		})
	}
}

// However narrow a terminal is, no line is wider: a line that wraps would be redrawn in the wrong place.
func TestStreamNarrow(t *testing.T) {
	var out bytes.Buffer
	p := render.StreamProgress{View: &render.View{W: &out, Width: 12, Terminal: true}, Pipes: pipes}
	for _, s := range run() {
		p.Progress(s)
	}
	screen(t, 12, out.String())
}

// In a pipe a run says nothing for ten seconds, and never moves the cursor.
func TestStreamPipe(t *testing.T) {
	var out bytes.Buffer
	p := render.StreamProgress{View: &render.View{W: &out, Width: 100}}
	for _, s := range run() {
		p.Progress(s)
	}
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}

func TestStreamJSON(t *testing.T) {
	var out bytes.Buffer
	p := render.StreamJSON{W: &out, Pipes: pipes}
	for _, s := range run() {
		p.Progress(s)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines", len(lines))
	}
	var last bytes.Buffer
	if err := json.Indent(&last, []byte(lines[3]), "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "stream.json", last.String()+"\n")
}

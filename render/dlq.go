package render

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// DeadLetter is a row or a record that was kept apart, as `mkt dlq list` shows it.
type DeadLetter struct {
	Of     string    `json:"of"` // "producer.prices"
	Where  string    `json:"where"`
	When   time.Time `json:"when"`
	Reason string    `json:"reason"`
	Text   string    `json:"text"`

	// Of a producer's.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Row  uint64 `json:"row,omitempty"`

	// The record: a producer's is in the dead-letter topic, a consumer's in its topic.
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// DeadLetters is the dead letters of one producer or consumer.
type DeadLetters struct {
	Of       string        `json:"of"`
	Waiting  int64         `json:"waiting"`
	Replayed int64         `json:"replayed"` // were dead letters, and have been sent again since
	Gone     int64         `json:"gone"`     // are of a topic that was re-created
	Reasons  []ReasonCount `json:"reasons"`  // of Waiting, the most frequent first

	counts map[string]int64
}

// ReasonCount is how many dead letters there are for a reason, values aside.
type ReasonCount struct {
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// DeadLettersJSON is what `mkt dlq list -json` prints.
type DeadLettersJSON struct {
	Totals  []*DeadLetters `json:"totals"`
	Letters []DeadLetter   `json:"dead_letters"` // at most -limit of each
}

// mostReasons bounds the reasons that are told apart.
const mostReasons = 200

var quotedValue = regexp.MustCompile(`("(?:[^"\\]|\\.)*"): "(?:[^"\\]|\\.)*"`)

// Add counts a letter that waits.
func (d *DeadLetters) Add(reason string) {
	reason = quotedValue.ReplaceAllString(reason, "$1:")
	if d.counts == nil {
		d.counts = map[string]int64{}
	}
	if _, known := d.counts[reason]; !known && len(d.counts) >= mostReasons {
		reason = "other reasons"
	}
	d.Waiting++
	d.counts[reason]++
}

// Sum fills in Reasons.
func (d *DeadLetters) Sum() {
	d.Reasons = []ReasonCount{}
	for reason, n := range d.counts {
		d.Reasons = append(d.Reasons, ReasonCount{reason, n})
	}
	slices.SortFunc(d.Reasons, func(a, b ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Reason, b.Reason))
	})
}

// DeadLetters writes the letters and how many there are for each reason.
func (v *View) DeadLetters(d DeadLettersJSON) {
	if len(d.Letters) > 0 {
		t := Table{Columns: []string{"where", "when", "reason", "text"}, Right: make([]bool, 4)}
		for _, l := range d.Letters {
			when, text := l.When.UTC().Format(time.DateTime), clipped(l.Text)
			t.Rows = append(t.Rows, []*string{&l.Where, &when, &l.Reason, &text})
		}
		v.Table(t)
		v.Printf("\n")
	}
	for _, of := range d.Totals {
		v.Printf("%s: %s", of.Of, plural(of.Waiting, "dead letter", "dead letters"))
		v.Printf("%s\n", notes(note{of.Replayed, "replayed", "replayed"}, note{of.Gone, "of a topic that is gone", "of a topic that is gone"}))
		for _, r := range of.Reasons {
			v.Printf("  %s  %s\n", humanize.Comma(r.Count), r.Reason)
		}
	}
}

// clipped is a text of one line that fits a column.
func clipped(text string) string {
	quoted := strconv.Quote(text)
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	if r := []rune(quoted); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return quoted
}

// Replayed is what a replay of the dead letters of one producer or consumer did.
type Replayed struct {
	Of       string   `json:"of"`
	Rows     int64    `json:"rows"`
	Files    int64    `json:"files,omitempty"`
	Failed   int64    `json:"failed"`
	Examples []string `json:"examples"`
	Target   string   `json:"topic"`
}

// ReplayJSON is what `mkt dlq replay -json` prints.
type ReplayJSON struct {
	Replays []Replayed `json:"replays"`
}

// Replayed writes what replays did.
func (v *View) Replayed(r ReplayJSON) {
	for _, one := range r.Replays {
		v.Printf("%s: ", one.Of)
		switch {
		case one.Rows == 0 && one.Failed == 0:
			v.Printf("no dead letters\n")
			continue
		case strings.HasPrefix(one.Of, "consumer."):
			v.Printf("%s written to %s", plural(one.Rows, "record", "records"), plural(one.Files, "file", "files"))
		default:
			v.Printf("%s sent to %s", plural(one.Rows, "row", "rows"), one.Target)
		}
		v.Printf("%s\n", notes(note{one.Failed, "still a dead letter", "still dead letters"}))
		for _, e := range one.Examples {
			v.Printf("  %s\n", e)
		}
	}
}

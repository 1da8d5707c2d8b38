package render

import (
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"mkt/ledger"
	"mkt/planner"
)

// waits writes what a person has to do before an apply can go on.
func (v *View) waits(results []planner.Result) {
	for _, r := range results {
		if r.Wait != nil {
			v.Printf("\n%s\n", v.bold(r.Change.Addr.String()))
			v.wait("  ", r.Wait)
		}
	}
}

// wait writes one thing that is waited for, and the steps to it.
func (v *View) wait(indent string, w *ledger.Wait) {
	v.Printf("%s%s %s (since %s)\n", indent, v.paint("waits for a person:", text.Bold, text.FgYellow), w.For, w.Since.Format(time.RFC3339))
	for i, step := range w.Steps {
		v.Printf("%s  %d. %s\n", indent, i+1, step)
	}
}

// WaitJSON is what a person has to do before a change can be made.
type WaitJSON struct {
	For   string    `json:"for"`
	Steps []string  `json:"steps"`
	Since time.Time `json:"since"`
}

func newWaitJSON(w *ledger.Wait) *WaitJSON {
	if w == nil {
		return nil
	}
	return &WaitJSON{w.For, w.Steps, w.Since}
}

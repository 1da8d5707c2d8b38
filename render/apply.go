package render

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"mkt/planner"
)

// ApplyEvent writes one line of an apply's progress.
func (v *View) ApplyEvent(e planner.Event) {
	addr := v.bold(e.Change.Addr.String())
	switch e.Status {
	case planner.Running:
		so := ""
		if e.Took > 0 {
			so = v.dim(" (" + short(e.Took.Round(time.Second)) + " so far)")
		}
		v.Printf("%s %s: %s …%s\n", v.action(e.Change.Action), addr, e.Phase, so)
	case planner.Done:
		v.Printf("%s %s: %s done in %s\n", v.action(e.Change.Action), addr, e.Phase, short(e.Took))
	case planner.Waiting:
		v.Printf("%s %s: %s\n", v.action(e.Change.Action), addr, v.paint("waits for a person", text.FgYellow))
	case planner.Failed:
		v.Printf("%s %s: %s\n", v.paint("✗", text.FgRed), addr, v.paint(string(e.Phase)+" failed", text.FgRed))
	}
}

// ApplyEventJSON writes an event as one line of JSON.
func ApplyEventJSON(w io.Writer, e planner.Event) error {
	j := struct {
		Type    string  `json:"type"`
		Address string  `json:"address"`
		Phase   string  `json:"phase"`
		Status  string  `json:"status"`
		Seconds float64 `json:"seconds,omitempty"`
		Error   string  `json:"error,omitempty"`
	}{"change", e.Change.Addr.String(), string(e.Phase), string(e.Status), e.Took.Seconds(), ""}
	if e.Err != nil {
		j.Error = e.Err.Error()
	}
	return json.NewEncoder(w).Encode(j)
}

// ApplyReport writes how an apply, or a destroy, ended. Where something is left it is a table of what is done, failed and not started.
func (v *View) ApplyReport(r *planner.Report, destroy bool) {
	head, again := "Apply", "apply"
	if destroy {
		head, again = "Destroy", "destroy"
	}
	done, failed, left := r.Counts()
	waiting := r.Waiting()
	if failed+left+len(waiting) > 0 {
		v.Printf("\n")
		for _, res := range r.Results {
			note := ""
			switch res.Status {
			case planner.Failed:
				note = firstLine(res.Err)
			case planner.NotStarted, planner.Waiting:
				note = res.Reason
			}
			v.Printf("  %-12s %s %s  %s\n", v.status(res.Status), v.action(res.Change.Action), res.Change.Addr, v.dim(note))
		}
	}
	v.waits(waiting)
	also := ""
	if len(waiting) > 0 {
		also = fmt.Sprintf(", %d waiting", len(waiting))
	}
	switch {
	case failed > 0:
		v.Printf("\n%s %d done, %d failed, %d not started%s. What is done is recorded; `mkt %s` goes on from here.\n",
			v.paint(head+" failed:", text.Bold, text.FgRed), done, failed, left, also, again)
	case r.Interrupted || left > 0:
		v.Printf("\n%s %d done, %d not started%s. What is done is recorded; `mkt %s` goes on from here.\n",
			v.paint(head+" interrupted:", text.Bold, text.FgYellow), done, left, also, again)
	case len(waiting) > 0:
		v.Printf("\n%s %d done, %d waiting (exit code 3). Do the above, then apply again: it goes on from here.\n",
			v.paint("Waiting for a person:", text.Bold, text.FgYellow), done, len(waiting))
	default:
		v.Printf("\n%s %s.\n", v.paint(head+" complete:", text.Bold, text.FgGreen), plural(int64(done), "change", "changes"))
	}
}

func (v *View) status(s planner.Status) string {
	switch s {
	case planner.Done:
		return v.paint(string(s), text.FgGreen)
	case planner.Failed:
		return v.paint(string(s), text.FgRed)
	case planner.Waiting:
		return v.paint(string(s), text.FgYellow)
	}
	return string(s)
}

// ApplyReportJSON writes how an apply ended as one line of JSON.
func ApplyReportJSON(w io.Writer, r *planner.Report, diags []Diagnostic) error {
	type result struct {
		Address string    `json:"address"`
		Action  string    `json:"action"`
		Status  string    `json:"status"`
		Error   string    `json:"error,omitempty"`
		Reason  string    `json:"reason,omitempty"`
		Waiting *WaitJSON `json:"waiting,omitempty"`
	}
	done, failed, left := r.Counts()
	out := struct {
		Type        string       `json:"type"`
		Done        int          `json:"done"`
		Failed      int          `json:"failed"`
		NotStarted  int          `json:"not_started"`
		Waiting     int          `json:"waiting"`
		Results     []result     `json:"results"`
		Outputs     []OutputJSON `json:"outputs,omitempty"`
		Diagnostics []Diagnostic `json:"diagnostics,omitempty"`
	}{"report", done, failed, left, len(r.Waiting()), []result{}, nil, diags}
	for _, res := range r.Results {
		j := result{Address: res.Change.Addr.String(), Action: actionWords[res.Change.Action], Status: string(res.Status), Reason: res.Reason, Waiting: newWaitJSON(res.Wait)}
		if res.Err != nil {
			j.Error = res.Err.Error()
		}
		out.Results = append(out.Results, j)
	}
	for _, o := range r.Outputs {
		out.Outputs = append(out.Outputs, outputJSON(o))
	}
	return json.NewEncoder(w).Encode(out)
}

// Outputs writes the stack's outputs.
func (v *View) Outputs(outputs []planner.OutputChange) {
	for _, o := range outputs {
		if o.Action == planner.Delete {
			continue
		}
		shown := value(o.Value)
		if o.Sensitive {
			shown = sensitive
		}
		v.Printf("%s = %s\n", o.Name, shown)
	}
}

func firstLine(err error) string {
	if err == nil {
		return ""
	}
	s := err.Error()
	for i, r := range s {
		if r == '\n' {
			return s[:i]
		}
	}
	return s
}

// short writes a duration with two digits that matter.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Truncate(time.Second).String()
}

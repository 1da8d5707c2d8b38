package render

import (
	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/text"

	"mkt/planner"
)

// Status is how a pipeline stands.
type Status struct {
	Plan  *planner.Plan
	Pipes []PipeStatus
}

// PipeStatus is what SYSTEM$PIPE_STATUS and the load history say of a pipe.
type PipeStatus struct {
	Name    string `json:"name"`
	Table   string `json:"table"`
	State   string `json:"state"`
	Pending int64  `json:"pending_files"`
	Error   string `json:"error,omitempty"`
	Loaded  int64  `json:"loaded_files"` // in the last 14 days
	Failed  int64  `json:"failed_files"`
}

// Status writes how a pipeline stands.
func (v *View) Status(s Status) {
	for _, c := range s.Plan.Changes {
		mark, note := v.paint("✓", text.FgGreen), ""
		if c.Action != planner.NoOp {
			mark, note = v.action(c.Action), v.dim("  to "+actionWords[c.Action]+": see `mkt plan`")
		}
		v.Printf("%s %s  %s%s\n", mark, c.Addr, v.dim(c.ID), note)
		if c.Wait != nil {
			v.wait("  ", c.Wait)
		}
	}
	for _, p := range s.Pipes {
		mark := v.paint("✓", text.FgGreen)
		if p.State != "RUNNING" || p.Failed > 0 || p.Error != "" {
			mark = v.paint("✗", text.FgRed)
		}
		v.Printf("%s pipe %s is %s: %s loaded, %s failed, %s pending", mark, p.Name, p.State,
			plural(p.Loaded, "file", "files"), humanize.Comma(p.Failed), humanize.Comma(p.Pending))
		if p.Error != "" {
			v.Printf("; %s", p.Error)
		}
		v.Printf("\n")
	}
}

// StatusJSON is a Status as -json prints it.
type StatusJSON struct {
	Resources []ResourceStatusJSON `json:"resources"`
	Pipes     []PipeStatus         `json:"pipes"`
}

// ResourceStatusJSON is one resource's part of a status.
type ResourceStatusJSON struct {
	Address string `json:"address"`
	ID      string `json:"id,omitempty"`
	Pending string `json:"pending"` // what plan would do: none, create, update, replace or delete
	// Waiting is what a person has to do first, as the last apply found it.
	Waiting *WaitJSON `json:"waiting,omitempty"`
}

// JSON returns s in its JSON form.
func (s Status) JSON() StatusJSON {
	out := StatusJSON{Resources: []ResourceStatusJSON{}, Pipes: s.Pipes}
	for _, c := range s.Plan.Changes {
		out.Resources = append(out.Resources, ResourceStatusJSON{c.Addr.String(), c.ID, actionWords[c.Action], newWaitJSON(c.Wait)})
	}
	return out
}

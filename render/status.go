package render

import (
	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/text"

	"mkt/planner"
	"mkt/stream"
)

// Status is how a pipeline stands.
type Status struct {
	Plan      *planner.Plan
	Consumers []ConsumerStatus
	Pipes     []PipeStatus
}

// ConsumerStatus is what waits for a consumer, whoever runs it.
type ConsumerStatus struct {
	Name, Topic, Group string
	Lags               []stream.PartitionLag
}

func (c ConsumerStatus) lag() (n int64) {
	for _, l := range c.Lags {
		n += l.Lag
	}
	return n
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
	for _, c := range s.Consumers {
		mark, waits := v.paint("✓", text.FgGreen), "nothing waits"
		if n := c.lag(); n > 0 {
			mark, waits = v.paint("~", text.FgYellow), plural(n, "record waits", "records wait")
		}
		v.Printf("%s consumer %s of group %s: %s in %s\n", mark, c.Name, c.Group, waits, c.Topic)
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
	Consumers []ConsumerLagJSON    `json:"consumers"`
	Pipes     []PipeStatus         `json:"pipes"`
}

// ConsumerLagJSON is one consumer's part of a status.
type ConsumerLagJSON struct {
	Name       string    `json:"name"`
	Topic      string    `json:"topic"`
	Group      string    `json:"group"`
	Lag        int64     `json:"lag"`
	Partitions []LagJSON `json:"partitions"`
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
	out := StatusJSON{Resources: []ResourceStatusJSON{}, Consumers: []ConsumerLagJSON{}, Pipes: append([]PipeStatus{}, s.Pipes...)}
	for _, c := range s.Consumers {
		out.Consumers = append(out.Consumers, ConsumerLagJSON{c.Name, c.Topic, c.Group, c.lag(), NewLagJSON(c.Lags)})
	}
	for _, c := range s.Plan.Changes {
		out.Resources = append(out.Resources, ResourceStatusJSON{c.Addr.String(), c.ID, actionWords[c.Action], newWaitJSON(c.Wait)})
	}
	return out
}

package planner

import (
	"context"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mkt/ledger"
	"mkt/spec"
)

// ApplyOptions are what Apply needs besides the plan.
type ApplyOptions struct {
	// Ledger is where the plan's ledger was loaded from; its lock is held by the caller.
	Ledger ledger.Store
	// Lost ends the apply like a cancelled context when the lock is lost; nil for a lock that cannot be.
	Lost <-chan struct{}
	// Hard is the context of the remote calls. Cancelling Apply's own context only stops scheduling: what runs is
	// finished and recorded. Nil: the calls are never cancelled.
	Hard context.Context
	// LossAgreed says that a person has seen what is lost and agreed to it: nothing need be named.
	LossAgreed bool
	// Parallelism bounds the batches under way at once; 0 takes the plan's.
	Parallelism int
	// Events is called from one goroutine, in order; it must be quick. May be nil.
	Events func(Event)
}

// Event is something that happened during Apply.
type Event struct {
	Change *Change
	Phase  Phase
	Status Status        // Running at the start of a phase and every StillEvery of it, then Done, Failed or Waiting
	Took   time.Duration // of the phase so far; 0 at its start
	Err    error         // when Failed or Waiting
}

// Phase is a part of a change: all but replacements have one.
type Phase string

// The phases.
const (
	Creating  Phase = "creating"
	Updating  Phase = "updating"
	Deleting  Phase = "deleting"
	Recording Phase = "recording" // only the ledger changes
)

// Status is how far a change came.
type Status string

// The states.
const (
	NotStarted Status = "not started"
	// Waiting is for a change that needs a person first, and for what depends on it. It is no failure.
	Waiting Status = "waiting"
	Running Status = "running"
	Done    Status = "done"
	Failed  Status = "failed"
)

// Report is the outcome of Apply.
type Report struct {
	Results []Result // one for each change that is not a no-op, in the plan's order
	// Scope is the stack evaluated with the values as they are now.
	Scope       *spec.Scope
	Outputs     []OutputChange
	Interrupted bool // stopped before the end on request
}

// Result is the outcome of one change.
type Result struct {
	Change *Change
	Status Status
	Took   time.Duration
	Err    error  // when Failed
	Reason string // when NotStarted or Waiting: "kafka_topic.a failed", "interrupted", "snowflake_pipe.a waits for a person"
	// Wait is what a person has to do; nil for what only depends on it.
	Wait *ledger.Wait
}

// Waiting returns the changes that wait for a person, and what depends on them.
func (r *Report) Waiting() (list []Result) {
	for _, res := range r.Results {
		if res.Status == Waiting {
			list = append(list, res)
		}
	}
	return list
}

// Counts counts the results: done, failed and not started. What waits is none of them.
func (r *Report) Counts() (done, failed, notStarted int) {
	for _, res := range r.Results {
		switch res.Status {
		case Done:
			done++
		case Failed:
			failed++
		case Waiting:
		default:
			notStarted++
		}
	}
	return done, failed, notStarted
}

// Apply does what the plan says. The diagnostics name each failure; the report is never nil and tells how far each change came. Whatever happens, what is
// done is in the ledger, and planning and applying again goes on from there.
func Apply(ctx context.Context, p *Plan, opts ApplyOptions) (*Report, hcl.Diagnostics) {
	return newApply(p, opts).run(ctx)
}

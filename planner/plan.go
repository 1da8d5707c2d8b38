// Package planner makes plans and applies them: it compares what a stack wants with what the systems have, says what
// has to change, and changes it in dependency order.
//
// It knows stacks, the contract of providers and the ledger. It knows no system, nothing of Kafka or Snowflake,
// prints nothing, and never runs the app (producers, consumers, queries are evaluated, but are never changes).
//
// The flow of Plan: evaluate every block with what the server computes unknown → IDs → one batched Read per kind, all
// kinds at once → evaluate again with the actual values → pure diff → Refine and Holds where a resource has them.
// The flow of Apply: walk the plan → evaluate each block once more with what is true by then → batches → compare with
// what was planned → ledger.
package planner

import (
	"context"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/providers"
	"mkt/spec"
)

// Input is all that a plan depends on.
type Input struct {
	Stack  *spec.Stack
	Ledger *ledger.Ledger // read by Plan, changed by Apply
	// Providers returns the configured provider of a system; it is called once per system that has something to do,
	// from one goroutine. An error that is hcl.Diagnostics becomes the plan's as it is. The planner does not close it.
	Providers func(system string) (providers.Provider, error)
	// Targets limits the plan to these blocks or instances and what they depend on (for Destroy: what depends on them). Empty: everything.
	Targets []spec.Addr
	// Replace names what is replaced although nothing in it differs, as far as the targets select it: instances, or blocks with all of
	// theirs. What does not exist yet, or goes anyway, is created or deleted as it would be without.
	Replace []spec.Addr
	// Adopt names instances whose object exists already and is to be taken over as it is found.
	Adopt   []spec.Addr
	Destroy bool // plan the removal of everything owned
	// AllowDestroy names what may be deleted or replaced although it holds data: instances, or blocks with all of theirs.
	AllowDestroy    []spec.Addr
	AllowDestroyAll bool
	// Parallelism bounds the batches that are under way at once; 0 means DefaultParallelism.
	Parallelism int
	Now         func() time.Time // nil: time.Now
}

// DefaultParallelism is the number of batches under way at once where Input does not say.
const DefaultParallelism = 10

// Action is what happens to one object; its rune is what a person sees.
type Action rune

// The actions.
const (
	NoOp    Action = ' '
	Create  Action = '+'
	Update  Action = '~'
	Replace Action = '±' // deleted, then created
	Delete  Action = '-'
)

// Plan is what would be done. It does not change once made and is safe for concurrent reading.
type Plan struct {
	// Changes has every instance of the stack and every owned object that leaves it, no-ops included: first what is
	// kept or made, each after what it depends on, then the deletes, each before what it depends on.
	Changes []*Change
	Outputs []OutputChange
	Data    []Data // what data blocks read, in the order of the stack's dependencies
	// Scope is the stack evaluated with the values as planned: the actual ones where nothing changes, unknown where
	// only apply can tell.
	Scope   *spec.Scope
	Destroy bool

	in     Input
	failed bool // there were errors: Apply refuses it
	// chosen are the blocks that the targets select; nil means all.
	chosen map[spec.Addr]bool
	index  map[spec.Addr]*Change
	// reads counts the batched reads, for tests and developers.
	reads int
}

// Change is one object and what is to happen to it.
type Change struct {
	Addr   spec.Addr
	Kind   *spec.Kind
	Action Action
	ID     string // the object's natural name; "" while a part of it is unknown
	// Before is the actual value, NilVal where there is no object. After is what it will be, NilVal for a delete.
	// Both are unmarked: what is sensitive is in Attrs and Sensitive.
	Before, After cty.Value
	Sensitive     []cty.Path // of parts of After that must not be shown
	Attrs         []AttrChange
	// Why says what an action follows from where the attributes do not: "removed from the stack",
	// "was removed outside of mkt". A sentence part, lower case, may be empty.
	Why string
	// Loss is what a delete or replacement destroys, or what a change in place loses, in words; "" for nothing or not known.
	Loss string
	// Unnamed: it destroys an object of a kind that holds data, or a part of that data, and neither Input.AllowDestroy nor a removed block names
	// it. Apply refuses such a plan unless a person has agreed to the loss.
	Unnamed bool
	Deps    []spec.Addr // the blocks it directly depends on
	// Record is true when apply has something to write into the ledger although the object stays as it is.
	Record bool
	// Moved is the address that owned the object until now, when the stack has renamed its block.
	Moved spec.Addr
	Range hcl.Range // of the block; zero for what left the stack
	// Wait is what a person had to do for it when it was last tried, nil where that is nothing.
	Wait *ledger.Wait

	inst *spec.Instance // nil for what left the stack
	live *live
}

// AttrChange is one difference.
type AttrChange struct {
	// Path leads into the kind's value; an index step with a string key names a map key or a block's label.
	Path cty.Path
	// Before and After are NilVal where that side has no such element, otherwise in normal form; After may be unknown.
	Before, After cty.Value
	Act           spec.Act
	Why           string // completes "because …"
	Outside       bool   // Before is not what mkt applied last: it was changed outside
	Sensitive     bool   // neither value may be shown
}

// OutputChange is an output and whether its value is new.
type OutputChange struct {
	Name      string
	Value     cty.Value // unmarked; unknown where apply decides
	Sensitive bool
	Action    Action // NoOp, Create, Update or Delete (then Value is NilVal)
}

// Counts are the numbers of a summary.
type Counts struct {
	Create, Update, Replace, Delete int
	Adopt, Forget                   int // recorded as owned, or as owned no more, without a change of the object
	NoOp                            int // the rest
}

// Counts counts the changes by action.
func (p *Plan) Counts() Counts {
	var n Counts
	for _, c := range p.Changes {
		switch c.Action {
		case Create:
			n.Create++
		case Update:
			n.Update++
		case Replace:
			n.Replace++
		case Delete:
			n.Delete++
		default:
			switch {
			case c.inst == nil: // it left the stack and is gone, or stays and is given up
				n.Forget++
			case c.Record && c.Before != cty.NilVal && c.live.entry == nil:
				n.Adopt++
			default:
				n.NoOp++
			}
		}
	}
	return n
}

// Empty reports whether apply would do nothing: no change, nothing to record, no new output. A ledger that was recovered
// may have to be saved all the same.
func (p *Plan) Empty() bool {
	for _, c := range p.Changes {
		if c.Action != NoOp || c.Record {
			return false
		}
	}
	for _, o := range p.Outputs {
		if o.Action != NoOp {
			return false
		}
	}
	return true
}

// Complete reports whether the plan has looked at all of the stack, so that what a recovered ledger lacks is found by now.
func (p *Plan) Complete() bool { return !p.Destroy && p.chosen == nil && !p.failed }

// Targeted reports whether the plan is about a part of the stack only.
func (p *Plan) Targeted() bool { return p.chosen != nil }

// Change returns the change of an address, or nil.
func (p *Plan) Change(addr spec.Addr) *Change { return p.index[addr] }

// New plans. With errors the plan is still returned, holding what could be found out, for showing and not for
// applying; Apply refuses it. The diagnostics are complete and may hold warnings beside a good plan.
func New(ctx context.Context, in Input) (*Plan, hcl.Diagnostics) { return newPlan(ctx, in) }

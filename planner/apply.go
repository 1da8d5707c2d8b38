package planner

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mkt/ledger"
	"mkt/spec"
)

const interrupted = "interrupted"

// applying is one run of Apply. One goroutine owns all of it; batches only call the provider and send the answer back.
type applying struct {
	plan    *Plan
	opts    ApplyOptions
	hard    context.Context
	ledger  *ledger.Ledger
	systems *systems
	scope   *spec.Scope // nil for a destroy
	graph   *graph
	results map[*Change]*Result
	removed map[*Change]bool // replacements whose first half is done
	report  *Report
	diags   hcl.Diagnostics
	failed  grouped

	ready   []*node
	pending map[batchKey][]*task
	flying  int
	since   map[*batch]time.Time // when each of those under way began
	bySys   map[string]int
	silent  map[string]bool // the systems that do not answer
	answers chan *batch
	stopped string // why nothing more is started
	dirty   bool   // the ledger has something to save
	careful bool   // it has something to save that must not be lost with the newest generation
	unsaved bool   // saving it has failed
	unowned bool   // the lock was lost, and that was said

	recovered bool // the ledger went on from an older generation when this began
}

func newApply(p *Plan, opts ApplyOptions) *applying {
	a := &applying{
		plan: p, opts: opts, hard: opts.Hard, ledger: p.in.Ledger,
		systems: newSystems(p.in.Providers),
		results: map[*Change]*Result{},
		removed: map[*Change]bool{},
		report:  &Report{Scope: p.Scope},
		pending: map[batchKey][]*task{},
		bySys:   map[string]int{},
		silent:  map[string]bool{},
		answers: make(chan *batch),
		since:   map[*batch]time.Time{},
	}
	if a.hard == nil {
		a.hard = context.Background()
	}
	if a.opts.Parallelism <= 0 {
		a.opts.Parallelism = p.in.Parallelism
	}
	a.recovered = a.ledger.Recovered != nil
	for _, c := range p.Changes {
		if c.Action != NoOp {
			a.results[c] = &Result{Change: c, Status: NotStarted}
		}
	}
	return a
}

func (a *applying) run(ctx context.Context) (*Report, hcl.Diagnostics) {
	if a.plan.failed {
		return a.finish(), hcl.Diagnostics{failure("Plan with errors", "A plan that has errors cannot be applied.")}
	}
	if diags := a.plan.RefuseLoss(); len(diags) > 0 && !a.opts.LossAgreed {
		return a.finish(), diags
	}
	if !a.plan.Destroy {
		a.scope = a.plan.in.Stack.NewScope()
		a.report.Scope = a.scope
	}
	a.graph = newGraph(a.plan)
	a.recordFirst()
	for _, n := range a.graph.nodes {
		if n.waiting == 0 {
			a.ready = append(a.ready, n)
		}
	}
	done, lost := ctx.Done(), a.opts.Lost
	tick := time.NewTicker(StillEvery)
	defer tick.Stop()
	for {
		if ctx.Err() != nil {
			a.stop(interrupted)
		}
		select { // before anything is started, also when it comes together with an answer
		case <-a.opts.Lost:
			if !a.unowned {
				a.unowned = true
				a.stop("the ledger's lock was lost")
				a.diags = append(a.diags, failure("Lock lost", "The lock of the ledger was lost, so nothing more was started. Apply again."))
			}
		default:
		}
		a.startReady()
		a.send()
		if a.flying == 0 {
			break
		}
		select {
		case b := <-a.answers:
			a.absorb(b)
			for more := true; more; {
				select {
				case b := <-a.answers:
					a.absorb(b)
				default:
					more = false
				}
			}
		case <-done:
			done = nil
		case <-lost:
			lost = nil
		case <-tick.C:
			a.still()
		}
	}
	a.recordOutputs()
	return a.finish(), append(a.diags, append(a.systems.diags, a.failed.diagnostics()...)...)
}

// StillEvery is how often it is said of a change that takes long that it is under way still.
const StillEvery = 10 * time.Second

// still says so.
func (a *applying) still() {
	var tasks []*task
	took := map[*task]time.Duration{}
	for b, since := range a.since {
		if d := time.Since(since); d >= StillEvery {
			for _, t := range b.tasks {
				tasks, took[t] = append(tasks, t), d
			}
		}
	}
	slices.SortFunc(tasks, func(x, y *task) int { return x.change.Addr.Compare(y.change.Addr) })
	for _, t := range tasks {
		a.event(Event{Change: t.change, Phase: phaseOf(t.op()), Status: Running, Took: took[t]})
	}
}

func (a *applying) stop(why string) {
	if a.stopped == "" {
		a.stopped = why
	}
}

// startReady turns nodes that wait for nothing into tasks, until only running ones are left.
func (a *applying) startReady() {
	for len(a.ready) > 0 {
		n := a.ready[0]
		a.ready = a.ready[1:]
		if a.stopped != "" && len(n.changes) > 0 {
			return // the rest stays not started
		}
		for _, t := range a.tasks(n) {
			key := batchKey{t.change.Kind.Name, t.op()}
			a.pending[key] = append(a.pending[key], t)
		}
		if n.left == 0 {
			a.end(n)
		}
	}
}

// end releases what waits for a node.
func (a *applying) end(n *node) {
	if n.ended {
		return
	}
	n.ended = true
	why, waits := n.blocked, n.waits
	for _, c := range n.changes {
		r := a.results[c]
		if r.Status == Failed {
			why, waits = c.Addr.String()+" failed", false
			break
		}
		if r.Status == Waiting && why == "" {
			why, waits = c.Addr.String()+" waits for a person", true
		}
	}
	for _, e := range n.before {
		if e.strict && why != "" && (e.to.blocked == "" || e.to.waits && !waits) {
			e.to.blocked, e.to.waits = why, waits
		}
		if e.to.waiting--; e.to.waiting == 0 {
			a.ready = append(a.ready, e.to)
		}
	}
}

// send writes the intents of what may start now and starts it.
func (a *applying) send() {
	var batches []*batch
	if a.stopped == "" {
		batches = a.batches()
	}
	now := a.plan.in.Now().UTC().Truncate(time.Second)
	for _, b := range batches {
		for _, t := range b.tasks {
			a.ledger.Intents[t.change.Addr] = ledger.Intent{ID: t.request.ID, Op: b.key.op, Since: now}
			a.dirty = true
		}
		// What is made of several requests and is half done looks like nobody's: whichever generation is lost, the other announces it.
		a.careful = a.careful || b.key.op == ledger.OpCreate
	}
	if !a.save() {
		for _, b := range batches {
			for _, t := range b.tasks {
				delete(a.ledger.Intents, t.change.Addr)
			}
		}
		return
	}
	for _, b := range batches {
		a.flying++
		a.since[b] = time.Now()
		a.bySys[b.kind.System]++
		for _, t := range b.tasks {
			a.results[t.change].Status = Running
			a.event(Event{Change: t.change, Phase: phaseOf(b.key.op), Status: Running})
		}
		ctx := a.patience(b.kind.System)
		go func() {
			start := time.Now()
			b.call(ctx)
			b.took = time.Since(start)
			a.answers <- b
		}()
	}
}

// save writes the ledger if there is something to save. It reports whether the ledger is safe on disk.
func (a *applying) save() bool {
	if !a.dirty {
		return true
	}
	ctx := context.WithoutCancel(a.hard)
	err := a.opts.Ledger.Save(ctx, a.ledger)
	if err == nil && a.careful { // the generation before has it, too
		err = a.opts.Ledger.Save(ctx, a.ledger)
	}
	if err != nil {
		if !a.unsaved {
			a.unsaved = true
			a.diags = append(a.diags, failure("Ledger not saved",
				"%s. Nothing more was started. What was done is announced in the ledger, so applying again goes on from there.", capital(strings.TrimSuffix(err.Error(), "."))))
		}
		a.stop("the ledger could not be saved")
		return false
	}
	a.dirty, a.careful = false, false
	return true
}

func (a *applying) event(e Event) {
	if a.opts.Events != nil {
		a.opts.Events(e)
	}
}

func phaseOf(op string) Phase {
	switch op {
	case ledger.OpCreate:
		return Creating
	case ledger.OpUpdate:
		return Updating
	}
	return Deleting
}

// finish completes the report: what was neither done nor failed was not started.
func (a *applying) finish() *Report {
	for _, c := range a.plan.Changes {
		r := a.results[c]
		if r == nil {
			continue
		}
		if r.Status == Waiting && a.removed[c] {
			r.Reason = "deleted, but not created again yet: " + r.Reason
		}
		if r.Status != Done && r.Status != Failed && r.Status != Waiting {
			if r.Reason == "" {
				r.Reason = a.stopped
			}
			a.report.Interrupted = a.report.Interrupted || r.Reason == interrupted
			if a.removed[c] {
				r.Reason = "deleted, but not created again yet: " + r.Reason
			}
			r.Status = NotStarted
		}
		a.report.Results = append(a.report.Results, *r)
	}
	return a.report
}

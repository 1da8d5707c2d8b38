package planner

import (
	"context"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/providers"
	"mkt/spec"
)

// What a create finds there, and what it leaves behind.

// meetExisting decides about objects that a create found there already, which they were not when the plan was made. A provider
// knows its own again when it repeats a call, so that one is another's, unless the ledger says otherwise: a request of an apply that was
// killed may arrive late, what the ledger has may have been missed by the plan, and what the lost generation of a recovered ledger had is not
// known. The server that is asked here may miss it as well.
func (b *batch) meetExisting(ctx context.Context) {
	var refs []providers.Ref
	var at []int
	for i, r := range b.results {
		if i >= len(b.tasks) || providers.CodeOf(r.Err) != providers.Exists {
			continue
		}
		if b.tasks[i].announced || b.recovered || b.tasks[i].owned() != nil {
			refs = append(refs, providers.Ref{ID: b.tasks[i].request.ID, Private: b.tasks[i].change.live.private})
			at = append(at, i)
			continue
		}
		b.results[i] = providers.Result{Err: ofAnother(r.Err)}
	}
	if len(refs) == 0 {
		return
	}
	for i, reading := range b.resource.Read(ctx, refs) {
		if i >= len(at) {
			return
		}
		if reading.Err != nil || reading.State == cty.NilVal {
			b.doubtful[at[i]] = b.tasks[at[i]].announced
			continue
		}
		b.meet(ctx, at[i], reading)
	}
}

// owned is the ledger's entry of an object that is to be created because the plan found none, nil where there is none.
func (t *task) owned() *ledger.Entry {
	if e := t.change.live.entry; e != nil && t.change.Action == Create && e.ID == t.request.ID {
		return e
	}
	return nil
}

// ofAnother says whose an object is that is there all of a sudden.
func ofAnother(err error) error {
	e := &providers.Error{Code: providers.Exists, Err: fmt.Errorf("%w; it was not there when the plan was made, so it is owned by another ledger, or was made by hand", err)}
	e.Hint = "Keep each object in one stack with one ledger. If it is to be this one's, take it over with -adopt."
	return e
}

// meet makes an object that is there what the create wanted. One that is it already counts as created. One that an interrupted
// apply announced, or that the ledger has, is altered, where that is possible in place, and one that may be of a lost generation where
// it differs in nothing that can be seen.
func (b *batch) meet(ctx context.Context, i int, reading providers.Reading) {
	t := b.tasks[i]
	state := completeState(b.kind, reading.State, t.request.After)
	cmp := comparison{
		kind: b.kind, before: state, desired: t.request.After, outside: func(string, cty.Value) bool { return false },
		digest: func(cty.Value) string { return "" }, applied: func(string) string { return "other" }, // secrets are set anew
	}
	d := cmp.diff()
	e := t.owned()
	ours := t.announced || e != nil && !replacedOutside(e, reading)
	switch {
	case !ours && !b.recovered:
		b.results[i] = providers.Result{Err: ofAnother(b.results[i].Err)}
	case d.act == spec.Same:
		b.results[i] = providers.Result{State: reading.State, Incarnation: reading.Incarnation, Private: t.change.live.private}
	case !ours && !d.unseen(b.kind, state):
		b.results[i] = providers.Result{Err: ofAnother(b.results[i].Err)}
	case d.act > spec.InPlace:
		b.doubtful[i] = true // it stays announced, and the next plan replaces it
	default:
		change := providers.Change{Address: t.request.Address, ID: t.request.ID, Before: state, After: d.after, Private: t.change.live.private}
		if results := b.resource.Update(ctx, []providers.Change{change}); len(results) == 1 {
			b.results[i] = results[0]
		}
	}
}

// meetLate looks at updates that failed for a certain reason although an interrupted apply was about to make them: its request may have
// arrived since the plan was made. What is as it was wanted by now counts as altered; from anything else it is tried once more.
func (b *batch) meetLate(ctx context.Context) {
	if len(b.results) != len(b.tasks) {
		return
	}
	for i, t := range b.tasks {
		if b.results[i].Err == nil || !settled(b.results[i].Err) || !t.announced || providers.CodeOf(b.results[i].Err) == providers.Waiting {
			continue
		}
		readings := b.resource.Read(ctx, []providers.Ref{{ID: t.request.ID, Private: t.request.Private}})
		if len(readings) != 1 || readings[0].Err != nil || readings[0].State == cty.NilVal {
			continue
		}
		before := completeState(b.kind, readings[0].State, t.request.After)
		if before.RawEquals(t.request.Before) {
			continue
		}
		again := t.request
		again.Before = before
		if results := b.resource.Update(ctx, []providers.Change{again}); len(results) == 1 {
			b.results[i] = results[0]
		}
	}
}

// unseen reports whether a difference is in nothing but what the system does not tell: secrets, what it computes, and blocks of which
// it has nothing at all.
func (d *difference) unseen(k *spec.Kind, before cty.Value) bool {
	if d.act > spec.InPlace {
		return false
	}
	for _, c := range d.attrs {
		step, ok := c.Path[0].(cty.GetAttrStep)
		if !ok {
			return false
		}
		a, block := k.Attr(step.Name), k.Block(step.Name)
		switch {
		case a != nil && (a.Secret || a.Computed && !c.After.IsKnown()):
		case block != nil && before.GetAttr(step.Name).IsNull():
		default:
			return false
		}
	}
	return true
}

// lookBehind looks for what creates left behind that failed for a certain reason: it may have been the second of two
// requests that was refused. What is not seen to be absent may be there, and be ours.
func (b *batch) lookBehind(ctx context.Context) {
	var refs []providers.Ref
	var at []int
	for i, r := range b.results {
		if r.Err != nil && r.State == cty.NilVal && settled(r.Err) && providers.CodeOf(r.Err) != providers.Exists && i < len(b.tasks) && b.tasks[i].request.ID != "" {
			refs = append(refs, providers.Ref{ID: b.tasks[i].request.ID})
			at = append(at, i)
		}
	}
	if len(refs) == 0 {
		return
	}
	for i, reading := range b.resource.Read(ctx, refs) {
		if i < len(at) {
			b.doubtful[at[i]] = reading.Err != nil || reading.State != cty.NilVal
		}
	}
}

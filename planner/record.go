package planner

import (
	"errors"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/providers"
)

// recordFirst writes into the ledger what needs no remote call: new addresses of old objects, objects taken over,
// protection, objects that are gone already.
func (a *applying) recordFirst() {
	moved := map[*Change]*ledger.Entry{}
	for _, c := range a.plan.Changes {
		if c.Moved.Kind != "" {
			moved[c] = a.ledger.Entries[c.Moved]
		}
	}
	for c := range moved {
		delete(a.ledger.Entries, c.Moved)
		delete(a.ledger.Intents, c.Moved) // the new address goes on with what it announced
		a.dirty = true
	}
	for c, e := range moved {
		if e != nil {
			a.ledger.Entries[c.Addr] = e
		}
	}
	for addr := range a.ledger.Waits {
		if c := a.plan.index[addr]; c != nil && c.Action == NoOp || c == nil && a.plan.chosen == nil {
			delete(a.ledger.Waits, addr)
			a.dirty = true
		}
	}
	for _, c := range a.plan.Changes {
		switch {
		case c.Action == NoOp && c.inst == nil: // left the stack, and is gone or given up
			a.careful = true
			delete(a.ledger.Entries, c.Addr)
			delete(a.ledger.Intents, c.Addr)
			a.dirty = true
		case c.Before != cty.NilVal && c.inst != nil && c.Record:
			a.recordFound(c)
		}
		if c.Action == NoOp && c.Record {
			a.event(Event{Change: c, Phase: Recording, Status: Done})
		}
	}
	if a.recovered && a.plan.Complete() { // what is ours and was lost is recorded in the same save
		a.ledger.Recovered = nil
		a.dirty = true
	}
}

// recordFound brings the entry of an object that exists up to date, without its values: those are recorded when applied.
func (a *applying) recordFound(c *Change) {
	e := a.ledger.Entries[c.Addr]
	if e == nil || c.live.foreign || c.live.entry == nil {
		e = &ledger.Entry{Digests: digests(a.ledger, c.Kind, c.Before)}
		for i := range c.Kind.Attrs { // what was never applied has no digest: secrets are compared by them
			if attr := &c.Kind.Attrs[i]; attr.Secret && c.Action != NoOp {
				delete(e.Digests, attr.Name)
			}
		}
	}
	next := *e
	a.careful = a.careful || !e.Protected && c.inst.Block.Lifecycle.PreventDestroy
	next.ID, next.Incarnation, next.Protected = c.live.id, c.live.incarnation, c.inst.Block.Lifecycle.PreventDestroy
	if c.Action == NoOp {
		next.Deps = depTexts(c.Deps)
	}
	a.ledger.Entries[c.Addr] = &next
	delete(a.ledger.Intents, c.Addr)
	a.dirty = true
}

// absorb takes the answer of a batch into the ledger, the scope and the results.
func (a *applying) absorb(b *batch) {
	a.flying--
	delete(a.since, b)
	a.bySys[b.kind.System]--
	a.heard(b)
	for i, t := range b.tasks {
		r, c := b.results[i], t.change
		res := a.results[c]
		res.Took += b.took
		err := a.record(t, r, b.doubtful != nil && b.doubtful[i])
		t.node.left--
		event := Event{Change: c, Phase: phaseOf(b.key.op), Took: b.took, Status: Done}
		delete(a.ledger.Waits, c.Addr)
		switch {
		case err != nil && providers.CodeOf(err) == providers.Waiting:
			res.Status, res.Wait = Waiting, a.waitFor(c, err)
			res.Reason = res.Wait.For
			event.Status, event.Err = Waiting, err
		case err != nil:
			res.Status, res.Err = Failed, err
			event.Status, event.Err = Failed, err
		case t.node.phase == removing: // the second half follows
			a.removed[c] = true
		default:
			res.Status = Done
		}
		a.event(event)
		if t.node.left == 0 {
			a.end(t.node)
		}
	}
	a.dirty = true
}

// record writes the outcome of one operation into the ledger and returns why it failed, if it did. What may have left
// something behind although it failed stays announced.
func (a *applying) record(t *task, r providers.Result, doubtful bool) error {
	c := t.change
	if settled(r.Err) && !doubtful {
		delete(a.ledger.Intents, c.Addr)
	}
	if t.node.phase != putting {
		if r.Err != nil {
			return a.callFailed(t, r.Err)
		}
		delete(a.ledger.Entries, c.Addr)
		return nil
	}
	if r.State == cty.NilVal {
		err := r.Err
		if err == nil {
			err = errors.New("the provider returned no state; this is a bug of mkt: please report it")
		}
		return a.callFailed(t, err)
	}
	state := completeState(c.Kind, r.State, t.request.After)
	id := c.Kind.ID(state)
	if id == "" {
		id = t.request.ID
	}
	entry := &ledger.Entry{
		ID: id, Incarnation: r.Incarnation, Protected: c.inst.Block.Lifecycle.PreventDestroy,
		Deps: depTexts(c.Deps), Digests: digests(a.ledger, c.Kind, state), Private: r.Private,
	}
	if c.Action == Update && r.Private == nil {
		entry.Private = c.live.private
	}
	if r.Err != nil { // something was left behind: it is ours, and the next plan goes on with it
		a.ledger.Entries[c.Addr] = entry
		delete(a.ledger.Intents, c.Addr)
		return a.callFailed(t, r.Err)
	}
	if before := a.ledger.Entries[c.Addr]; before != nil && !before.Protected && entry.Protected {
		a.careful = true
	}
	a.ledger.Entries[c.Addr] = entry
	a.scope.Set(c.Addr, state)
	if faults := broken(c.Kind, t.request.After, state); len(faults) > 0 {
		err := faults[0].error(c)
		a.diags = append(a.diags, failureAt(c.inst.Range(faults[0].path), "Provider did not keep its promise",
			"%s. It is applied, but not as planned. This is a bug of mkt: please report it.", capital(err.Error())))
		return err
	}
	return nil
}

// waitFor writes down what a change waits for: since when does not change as long as it does.
func (a *applying) waitFor(c *Change, err error) *ledger.Wait {
	w := ledger.Wait{For: err.Error(), Since: a.plan.in.Now().UTC().Truncate(time.Second)}
	if e := providers.Detail(err); e != nil {
		w.Steps = e.Steps
	}
	if c.Wait != nil {
		w.Since = c.Wait.Since
	}
	a.ledger.Waits[c.Addr] = w
	return &w
}

// settled reports whether the outcome of a call is certain. After a lost answer it is not, and the intent stays.
func settled(err error) bool {
	if err == nil {
		return true
	}
	switch providers.CodeOf(err) {
	case providers.Unknown, providers.Unavailable:
		return false
	}
	return true
}

func (a *applying) callFailed(t *task, err error) error {
	if providers.CodeOf(err) == providers.Waiting {
		return err
	}
	c := t.change
	verb := map[string]string{ledger.OpCreate: "create", ledger.OpUpdate: "update", ledger.OpDelete: "delete"}[t.op()]
	a.failed.add(c.Addr, blame(c.inst, c.Range, err), "Could not "+verb, sentence(err))
	return err
}

// recordOutputs keeps the digests of the outputs once everything is applied.
func (a *applying) recordOutputs() {
	complete := true
	for _, r := range a.results {
		complete = complete && r.Status == Done
	}
	switch {
	case a.plan.Destroy:
		if len(a.ledger.Entries) == 0 && len(a.ledger.Outputs) > 0 {
			clear(a.ledger.Outputs)
			a.dirty = true
		}
	case a.plan.chosen == nil && complete:
		outs, diags := outputs(a.scope, a.ledger)
		a.report.Outputs = outs
		a.diags = append(a.diags, onlyErrors(diags)...)
		a.diags = append(a.diags, a.scope.Checks()...)
		for _, o := range outs {
			switch o.Action {
			case Delete:
				delete(a.ledger.Outputs, o.Name)
			case Create, Update:
				a.ledger.Outputs[o.Name] = a.ledger.Digest(o.Value)
			default:
				continue
			}
			a.dirty = true
		}
	}
	a.save()
}

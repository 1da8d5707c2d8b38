package planner

import (
	"context"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"mkt/internal/shell"
	"mkt/ledger"
	"mkt/providers"
	"mkt/spec"
)

// leaver is an owned object that the stack no longer has.
type leaver struct {
	addr    spec.Addr
	kind    *spec.Kind
	id      string
	private map[string]string
	entry   *ledger.Entry // nil: an intent alone
	removed *spec.Removed // the removed block about it, nil if there is none
}

// leaving finds what is owned, or was about to be created when an apply was interrupted, and is not in the stack.
func (p *planning) leaving() []leaver {
	var all []leaver
	add := func(l leaver) {
		if l.kind = p.in.Stack.Kind(l.addr.Kind); l.kind == nil || l.kind.System == "" {
			p.unknownKind(l.addr)
			return
		}
		l.removed = p.removedBy(l.addr)
		all = append(all, l)
	}
	taken := map[objectKey]bool{} // by instances that own nothing yet: their block was renamed
	named := map[objectKey]bool{} // by any instance: what an old intent announced belongs to it
	for addr, w := range p.wanted {
		if e, _ := p.entry(addr); w.id != "" {
			taken[objectKey{addr.Kind, w.id}] = e == nil
			named[objectKey{addr.Kind, w.id}] = true
		}
	}
	for _, addr := range p.in.Ledger.Addrs() {
		e := p.in.Ledger.Entries[addr]
		if p.leaves(addr) && !taken[objectKey{addr.Kind, e.ID}] {
			add(leaver{addr: addr, id: e.ID, private: e.Private, entry: e})
		}
	}
	for _, addr := range slices.SortedFunc(maps.Keys(p.in.Ledger.Intents), spec.Addr.Compare) {
		i := p.in.Ledger.Intents[addr]
		if p.leaves(addr) && p.in.Ledger.Entries[addr] == nil && i.ID != "" && !named[objectKey{addr.Kind, i.ID}] {
			add(leaver{addr: addr, id: i.ID})
		}
	}
	return all
}

func (p *planning) unknownKind(addr spec.Addr) {
	p.diags = append(p.diags, failure("Kind not known",
		"The ledger has %s, but this mkt knows no kind %s. Use the mkt that made it.", addr, addr.Kind))
}

func (p *planning) leaves(addr spec.Addr) bool {
	if p.in.Destroy {
		return p.selects(addr.Block()) && p.selectsInstance(addr)
	}
	if p.wanted[addr] != nil || p.stays(addr) {
		return false
	}
	return len(p.in.Targets) == 0 || p.targets.cover(addr)
}

// planLeaving plans the delete of one object, if it is still there, ours and not protected.
func (p *planning) planLeaving(l leaver) {
	c := &Change{Addr: l.addr, Kind: l.kind, ID: l.id, Action: Delete, live: &live{entry: l.entry, id: l.id, private: l.private}}
	protected := false
	if l.entry != nil {
		protected = l.entry.Protected
		for _, text := range l.entry.Deps {
			if dep, ok := spec.ParseAddr(text); ok {
				c.Deps = append(c.Deps, dep)
			}
		}
	}
	if b := p.in.Stack.Block(l.addr); b != nil { // destroy, or one key of a for_each
		protected, c.Range = protected || b.Lifecycle.PreventDestroy, b.Range
	}
	switch {
	case p.in.Destroy: // the reason is the command
	case l.entry == nil:
		c.Why = "it was created by an apply that was interrupted, and is not in the stack any more"
	default:
		c.Why = "it is not in the stack any more"
	}
	if l.removed != nil {
		c.Range, c.Why = l.removed.Range, "a removed block says so"
		if !l.removed.Destroy {
			c.Action, c.Record, c.Why, c.live.id = NoOp, true, "a removed block says so: it stays as it is, and mkt owns it no more", ""
			p.byAddr[c.Addr] = c
			return
		}
	}
	reading := p.reader.of(l.kind, l.id)
	switch {
	case reading.Err == errNoProvider: //nolint:errorlint // a mark of this package, never wrapped
		return
	case reading.Err != nil:
		p.failed.add(l.addr, c.Range, readSummary(reading.Err),
			"the present state could not be read, so it is unknown and nothing can be planned for it: "+sentence(reading.Err))
		return
	case reading.State == cty.NilVal:
		c.Action, c.Record, c.Why, c.live.id = NoOp, true, "it is gone already", ""
	case protected:
		p.diags = append(p.diags, failureAt(c.Range, "Protected from destruction",
			"%s is protected by prevent_destroy, which holds even though its block may be gone. To let it go, set prevent_destroy = false in its block, apply, and then remove it.", l.addr))
		return
	case l.entry != nil && replacedOutside(l.entry, reading):
		p.diags = append(p.diags, failureAt(c.Range, "Replaced by someone else",
			"%s: the %s %q is not the object that mkt made; somebody deleted it and created another one of that name. mkt never deletes what somebody else made. Remove it from the ledger with `mkt ledger forget %s`.",
			l.addr, l.kind.Name, l.id, shell.Word(l.addr.String())))
		return
	default:
		c.Before, c.live.incarnation = reading.State, reading.Incarnation
	}
	p.byAddr[c.Addr] = c
}

// askLoss finds out what deletes and replacements would destroy.
func (p *planning) askLoss(ctx context.Context) {
	groups := map[string][]*Change{}
	for _, c := range p.plan.Changes {
		if c.Action == Delete || c.Action == Replace {
			groups[c.Kind.Name] = append(groups[c.Kind.Name], c)
		}
	}
	var g errgroup.Group
	g.SetLimit(p.in.Parallelism)
	for _, changes := range groups {
		holder, ok := p.systems.resource(changes[0].Kind).(providers.Holder)
		if !ok {
			continue
		}
		g.Go(func() error {
			refs := make([]providers.Ref, len(changes))
			for i, c := range changes {
				refs[i] = providers.Ref{ID: c.live.id, Private: c.live.private}
			}
			for i, h := range holder.Holds(ctx, refs) {
				if changes[i].Loss = h.Loss; h.Err != nil {
					changes[i].Loss = "what it holds could not be counted: " + h.Err.Error()
				}
			}
			return nil
		})
	}
	_ = g.Wait()
}

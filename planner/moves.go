package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/spec"
)

// follow finds out which of the ledger's addresses the stack's moved blocks have given a new one.
func (p *planning) follow() {
	if len(p.in.Stack.Moved()) == 0 {
		return
	}
	known := map[spec.Addr]bool{}
	for addr := range p.in.Ledger.Entries {
		known[addr] = true
	}
	for addr := range p.in.Ledger.Intents { // of a create that was interrupted
		known[addr] = true
	}
	for _, from := range slices.SortedFunc(maps.Keys(known), spec.Addr.Compare) {
		to := p.in.Stack.MovedTo(from)
		if to == from {
			continue
		}
		other, taken := p.moved[to]
		if !taken && known[to] {
			other, taken = to, true
		}
		if taken {
			p.diags = append(p.diags, failureAt(p.movedRange(from), "Moved onto another object",
				"%s would become %s, but %s is in the ledger as well and an address has one object. Give the two different addresses, or let one of them go with `mkt ledger forget`.",
				from, to, other))
			continue
		}
		p.moved[to] = from
	}
}

func (p *planning) movedRange(from spec.Addr) hcl.Range {
	for _, m := range p.in.Stack.Moved() {
		if m.From.Covers(from) {
			return m.Range
		}
	}
	return hcl.Range{}
}

// entry returns what the ledger has for an address of the stack, nil for nothing, and under which address it has it.
func (p *planning) entry(addr spec.Addr) (*ledger.Entry, spec.Addr) {
	if from, moved := p.moved[addr]; moved {
		return p.in.Ledger.Entries[from], from
	}
	return p.in.Ledger.Entries[addr], addr
}

// stays reports whether an address of the ledger lives on under a new one.
func (p *planning) stays(from spec.Addr) bool {
	to := p.in.Stack.MovedTo(from)
	if to == from || p.in.Stack.Block(to) == nil {
		return false
	}
	return p.wanted[to] != nil || !p.selects(to.Block()) // a key that is gone leaves; what no target selects does not
}

// removedBy returns the removed block about an address of the ledger, nil for none.
func (p *planning) removedBy(addr spec.Addr) *spec.Removed {
	return p.in.Stack.RemovedBy(p.in.Stack.MovedTo(addr))
}

// checkMoves reports removed and import blocks that the keys of a for_each contradict.
func (p *planning) checkMoves() {
	for _, r := range p.in.Stack.Removed() {
		if p.wanted[r.From] != nil {
			p.diags = append(p.diags, failureAt(r.Range, "Removed instance still in the stack",
				"%s is still in the stack: its for_each has the key. Take the key out, or remove this block.", r.From))
		}
	}
	for _, i := range p.in.Stack.Imports() {
		if b := p.in.Stack.Block(i.To); b != nil && p.selects(b.Addr) && p.wanted[i.To] == nil && !p.diags.HasErrors() {
			p.diags = append(p.diags, failureAt(i.Range, "Import of nothing", "%s has no instance with this key.", b.Addr))
		}
	}
}

// checkFound reports targets, and addresses to take over, that stand for no instance.
func (p *planning) checkFound() {
	for _, t := range p.in.Targets {
		if b := p.in.Stack.Block(t); t.Keyed && b != nil && b.Managed() && p.wanted[t] == nil && !p.owns(t) {
			p.diags = append(p.diags, failure("Target not found", "There is no %s: %s has no instance with this key.", t, b.Addr))
		}
	}
	for _, a := range p.in.Adopt {
		switch b := p.in.Stack.Block(a); {
		case b == nil || !b.Managed():
			p.diags = append(p.diags, failure("Nothing to take over", "The stack has no resource %s; write its block first.", a))
		case p.wanted[a] != nil || p.targets.exact[a] || !p.selects(b.Addr):
		case !a.Keyed:
			p.diags = append(p.diags, failure("Nothing to take over", "%s has for_each: name one of its instances, as in %s[\"key\"].", a, a))
		default:
			p.diags = append(p.diags, failure("Nothing to take over", "There is no %s: %s has no instance with this key.", a, b.Addr))
		}
	}
}

// checkReplace reports addresses to replace that stand for nothing. It reports whether there were none.
func (p *planning) checkReplace(leaving []leaver) bool {
	const summary = "Nothing to replace"
	before := len(p.diags)
	for _, t := range p.in.Replace {
		found := slices.ContainsFunc(leaving, func(l leaver) bool { return t.Covers(l.addr) }) // it goes anyway
		for addr := range p.wanted {
			found = found || t.Covers(addr)
		}
		if found {
			continue
		}
		blocks, b := p.blocks(), p.in.Stack.Block(t)
		switch {
		case len(p.about(blocks, t)) == 0:
			p.diags = append(p.diags, notFound(summary, t, blocks))
		case b != nil && !b.Managed():
			p.diags = append(p.diags, failureAt(b.Range, summary, "%s is no resource: there is no object of it to replace.", t))
		case t.Keyed && b != nil && p.selects(b.Addr):
			p.diags = append(p.diags, failureAt(b.Range, summary, "There is no %s: %s has no instance with this key.", t, b.Addr))
		case b == nil && p.chosen == nil:
			p.diags = append(p.diags, failure(summary, "%s has another address in the stack by now: name that one.", t))
		}
	}
	return len(p.diags) == before
}

// importing reports whether an import block is about an instance and names the object that its block describes.
func (p *planning) importing(w *wanted) (imports, ok bool) {
	i, imports := p.imports[w.inst.Addr]
	if imports && i.ID != "" && w.id != "" && i.ID != w.id {
		p.diags = append(p.diags, failureAt(i.IDRange, "Import of another object",
			"%s describes the %s %q, but id names %q. Change the block so that it describes that object, or the id.",
			w.inst.Addr, w.inst.Addr.Kind, w.id, i.ID))
		return true, false
	}
	return imports, true
}

// nothingToImport says that the object of an import block is not there.
func (p *planning) nothingToImport(w *wanted) {
	i := p.imports[w.inst.Addr]
	if w.id == "" {
		p.diags = append(p.diags, failureAt(i.Range, "Import of an unknown object",
			"The name of %s is known only after apply, so there is nothing to look for. Write its name into the block.", w.inst.Addr))
		return
	}
	p.diags = append(p.diags, failureAt(i.IDRange, "Nothing to import",
		"%s: there is no %s %q. Take the import block out to create it, or correct its name.", w.inst.Addr, w.inst.Addr.Kind, w.id))
}

// TakesOver reports whether the plan found the object of addr and would own it from now on.
func (p *Plan) TakesOver(addr spec.Addr) bool {
	c := p.index[addr]
	return c != nil && c.inst != nil && c.Before != cty.NilVal && c.live.entry == nil
}

// Own writes into the ledger that the object of addr is owned, as it was found: TakesOver must hold, other errors of the
// plan do not matter. Nothing else changes, in the ledger or outside. The caller holds the ledger's lock.
func Own(ctx context.Context, p *Plan, addr spec.Addr, store ledger.Store) error {
	if !p.TakesOver(addr) {
		return fmt.Errorf("own %s: the plan has no object to take over", addr)
	}
	newApply(p, ApplyOptions{Ledger: store}).recordFound(p.index[addr])
	return store.Save(ctx, p.in.Ledger)
}

package planner

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"mkt/spec"
)

// choose turns the targets into the blocks that the plan is about. It reports whether all targets exist.
func (p *planning) choose() bool {
	if len(p.in.Targets) == 0 {
		return true
	}
	p.chosen = map[spec.Addr]bool{}
	ok := true
	blocks := p.blocks()
	var starts []spec.Addr
	for _, t := range p.in.Targets {
		about := p.about(blocks, t)
		if starts = append(starts, about...); len(about) == 0 {
			p.diags = append(p.diags, notFound("Target not found", t, blocks))
			ok = false
		}
	}
	next := map[spec.Addr][]spec.Addr{}
	if p.in.Destroy { // what depends on a target goes with it
		for addr, e := range p.in.Ledger.Entries {
			for _, text := range e.Deps {
				if dep, ok := spec.ParseAddr(text); ok {
					next[dep] = append(next[dep], addr.Block())
				}
			}
		}
	} else {
		for _, b := range p.in.Stack.Blocks() {
			next[b.Addr] = b.Deps
		}
	}
	var visit func(addr spec.Addr)
	visit = func(addr spec.Addr) {
		if !p.chosen[addr] {
			p.chosen[addr] = true
			for _, n := range next[addr] {
				visit(n)
			}
		}
	}
	for _, addr := range starts {
		visit(addr)
	}
	return ok
}

// blocks are those of the stack and of the ledger.
func (p *planning) blocks() map[spec.Addr]bool {
	blocks := map[spec.Addr]bool{}
	for _, b := range p.in.Stack.Blocks() {
		blocks[b.Addr] = true
	}
	for addr := range p.in.Ledger.Entries {
		blocks[addr.Block()] = true
	}
	return blocks
}

// about returns those of the blocks that an address given by a person is about.
func (p *planning) about(blocks map[spec.Addr]bool, t spec.Addr) (about []spec.Addr) {
	if p.in.Stack.Block(t) != nil || p.owns(t) {
		return []spec.Addr{t.Block()}
	}
	for addr := range blocks {
		if t.Module != "" && t.Block().Covers(addr) {
			about = append(about, addr)
		}
	}
	return about
}

func notFound(summary string, t spec.Addr, blocks map[spec.Addr]bool) *hcl.Diagnostic {
	var known []string
	for addr := range blocks {
		known = append(known, addr.String())
	}
	return failure(summary, "There is no %s in the stack or in the ledger.%s", t, spec.DidYouMean(t.Block().String(), known))
}

func (p *planning) owns(t spec.Addr) bool {
	for addr := range p.in.Ledger.Entries {
		if addr == t || addr.Block() == t {
			return true
		}
	}
	return false
}

// selects reports whether the plan is about a block.
func (p *planning) selects(block spec.Addr) bool { return p.chosen == nil || p.chosen[block] }

// selectsInstance reports whether the plan is about an instance of a selected block: unless the targets name other
// instances of that block only.
func (p *planning) selectsInstance(addr spec.Addr) bool {
	if len(p.in.Targets) == 0 || p.targets.cover(addr) {
		return true
	}
	for _, t := range p.in.Targets {
		if t.Keyed && t.Block().Covers(addr) {
			return false
		}
	}
	return true
}

// assemble orders the changes: what is kept or made after what it depends on, then deletes before what they depend on.
func (p *planning) assemble() {
	if !p.in.Destroy {
		byBlock := map[spec.Addr][]*Change{}
		for addr, c := range p.byAddr {
			if p.wanted[addr] != nil {
				byBlock[addr.Block()] = append(byBlock[addr.Block()], c)
			}
		}
		for _, b := range p.in.Stack.Order() {
			list := byBlock[b.Addr]
			slices.SortFunc(list, changeOrder)
			for _, c := range list {
				if p.selectsInstance(c.Addr) {
					p.plan.Changes = append(p.plan.Changes, c)
				}
			}
		}
	}
	var rest []*Change
	for addr, c := range p.byAddr {
		if p.in.Destroy || p.wanted[addr] == nil {
			rest = append(rest, c)
		}
	}
	p.plan.Changes = append(p.plan.Changes, deleteOrder(rest)...)
}

// deleteOrder puts each change before those that it depends on, otherwise by address.
func deleteOrder(changes []*Change) []*Change {
	slices.SortFunc(changes, changeOrder)
	byBlock := map[spec.Addr][]*Change{}
	for _, c := range changes {
		byBlock[c.Addr.Block()] = append(byBlock[c.Addr.Block()], c)
	}
	var out []*Change
	seen := map[spec.Addr]bool{}
	var visit func(block spec.Addr)
	visit = func(block spec.Addr) {
		if seen[block] {
			return
		}
		seen[block] = true
		for _, c := range byBlock[block] {
			for _, dep := range c.Deps {
				visit(dep.Block())
			}
		}
		out = append(out, byBlock[block]...)
	}
	for _, c := range changes {
		visit(c.Addr.Block())
	}
	slices.Reverse(out)
	return out
}

func changeOrder(a, b *Change) int { return a.Addr.Compare(b.Addr) }

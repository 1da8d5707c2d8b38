package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// comparing is a change of an object that exists, on its way to an action.
type comparing struct {
	change *Change
	wanted *wanted
	cmp    comparison
	diff   difference
}

func (p *planning) compare(c *Change, w *wanted) *comparing {
	b := w.inst.Block
	l := p.in.Ledger
	entry := c.live.entry
	if c.live.foreign {
		entry = nil // its digests are those of another object
	}
	cmp := &comparing{change: c, wanted: w, cmp: comparison{
		kind: c.Kind, before: c.Before, desired: w.value, hidden: w.inst.Sensitive,
		ignores: b.Lifecycle.Ignores,
		outside: outsideOf(l, entry),
		digest:  func(v cty.Value) string { return digest(l, v) },
		applied: func(name string) string {
			if entry == nil {
				return ""
			}
			return entry.Digests[name]
		},
	}}
	cmp.diff = cmp.cmp.diff()
	return cmp
}

// refine lets the resources that can tell more look at what was planned so far, one call per kind.
func (p *planning) refine(ctx context.Context, all []*comparing) {
	byKind := map[string][]*comparing{}
	for _, c := range all {
		if _, ok := c.wanted.resource.(providers.Refiner); ok {
			byKind[c.change.Kind.Name] = append(byKind[c.change.Kind.Name], c)
		}
	}
	kinds := slices.Sorted(maps.Keys(byKind))
	answers := providers.Each(ctx, p.in.Parallelism, kinds, func(ctx context.Context, kind string) []providers.Result {
		group := byKind[kind]
		changes := make([]providers.Change, len(group))
		for i, c := range group {
			changes[i] = c.change.contract(c.diff.after)
		}
		return group[0].wanted.resource.(providers.Refiner).Refine(ctx, changes)
	})
	for n, kind := range kinds {
		results := answers[n]
		for i, c := range byKind[kind] {
			switch {
			case i >= len(results):
				p.unreadable(c.change.Addr, c.wanted, errShort)
			case results[i].Err != nil:
				p.unreadable(c.change.Addr, c.wanted, results[i].Err)
			default:
				c.refined(results[i].State)
			}
		}
	}
}

// refined compares again with what a Refiner made of the planned value. Computed attributes that it made unknown are announced updates.
func (c *comparing) refined(after cty.Value) {
	after = completeState(c.cmp.kind, after, c.diff.after)
	if after.RawEquals(c.diff.after) {
		return
	}
	c.cmp.announced = map[string]bool{}
	for i := range c.cmp.kind.Attrs {
		a := &c.cmp.kind.Attrs[i]
		if a.Computed && !after.GetAttr(a.Name).IsKnown() && c.diff.after.GetAttr(a.Name).IsKnown() {
			c.cmp.announced[a.Name] = true
		}
	}
	// What the server computes stays as the stack has it (mostly unknown): the diff decides about it anew.
	parts, desired := after.AsValueMap(), c.cmp.desired.AsValueMap()
	for i := range c.cmp.kind.Attrs {
		a := &c.cmp.kind.Attrs[i]
		if a.Computed && unset(desired[a.Name]) {
			parts[a.Name] = desired[a.Name]
		}
	}
	c.cmp.desired = cty.ObjectVal(parts)
	c.diff = c.cmp.diff()
}

// conclude turns a difference into an action.
func (p *planning) conclude(cmp *comparing) {
	c, w, d := cmp.change, cmp.wanted, cmp.diff
	b := w.inst.Block
	c.Attrs, c.After = d.attrs, d.after
	switch d.act {
	case spec.Same:
		c.Action = NoOp
	case spec.InPlace:
		c.Action = Update
	case spec.Replace:
		c.Action = Replace
	case spec.Refuse:
		p.refuse(cmp)
		c.Action = Update
	}
	if d.act != spec.Refuse {
		if c.live.id != "" && c.ID != "" && c.live.id != c.ID && c.Action != Replace {
			c.Action = Replace
			c.Why = fmt.Sprintf("it becomes another object: %s instead of %s", c.ID, c.live.id)
		}
		if p.replace.cover(c.Addr) && c.Action != Replace {
			c.Action = Replace
			c.Why = "as asked for with -replace"
		}
		if why := p.suffers(w); why != "" && c.Action != Replace {
			c.Action = Replace
			c.Why = why
		}
		if by := p.triggeredBy(b); by != "" && c.Action != Replace {
			c.Action = Replace
			c.Why = "replace_triggered_by: " + by + " changes"
		}
	}
	if c.live.lost && (c.Action == Replace || !d.unseen(c.Kind, c.Before)) {
		p.differsFromLost(w, c)
		return
	}
	if c.live.foreign && c.Action != Replace {
		p.diags = append(p.diags, warningAt(b.Range, "Replaced by someone else",
			"%s: the %s %q is not the object that mkt made; somebody deleted it and created another one of that name. Applying this plan takes the new one over.",
			c.Addr, c.Kind.Name, c.live.id))
	}
	if c.Action != Replace {
		c.Loss = strings.Join(d.loses, ", ")
		if c.Action == NoOp && c.Record && c.Why == "" && c.Moved.Kind == "" {
			c.Why = recorded(c, b.Lifecycle.PreventDestroy)
		}
		return
	}
	c.After = cmp.cmp.recreated()
	switch {
	case c.live.foreign:
		p.diags = append(p.diags, failureAt(b.Range, "Replaced by someone else",
			"%s would have to be replaced, but the %s %q is not the object that mkt made. mkt never deletes what somebody else made: delete it yourself, or change the block back.",
			c.Addr, c.Kind.Name, c.live.id))
	case c.live.entry != nil && c.live.entry.Protected && !b.Lifecycle.PreventDestroy:
		p.diags = append(p.diags, failureAt(b.Range, "Protected from destruction",
			"%s was applied with prevent_destroy, which holds until an apply has lifted it, but this plan would replace it%s. Undo that change, apply without prevent_destroy first, and then change it.", c.Addr, because(c)))
	case b.Lifecycle.PreventDestroy:
		p.diags = append(p.diags, failureAt(b.Lifecycle.PreventRange, "Protected from destruction",
			"%s has prevent_destroy, but this plan would replace it%s. Undo the change, or take prevent_destroy out and apply first.", c.Addr, because(c)))
	}
}

// recorded says what the ledger takes note of where the object stays as it is.
func recorded(c *Change, protected bool) string {
	e := c.live.entry
	switch {
	case c.live.foreign:
		return "somebody made it anew, and it is taken over"
	case e.Protected != protected && protected:
		return "protected from now on"
	case e.Protected != protected:
		return "protected no more"
	case !slices.Equal(e.Deps, depTexts(c.Deps)):
		return "it depends on other blocks than before"
	case c.live.announced:
		return "the ledger takes note of an apply that was interrupted"
	}
	return "the ledger takes note of which object it is"
}

// because names what a replacement follows from.
func because(c *Change) string {
	for _, a := range c.Attrs {
		if a.Act == spec.Replace {
			return " because of " + PathText(a.Path) + ": " + a.Why
		}
	}
	if c.Why != "" {
		return ": " + c.Why
	}
	return ""
}

// refuse reports each change that is not possible, at the place where it is asked for.
func (p *planning) refuse(cmp *comparing) {
	for _, a := range cmp.diff.attrs {
		if a.Act != spec.Refuse {
			continue
		}
		how := "like that"
		if !a.Sensitive && a.Before != cty.NilVal && a.After != cty.NilVal {
			how = "from " + short(a.Before) + " to " + short(a.After)
		}
		detail := fmt.Sprintf("%s: %s cannot be changed %s. %s", cmp.change.Addr, PathText(a.Path), how, capital(a.Why))
		if a.Outside {
			detail += " It was changed outside of mkt: to keep it as it is, write that into the stack."
		}
		p.diags = append(p.diags, failureAt(cmp.change.RangeOf(a.Path), "Change not possible", "%s", detail))
	}
}

// suffers returns why the changes of what an instance refers to need a new object, "" if they do not.
func (p *planning) suffers(w *wanted) string {
	dependent, ok := w.resource.(providers.Dependent)
	if !ok {
		return ""
	}
	changes := p.refChanges(w, nil, map[spec.Addr]bool{})
	if len(changes) == 0 {
		return ""
	}
	slices.SortFunc(changes, func(a, b providers.RefChange) int { return strings.Compare(PathText(a.Path), PathText(b.Path)) })
	if v := dependent.Suffers(w.value, changes); v.Act == spec.Replace {
		return v.Why
	}
	return ""
}

// refChanges are the changes of what an instance refers to, directly or through objects that are not replaced. Path is that of the
// instance's own attribute; nil stands for that of each reference.
func (p *planning) refChanges(w *wanted, path cty.Path, seen map[spec.Addr]bool) (changes []providers.RefChange) {
	for _, ref := range w.inst.Objects {
		c := p.byAddr[ref.Addr]
		if c == nil || seen[ref.Addr] {
			continue
		}
		seen[ref.Addr] = true
		at := path
		if at == nil {
			at = ref.Path
		}
		if c.Action == Update || c.Action == Replace {
			changes = append(changes, providers.RefChange{Path: at, Kind: c.Kind.Name, Replaced: c.Action == Replace, Before: c.Before, After: c.After})
		}
		if next := p.wanted[ref.Addr]; next != nil && c.Action != Replace {
			changes = append(changes, p.refChanges(next, at, seen)...)
		}
	}
	return changes
}

// triggeredBy returns the first replace_triggered_by that fires, "" if none does.
func (p *planning) triggeredBy(b *spec.Block) string {
	for _, t := range b.Lifecycle.ReplaceTriggeredBy {
		changes := p.byAddr
		if b := p.in.Stack.Block(t.Addr); t.Addr.Keyed || b != nil && !b.ForEach {
			changes = map[spec.Addr]*Change{t.Addr: p.byAddr[t.Addr]}
		}
		for addr, c := range changes {
			if c == nil || addr != t.Addr && addr.Block() != t.Addr {
				continue
			}
			if c.Action == Create || c.Action == Replace || c.Action == Update && (t.Attr == "" || c.touches(t.Attr)) {
				return triggerText(t)
			}
		}
	}
	return ""
}

func triggerText(t spec.Trigger) string {
	if t.Attr == "" {
		return t.Addr.String()
	}
	return t.Addr.String() + "." + t.Attr
}

func (c *Change) touches(attr string) bool {
	return slices.ContainsFunc(c.Attrs, func(a AttrChange) bool {
		step, ok := a.Path[0].(cty.GetAttrStep)
		return ok && step.Name == attr
	})
}

// RangeOf returns where in the stack the value at a path of the change was written; the block's header where it was
// not, and a zero range for what left the stack. A path may name a nested block by its label, as AttrChange's do.
func (c *Change) RangeOf(path cty.Path) hcl.Range {
	if c.inst == nil {
		return c.Range
	}
	if len(path) < 2 {
		return c.inst.Range(path)
	}
	name, ok1 := path[0].(cty.GetAttrStep)
	index, ok2 := path[1].(cty.IndexStep)
	if !ok1 || !ok2 || index.Key.Type() != cty.String {
		return c.inst.Range(path)
	}
	n := c.Kind.Block(name.Name)
	if n == nil {
		return c.inst.Range(path)
	}
	_, order, _ := byLabel(n, c.inst.Value.GetAttr(n.Name))
	i := slices.Index(order, index.Key.AsString())
	if i < 0 {
		return c.Range
	}
	at := path.Copy()
	at[1] = cty.IndexStep{Key: cty.NumberIntVal(int64(i))}
	return c.inst.Range(at)
}

// contract is the change as the provider gets it.
func (c *Change) contract(after cty.Value) providers.Change {
	id := c.ID
	if c.live.id != "" {
		id = c.live.id
	}
	return providers.Change{Address: c.Addr.String(), ID: id, Before: c.Before, After: after, Private: c.live.private}
}

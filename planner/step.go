package planner

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// tasks turns a ready node into remote operations. What needs none is finished on the spot.
func (a *applying) tasks(n *node) []*task {
	if n.blocked != "" {
		for _, c := range n.changes {
			a.skip(n, c, n.blocked)
			if n.waits && a.results[c].Status == NotStarted {
				a.results[c].Status = Waiting
			}
		}
		return nil
	}
	if n.phase != putting {
		var list []*task
		for _, c := range n.changes {
			t := &task{node: n, change: c, request: c.contract(cty.NilVal)}
			t.request.Replaced = n.phase == removing
			list = append(list, t)
		}
		return list
	}
	if n.block == nil || a.plan.chosen != nil && !a.plan.chosen[n.addr] {
		return nil
	}
	found := a.evaluate(n)
	var list []*task
	for _, c := range n.changes {
		r, w := a.results[c], found[c.Addr]
		switch {
		case r.Status == Failed || r.Status == Waiting: // its first half, or its evaluation
			n.left--
		case r.Reason != "":
			n.left--
			if n.blocked == "" {
				n.blocked = c.Addr.String() + " was not started"
			}
		case w == nil:
			a.fail(n, c, failureAt(c.Range, "Instance gone", "%s is not in the stack any more, now that more values are known. Plan again.", c.Addr))
		default:
			if t := a.put(n, c, w); t != nil {
				list = append(list, t)
			}
		}
	}
	return list
}

// evaluate evaluates a block with what is true by now. The objects that stay as they are become visible to others.
func (a *applying) evaluate(n *node) map[spec.Addr]*wanted {
	insts, diags := a.scope.Instances(n.block)
	a.diags = append(a.diags, onlyErrors(diags)...)
	var resource providers.Resource
	if !n.block.App() && len(n.changes) > 0 {
		if resource = a.systems.resource(n.block.Kind); resource == nil {
			return nil
		}
	}
	mine := make(map[spec.Addr]bool, len(n.changes))
	for _, c := range n.changes {
		mine[c.Addr] = true
	}
	found := make(map[spec.Addr]*wanted, len(insts))
	for _, inst := range insts {
		if !mine[inst.Addr] {
			v := inst.Value
			if kept := a.plan.index[inst.Addr]; kept != nil && kept.After != cty.NilVal {
				v = kept.After
			} else if read, ok := a.plan.data(inst.Addr); ok {
				v = read
			}
			a.scope.Set(inst.Addr, v)
			continue
		}
		w, d := complete(inst, resource)
		if d != nil {
			a.diags = append(a.diags, d)
			continue
		}
		found[inst.Addr] = w
	}
	return found
}

// put makes the operation of one create or update.
func (a *applying) put(n *node, c *Change, w *wanted) *task {
	final := settle(c.Kind, c.After, w.value)
	t := &task{node: n, change: c, announced: c.live.announced, request: providers.Change{Address: c.Addr.String(), ID: w.id, After: final}}
	if t.request.ID == "" {
		t.request.ID = c.ID
	}
	if path := undecided(c.Kind, final); path != nil {
		a.fail(n, c, failureAt(w.inst.Range(path), "Value still unknown", "%s: %s is not known although everything it depends on is there. This is a bug of mkt: please report it.", c.Addr, PathText(path)))
		return nil
	}
	if c.Action != Update {
		return t
	}
	t.request.Before, t.request.Private = c.Before, c.live.private
	if t.request.ID == "" || c.live.id != "" {
		t.request.ID = c.live.id
	}
	cmp := comparison{
		kind: c.Kind, before: c.Before, desired: final, outside: func(string, cty.Value) bool { return false },
		digest:  func(v cty.Value) string { return digest(a.ledger, v) },
		applied: func(string) string { return "" },
	}
	if d := cmp.diff(); d.act > spec.InPlace {
		a.fail(n, c, failureAt(c.Range, "Not what was planned",
			"%s was planned as a change in place, but with the values that are known now it is not. Nothing was done to it: plan again.", c.Addr))
		return nil
	}
	return t
}

// settle fills in what the plan did not know with what is known now. What the server computes stays unknown.
func settle(k *spec.Kind, planned, now cty.Value) cty.Value {
	if planned.IsWhollyKnown() {
		return planned
	}
	parts, known := planned.AsValueMap(), now.AsValueMap()
	for i := range k.Attrs {
		a := &k.Attrs[i]
		if !parts[a.Name].IsWhollyKnown() && !known[a.Name].IsNull() {
			parts[a.Name] = known[a.Name]
		}
	}
	for i := range k.Blocks {
		if name := k.Blocks[i].Name; !parts[name].IsWhollyKnown() {
			parts[name] = fillNested(&k.Blocks[i], known[name], parts[name], fillComputed)
		}
	}
	return cty.ObjectVal(parts)
}

// undecided returns a path to something unknown that the server does not compute, or nil.
func undecided(k *spec.Kind, v cty.Value) cty.Path {
	if v.IsWhollyKnown() {
		return nil
	}
	for i := range k.Attrs {
		if a := &k.Attrs[i]; !a.Computed && !v.GetAttr(a.Name).IsWhollyKnown() {
			return cty.GetAttrPath(a.Name)
		}
	}
	for i := range k.Blocks {
		if n := &k.Blocks[i]; !needsFill(n) && !v.GetAttr(n.Name).IsWhollyKnown() {
			return cty.GetAttrPath(n.Name)
		}
	}
	return nil
}

func onlyErrors(diags hcl.Diagnostics) (errs hcl.Diagnostics) {
	for _, d := range diags {
		if d.Severity == hcl.DiagError { // the warnings were the plan's
			errs = append(errs, d)
		}
	}
	return errs
}

// fail ends a change with a diagnostic.
func (a *applying) fail(n *node, c *Change, d *hcl.Diagnostic) {
	a.diags = append(a.diags, d)
	r := a.results[c]
	r.Status, r.Err = Failed, d
	n.left--
}

// skip leaves a change for the next apply.
func (a *applying) skip(n *node, c *Change, why string) {
	if r := a.results[c]; r.Status != Failed {
		r.Status, r.Reason = NotStarted, why
	}
	n.left--
}

package planner

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/providers"
	"mkt/spec"
)

// planning is one run of New.
type planning struct {
	in      Input
	plan    *Plan
	systems *systems
	reader  *reader
	diags   hcl.Diagnostics
	failed  grouped // failures per object, joined where they are the same

	chosen  map[spec.Addr]bool // blocks that the targets select; nil: all
	targets named
	replace named
	adopt   map[spec.Addr]bool
	imports map[spec.Addr]spec.Import
	moved   map[spec.Addr]spec.Addr // by moved blocks: from the address in the stack to the one in the ledger
	owners  map[objectKey]spec.Addr // of the ledger's objects
	wanted  map[spec.Addr]*wanted   // the stack's instances
	byAddr  map[spec.Addr]*Change
	first   map[*spec.Block][]*wanted // of the first evaluation
	lookups []*lookup                 // of the first evaluation
}

// objectKey identifies an object across addresses.
type objectKey struct{ kind, id string }

// wanted is an instance as the stack describes it.
type wanted struct {
	inst     *spec.Instance
	value    cty.Value // completed, in normal form
	id       string
	resource providers.Resource
}

// live is the actual side of a change.
type live struct {
	entry       *ledger.Entry // of the ledger, nil when not owned until now
	id          string        // of the object that is there, "" if none is
	incarnation string
	foreign     bool // somebody else's object of the same name
	announced   bool // by an apply that was interrupted, a late request of which may still arrive
	lost        bool // it is not in the ledger, but may have been in the generation that is lost
	private     map[string]string
}

func newPlan(ctx context.Context, in Input) (*Plan, hcl.Diagnostics) {
	p := newPlanning(in)
	p.run(ctx)
	diags := p.diagnostics(ctx)
	p.plan.reads = p.reader.calls
	p.plan.chosen = p.chosen
	p.plan.index = p.byAddr
	p.plan.failed = diags.HasErrors()
	return p.plan, diags
}

func newPlanning(in Input) *planning {
	if in.Now == nil {
		in.Now = time.Now
	}
	if in.Parallelism <= 0 {
		in.Parallelism = DefaultParallelism
	}
	p := &planning{
		in:      in,
		plan:    &Plan{Destroy: in.Destroy, in: in},
		systems: newSystems(in.Providers),
		targets: newNamed(in.Targets),
		replace: newNamed(in.Replace),
		adopt:   addrSet(in.Adopt),
		imports: map[spec.Addr]spec.Import{},
		moved:   map[spec.Addr]spec.Addr{},
		owners:  map[objectKey]spec.Addr{},
		wanted:  map[spec.Addr]*wanted{},
		byAddr:  map[spec.Addr]*Change{},
		first:   map[*spec.Block][]*wanted{},
	}
	for _, i := range in.Stack.Imports() {
		p.imports[i.To] = i
	}
	p.follow()
	p.reader = newReader(p.systems, in.Parallelism)
	for addr, e := range in.Ledger.Entries {
		p.owners[objectKey{addr.Kind, e.ID}] = addr
	}
	return p
}

// diagnostics is all that there is to say in the end.
func (p *planning) diagnostics(ctx context.Context) hcl.Diagnostics {
	diags := append(p.diags, p.systems.diags...)
	diags = unique(append(diags, p.failed.diagnostics()...))
	if ctx.Err() != nil {
		diags = hcl.Diagnostics{failure("Interrupted", "The plan was not finished: %s. Nothing was changed.", ctx.Err())}
	}
	return diags
}

func addrSet(addrs []spec.Addr) map[spec.Addr]bool {
	set := make(map[spec.Addr]bool, len(addrs))
	for _, a := range addrs {
		set[a] = true
	}
	return set
}

func (p *planning) run(ctx context.Context) {
	if !p.choose() {
		return
	}
	if !p.in.Destroy && !p.evaluateFirst() {
		return
	}
	for _, w := range p.wanted {
		p.ask(w)
	}
	p.look(p.lookups)
	leaving := p.leaving()
	if !p.checkReplace(leaving) {
		return
	}
	for _, l := range leaving {
		if l.removed != nil && !l.removed.Destroy {
			continue // it is forgotten, whatever it is like
		}
		p.reader.add(l.kind, providers.Ref{ID: l.id, Private: l.private})
	}
	p.reader.read(ctx)
	if !p.in.Destroy {
		p.plan.Scope = p.in.Stack.NewScope()
		for _, level := range p.levels() {
			p.planLevel(ctx, level)
		}
		p.planOutputs()
	}
	for _, l := range leaving {
		p.planLeaving(l)
	}
	p.assemble()
	for _, c := range p.plan.Changes {
		if w, ok := p.in.Ledger.Waits[c.Addr]; ok && c.Action != NoOp {
			c.Wait = &w
		}
	}
	p.askLoss(ctx)
	p.dryRun(ctx)
	p.checkNamed()
}

// evaluateFirst evaluates everything with what the server computes unknown. It reports whether the stack is sound; nothing remote has been called when it is not.
func (p *planning) evaluateFirst() bool {
	scope := p.in.Stack.NewScope()
	byID := map[objectKey]*wanted{}
	for _, b := range p.in.Stack.Order() {
		if !p.selects(b.Addr) {
			continue
		}
		if b.Kind.Data != nil {
			lookups, diags := p.evaluateData(scope, b)
			p.lookups = append(p.lookups, lookups...)
			p.diags = append(p.diags, diags...)
			continue
		}
		list, diags := p.evaluate(scope, b)
		p.diags = append(p.diags, diags...)
		p.first[b] = list
		for _, w := range list {
			scope.Set(w.inst.Addr, w.value)
			if b.App() {
				continue
			}
			p.wanted[w.inst.Addr] = w
			name := objectKey{cmp.Or(b.Kind.Namespace, b.Kind.Name), w.id}
			switch other := byID[name]; {
			case other == nil || w.id == "":
			case other.inst.Addr.Kind != w.inst.Addr.Kind:
				p.diags = append(p.diags, failureAt(b.Range, "Two objects of one name",
					"%s and %s both have the name %q, which the system gives to one object of either kind. Rename one of the two.",
					other.inst.Addr, w.inst.Addr, w.id))
			default:
				p.diags = append(p.diags, failureAt(b.Range, "Two blocks for one object",
					"%s and %s both describe the %s %q. An object has one block: remove or rename one of the two.",
					other.inst.Addr, w.inst.Addr, b.Kind.Name, w.id))
			}
			byID[name] = w
		}
	}
	p.checkMoves()
	if !p.diags.HasErrors() {
		p.checkFound()
	}
	if p.diags.HasErrors() || len(p.systems.diags) > 0 {
		return false
	}
	return true
}

// ask requests the readings that a decision about an instance needs: its object, and the one it owned so far.
func (p *planning) ask(w *wanted) {
	ref := providers.Ref{ID: w.id}
	if e, _ := p.entry(w.inst.Addr); e != nil {
		if e.ID == w.id {
			ref.Private = e.Private
		} else {
			p.reader.add(w.inst.Block.Kind, providers.Ref{ID: e.ID, Private: e.Private})
		}
	} else if from, owned := p.owners[objectKey{w.inst.Addr.Kind, w.id}]; owned {
		ref.Private = p.in.Ledger.Entries[from].Private
	}
	p.reader.add(w.inst.Block.Kind, ref)
}

// evaluate returns the instances of a block, completed by their provider.
func (p *planning) evaluate(scope *spec.Scope, b *spec.Block) ([]*wanted, hcl.Diagnostics) {
	insts, diags := scope.Instances(b)
	var resource providers.Resource
	if !b.App() {
		if resource = p.systems.resource(b.Kind); resource == nil {
			return nil, diags
		}
	}
	list := make([]*wanted, 0, len(insts))
	for _, inst := range insts {
		w, d := complete(inst, resource)
		if d != nil {
			diags = append(diags, d)
		}
		list = append(list, w)
	}
	return list, diags
}

// complete lets the provider fill in what follows from an instance's value. Resource is nil for the app.
func complete(inst *spec.Instance, resource providers.Resource) (*wanted, *hcl.Diagnostic) {
	w := &wanted{inst: inst, value: inst.Value, resource: resource}
	if resource == nil {
		return w, nil
	}
	v, err := resource.Complete(w.value)
	if err != nil {
		return w, failureAt(blame(inst, inst.Block.Range, err), "Value not usable", "%s: %s", inst.Addr, sentence(err))
	}
	w.value = Normalize(inst.Block.Kind, v)
	w.id = inst.Block.Kind.ID(w.value)
	return w, nil
}

// levels groups the selected blocks so that each comes in a later level than the blocks it depends on.
func (p *planning) levels() [][]*spec.Block {
	depth := map[spec.Addr]int{}
	var levels [][]*spec.Block
	for _, b := range p.in.Stack.Order() {
		if !p.selects(b.Addr) {
			continue
		}
		n := 0
		for _, dep := range b.Deps {
			n = max(n, depth[dep]+1)
		}
		depth[b.Addr] = n
		for len(levels) <= n {
			levels = append(levels, nil)
		}
		levels[n] = append(levels[n], b)
	}
	return levels
}

// planLevel decides about blocks that do not depend on each other.
func (p *planning) planLevel(ctx context.Context, blocks []*spec.Block) {
	p.planData(ctx, blocks)
	var all []*wanted
	for _, b := range blocks {
		if b.Kind.Data != nil {
			continue
		}
		list := p.first[b]
		if !holds(b, list) {
			var diags hcl.Diagnostics
			list, diags = p.evaluate(p.plan.Scope, b)
			p.diags = append(p.diags, diags...)
		}
		if b.App() {
			for _, w := range list {
				p.plan.Scope.Set(w.inst.Addr, w.value)
			}
			continue
		}
		for _, w := range list {
			p.wanted[w.inst.Addr] = w
			p.ask(w)
		}
		all = append(all, list...)
	}
	p.reader.read(ctx) // the names that became known just now
	var comparing []*comparing
	for _, w := range all {
		if !p.selectsInstance(w.inst.Addr) {
			p.keep(w)
			continue
		}
		c, ok := p.own(w)
		if !ok {
			p.plan.Scope.Set(w.inst.Addr, w.value)
			continue
		}
		p.byAddr[c.Addr] = c
		if c.Before == cty.NilVal {
			c.Action, c.After = Create, w.value
			continue
		}
		comparing = append(comparing, p.compare(c, w))
	}
	p.refine(ctx, comparing)
	for _, cmp := range comparing {
		p.conclude(cmp)
	}
	for _, w := range all {
		if c := p.byAddr[w.inst.Addr]; c != nil {
			p.plan.Scope.Set(c.Addr, c.After)
		}
	}
}

// keep makes the object of an instance that no target selects visible to others, as it is.
func (p *planning) keep(w *wanted) {
	v := w.value
	if e, _ := p.entry(w.inst.Addr); e != nil {
		if r := p.reader.of(w.inst.Block.Kind, e.ID); r.Err == nil && r.State != cty.NilVal {
			v = completeState(w.inst.Block.Kind, r.State, w.value)
		}
	}
	p.byAddr[w.inst.Addr] = &Change{Addr: w.inst.Addr, Kind: w.inst.Block.Kind, Action: NoOp, After: v, inst: w.inst, live: &live{}}
}

// holds reports whether the first evaluation is good for the second: the block depends on no other, and has nothing
// that the scope must have seen (what is sensitive, and that there are no instances).
func holds(b *spec.Block, list []*wanted) bool {
	return len(b.Deps) == 0 && len(list) > 0 && !slices.ContainsFunc(list, func(w *wanted) bool { return len(w.inst.Sensitive) > 0 })
}

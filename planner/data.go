package planner

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Data is an object that a data block has read. It is nothing that mkt owns: it is in no ledger and never changed.
type Data struct {
	Addr      spec.Addr
	Kind      *spec.Kind // of the object
	ID        string
	Value     cty.Value  // unmarked
	Sensitive []cty.Path // of parts of Value that must not be shown
}

// lookup is what one data block asks for.
type lookup struct {
	inst *spec.Instance
	id   string // "" while a part of the name is unknown
}

// evaluateData finds the names of what a data block reads.
func (p *planning) evaluateData(scope *spec.Scope, b *spec.Block) ([]*lookup, hcl.Diagnostics) {
	kind := b.Kind.Data
	insts, diags := scope.Instances(b)
	resource := p.systems.resource(kind)
	if resource == nil {
		return nil, diags
	}
	list := make([]*lookup, 0, len(insts))
	for _, inst := range insts {
		v, err := resource.Complete(inst.Lookup)
		if err != nil {
			diags = append(diags, failureAt(blame(inst, b.Range, err), "Value not usable", "%s: %s", inst.Addr, sentence(err)))
			continue
		}
		list = append(list, &lookup{inst: inst, id: kind.ID(Normalize(kind, v))})
		scope.Set(inst.Addr, inst.Value)
	}
	return list, diags
}

// look asks for the objects whose names are known.
func (p *planning) look(list []*lookup) {
	for _, l := range list {
		p.reader.add(l.inst.Block.Kind.Data, providers.Ref{ID: l.id})
	}
}

// concludeData makes what was read visible to others, or says why there is nothing.
func (p *planning) concludeData(l *lookup) {
	b, kind := l.inst.Block, l.inst.Block.Kind.Data
	if l.id == "" {
		p.diags = append(p.diags, p.nameless(l))
		return
	}
	for addr, w := range p.wanted {
		if addr.Kind == kind.Name && w.id == l.id {
			p.diags = append(p.diags, failureAt(b.Range, "Object of the stack itself",
				"%s reads the %s %q, which is %s of this stack. Refer to that block; data blocks are for what is made elsewhere.", l.inst.Addr, kind.Name, l.id, addr))
			return
		}
	}
	reading := p.reader.of(kind, l.id)
	switch {
	case reading.Err == errNoProvider: //nolint:errorlint // a mark of this package, never wrapped
		return
	case reading.Err != nil:
		p.failed.add(l.inst.Addr, blame(l.inst, b.Range, reading.Err), readSummary(reading.Err), "it could not be read: "+sentence(reading.Err))
		return
	case reading.State == cty.NilVal:
		p.diags = append(p.diags, failureAt(b.Range, "Object not found",
			"%s: there is no %s %q. A data block reads what exists: correct the name, or make the object where it belongs first.", l.inst.Addr, kind.Name, l.id))
		return
	}
	for i := range kind.Attrs {
		a, path := &kind.Attrs[i], cty.GetAttrPath(kind.Attrs[i].Name)
		want, is := l.inst.Lookup.GetAttr(a.Name), reading.State.GetAttr(a.Name)
		if !l.inst.Given(a.Name) || !want.IsWhollyKnown() || want.RawEquals(is) || a.Change != nil && a.Change(is, want).Act == spec.Same {
			continue
		}
		how := "what the block says"
		if !hides(l.inst.Sensitive, path) {
			how = short(want) + " but " + short(is)
		}
		p.diags = append(p.diags, failureAt(l.inst.Range(path), "Not the object that is meant",
			"%s: %s of the %s %q is not %s. Correct the block, or leave %s out: what is not a part of the name is read.", l.inst.Addr, a.Name, kind.Name, l.id, how, a.Name))
		return
	}
	p.plan.Data = append(p.plan.Data, Data{Addr: l.inst.Addr, Kind: kind, ID: l.id, Value: reading.State, Sensitive: l.inst.Sensitive})
	p.plan.Scope.Set(l.inst.Addr, reading.State)
}

// nameless says why it cannot be told which object a data block reads.
func (p *planning) nameless(l *lookup) *hcl.Diagnostic {
	b := l.inst.Block
	var lacking []string
	for i := range b.Kind.Attrs {
		a := &b.Kind.Attrs[i]
		switch {
		case l.inst.Given(a.Name) && !l.inst.Lookup.GetAttr(a.Name).IsWhollyKnown():
			return failureAt(l.inst.Range(cty.GetAttrPath(a.Name)), "Name not known yet",
				"%s: %s is known only after apply, and data blocks are read at plan. Refer to what exists already, or to the block that makes the object.", l.inst.Addr, a.Name)
		case !l.inst.Given(a.Name) && (!a.Computed || a.Optional):
			lacking = append(lacking, a.Name)
		}
	}
	return failureAt(b.Range, "Name not complete", "%s: the block does not tell which %s is meant. It can be given %s.", l.inst.Addr, b.Kind.Data.Name, strings.Join(lacking, ", "))
}

// planData reads the data blocks among blocks that do not depend on each other.
func (p *planning) planData(ctx context.Context, blocks []*spec.Block) {
	var all []*lookup
	for _, b := range blocks {
		if b.Kind.Data == nil {
			continue
		}
		lookups, diags := p.evaluateData(p.plan.Scope, b)
		p.diags = append(p.diags, diags...)
		all = append(all, lookups...)
	}
	p.look(all)
	p.reader.read(ctx)
	for _, l := range all {
		p.concludeData(l)
	}
}

// data returns what a data block read.
func (p *Plan) data(addr spec.Addr) (cty.Value, bool) {
	i := slices.IndexFunc(p.Data, func(d Data) bool { return d.Addr == addr })
	if i < 0 {
		return cty.NilVal, false
	}
	return p.Data[i].Value, true
}

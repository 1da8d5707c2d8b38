package planner

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/spec"
)

// planOutputs compares the outputs with the digests of the last apply. A plan with targets leaves them alone.
func (p *planning) planOutputs() {
	if len(p.in.Targets) > 0 {
		return
	}
	var diags hcl.Diagnostics
	p.plan.Outputs, diags = outputs(p.plan.Scope, p.in.Ledger)
	p.diags = append(p.diags, diags...)
	if !p.diags.HasErrors() {
		p.diags = append(p.diags, p.plan.Scope.Checks()...)
	}
}

func outputs(scope *spec.Scope, l *ledger.Ledger) ([]OutputChange, hcl.Diagnostics) {
	values, diags := scope.Outputs()
	var all []OutputChange
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		o := OutputChange{Name: name, Value: v.Value, Sensitive: v.Sensitive, Action: NoOp}
		old, known := l.Outputs[name]
		switch {
		case !known:
			o.Action = Create
		case old != l.Digest(v.Value):
			o.Action = Update
		}
		all = append(all, o)
	}
	if diags.HasErrors() {
		return all, diags
	}
	for _, name := range slices.Sorted(maps.Keys(l.Outputs)) {
		if _, kept := values[name]; !kept {
			all = append(all, OutputChange{Name: name, Value: cty.NilVal, Action: Delete})
		}
	}
	return all, diags
}

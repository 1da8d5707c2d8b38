package spec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Validate evaluates the whole stack without any system: what a server would set is unknown. It reports what Load
// cannot see without evaluating, such as a wrong type, a value that a check refuses, or a missing file.
func (s *Stack) Validate() hcl.Diagnostics { return s.validate(false) }

// validate evaluates everything; failed is true when something is known to be wrong already.
func (s *Stack) validate(failed bool) hcl.Diagnostics {
	var diags hcl.Diagnostics
	sc := s.NewScope()
	sc.failed = failed
	for _, name := range sortedKeys(s.providers) {
		if s.providers[name].body != nil {
			_, more := s.ProviderConfig(name)
			diags = append(diags, more...)
		}
	}
	for _, b := range s.order {
		instances, more := sc.Instances(b)
		diags = append(diags, more...)
		for _, inst := range instances {
			sc.Set(inst.Addr, inst.Value)
		}
	}
	for _, in := range s.instances {
		for _, name := range sortedKeys(in.module.locals) {
			sc.mu.Lock()
			_, more := sc.local(in, name)
			sc.mu.Unlock()
			diags = append(diags, more...)
		}
	}
	_, more := sc.Outputs()
	diags = append(diags, more...)
	if !diags.HasErrors() && !failed {
		diags = append(diags, sc.Checks()...)
	}
	return inSourceOrder(unique(diags))
}

// Outputs evaluates the stack's outputs with the objects set so far, and what modules are given and give. An output of a
// sensitive value must say so.
func (sc *Scope) Outputs() (map[string]OutputValue, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	values := map[string]OutputValue{}
	diags = append(diags, sc.interfaces()...)
	for _, o := range sc.stack.top.module.outputs {
		if o.expr == nil {
			continue
		}
		v, more := sc.eval(sc.stack.top, o.expr, o.refs)
		diags = append(diags, more...)
		if more.HasErrors() {
			continue
		}
		if v.ContainsMarked() && !o.sensitive {
			diags = append(diags, errorAt(o.expr.Range(), "Output of a sensitive value",
				"The value of output %q is sensitive. Write sensitive = true to keep it out of what is shown, or leave the secret part out.", o.name))
			continue
		}
		v, _ = v.UnmarkDeep()
		values[o.name] = OutputValue{Value: v, Sensitive: o.sensitive, Description: o.description}
	}
	return values, diags
}

// Eval evaluates an expression given as text, as a console does, with the objects set so far.
func (sc *Scope) Eval(src string) (OutputValue, hcl.Diagnostics) {
	expr, diags := hclsyntax.ParseExpression([]byte(src), "<console>", hcl.InitialPos)
	if diags.HasErrors() {
		return OutputValue{}, diags
	}
	c := &collector{module: sc.stack.top.module, within: within{blocks: true}}
	c.expr(expr, nil)
	if c.diags.HasErrors() {
		return OutputValue{}, c.diags
	}
	v, diags := sc.eval(sc.stack.top, expr, c.refs())
	if diags.HasErrors() {
		return OutputValue{}, diags
	}
	marked := v.ContainsMarked()
	v, _ = v.UnmarkDeep()
	return OutputValue{Value: v, Sensitive: marked}, diags
}

func (sc *Scope) eval(in *moduleInstance, expr hclsyntax.Expression, r refs) (cty.Value, hcl.Diagnostics) {
	ctx, diags := sc.context(in, r)
	v, more := expr.Value(ctx)
	return v, append(diags, evaluated(more)...)
}

package spec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// local is one named value; it is evaluated when somebody asks for it, once in a scope.
type local struct {
	name string
	expr hclsyntax.Expression
	rng  hcl.Range
	refs refs
}

func (m *module) addLocals(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	if len(b.Labels) > 0 {
		diags = append(diags, errorAt(b.LabelRanges[0], "Wrong number of labels", "A locals block has no labels."))
	}
	for _, inner := range b.Body.Blocks {
		diags = append(diags, errorAt(inner.TypeRange, "Unknown block", "A locals block holds attributes only: write %s = { … } with an equals sign.", inner.Type))
	}
	for _, a := range sortedAttributes(b.Body) {
		if other := m.locals[a.Name]; other != nil {
			diags = append(diags, errorAt(a.NameRange, "Duplicate local value", "The local value %q is declared already, at %s.", a.Name, place(other.rng)))
			continue
		}
		m.locals[a.Name] = &local{name: a.Name, expr: a.Expr, rng: a.SrcRange}
	}
	return diags
}

// output is one declared output.
type output struct {
	name, description string
	sensitive         bool
	expr              hclsyntax.Expression
	rng               hcl.Range
	refs              refs
}

// OutputValue is the value of an output, without marks.
type OutputValue struct {
	Value       cty.Value // may be unknown before apply
	Sensitive   bool
	Description string
}

func (m *module) addOutput(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	if len(b.Labels) != 1 || !hclsyntax.ValidIdentifier(b.Labels[0]) {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Wrong number of labels", "An output block has one label, its name: output \"topic\" { … }.")}
	}
	o := &output{name: b.Labels[0], rng: b.DefRange()}
	for _, other := range m.outputs {
		if other.name == o.name {
			return hcl.Diagnostics{errorAt(o.rng, "Duplicate output", "The output %q is declared already, at %s.", o.name, place(other.rng))}
		}
	}
	m.outputs = append(m.outputs, o)
	for _, a := range sortedAttributes(b.Body) {
		switch a.Name {
		case "value":
			o.expr = a.Expr
		case "description":
			diags = append(diags, literal(a, cty.String, func(v cty.Value) { o.description = v.AsString() })...)
		case "sensitive":
			diags = append(diags, literal(a, cty.Bool, func(v cty.Value) { o.sensitive = v.True() })...)
		default:
			diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "An output has no attribute %q.%s",
				a.Name, DidYouMean(a.Name, []string{"value", "description", "sensitive"})))
		}
	}
	for _, inner := range b.Body.Blocks {
		diags = append(diags, errorAt(inner.TypeRange, "Unknown block", "An output holds no blocks."))
	}
	if o.expr == nil {
		diags = append(diags, errorAt(o.rng, "Missing attribute", "An output needs value, the expression to show."))
	}
	return diags
}

// literal reads an attribute that must be written as a constant.
func literal(a *hclsyntax.Attribute, want cty.Type, set func(cty.Value)) hcl.Diagnostics {
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != want {
		return hcl.Diagnostics{errorAt(a.Expr.Range(), "Constant expected", "%s is written as a constant %s.", a.Name, want.FriendlyName())}
	}
	set(v)
	return nil
}

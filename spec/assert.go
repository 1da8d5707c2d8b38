package spec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// assertions is one check block: what has to be true of the stack.
type assertions struct {
	name    string
	rng     hcl.Range
	asserts []assert
}

type assert struct {
	condition, message hclsyntax.Expression
	refs               refs
}

// addCheck takes one check block.
func (m *module) addCheck(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	if len(b.Labels) != 1 || !hclsyntax.ValidIdentifier(b.Labels[0]) {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Wrong number of labels", "A check block has one label, its name: check \"retention\" { … }.")}
	}
	c := &assertions{name: b.Labels[0], rng: b.DefRange()}
	for _, other := range m.checks {
		if other.name == c.name {
			return hcl.Diagnostics{errorAt(c.rng, "Duplicate check", "The check %q is declared already, at %s.", c.name, place(other.rng))}
		}
	}
	m.checks = append(m.checks, c)
	for _, a := range sortedAttributes(b.Body) {
		diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "A check block holds assert blocks: put %s into assert { … }.", a.Name))
	}
	diags = append(diags, onlyBlocks(b, "assert")...)
	for _, inner := range b.Body.Blocks {
		if inner.Type != "assert" {
			continue
		}
		var one assert
		diags = append(diags, noLabels(inner)...)
		diags = append(diags, onlyBlocks(inner)...)
		for _, a := range sortedAttributes(inner.Body) {
			switch a.Name {
			case "condition":
				one.condition = a.Expr
			case "error_message":
				one.message = a.Expr
			default:
				diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "An assert block has no attribute %q.%s",
					a.Name, DidYouMean(a.Name, []string{"condition", "error_message"})))
			}
		}
		if one.condition == nil || one.message == nil {
			diags = append(diags, errorAt(inner.DefRange(), "Missing attribute", "An assert block needs condition and error_message."))
			continue
		}
		c.asserts = append(c.asserts, one)
	}
	if len(c.asserts) == 0 && !diags.HasErrors() {
		diags = append(diags, errorAt(c.rng, "Missing block", "A check block needs at least one assert block."))
	}
	return diags
}

// Checks evaluates the check blocks with the objects set so far. What does not hold, or cannot be evaluated, is a warning: it
// stops nothing. A condition that is not known yet says nothing.
func (sc *Scope) Checks() (diags hcl.Diagnostics) {
	for _, in := range sc.stack.instances {
		for _, c := range in.module.checks {
			for _, a := range c.asserts {
				for _, d := range in.say(sc.assert(in, c, a)) {
					w := *d
					w.Severity = hcl.DiagWarning
					diags = append(diags, &w)
				}
			}
		}
	}
	return unique(diags)
}

func (sc *Scope) assert(in *moduleInstance, c *assertions, a assert) hcl.Diagnostics {
	v, diags := sc.eval(in, a.condition, a.refs)
	if diags.HasErrors() {
		return diags
	}
	v, _ = v.UnmarkDeep()
	if !v.IsKnown() {
		return nil
	}
	ok, err := convert.Convert(v, cty.Bool)
	switch {
	case err != nil || ok.IsNull():
		return hcl.Diagnostics{errorAt(a.condition.Range(), "Invalid check", "The condition of an assert block is true or false.")}
	case ok.True():
		return nil
	}
	message, diags := sc.eval(in, a.message, a.refs)
	text, more := messageText(message, a.message.Range())
	if diags = append(diags, more...); diags.HasErrors() {
		return diags
	}
	return hcl.Diagnostics{errorAt(a.condition.Range(), "Check failed", "check.%s: %s", c.name, text)}
}

// messageText is what an error_message says of a condition that does not hold.
func messageText(message cty.Value, rng hcl.Range) (string, hcl.Diagnostics) {
	text, err := convert.Convert(message, cty.String)
	switch {
	case err != nil || text.IsNull():
		return "", hcl.Diagnostics{errorAt(rng, "Invalid message", "An error_message is a text.")}
	case !text.IsKnown():
		return "The condition does not hold; the message is known after apply.", nil
	case text.IsMarked():
		return "The condition does not hold; the message is withheld because it is sensitive.", nil
	}
	return text.AsString(), nil
}

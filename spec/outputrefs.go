package spec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// outputReference takes a reference to what a module gives: module.x.out, module.x["key"].out, or more than one output.
func (c *collector) outputReference(t hcl.Traversal, name string, rng hcl.Range) *hcl.Diagnostic {
	if !c.within.blocks {
		return errorAt(rng, "Reference not possible here",
			"%s can refer to variables and local values only: it is needed before any resource is looked at.", capital(c.within.owner))
	}
	if name == "" {
		return errorAt(rng, "Incomplete reference", "A reference to a module needs its name and an output, as in module.name.output.")
	}
	call := c.module.calls[name]
	if call == nil {
		return c.module.unknownModule(name, rng)
	}
	ref := outputRef{call: name}
	rest := t[2:]
	if len(rest) > 0 {
		switch step := rest[0].(type) {
		case hcl.TraverseIndex:
			if call.forEach == nil {
				return errorAt(step.SrcRange, "Unexpected key", "module.%s has no for_each, so it has no instances to choose from. Remove the key.", name)
			}
			if step.Key.Type() != cty.String {
				return errorAt(step.SrcRange, "Invalid key", "The instances of module.%s are named by strings, as in module.%s[\"key\"].", name, name)
			}
			ref.key, ref.keyed = step.Key.AsString(), true
			rest = rest[1:]
		case hcl.TraverseAttr:
			if call.forEach != nil {
				return errorAt(rng, "Missing key", "module.%s has for_each, so one of its instances must be chosen, as in module.%s[\"key\"].%s.", name, name, step.Name)
			}
		}
	}
	if call.module == nil { // reported
		c.noteOutput(ref)
		return nil
	}
	if len(rest) > 0 {
		if step, ok := rest[0].(hcl.TraverseAttr); ok {
			ref.name = step.Name
			if call.module.output(step.Name) == nil {
				return call.unknownOutput(step.Name, step.SrcRange)
			}
			c.noteOutput(ref)
			return nil
		}
	}
	c.noteOutput(ref)
	for _, o := range call.module.outputs {
		ref.name = o.name
		c.noteOutput(ref)
	}
	return nil
}

func (c *collector) noteOutput(ref outputRef) {
	if c.outputs == nil {
		c.outputs = map[outputRef]bool{}
	}
	c.outputs[ref] = true
}

func (m *module) output(name string) *output {
	for _, o := range m.outputs {
		if o.name == name {
			return o
		}
	}
	return nil
}

func (m *module) unknownModule(name string, rng hcl.Range) *hcl.Diagnostic {
	hint := DidYouMean(name, sortedKeys(m.calls))
	if hint == "" && len(m.calls) > 0 {
		hint = " " + m.name() + " has " + list(sortedKeys(m.calls)) + "."
	}
	return errorAt(rng, "Reference to nothing", "%s has no module %q.%s", m.name(), name, hint)
}

func (c *call) unknownOutput(name string, rng hcl.Range) *hcl.Diagnostic {
	var names []string
	for _, o := range c.module.outputs {
		names = append(names, o.name)
	}
	hint := DidYouMean(name, names)
	switch {
	case hint != "":
	case c.module.stack.kinds[name] != nil:
		hint = " What is in a module is not seen from outside: give it an output whose value is the " + name + "."
	case len(names) == 0:
		hint = " It has no outputs at all."
	default:
		hint = " It has " + list(names) + "."
	}
	return errorAt(rng, "Unknown output", "The module at %s has no output %q.%s", c.module.shown, name, hint)
}

package planner

import (
	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Normalize applies the normal forms that a kind describes, innermost first. v is an unmarked object of k.Type().
func Normalize(k *spec.Kind, v cty.Value) cty.Value { return normalizeObject(k.Attrs, k.Blocks, v) }

func normalizeObject(attrs []spec.Attr, blocks []spec.Nested, v cty.Value) cty.Value {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || !hasNorm(attrs, blocks) {
		return v
	}
	var parts map[string]cty.Value // made when something differs, which is rare
	set := func(name string, old, now cty.Value) {
		if old.RawEquals(now) {
			return
		}
		if parts == nil {
			parts = v.AsValueMap()
		}
		parts[name] = now
	}
	for i := range attrs {
		if a := &attrs[i]; a.Norm != nil {
			if part := v.GetAttr(a.Name); part.IsKnown() && !part.IsNull() {
				set(a.Name, part, a.Norm(part))
			}
		}
	}
	for i := range blocks {
		n := &blocks[i]
		if n.Norm == nil && !hasNorm(n.Attrs, n.Blocks) {
			continue
		}
		old := v.GetAttr(n.Name)
		part := mapElements(old, n, func(elem cty.Value) cty.Value { return normalizeObject(n.Attrs, n.Blocks, elem) })
		if n.Norm != nil && part.IsKnown() && !part.IsNull() {
			part = n.Norm(part)
		}
		set(n.Name, old, part)
	}
	if parts == nil {
		return v
	}
	return cty.ObjectVal(parts)
}

func hasNorm(attrs []spec.Attr, blocks []spec.Nested) bool {
	for i := range attrs {
		if attrs[i].Norm != nil {
			return true
		}
	}
	for i := range blocks {
		if blocks[i].Norm != nil || hasNorm(blocks[i].Attrs, blocks[i].Blocks) {
			return true
		}
	}
	return false
}

// mapElements applies f to the object, or to each object of the list, that a nested block's value is.
func mapElements(v cty.Value, n *spec.Nested, f func(cty.Value) cty.Value) cty.Value {
	if v.IsNull() || !v.IsKnown() {
		return v
	}
	if n.Max == 1 {
		return f(v)
	}
	elems := v.AsValueSlice()
	if len(elems) == 0 {
		return v
	}
	for i := range elems {
		elems[i] = f(elems[i])
	}
	return cty.ListVal(elems)
}

// label returns what identifies an element of a nested list: its label where the block has one. ok is false for
// blocks without labels and for labels that are not known.
func label(n *spec.Nested, elem cty.Value) (string, bool) {
	if n.Label == "" || elem.IsNull() || !elem.IsKnown() {
		return "", false
	}
	v := elem.GetAttr(n.Label)
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// byLabel indexes the elements of a labelled list; ok is false when they have no labels, or not distinct ones.
func byLabel(n *spec.Nested, v cty.Value) (elems map[string]cty.Value, order []string, ok bool) {
	if n.Max == 1 || n.Label == "" || !v.IsKnown() {
		return nil, nil, false
	}
	elems = map[string]cty.Value{}
	if v.IsNull() {
		return elems, nil, true
	}
	for it := v.ElementIterator(); it.Next(); {
		_, elem := it.Element()
		name, labelled := label(n, elem)
		if _, twice := elems[name]; !labelled || twice {
			return nil, nil, false
		}
		elems[name] = elem
		order = append(order, name)
	}
	return elems, order, true
}

// fillNested gives what the server computes inside nested blocks, and what is secret there, the values of the same
// element of from.
func fillNested(n *spec.Nested, v, from cty.Value, fill func(a *spec.Attr, v, from cty.Value) cty.Value) cty.Value {
	if v.IsNull() || !v.IsKnown() || from == cty.NilVal || from.IsNull() || !from.IsKnown() || !needsFill(n) {
		return v
	}
	if n.Max == 1 {
		return fillObject(n, v, from, fill)
	}
	others, _, labelled := byLabel(n, from)
	var byIndex []cty.Value
	if !labelled {
		byIndex = from.AsValueSlice()
	}
	i := -1
	return mapElements(v, n, func(elem cty.Value) cty.Value {
		i++
		if labelled {
			if name, ok := label(n, elem); ok && others[name] != cty.NilVal {
				return fillObject(n, elem, others[name], fill)
			}
			return elem
		}
		if i < len(byIndex) {
			return fillObject(n, elem, byIndex[i], fill)
		}
		return elem
	})
}

func fillObject(n *spec.Nested, v, from cty.Value, fill func(a *spec.Attr, v, from cty.Value) cty.Value) cty.Value {
	if v.IsNull() || !v.IsKnown() || from.IsNull() || !from.IsKnown() {
		return v
	}
	parts, others := v.AsValueMap(), from.AsValueMap()
	for i := range n.Attrs {
		a := &n.Attrs[i]
		parts[a.Name] = fill(a, parts[a.Name], others[a.Name])
	}
	for i := range n.Blocks {
		b := &n.Blocks[i]
		parts[b.Name] = fillNested(b, parts[b.Name], others[b.Name], fill)
	}
	return cty.ObjectVal(parts)
}

func needsFill(n *spec.Nested) bool {
	for i := range n.Attrs {
		if n.Attrs[i].Computed || n.Attrs[i].Secret {
			return true
		}
	}
	for i := range n.Blocks {
		if needsFill(&n.Blocks[i]) {
			return true
		}
	}
	return false
}

// fillComputed takes the server's value for what the stack leaves to the server, at plan.
func fillComputed(a *spec.Attr, v, from cty.Value) cty.Value {
	if a.Computed && (!v.IsKnown() || v.IsNull()) {
		return from
	}
	return v
}

// fillSecret takes the value of a secret from the stack's side: the server never tells it.
func fillSecret(a *spec.Attr, v, from cty.Value) cty.Value {
	if a.Secret {
		return from
	}
	return v
}

// completeState is a server's answer with what the server does not tell taken from what was sent: secrets, and
// nested blocks that are never compared. sent may be NilVal.
func completeState(k *spec.Kind, state, sent cty.Value) cty.Value {
	state = Normalize(k, state)
	if sent == cty.NilVal {
		return state
	}
	var parts map[string]cty.Value
	set := func(name string, now cty.Value) {
		if state.GetAttr(name).RawEquals(now) {
			return
		}
		if parts == nil {
			parts = state.AsValueMap()
		}
		parts[name] = now
	}
	for i := range k.Attrs {
		if a := &k.Attrs[i]; a.Secret {
			set(a.Name, sent.GetAttr(a.Name))
		}
	}
	for i := range k.Blocks {
		n := &k.Blocks[i]
		switch {
		case n.Change == nil:
			set(n.Name, sent.GetAttr(n.Name))
		case needsFill(n):
			set(n.Name, fillNested(n, state.GetAttr(n.Name), sent.GetAttr(n.Name), fillSecret))
		}
	}
	if parts == nil {
		return state
	}
	return cty.ObjectVal(parts)
}

package planner

import (
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/spec"
)

// digests returns the keyed digests of all that a plan compares: by attribute, and by map key or label inside. Null has none.
func digests(l *ledger.Ledger, k *spec.Kind, v cty.Value) map[string]string {
	out := map[string]string{}
	eachPart(k, v, func(key string, _ cty.Path, part cty.Value) {
		if d := digest(l, part); d != "" {
			out[key] = d
		}
	})
	return out
}

// eachPart calls f for all that a plan compares, with the key of its digest and its path.
func eachPart(k *spec.Kind, v cty.Value, f func(key string, path cty.Path, part cty.Value)) {
	parts := v.AsValueMap()
	for i := range k.Attrs {
		a := &k.Attrs[i]
		part := parts[a.Name]
		if a.Change == nil {
			continue
		}
		if a.Type.IsMapType() && !a.Secret && part.IsKnown() && !part.IsNull() {
			for key, elem := range part.AsValueMap() {
				f(elementKey(a.Name, key), cty.GetAttrPath(a.Name).IndexString(key), elem)
			}
			continue
		}
		f(a.Name, cty.GetAttrPath(a.Name), part)
	}
	for i := range k.Blocks {
		n := &k.Blocks[i]
		if n.Change == nil {
			continue
		}
		part := parts[n.Name]
		elems, _, labelled := byLabel(n, part)
		if !labelled {
			f(n.Name, cty.GetAttrPath(n.Name), part)
			continue
		}
		for name, elem := range elems {
			f(elementKey(n.Name, name), cty.GetAttrPath(n.Name).IndexString(name), elem)
		}
	}
}

// digest is "" for what is null or not wholly known. What an element was called before is no part of it.
func digest(l *ledger.Ledger, v cty.Value) string {
	if v == cty.NilVal || v.IsNull() {
		return ""
	}
	if t := v.Type(); t.IsObjectType() && t.HasAttribute(renamedFrom) && v.IsKnown() && !v.GetAttr(renamedFrom).IsNull() {
		parts := v.AsValueMap()
		parts[renamedFrom] = cty.NullVal(cty.String)
		v = cty.ObjectVal(parts)
	}
	return l.Digest(v)
}

func elementKey(name, key string) string { return name + "[" + strconv.Quote(key) + "]" }

// outside tells whether the actual value at a digest's key is another than the one applied last. Objects whose
// digests are not known (taken over, or applied by nobody yet) have no outside.
type outside func(key string, actual cty.Value) bool

func outsideOf(l *ledger.Ledger, e *ledger.Entry) outside {
	if e == nil || len(e.Digests) == 0 {
		return func(string, cty.Value) bool { return false }
	}
	return func(key string, actual cty.Value) bool { return digest(l, actual) != e.Digests[key] }
}

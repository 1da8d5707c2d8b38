package planner

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"mkt/spec"
)

// fault is a value that came back other than it was planned.
type fault struct {
	path         cty.Path
	planned, got cty.Value
	secret       bool
}

// broken compares what was planned with what the server has after the change: what was known must be the same, and
// everything must be known. Secrets and blocks that are never compared are left out.
func broken(k *spec.Kind, planned, state cty.Value) (faults []fault) {
	want, got := planned.AsValueMap(), state.AsValueMap()
	for i := range k.Attrs {
		a := &k.Attrs[i]
		w, g := want[a.Name], got[a.Name]
		if a.Secret {
			continue
		}
		kept := g.IsWhollyKnown()
		if w.IsKnown() {
			kept = kept && (w.RawEquals(g) || a.Computed && w.IsNull() || same(a.Change, g, w))
		}
		if !kept {
			faults = append(faults, fault{path: cty.GetAttrPath(a.Name), planned: w, got: g})
		}
	}
	for i := range k.Blocks {
		n := &k.Blocks[i]
		w, g := want[n.Name], got[n.Name]
		if n.Change == nil {
			continue
		}
		kept := g.IsWhollyKnown()
		if w.IsKnown() {
			w = fillNested(n, w, g, fillComputed)
			kept = kept && (w.RawEquals(g) || same(n.Change, g, w))
		}
		if !kept {
			faults = append(faults, fault{path: cty.GetAttrPath(n.Name), planned: w, got: g, secret: needsFill(n)})
		}
	}
	return faults
}

// same reports whether an effect knows two different values as one.
func same(effect spec.Effect, before, after cty.Value) bool {
	return effect != nil && effect(before, after).Act == spec.Same
}

func (f fault) error(c *Change) error {
	if f.secret || hides(c.Sensitive, f.path) {
		return fmt.Errorf("%s: %s came back other than planned (the value is sensitive)", c.Addr, PathText(f.path))
	}
	return fmt.Errorf("%s: %s was planned as %s and came back as %s", c.Addr, PathText(f.path), short(f.planned), short(f.got))
}

// short writes a value for a message, cut where it is long.
func short(v cty.Value) string {
	if !v.IsWhollyKnown() {
		return "(unknown)"
	}
	text, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return "(" + v.Type().FriendlyName() + ")"
	}
	const most = 200
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(text)
}

package planner

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Drifted is an owned object that is not as mkt left it.
type Drifted struct {
	Addr  spec.Addr // in the stack, where the block has moved since the last apply
	Kind  *spec.Kind
	ID    string
	How   Drift
	Attrs []DriftedAttr // when Changed
}

// Drift is what happened to an object outside of mkt.
type Drift string

// The sorts of drift.
const (
	Changed  Drift = "changed"
	Gone     Drift = "gone"
	Replaced Drift = "replaced" // another object has its name
)

// DriftedAttr is a part of an object that is not what mkt applied last.
type DriftedAttr struct {
	Path cty.Path // as AttrChange has it
	// Applied is what mkt applied, NilVal where that is not known any more: the ledger has digests alone, and the
	// stack says something else by now. It is null for what mkt did not set.
	Applied cty.Value
	Actual  cty.Value // null for what is not there any more
	// Sensitive: neither may be shown.
	Sensitive bool
}

// FindDrift compares the objects that mkt owns with what it applied last, whatever the stack says by now, and changes nothing.
// Attributes that the stack leaves to the server or ignores are not drift, nor is what it says by now as well. The result is ordered by address.
func FindDrift(ctx context.Context, in Input) ([]Drifted, hcl.Diagnostics) {
	in.Destroy, in.Targets = false, nil
	p := newPlanning(in)
	if !p.evaluateFirst() {
		return nil, p.diagnostics(ctx)
	}
	var owned []leaver
	for _, addr := range p.in.Ledger.Addrs() {
		e := p.in.Ledger.Entries[addr]
		l := leaver{addr: addr, kind: p.in.Stack.Kind(addr.Kind), id: e.ID, private: e.Private, entry: e}
		if l.kind == nil || l.kind.System == "" {
			p.unknownKind(addr)
			continue
		}
		owned = append(owned, l)
		p.reader.add(l.kind, providers.Ref{ID: e.ID, Private: e.Private})
	}
	p.reader.read(ctx)
	byID := map[objectKey]*wanted{}
	for addr, w := range p.wanted {
		byID[objectKey{addr.Kind, w.id}] = w
	}
	var all []Drifted
	for _, l := range owned {
		w := p.wanted[p.in.Stack.MovedTo(l.addr)]
		if w == nil {
			w = byID[objectKey{l.kind.Name, l.id}]
		}
		if d, ok := p.drift(l, w); ok {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b Drifted) int { return a.Addr.Compare(b.Addr) })
	return all, p.diagnostics(ctx)
}

// drift looks at one owned object. w is its instance in the stack, nil when it left.
func (p *planning) drift(l leaver, w *wanted) (Drifted, bool) {
	d := Drifted{Addr: l.addr, Kind: l.kind, ID: l.id}
	var rng hcl.Range
	if w != nil {
		d.Addr, rng = w.inst.Addr, w.inst.Block.Range
	}
	reading := p.reader.of(l.kind, l.id)
	if _, intended := p.in.Ledger.Intents[l.addr]; intended && reading.Err == nil {
		p.diags = append(p.diags, warningAt(rng, "Apply interrupted",
			"%s: an apply was interrupted while it changed this object, so what is there may be mkt's own doing. Apply again, then look for drift.", d.Addr))
		return d, false
	}
	switch {
	case reading.Err == errNoProvider: //nolint:errorlint // a mark of this package, never wrapped
		return d, false
	case reading.Err != nil:
		p.failed.add(d.Addr, rng, readSummary(reading.Err), "the present state could not be read, so it is unknown: "+sentence(reading.Err))
		return d, false
	case reading.State == cty.NilVal:
		d.How = Gone
		return d, true
	case replacedOutside(l.entry, reading):
		d.How = Replaced
		return d, true
	case len(l.entry.Digests) == 0:
		return d, false
	}
	d.How, d.Attrs = Changed, p.driftedAttrs(l, w, reading.State)
	return d, len(d.Attrs) > 0
}

// driftedAttrs compares an object with its digests, part by part.
func (p *planning) driftedAttrs(l leaver, w *wanted, actual cty.Value) (attrs []DriftedAttr) {
	applied := l.entry.Digests
	desired := map[string]cty.Value{}
	agreed := map[string]bool{} // the stack says by now what is there: there is nothing left to change back
	if w != nil {
		actual = completeState(l.kind, actual, w.value)
		eachPart(l.kind, w.value, func(key string, _ cty.Path, v cty.Value) { desired[key] = v })
		agreed = alike(l.kind, w.value, actual)
	}
	seen := map[string]bool{}
	look := func(key string, path cty.Path, v cty.Value) {
		seen[key] = true
		if agreed[path[0].(cty.GetAttrStep).Name] {
			return
		}
		if digest(p.in.Ledger, v) == applied[key] || !p.watches(l, w, path, desired[key], applied[key]) {
			return
		}
		a := DriftedAttr{Path: path, Actual: v, Sensitive: w == nil || hides(w.inst.Sensitive, path) || holdsSecret(l.kind, path)}
		switch want, set := desired[key]; {
		case applied[key] == "":
			a.Applied = cty.NullVal(v.Type())
		case set && digest(p.in.Ledger, want) == applied[key]:
			a.Applied = want
		}
		attrs = append(attrs, a)
	}
	eachPart(l.kind, actual, look)
	for _, key := range slices.Sorted(maps.Keys(applied)) { // elements that are gone
		if path, ok := elementPath(key); ok && !seen[key] {
			look(key, path, cty.NullVal(cty.DynamicPseudoType))
		}
	}
	order := map[string]int{}
	for i := range l.kind.Attrs {
		order[l.kind.Attrs[i].Name] = i
	}
	for i := range l.kind.Blocks {
		order[l.kind.Blocks[i].Name] = len(l.kind.Attrs) + i
	}
	slices.SortFunc(attrs, func(a, b DriftedAttr) int {
		name := func(a DriftedAttr) int { return order[a.Path[0].(cty.GetAttrStep).Name] }
		return cmp.Or(cmp.Compare(name(a), name(b)), strings.Compare(PathText(a.Path), PathText(b.Path)))
	})
	return attrs
}

// alike returns the attributes and blocks whose actual value the kind takes for the stack's.
func alike(k *spec.Kind, desired, actual cty.Value) map[string]bool {
	alike := map[string]bool{}
	look := func(name string, effect spec.Effect) {
		d, v := desired.GetAttr(name), actual.GetAttr(name)
		alike[name] = v.RawEquals(d) || d.IsWhollyKnown() && same(effect, v, d)
	}
	for i := range k.Attrs {
		look(k.Attrs[i].Name, k.Attrs[i].Change)
	}
	for i := range k.Blocks {
		look(k.Blocks[i].Name, k.Blocks[i].Change)
	}
	return alike
}

// watches reports whether a part is the stack's to say: set by it, not ignored, and comparable.
func (p *planning) watches(l leaver, w *wanted, path cty.Path, desired cty.Value, applied string) bool {
	name := path[0].(cty.GetAttrStep).Name
	if w != nil && w.inst.Block.Lifecycle.Ignores(name) {
		return false
	}
	if a := l.kind.Attr(name); a != nil {
		return !a.Secret && (!a.Computed || w != nil && !unset(w.inst.Value.GetAttr(name)))
	}
	// A block with secrets was completed from the stack: where the stack has changed since, nothing can be said.
	return !holdsSecret(l.kind, path) || desired != cty.NilVal && digest(p.in.Ledger, desired) == applied
}

// holdsSecret reports whether the part at path may have a secret in it.
func holdsSecret(k *spec.Kind, path cty.Path) bool {
	name := path[0].(cty.GetAttrStep).Name
	if a := k.Attr(name); a != nil {
		return a.Secret
	}
	n := k.Block(name)
	return n != nil && nestedSecret(n)
}

func nestedSecret(n *spec.Nested) bool {
	return slices.ContainsFunc(n.Attrs, func(a spec.Attr) bool { return a.Secret }) ||
		slices.ContainsFunc(n.Blocks, func(b spec.Nested) bool { return nestedSecret(&b) })
}

// elementPath is the path of an elementKey; ok is false for the key of a whole attribute.
func elementPath(key string) (path cty.Path, ok bool) {
	name, rest, keyed := strings.Cut(key, "[")
	text, err := strconv.Unquote(strings.TrimSuffix(rest, "]"))
	if !keyed || err != nil {
		return nil, false
	}
	return cty.GetAttrPath(name).IndexString(text), true
}

package planner

import (
	"maps"
	"slices"
	"sort"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// comparison is what a pure diff needs.
type comparison struct {
	kind    *spec.Kind
	before  cty.Value // actual, complete with secrets
	desired cty.Value // of the stack, completed
	// ignores tells top-level names whose changes the stack does not want to see.
	ignores func(name string) bool
	outside outside
	// applied is the digest of a secret as last applied, and digest that of a value: secrets are compared by them alone.
	applied func(name string) string
	digest  func(cty.Value) string
	hidden  []cty.Path // sensitive by the stack's values
	// announced names computed attributes that a Refiner made unknown: they mean an update.
	announced map[string]bool
}

// difference is the outcome of a diff.
type difference struct {
	after cty.Value // the object once changed in place
	attrs []AttrChange
	act   spec.Act // the strongest
	loses []string // what changes in place lose
}

// diff judges each attribute and nested block by the kind's effects.
func (c *comparison) diff() difference {
	if c.before.RawEquals(c.desired) && !hasSecret(c.kind) {
		return difference{after: c.before}
	}
	before, after := c.before.AsValueMap(), c.desired.AsValueMap()
	d := difference{}
	changed := map[string]bool{}
	keep := func(name string, changes []AttrChange, act spec.Act) {
		if act == spec.Same {
			after[name] = before[name]
			return
		}
		changed[name] = true
		d.attrs = append(d.attrs, changes...)
		d.act = max(d.act, act)
	}
	var computed []*spec.Attr
	for i := range c.kind.Attrs {
		a := &c.kind.Attrs[i]
		switch {
		case c.ignored(a.Name):
			after[a.Name] = before[a.Name]
		case a.Secret:
			if act, changes := c.diffSecret(a, after[a.Name]); act != spec.Same {
				keep(a.Name, changes, act)
			}
		case a.Computed && (unset(after[a.Name]) || a.Change == nil):
			computed = append(computed, a)
		case a.Change != nil:
			changes, act := c.diffAttr(a, before[a.Name], after[a.Name])
			keep(a.Name, changes, act)
			d.lose(a.Change, before[a.Name], after[a.Name], act)
		}
	}
	for i := range c.kind.Blocks {
		n := &c.kind.Blocks[i]
		if n.Change == nil {
			continue
		}
		if c.ignored(n.Name) {
			after[n.Name] = before[n.Name]
			continue
		}
		after[n.Name] = fillNested(n, after[n.Name], before[n.Name], fillComputed)
		changes, act := c.diffBlock(n, before[n.Name], after[n.Name])
		keep(n.Name, changes, act)
		d.lose(n.Change, before[n.Name], after[n.Name], act)
	}
	for _, a := range computed {
		c.diffComputed(a, before, after, changed, &d)
	}
	d.after = cty.ObjectVal(after)
	for i := range d.attrs {
		d.attrs[i].Sensitive = d.attrs[i].Sensitive || c.hides(d.attrs[i].Path)
	}
	return d
}

// lose notes what a change in place loses.
func (d *difference) lose(effect spec.Effect, before, after cty.Value, act spec.Act) {
	if act != spec.InPlace {
		return
	}
	if v := effect(before, after); v.Loses != "" {
		d.loses = append(d.loses, v.Loses)
	}
}

// recreated is the object that a replacement makes: what the server computes is not known before.
func (c *comparison) recreated() cty.Value {
	parts, before := c.desired.AsValueMap(), c.before.AsValueMap()
	for name := range parts {
		if c.ignored(name) {
			parts[name] = before[name]
		}
	}
	return cty.ObjectVal(parts)
}

func (c *comparison) ignored(name string) bool { return c.ignores != nil && c.ignores(name) }

// diffComputed decides what is known of an attribute that the server sets: the actual value, unless what it follows
// from changes or a Refiner announced a new one.
func (c *comparison) diffComputed(a *spec.Attr, before, after map[string]cty.Value, changed map[string]bool, d *difference) {
	follows := c.announced[a.Name]
	for _, name := range a.Follows {
		follows = follows || changed[name]
	}
	if !follows {
		after[a.Name] = before[a.Name]
		return
	}
	if unset(after[a.Name]) || c.announced[a.Name] {
		after[a.Name] = cty.UnknownVal(a.Type)
	}
	if after[a.Name].RawEquals(before[a.Name]) {
		return
	}
	changed[a.Name] = true
	d.act = max(d.act, spec.InPlace)
	d.attrs = append(d.attrs, AttrChange{Path: cty.GetAttrPath(a.Name), Before: before[a.Name], After: after[a.Name],
		Act: spec.InPlace, Sensitive: a.Secret})
}

func unset(v cty.Value) bool { return !v.IsKnown() || v.IsNull() }

func hasSecret(k *spec.Kind) bool {
	for i := range k.Attrs {
		if k.Attrs[i].Secret {
			return true
		}
	}
	return false
}

func (c *comparison) diffSecret(a *spec.Attr, after cty.Value) (spec.Act, []AttrChange) {
	if a.Change == nil || after.IsKnown() && c.digest(after) == c.applied(a.Name) {
		return spec.Same, nil
	}
	v := a.Change(cty.NullVal(a.Type), after)
	return v.Act, []AttrChange{{Path: cty.GetAttrPath(a.Name), Before: cty.NullVal(a.Type), After: after, Act: v.Act, Why: v.Why, Sensitive: true}}
}

func (c *comparison) diffAttr(a *spec.Attr, before, after cty.Value) ([]AttrChange, spec.Act) {
	if after.RawEquals(before) {
		return nil, spec.Same
	}
	v := a.Change(before, after)
	if v.Act == spec.Same {
		return nil, spec.Same
	}
	path := cty.GetAttrPath(a.Name)
	if !a.Type.IsMapType() || !after.IsKnown() {
		return []AttrChange{{Path: path, Before: before, After: after, Act: v.Act, Why: v.Why, Outside: c.outside(a.Name, before)}}, v.Act
	}
	var changes []AttrChange
	old, now := elements(before), elements(after)
	for _, key := range unionKeys(old, now) {
		was, is := old[key], now[key]
		if was != cty.NilVal && is != cty.NilVal && was.RawEquals(is) || sameElement(a, before, key, is) {
			continue
		}
		changes = append(changes, AttrChange{Path: path.IndexString(key), Before: was, After: is, Act: v.Act, Why: v.Why,
			Outside: c.outside(elementKey(a.Name, key), was)})
	}
	if len(changes) == 0 { // null against empty
		changes = []AttrChange{{Path: path, Before: before, After: after, Act: v.Act, Why: v.Why}}
	}
	return changes, v.Act
}

// sameElement reports whether the effect of a map knows it as the same with another value, or none, at key: an option
// that is set to its default, beside others that change.
func sameElement(a *spec.Attr, before cty.Value, key string, value cty.Value) bool {
	parts := map[string]cty.Value{}
	maps.Copy(parts, elements(before))
	delete(parts, key)
	if value != cty.NilVal {
		parts[key] = value
	}
	changed := cty.MapValEmpty(a.Type.ElementType())
	if len(parts) > 0 {
		changed = cty.MapVal(parts)
	}
	return same(a.Change, before, changed)
}

func elements(v cty.Value) map[string]cty.Value {
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	return v.AsValueMap()
}

func unionKeys[V any](a, b map[string]V) []string {
	keys := make([]string, 0, len(a)+len(b))
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

// diffBlock asks the block's effect about the whole, and shows the difference by label.
func (c *comparison) diffBlock(n *spec.Nested, before, after cty.Value) ([]AttrChange, spec.Act) {
	if after.RawEquals(before) {
		return nil, spec.Same
	}
	whole := n.Change(before, after)
	if whole.Act == spec.Same {
		return nil, spec.Same
	}
	path := cty.GetAttrPath(n.Name)
	old, oldOrder, ok1 := byLabel(n, before)
	now, order, ok2 := byLabel(n, after)
	var changes []AttrChange
	if ok1 && ok2 {
		from := renames(n, old, now)
		taken := map[string]bool{}
		for _, was := range from {
			taken[was] = true
		}
		for _, name := range oldOrder {
			if _, kept := now[name]; !kept && !taken[name] {
				order = append(order, name)
			}
		}
		for _, name := range order {
			if was, renamed := from[name]; renamed {
				changes = append(changes, c.diffRenamed(n, whole, name, was, old[was], now[name])...)
				continue
			}
			changes = append(changes, c.diffElement(n, whole, name, old[name], now[name])...)
		}
	} else if n.Max == 1 && !before.IsNull() && !after.IsNull() && after.IsKnown() {
		changes = diffObject(path, n, before, after, spec.Verdict{Act: spec.InPlace})
		for i := range changes {
			changes[i].Outside = c.outside(n.Name, before)
		}
	}
	// The whole may be judged more severely than any part of it: then the block itself says so.
	for _, ch := range changes {
		if ch.Act == whole.Act && ch.Why == whole.Why {
			return changes, whole.Act
		}
	}
	if n.Max == 1 && len(changes) > 0 {
		for i := range changes {
			changes[i].Act, changes[i].Why = whole.Act, whole.Why
		}
		return changes, whole.Act
	}
	return append(changes, AttrChange{Path: path, Before: before, After: after, Act: whole.Act, Why: whole.Why, Outside: !ok1 && c.outside(n.Name, before)}), whole.Act
}

// renamedFrom is the attribute by which an element says what it was called before.
const renamedFrom = "renamed_from"

// renames tells which elements are others under a new name: from the new name to the old one.
func renames(n *spec.Nested, old, now map[string]cty.Value) map[string]string {
	if !slices.ContainsFunc(n.Attrs, func(a spec.Attr) bool { return a.Name == renamedFrom }) {
		return nil
	}
	from := map[string]string{}
	for name, elem := range now {
		v := elem.GetAttr(renamedFrom)
		if v.IsNull() || !v.IsKnown() || old[name] != cty.NilVal {
			continue
		}
		if was := v.AsString(); old[was] != cty.NilVal && now[was] == cty.NilVal {
			from[name] = was
		}
	}
	return from
}

// diffRenamed shows an element under a new name as what it is: the same one.
func (c *comparison) diffRenamed(n *spec.Nested, whole spec.Verdict, name, was string, before, after cty.Value) []AttrChange {
	parts := before.AsValueMap()
	parts[renamedFrom] = after.GetAttr(renamedFrom)
	changes := diffObject(cty.GetAttrPath(n.Name).IndexString(name), n, cty.ObjectVal(parts), after, whole)
	out := c.outside(elementKey(n.Name, was), before)
	for i := range changes {
		changes[i].Outside = out
	}
	return changes
}

// diffElement shows the difference of one labelled element, judged by the block's effect on that element alone.
func (c *comparison) diffElement(n *spec.Nested, whole spec.Verdict, name string, before, after cty.Value) []AttrChange {
	path := cty.GetAttrPath(n.Name).IndexString(name)
	if before != cty.NilVal && after != cty.NilVal && after.RawEquals(before) {
		return nil
	}
	typ := n.Type()
	list := func(v cty.Value) cty.Value {
		if v == cty.NilVal {
			return cty.ListValEmpty(typ.ElementType())
		}
		return cty.ListVal([]cty.Value{v})
	}
	verdict := whole
	if whole.Act != spec.InPlace {
		verdict = n.Change(list(before), list(after))
		if verdict.Act > whole.Act {
			verdict = whole
		}
	}
	if verdict.Act == spec.Same {
		return nil
	}
	out := c.outside(elementKey(n.Name, name), before)
	if before == cty.NilVal || after == cty.NilVal || !after.IsKnown() {
		return []AttrChange{{Path: path, Before: before, After: after, Act: verdict.Act, Why: verdict.Why, Outside: out}}
	}
	changes := diffObject(path, n, before, after, verdict)
	for i := range changes {
		changes[i].Outside = out
	}
	return changes
}

func diffObject(path cty.Path, n *spec.Nested, before, after cty.Value, v spec.Verdict) (changes []AttrChange) {
	old, now := before.AsValueMap(), after.AsValueMap()
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if !old[a.Name].RawEquals(now[a.Name]) {
			changes = append(changes, AttrChange{Path: path.GetAttr(a.Name), Before: old[a.Name], After: now[a.Name],
				Act: v.Act, Why: v.Why, Sensitive: a.Secret})
		}
	}
	for i := range n.Blocks {
		b := &n.Blocks[i]
		if !old[b.Name].RawEquals(now[b.Name]) {
			changes = append(changes, AttrChange{Path: path.GetAttr(b.Name), Before: old[b.Name], After: now[b.Name], Act: v.Act, Why: v.Why})
		}
	}
	return changes
}

// hides reports whether a path leads to, into or around something sensitive.
func (c *comparison) hides(path cty.Path) bool { return hides(c.hidden, path) }

func hides(hidden []cty.Path, path cty.Path) bool {
	for _, h := range hidden {
		n := min(len(h), len(path))
		if h[:n].Equals(path[:n]) {
			return true
		}
	}
	return false
}

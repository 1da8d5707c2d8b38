// Package providertest tests what implements the contract of package providers.
//
// Run is the one conformance suite that every kind of resource adopts: it plans and applies real stack text through
// the planner and holds the kind to what its description says. Memory is a system without a server, for tests of the
// planner; Hook makes any provider fail where a test wants it to.
//
// It is imported by tests only.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Memory is a system whose objects live in memory. It has two kinds, mem_box and mem_shelf, and is safe for
// concurrent use. A test may change Objects while nothing runs.
type Memory struct {
	mu      sync.Mutex
	Objects map[string]map[string]*Object // kind → id
	// Calls records each call as "read mem_box 3" in the order they came in.
	Calls []string
	made  int
}

// Object is one object in memory.
type Object struct {
	Value       cty.Value
	Incarnation string
}

// NewMemory returns an empty system.
func NewMemory() *Memory { return &Memory{Objects: map[string]map[string]*Object{}} }

// MemoryKinds describes the kinds of Memory.
func MemoryKinds() []*spec.Kind { return []*spec.Kind{boxKind, shelfKind} }

var boxKind = &spec.Kind{
	Name: "mem_box", System: "mem", Namespace: "mem", Doc: "A box. It has an attribute of each sort.",
	Example: `mem_box "a" { size = 1 }`,
	Attrs: []spec.Attr{
		{Name: "name", Type: cty.String, Label: true, Doc: "The name.", Change: spec.Replaced("the name is the box's identity")},
		{Name: "size", Type: cty.Number, Default: cty.NumberIntVal(1), Doc: "The size, which can grow.", Change: growing},
		{Name: "label", Type: cty.String, Doc: "A text whose case does not matter to the server.", Change: spec.Updated},
		{Name: "color", Type: cty.String, Doc: "A color, kept in lower case.", Norm: lower, Change: spec.Updated},
		{Name: "material", Type: cty.String, Default: cty.StringVal("wood"), Doc: "What it is made of.", Change: spec.Replaced("a box is made of one material")},
		{Name: "tags", Type: cty.Map(cty.String), Doc: "Tags.", Change: spec.Updated},
		{Name: "inside", Type: cty.String, Refs: []string{"mem_box", "mem_shelf"}, Doc: "What it stands in.", Change: spec.Updated},
		{Name: "key", Type: cty.String, Secret: true, Doc: "The key to its lock.", Change: spec.Updated},
		{Name: "owner", Type: cty.String, Computed: true, Optional: true, Doc: "Who owns it; the server knows a default.", Change: spec.Updated},
		{Name: "url", Type: cty.String, Computed: true, Doc: "Where it is.", Follows: []string{"name"}},
		{Name: "revision", Type: cty.Number, Computed: true, Doc: "How often it was changed.", Follows: []string{"size", "label", "color", "tags", "inside", "key", "owner"}},
	},
	ID: func(v cty.Value) string {
		if name := v.GetAttr("name"); name.IsKnown() && !name.IsNull() {
			return name.AsString()
		}
		return ""
	},
	HoldsData: true,
}

var shelfKind = &spec.Kind{
	Name: "mem_shelf", System: "mem", Namespace: "mem", Doc: "A shelf with boards.",
	Example: `mem_shelf "a" { board "top" { width = 1 } }`,
	Attrs: []spec.Attr{
		{Name: "name", Type: cty.String, Label: true, Doc: "The name.", Change: spec.Replaced("the name is the shelf's identity")},
		{Name: "serial", Type: cty.String, Computed: true, Doc: "The number that the server gave it."},
	},
	Blocks: []spec.Nested{
		{Name: "board", Doc: "A board.", Label: "name", Change: boards, Attrs: []spec.Attr{
			{Name: "name", Type: cty.String, Doc: "The board's name."},
			{Name: "width", Type: cty.Number, Required: true, Doc: "Its width."},
			{Name: "comment", Type: cty.String, Doc: "A comment."},
		}},
		{Name: "lock", Doc: "The lock.", Max: 1, Change: spec.Updated, Attrs: []spec.Attr{
			{Name: "code", Type: cty.Number, Doc: "A number."},
			{Name: "loud", Type: cty.Bool, Default: cty.False, Doc: "Whether it beeps."},
		}},
	},
	ID: boxKind.ID,
}

func lower(v cty.Value) cty.Value { return cty.StringVal(strings.ToLower(v.AsString())) }

func growing(before, after cty.Value) spec.Verdict {
	if !after.IsKnown() || before.IsNull() || after.IsNull() {
		return spec.Verdict{Act: spec.InPlace}
	}
	if after.AsBigFloat().Cmp(before.AsBigFloat()) < 0 {
		return spec.Verdict{Act: spec.Refuse, Why: "a box cannot shrink; make another one"}
	}
	return spec.Verdict{Act: spec.InPlace}
}

// boards lets boards be added, removed with what stands on them, and made wider; a narrower one needs a new shelf.
func boards(before, after cty.Value) spec.Verdict {
	if !after.IsWhollyKnown() {
		return spec.Verdict{Act: spec.InPlace}
	}
	widths := map[string]cty.Value{}
	for _, b := range before.AsValueSlice() {
		widths[b.GetAttr("name").AsString()] = b.GetAttr("width")
	}
	for _, b := range after.AsValueSlice() {
		old, there := widths[b.GetAttr("name").AsString()]
		if there && b.GetAttr("width").AsBigFloat().Cmp(old.AsBigFloat()) < 0 {
			return spec.Verdict{Act: spec.Replace, Why: "a board cannot be made narrower"}
		}
		delete(widths, b.GetAttr("name").AsString())
	}
	v := spec.Verdict{Act: spec.InPlace}
	if len(widths) > 0 {
		v.Loses = "what stands on " + strings.Join(slices.Sorted(maps.Keys(widths)), ", ")
	}
	return v
}

// Resource implements providers.Provider.
func (m *Memory) Resource(kind string) providers.Resource {
	switch kind {
	case boxKind.Name:
		return &memoryBoxes{memoryResource{m, boxKind}}
	case shelfKind.Name:
		return &memoryResource{m, shelfKind}
	}
	return nil
}

// Close implements providers.Provider.
func (m *Memory) Close() error { return nil }

// Put makes or changes an object from outside, as somebody else would: the given attributes are set, the others keep
// their value or are null. A new object has a new incarnation.
func (m *Memory) Put(kind, id string, attrs map[string]cty.Value) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := map[string]*spec.Kind{boxKind.Name: boxKind, shelfKind.Name: shelfKind}[kind]
	o := m.Objects[kind][id]
	if o == nil {
		o = &Object{Value: cty.NullVal(k.Type()), Incarnation: m.incarnation()}
	}
	parts := map[string]cty.Value{}
	for name, typ := range k.Type().AttributeTypes() {
		parts[name] = cty.NullVal(typ)
		if k.Block(name) != nil && typ.IsListType() {
			parts[name] = cty.ListValEmpty(typ.ElementType())
		}
	}
	if !o.Value.IsNull() {
		maps.Copy(parts, o.Value.AsValueMap())
	}
	parts["name"] = cty.StringVal(id)
	maps.Copy(parts, attrs)
	m.set(kind, id, &Object{Value: cty.ObjectVal(parts), Incarnation: o.Incarnation})
}

// Remove deletes an object from outside.
func (m *Memory) Remove(kind, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.Objects[kind], id)
}

// Count is the number of objects.
func (m *Memory) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, objects := range m.Objects {
		n += len(objects)
	}
	return n
}

func (m *Memory) set(kind, id string, o *Object) {
	if m.Objects[kind] == nil {
		m.Objects[kind] = map[string]*Object{}
	}
	m.Objects[kind][id] = o
}

func (m *Memory) incarnation() string {
	m.made++
	return fmt.Sprintf("made-%d", m.made)
}

func (m *Memory) called(op, kind string, n int) {
	m.Calls = append(m.Calls, fmt.Sprintf("%s %s %d", op, kind, n))
}

// memoryResource is one kind in memory.
type memoryResource struct {
	m    *Memory
	kind *spec.Kind
}

func (r *memoryResource) Complete(v cty.Value) (cty.Value, error) {
	parts := v.AsValueMap()
	if _, has := parts["url"]; has && parts["name"].IsKnown() && !parts["name"].IsNull() {
		if parts["name"].AsString() == "impossible" {
			return v, &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("name"), Err: errors.New("no box can have this name")}
		}
		parts["url"] = cty.StringVal("mem://" + parts["name"].AsString())
	}
	return cty.ObjectVal(parts), nil
}

func (r *memoryResource) Read(_ context.Context, refs []providers.Ref) []providers.Reading {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.called("read", r.kind.Name, len(refs))
	out := make([]providers.Reading, len(refs))
	for i, ref := range refs {
		if o := r.m.Objects[r.kind.Name][ref.ID]; o != nil {
			out[i] = providers.Reading{State: r.told(o.Value), Incarnation: o.Incarnation}
		}
	}
	return out
}

// told is what a server tells of an object: no secrets, and some spellings changed.
func (r *memoryResource) told(v cty.Value) cty.Value {
	parts := v.AsValueMap()
	for _, a := range r.kind.Attrs {
		if a.Secret {
			parts[a.Name] = cty.NullVal(a.Type)
		}
		if a.Name == "color" && !parts["color"].IsNull() {
			parts["color"] = cty.StringVal(strings.ToUpper(parts["color"].AsString()))
		}
	}
	return cty.ObjectVal(parts)
}

func (r *memoryResource) Create(_ context.Context, changes []providers.Change) []providers.Result {
	return r.each("create", changes, func(c providers.Change) providers.Result {
		if r.m.Objects[r.kind.Name][c.ID] != nil {
			return providers.Result{Err: providers.Errorf(providers.Exists, "create %q: it exists", c.ID)}
		}
		return r.store(c, r.m.incarnation(), cty.NumberIntVal(1))
	})
}

func (r *memoryResource) Update(_ context.Context, changes []providers.Change) []providers.Result {
	return r.each("update", changes, func(c providers.Change) providers.Result {
		o := r.m.Objects[r.kind.Name][c.ID]
		if o == nil {
			return providers.Result{Err: providers.Errorf(providers.NotFound, "update %q: it is gone", c.ID)}
		}
		revision := cty.NumberIntVal(1)
		if r.kind == boxKind {
			if old := o.Value.GetAttr("revision"); !old.IsNull() {
				revision = old.Add(cty.NumberIntVal(1))
			}
		}
		return r.store(c, o.Incarnation, revision)
	})
}

func (r *memoryResource) Delete(_ context.Context, changes []providers.Change) []providers.Result {
	return r.each("delete", changes, func(c providers.Change) providers.Result {
		delete(r.m.Objects[r.kind.Name], c.ID)
		return providers.Result{}
	})
}

func (r *memoryResource) each(op string, changes []providers.Change, fn func(providers.Change) providers.Result) []providers.Result {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.called(op, r.kind.Name, len(changes))
	out := make([]providers.Result, len(changes))
	for i, c := range changes {
		out[i] = fn(c)
	}
	return out
}

// store keeps the object with what a server would fill in.
func (r *memoryResource) store(c providers.Change, incarnation string, revision cty.Value) providers.Result {
	parts := c.After.AsValueMap()
	fill := func(name string, v cty.Value) {
		if old, has := parts[name]; has && (!old.IsKnown() || old.IsNull()) {
			parts[name] = v
		}
	}
	fill("owner", cty.StringVal("root"))
	fill("serial", cty.StringVal("serial of "+c.ID))
	if _, has := parts["revision"]; has {
		parts["revision"] = revision
	}
	o := &Object{Value: cty.ObjectVal(parts), Incarnation: incarnation}
	if !o.Value.IsWhollyKnown() {
		return providers.Result{Err: providers.Errorf(providers.Invalid, "%s: not everything is known", c.ID)}
	}
	r.m.set(r.kind.Name, c.ID, o)
	return providers.Result{State: r.told(o.Value), Incarnation: incarnation}
}

// memoryBoxes refines and holds besides.
type memoryBoxes struct{ memoryResource }

// Refine knows labels that differ in case alone as one.
func (r *memoryBoxes) Refine(_ context.Context, changes []providers.Change) []providers.Result {
	out := make([]providers.Result, len(changes))
	for i, c := range changes {
		parts := c.After.AsValueMap()
		before, after := c.Before.GetAttr("label"), parts["label"]
		if after.IsKnown() && !after.IsNull() && !before.IsNull() && strings.EqualFold(before.AsString(), after.AsString()) {
			parts["label"] = before
		}
		out[i].State = cty.ObjectVal(parts)
	}
	return out
}

// Suffers has a glass box break with the shelf that it stands on.
func (r *memoryBoxes) Suffers(v cty.Value, changes []providers.RefChange) spec.Verdict {
	for _, c := range changes {
		if c.Kind == shelfKind.Name && c.Replaced && v.GetAttr("material").RawEquals(cty.StringVal("glass")) {
			return spec.Verdict{Act: spec.Replace, Why: "glass breaks with the shelf that it stands on"}
		}
	}
	return spec.Verdict{}
}

// Holds counts the tags, for want of anything else in a box.
func (r *memoryBoxes) Holds(_ context.Context, refs []providers.Ref) []providers.Holding {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	out := make([]providers.Holding, len(refs))
	for i, ref := range refs {
		if o := r.m.Objects[r.kind.Name][ref.ID]; o != nil && !o.Value.GetAttr("tags").IsNull() {
			out[i].Loss = fmt.Sprintf("%d tags", o.Value.GetAttr("tags").LengthInt())
		}
	}
	return out
}

// IDs returns the names of all objects of a kind, sorted.
func (m *Memory) IDs(kind string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.Objects[kind]))
}

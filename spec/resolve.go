package spec

import (
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// resolve turns what an attribute with Refs was given into an ID: an object into its ID, a text as it is.
func (d *decoder) resolve(attr *Attr, v cty.Value, rng hcl.Range, at cty.Path) (cty.Value, *hcl.Diagnostic) {
	v, marks := v.Unmark()
	ty := v.Type()
	switch {
	case v.IsNull() || ty == cty.DynamicPseudoType || ty.IsPrimitiveType():
		if v.IsNull() {
			return cty.NullVal(cty.String), nil
		}
		if ty == cty.DynamicPseudoType {
			return cty.UnknownVal(cty.String).WithMarks(marks), nil
		}
		return v.WithMarks(marks), nil
	case ty.IsMapType() && ty.ElementType().IsObjectType() && ty.ElementType().HasAttribute("address"):
		return cty.NilVal, errorAt(rng, "Missing key", "%s takes %s, and these are all instances of a block with for_each. Choose one by its key: [\"…\"].",
			attr.Name, or(attr.Refs))
	case !ty.IsObjectType() || !ty.HasAttribute("address"):
		return cty.NilVal, errorAt(rng, "Wrong type", "%s takes %s, or the name of one that the stack does not manage as text; this is neither.%s",
			attr.Name, or(attr.Refs), d.candidates(attr))
	case !v.IsKnown():
		return cty.UnknownVal(cty.String).WithMarks(marks), nil
	}
	address, _ := v.GetAttr("address").Unmark()
	if !address.IsKnown() || address.IsNull() || address.Type() != cty.String {
		return cty.UnknownVal(cty.String).WithMarks(marks), nil
	}
	addr, ok := ParseAddr(address.AsString())
	if !ok || d.scope.stack.Block(addr) == nil {
		return cty.NilVal, errorAt(rng, "Wrong type", "%s takes %s, and this object is not one of the stack's.", attr.Name, or(attr.Refs))
	}
	if kind := strings.TrimPrefix(addr.Kind, dataPrefix); !contains(attr.Refs, kind) {
		return cty.NilVal, errorAt(rng, "Wrong kind of object", "%s takes %s, and %s is a %s.%s", attr.Name, or(attr.Refs), addr, kind, d.candidates(attr))
	}
	d.objects = append(d.objects, ObjectRef{Path: append(cty.Path(nil), at...), Addr: addr})
	id, secret := d.scope.id(addr)
	if secret {
		marks = cty.NewValueMarks(sensitive)
	}
	if id == "" {
		return cty.UnknownVal(cty.String).WithMarks(marks), nil
	}
	return cty.StringVal(id).WithMarks(marks), nil
}

// candidates names what in the stack would fit.
func (d *decoder) candidates(attr *Attr) string {
	var fits []string
	for _, b := range d.scope.stack.blocks {
		if contains(attr.Refs, strings.TrimPrefix(b.Kind.Name, dataPrefix)) {
			fits = append(fits, b.Addr.String())
		}
	}
	if len(fits) == 0 {
		return ""
	}
	sort.Strings(fits)
	return " The stack has " + list(fits) + "."
}

// id returns the ID of the object at addr, "" while it is unknown; secret is true when a sensitive value is part of it.
func (sc *Scope) id(addr Addr) (id string, secret bool) {
	sc.mu.Lock()
	o := sc.objects[addr]
	var paths []cty.Path
	if values := sc.blocks[addr.Block()]; values != nil {
		paths = values.sensitive[addr.Key]
	}
	sc.mu.Unlock()
	if o == nil || o.kind.ID == nil {
		return "", false
	}
	id = o.kind.ID(o.plain)
	if len(paths) == 0 || id == "" {
		return id, false
	}
	hidden, err := cty.Transform(o.plain, func(p cty.Path, v cty.Value) (cty.Value, error) {
		for _, secretPath := range paths {
			if p.Equals(secretPath) {
				return cty.UnknownVal(v.Type()), nil
			}
		}
		return v, nil
	})
	return id, err != nil || o.kind.ID(hidden) != id
}

// secretPaths are the paths of the kind's secrets that have a value in v.
func secretPaths(attrs []Attr, blocks []Nested, v cty.Value, at cty.Path) (paths []cty.Path) {
	if !hasSecrets(attrs, blocks) || v.IsNull() || !v.IsKnown() {
		return nil
	}
	for i := range attrs {
		if attrs[i].Secret && !v.GetAttr(attrs[i].Name).IsNull() {
			paths = append(paths, append(at[:len(at):len(at)], cty.GetAttrStep{Name: attrs[i].Name}))
		}
	}
	for i := range blocks {
		nested := v.GetAttr(blocks[i].Name)
		path := append(at[:len(at):len(at)], cty.GetAttrStep{Name: blocks[i].Name})
		if blocks[i].Max == 1 {
			paths = append(paths, secretPaths(blocks[i].Attrs, blocks[i].Blocks, nested, path)...)
			continue
		}
		if !nested.IsKnown() || nested.IsNull() {
			continue
		}
		for it := nested.ElementIterator(); it.Next(); {
			key, element := it.Element()
			inner := append(path[:len(path):len(path)], cty.IndexStep{Key: key})
			paths = append(paths, secretPaths(blocks[i].Attrs, blocks[i].Blocks, element, inner)...)
		}
	}
	return paths
}

func hasSecrets(attrs []Attr, blocks []Nested) bool {
	for i := range attrs {
		if attrs[i].Secret {
			return true
		}
	}
	for i := range blocks {
		if hasSecrets(blocks[i].Attrs, blocks[i].Blocks) {
			return true
		}
	}
	return false
}

// touches reports whether one of the paths leads to, into or through p.
func touches(paths []cty.Path, p cty.Path) bool {
	for _, q := range paths {
		n := min(len(p), len(q))
		if p[:n].Equals(q[:n]) {
			return true
		}
	}
	return false
}

func or(kinds []string) string {
	if len(kinds) == 1 {
		return "a " + kinds[0]
	}
	return "a " + strings.Join(kinds[:len(kinds)-1], ", ") + " or " + kinds[len(kinds)-1]
}

func count(n int) string {
	if n == 1 {
		return "one"
	}
	return strconv.Itoa(n)
}

func plural(noun string, n int, of string) string {
	if n == 1 {
		return of + " " + noun
	}
	return of + " " + noun + "s"
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

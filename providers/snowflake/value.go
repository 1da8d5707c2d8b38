package snowflake

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// object is a kind's value by attribute, for statements and states.
type object map[string]cty.Value

func objectOf(v cty.Value) object {
	if v == cty.NilVal || v.IsNull() {
		return nil
	}
	return v.AsValueMap()
}

// set says whether an attribute has a known value that is not null.
func (o object) set(name string) bool {
	v, ok := o[name]
	return ok && v.IsKnown() && !v.IsNull()
}

// str gives a text, "" where there is none.
func (o object) str(name string) string {
	if !o.set(name) {
		return ""
	}
	return o[name].AsString()
}

func (o object) boolean(name string) bool { return o.set(name) && o[name].True() }

func (o object) number(name string) string {
	if !o.set(name) {
		return ""
	}
	return o[name].AsBigFloat().Text('f', -1)
}

// name gives a text as a resolved name; it was checked before.
func (o object) name(attr string) Name {
	n, err := ParseName(o.str(attr))
	if err != nil {
		return nil
	}
	return n
}

func (o object) strings(name string) []string {
	if !o.set(name) {
		return nil
	}
	var out []string
	for _, v := range o[name].AsValueSlice() {
		out = append(out, v.AsString())
	}
	return out
}

func (o object) stringMap(name string) map[string]string {
	out := map[string]string{}
	if o.set(name) {
		for k, v := range o[name].AsValueMap() {
			out[k] = v.AsString()
		}
	}
	return out
}

// block gives a nested block with Max 1, nil where there is none.
func (o object) block(name string) object {
	if !o.set(name) {
		return nil
	}
	return objectOf(o[name])
}

// differs says whether an attribute has another value in b.
func (o object) differs(b object, name string) bool { return !o[name].RawEquals(b[name]) }

// value makes the kind's object: attributes that are absent are null.
func (o object) value(t cty.Type) cty.Value {
	all := map[string]cty.Value{}
	for name, at := range t.AttributeTypes() {
		if v, ok := o[name]; ok {
			all[name] = v
		} else {
			all[name] = cty.NullVal(at)
		}
	}
	return cty.ObjectVal(all)
}

func text(s string) cty.Value { return cty.StringVal(s) }

// orNull is null for the empty text.
func orNull(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

func integer(s string) cty.Value {
	v, err := cty.ParseNumberVal(s)
	if err != nil {
		return cty.NullVal(cty.Number)
	}
	return v
}

func list(items []string) cty.Value {
	if len(items) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	vs := make([]cty.Value, len(items))
	for i, s := range items {
		vs[i] = cty.StringVal(s)
	}
	return cty.ListVal(vs)
}

func mapValue(m map[string]string) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	vs := map[string]cty.Value{}
	for k, v := range m {
		vs[k] = cty.StringVal(v)
	}
	return cty.MapVal(vs)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func truth(s string) bool {
	switch strings.ToLower(s) {
	case "true", "y", "yes", "1", "on":
		return true
	}
	return false
}

// oneOf returns the check of an attribute with a fixed set of values, told without case.
func oneOf(words ...string) func(cty.Value) error {
	return func(v cty.Value) error {
		if slices.Contains(words, strings.ToUpper(v.AsString())) {
			return nil
		}
		return spec.NotOneOf{Words: words, Text: fmt.Sprintf("%q is not one of %s", v.AsString(), strings.Join(words, ", "))}
	}
}

func upper(v cty.Value) cty.Value { return cty.StringVal(strings.ToUpper(v.AsString())) }

// sorted is the normal form of a list whose order means nothing.
func sorted(v cty.Value) cty.Value {
	if !v.IsWhollyKnown() || v.LengthInt() == 0 {
		return v
	}
	var items []string
	for _, e := range v.AsValueSlice() {
		items = append(items, strings.ToLower(e.AsString()))
	}
	sort.Strings(items)
	return list(slices.Compact(items))
}

// strongest is the strongest of some verdicts.
func strongest(vs ...spec.Verdict) spec.Verdict {
	out := spec.Verdict{Act: spec.Same}
	for _, v := range vs {
		if v.Act > out.Act {
			out = v
		}
	}
	return out
}

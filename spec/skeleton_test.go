package spec

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// skeletonKind has an attribute of each sort that a skeleton tells apart.
var skeletonKind = &Kind{
	Name: "thing", System: "test", Doc: "A thing.",
	Attrs: []Attr{
		{Name: "name", Type: cty.String, Label: true, Doc: "d", Norm: func(v cty.Value) cty.Value { return cty.StringVal(strings.ToUpper(v.AsString())) }},
		{Name: "text", Type: cty.String, Default: cty.StringVal("usual"), Doc: "d", Check: func(v cty.Value) error {
			if v.AsString() == "bad" {
				return errors.New("bad is not possible")
			}
			return nil
		}},
		{Name: "other", Type: cty.String, Doc: "d", Refs: []string{"thing"}},
		{Name: "number", Type: cty.Number, Optional: true, Computed: true, Doc: "d"},
		{Name: "tags", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String), Doc: "d"},
		{Name: "key", Type: cty.String, Secret: true, Doc: "d"},
		{Name: "url", Type: cty.String, Computed: true, Doc: "d"},
	},
	Blocks: []Nested{
		{Name: "part", Label: "name", Doc: "d", Attrs: []Attr{
			{Name: "name", Type: cty.String, Doc: "d"},
			{Name: "size", Type: cty.Number, Required: true, Doc: "d"},
			{Name: "note", Type: cty.String, Default: cty.StringVal(""), Doc: "d"},
		}},
		{Name: "lock", Max: 1, Doc: "d", Attrs: []Attr{{Name: "code", Type: cty.Number, Doc: "d"}}},
	},
	ID: func(v cty.Value) string { return v.GetAttr("name").AsString() },
}

func thing(set map[string]cty.Value) cty.Value {
	parts := map[string]cty.Value{}
	for name, typ := range skeletonKind.Type().AttributeTypes() {
		parts[name] = cty.NullVal(typ)
	}
	parts["text"], parts["tags"] = cty.StringVal("usual"), cty.MapValEmpty(cty.String)
	parts["part"] = cty.ListValEmpty(skeletonKind.Block("part").Type().ElementType())
	for name, v := range set {
		parts[name] = v
	}
	return cty.ObjectVal(parts)
}

func asItIs(*Attr, cty.Value) Write { return Write{} }

// TestSkeleton: the block that is written describes the object that it was written from.
func TestSkeleton(t *testing.T) {
	part := func(name string, size int64, note string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(name), "size": cty.NumberIntVal(size), "note": cty.StringVal(note)})
	}
	for name, v := range map[string]cty.Value{
		"nothing": thing(map[string]cty.Value{"name": cty.StringVal("A")}),
		"all": thing(map[string]cty.Value{
			"name": cty.StringVal("ELSE"), "text": cty.StringVal("un\"usual ${x} %{y}"), "number": cty.NumberFloatVal(1.5),
			"tags": cty.MapVal(map[string]cty.Value{"a b": cty.StringVal("c"), "d": cty.StringVal("")}),
			"part": cty.ListVal([]cty.Value{part("one", 1, ""), part("t\"wo", 2, "n")}),
			"lock": cty.ObjectVal(map[string]cty.Value{"code": cty.NumberIntVal(7)}),
		}),
		"lines":         thing(map[string]cty.Value{"name": cty.StringVal("A"), "text": cty.StringVal("  one ${x}\n\n%{if}\ttwo\n")}),
		"no end":        thing(map[string]cty.Value{"name": cty.StringVal("A"), "text": cty.StringVal("one\ntwo")}),
		"heredoc's end": thing(map[string]cty.Value{"name": cty.StringVal("A"), "text": cty.StringVal("one\nEOT\ntwo\n")}),
		"control":       thing(map[string]cty.Value{"name": cty.StringVal("A"), "text": cty.StringVal("one\x00\r\ntwo\n")}),
	} {
		block, err := Skeleton(skeletonKind, "a", v, asItIs)
		if err != nil {
			t.Fatal(err)
		}
		file := hclwrite.NewEmptyFile()
		file.Body().AppendBlock(block)
		src := string(Format(file.Bytes()))
		if string(Format([]byte(src))) != src {
			t.Errorf("%s: not in the canonical style:\n%s", name, src)
		}
		s := mustLoad(t, src, func(o *Options) { o.Kinds = []*Kind{skeletonKind} })
		instances, diags := s.NewScope().Instances(s.Blocks()[0])
		if diags.HasErrors() {
			t.Fatalf("%s: %v\n%s", name, diags, src)
		}
		for attr, want := range v.AsValueMap() {
			got := instances[0].Value.GetAttr(attr)
			if a := skeletonKind.Attr(attr); a != nil && a.Computed && !got.IsKnown() && want.IsNull() {
				continue
			}
			if !got.RawEquals(want) {
				t.Errorf("%s: %s is %#v, not %#v:\n%s", name, attr, got, want, src)
			}
		}
	}
}

func TestSkeletonLeavesOut(t *testing.T) {
	v := thing(map[string]cty.Value{
		"name": cty.StringVal("A"), "key": cty.StringVal("hunter2"), "url": cty.StringVal("u"), "number": cty.NumberIntVal(3), "other": cty.StringVal("B"),
	})
	block, err := Skeleton(skeletonKind, "a", v, func(a *Attr, v cty.Value) Write {
		switch a.Name {
		case "number":
			return Write{Omit: true}
		case "other":
			return Write{Tokens: RefTokens(Addr{Kind: "thing", Name: "b", Key: "k", Keyed: true}, "name")}
		}
		return Write{}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(strings.Fields(string(Format(block.BuildTokens(nil).Bytes()))), " "), `thing "a" { other = thing.b["k"].name }`; got != want {
		t.Errorf("got %s", got)
	}
	if _, err := Skeleton(skeletonKind, "a", thing(map[string]cty.Value{"name": cty.StringVal("A"), "text": cty.StringVal("bad")}), asItIs); err == nil ||
		!strings.Contains(err.Error(), "text") || !strings.Contains(err.Error(), "bad is not possible") {
		t.Errorf("got %v", err)
	}
}

func TestLabelFor(t *testing.T) {
	taken := map[string]bool{"b": true}
	for _, c := range []struct{ name, want string }{
		{"a", "a"}, {"a", "a_2"}, {"A", "a_3"}, {"b", "b_2"}, {"market-data.v1", "market_data_v1"}, {"1st", "x1st"}, {"_x", "x_x"}, {"", "x"}, {"é", "x_"},
	} {
		if got := LabelFor(c.name, taken); got != c.want {
			t.Errorf("%q: got %s, not %s", c.name, got, c.want)
		}
	}
}

package spec

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestDataKind(t *testing.T) {
	for _, k := range testKinds() {
		d := dataKind(k)
		if !d.Type().Equals(k.Type()) {
			t.Errorf("%s: the type is another one: %#v", d.Name, d.Type())
		}
		for _, err := range d.Lint() {
			t.Error(err)
		}
	}
}

func TestDataAddr(t *testing.T) {
	for text, want := range map[string]Addr{
		"data.kafka_topic.a":               {Kind: "data.kafka_topic", Name: "a"},
		`data.kafka_topic.a["x.y"]`:        {Kind: "data.kafka_topic", Name: "a", Key: "x.y", Keyed: true},
		`module.m["k"].data.kafka_topic.a`: {Module: `module.m["k"]`, Kind: "data.kafka_topic", Name: "a"},
		"data.kafka_topic":                 {},
		"data..a":                          {},
		"data.kafka_topic.a.b":             {},
	} {
		got, ok := ParseAddr(text)
		if got != want || ok != (want != Addr{}) || ok && got.String() != text {
			t.Errorf("%s: %#v, %t", text, got, ok)
		}
	}
}

// TestDataUnread holds that before it is read nothing is known of an object but what is given, and that the JSON syntax has it, too.
func TestDataUnread(t *testing.T) {
	for name, text := range map[string]string{
		"main.hcl":      "data \"kafka_topic\" \"a\" { name = \"x\" }\ndata \"kafka_topic\" \"b\" {}\n",
		"main.hcl.json": `{"data": {"kafka_topic": {"a": {"name": "x"}, "b": {}}}}`,
	} {
		dir := t.TempDir()
		write(t, dir+"/"+name, text)
		s, diags := Load(dir, testOptions())
		if diags.HasErrors() {
			t.Fatal(render(s, diags, dir))
		}
		scope := s.NewScope()
		for addr, want := range map[string]string{"data.kafka_topic.a": "x", "data.kafka_topic.b": "b"} {
			a, _ := ParseAddr(addr)
			insts, diags := scope.Instances(s.Block(a))
			if diags.HasErrors() || len(insts) != 1 {
				t.Fatal(diags)
			}
			v := insts[0]
			if got := v.Value.GetAttr("name"); !got.RawEquals(cty.StringVal(want)) || v.Value.GetAttr("partitions").IsKnown() || v.Value.GetAttr("config").IsKnown() {
				t.Errorf("%s %s: %#v", name, addr, v.Value)
			}
			if s.Block(a).Managed() || s.Block(a).App() {
				t.Errorf("%s is taken for what it is not", addr)
			}
		}
	}
}

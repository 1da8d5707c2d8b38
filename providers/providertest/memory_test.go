package providertest

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

func TestMemoryBoxConforms(t *testing.T) {
	Run(t, Suite{
		Kind:   boxKind,
		Kinds:  MemoryKinds(),
		New:    func(t *testing.T) World { m := NewMemory(); return World{Provider: m, Any: m} },
		Create: `mem_box "subject" { size = 2 }`,
		Others: []string{`
			mem_shelf "s" {}
			mem_box "subject" {
				size     = 3
				label    = "A"
				color    = "Red"
				material = "tin"
				tags     = { a = "1" }
				inside   = mem_shelf.s
				key      = "secret"
				owner    = "me"
			}`},
		Unchanged: []Step{{Name: "case of a color", From: `mem_box "subject" { color = "RED" }`, Stack: `mem_box "subject" { color = "red" }`},
			{Name: "case of a label", From: `mem_box "subject" { label = "A" }`, Stack: `mem_box "subject" { label = "a" }`}},
		InPlace: []Step{
			{Name: "larger", Stack: `mem_box "subject" { size = 3 }`, Attrs: []string{"size", "revision"}},
			{Name: "tags", Stack: "mem_box \"subject\" {\n size = 2\n tags = { a = \"1\" }\n}", Attrs: []string{`tags["a"]`}},
			{Name: "a secret", From: `mem_box "subject" { key = "one" }`, Stack: `mem_box "subject" { key = "two" }`, Attrs: []string{"key"}},
		},
		Replacements: []Step{
			{Name: "material", Stack: "mem_box \"subject\" {\n size = 2\n material = \"tin\"\n}", Want: "one material"},
			{Name: "name", Stack: "mem_box \"subject\" {\n size = 2\n name = \"other\"\n}", Want: "identity"},
		},
		Refused: []Step{{Name: "smaller", Stack: `mem_box "subject" { size = 1 }`, Want: "cannot shrink"}},
		Outside: func(_ *testing.T, w World, id string) {
			w.Any.(*Memory).Put("mem_box", id, map[string]cty.Value{"size": cty.NumberIntVal(1)})
		},
		Denied: refusing,
	})
}

func TestMemoryShelfConforms(t *testing.T) {
	const create = `mem_shelf "subject" {
		board "top" { width = 2 }
		board "low" { width = 2 }
	}`
	Run(t, Suite{
		Kind:   shelfKind,
		Kinds:  MemoryKinds(),
		New:    func(t *testing.T) World { m := NewMemory(); return World{Provider: m, Any: m} },
		Create: create,
		InPlace: []Step{
			{Name: "wider", Stack: `mem_shelf "subject" {
				board "top" { width = 3 }
				board "low" { width = 2 }
			}`, Attrs: []string{`board["top"].width`}},
			{Name: "one more, one less, and a lock", Stack: `mem_shelf "subject" {
				board "top" { width = 2 }
				board "mid" { width = 2 }
				lock { code = 1 }
			}`, Attrs: []string{`board["mid"]`, `board["low"]`, "lock"}},
		},
		Replacements: []Step{{Name: "narrower", Stack: `mem_shelf "subject" {
				board "top" { width = 1 }
				board "low" {
					width   = 2
					comment = "x"
				}
			}`, Attrs: []string{`board["top"].width`, `board["low"].comment`}, Want: "narrower"}},
		Denied: refusing,
	})
}

func refusing(_ *testing.T, w World) providers.Provider {
	return &Hook{Provider: w.Provider, Before: func(Call) error { return providers.Errorf(providers.Denied, "go away") }}
}

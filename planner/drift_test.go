package planner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/spec"
)

const driftStack = `
variable "secret" {
  default   = "red"
  sensitive = true
}
mem_box "same" { tags = { a = "1" } }
mem_box "box" {
  size  = 2
  label = "l"
  color = "Green"
  key   = "hunter2"
  tags  = {
    a = "1"
    b = "2"
  }
}
mem_box "ignored" {
  label = "l"
  lifecycle { ignore_changes = [label] }
}
mem_box "hidden" { color = var.secret }
mem_box "gone" {}
mem_box "replaced" {}
mem_box "left" { label = "l" }
mem_shelf "shelf" {
  board "top" { width = 1 }
  board "low" { width = 1 }
  lock { code = 1 }
}
`

// drifted writes drift plainly.
func drifted(t *testing.T, in planner.Input) string {
	t.Helper()
	all, diags := planner.FindDrift(context.Background(), in)
	var out strings.Builder
	for _, d := range all {
		fmt.Fprintf(&out, "%s %s\n", d.How, d.Addr)
		for _, a := range d.Attrs {
			applied := "?"
			if a.Applied != cty.NilVal {
				applied = fmt.Sprintf("%#v", a.Applied)
			}
			if a.Sensitive {
				fmt.Fprintf(&out, "  %s sensitive\n", planner.PathText(a.Path))
				continue
			}
			fmt.Fprintf(&out, "  %s %s -> %#v\n", planner.PathText(a.Path), applied, a.Actual)
		}
	}
	return out.String() + providertest.Text(diags)
}

func TestDrift(t *testing.T) {
	m, b := bench(t)
	b.MustApply(t, driftStack)
	if got := drifted(t, b.Input(t, driftStack)); got != "" {
		t.Fatalf("drift right after apply:\n%s", got)
	}
	calls := len(m.Calls)

	m.Put("mem_box", "box", map[string]cty.Value{
		"size": cty.NumberIntVal(9), "label": cty.StringVal("other"), "owner": cty.StringVal("them"),
		"tags": cty.MapVal(map[string]cty.Value{"b": cty.StringVal("3"), "c": cty.StringVal("new")}),
	})
	m.Put("mem_box", "ignored", map[string]cty.Value{"label": cty.StringVal("other")})
	m.Put("mem_box", "hidden", map[string]cty.Value{"color": cty.StringVal("blue")})
	m.Put("mem_box", "left", map[string]cty.Value{"label": cty.StringVal("other")})
	m.Remove("mem_box", "gone")
	m.Remove("mem_box", "replaced")
	m.Put("mem_box", "replaced", nil)
	board := func(name string, width int64) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(name), "width": cty.NumberIntVal(width), "comment": cty.NullVal(cty.String)})
	}
	m.Put("mem_shelf", "shelf", map[string]cty.Value{"board": cty.ListVal([]cty.Value{board("top", 5), board("extra", 1)})})

	// The stack says something else by now about a size and a label; one block moved, and one left.
	stack := strings.NewReplacer("size  = 2", "size  = 3", `"left" { label = "l" }`, `"moved" { name = "left" }`,
		"mem_box \"gone\" {}\n", "").Replace(driftStack) + `
moved {
  from = mem_box.left
  to   = mem_box.moved
}
mem_box "new" {}
`
	want := `changed mem_box.box
  size ? -> cty.NumberIntVal(9)
  label cty.StringVal("l") -> cty.StringVal("other")
  tags["a"] cty.StringVal("1") -> cty.NullVal(cty.DynamicPseudoType)
  tags["b"] cty.StringVal("2") -> cty.StringVal("3")
  tags["c"] cty.NullVal(cty.String) -> cty.StringVal("new")
gone mem_box.gone
changed mem_box.hidden
  color sensitive
changed mem_box.moved
  label ? -> cty.StringVal("other")
replaced mem_box.replaced
changed mem_shelf.shelf
  board["extra"] cty.NullVal(cty.Object(map[string]cty.Type{"comment":cty.String, "name":cty.String, "width":cty.Number})) -> cty.ObjectVal(map[string]cty.Value{"comment":cty.NullVal(cty.String), "name":cty.StringVal("extra"), "width":cty.NumberIntVal(1)})
  board["low"] cty.ObjectVal(map[string]cty.Value{"comment":cty.NullVal(cty.String), "name":cty.StringVal("low"), "width":cty.NumberIntVal(1)}) -> cty.NullVal(cty.DynamicPseudoType)
  board["top"] cty.ObjectVal(map[string]cty.Value{"comment":cty.NullVal(cty.String), "name":cty.StringVal("top"), "width":cty.NumberIntVal(1)}) -> cty.ObjectVal(map[string]cty.Value{"comment":cty.NullVal(cty.String), "name":cty.StringVal("top"), "width":cty.NumberIntVal(5)})
`
	if got := drifted(t, b.Input(t, stack)); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for _, call := range m.Calls[calls:] {
		if !strings.HasPrefix(call, "read ") {
			t.Errorf("drift called %s", call)
		}
	}
}

// TestDriftAgreed: what the stack says by now is no drift, since no apply would find anything to do about it.
func TestDriftAgreed(t *testing.T) {
	m, b := bench(t)
	b.MustApply(t, `mem_box "a" {
  size = 2
  tags = { a = "1" }
}`)
	m.Put("mem_box", "a", map[string]cty.Value{"size": cty.NumberIntVal(9), "tags": cty.MapVal(map[string]cty.Value{"b": cty.StringVal("2")})})
	_, diags := planner.New(context.Background(), b.Input(t, `mem_box "a" { size = 2 }`))
	if got := providertest.Text(diags); !strings.Contains(got, "cannot shrink; make another one. It was changed outside of mkt: to keep it as it is, write that into the stack.") {
		t.Errorf("got: %s", got)
	}
	stack := `mem_box "a" {
  size = 9
  tags = { b = "2" }
}`
	b.MustApply(t, stack)
	if got := drifted(t, b.Input(t, stack)); got != "" {
		t.Errorf("got: %s", got)
	}
	if got := drifted(t, b.Input(t, `mem_box "a" { size = 9 }`)); !strings.Contains(got, `tags["b"]`) || strings.Contains(got, "size") {
		t.Errorf("got: %s", got)
	}
}

// TestDriftUnknown: what cannot be told is said, and is not drift.
func TestDriftUnknown(t *testing.T) {
	m, b := bench(t)
	stack := `mem_box "a" { label = "l" }`
	b.MustApply(t, stack)
	m.Put("mem_box", "a", map[string]cty.Value{"label": cty.StringVal("half")})
	in := b.Input(t, stack)
	in.Ledger.Intents[spec.Addr{Kind: "mem_box", Name: "a"}] = ledger.Intent{ID: "a", Op: ledger.OpUpdate, Since: time.Now()}
	if got := drifted(t, in); !strings.HasPrefix(got, "stack.hcl:1: warning: Apply interrupted: mem_box.a") {
		t.Errorf("got: %s", got)
	}
	b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(c providertest.Call) error {
		return providers.Errorf(providers.Denied, "no")
	}}
	if got := drifted(t, b.Input(t, stack)); !strings.HasPrefix(got, "stack.hcl:1: Access denied: mem_box.a") {
		t.Errorf("got: %s", got)
	}
}

// TestOwn: taking over one object writes one entry, whatever else is wrong with the plan.
func TestOwn(t *testing.T) {
	m, b := bench(t)
	ctx := context.Background()
	put := `{"size": 5, "material": "wood", "owner": "root", "url": "mem://a", "revision": 1}`
	m.Put("mem_box", "a", attributes(t, "mem_box", put))
	m.Put("mem_box", "dep", attributes(t, "mem_box", put))
	stack := `
mem_box "dep" {}
mem_box "a" { inside = mem_box.dep }
mem_box "absent" {}
`
	calls := len(m.Calls)
	a := spec.Addr{Kind: "mem_box", Name: "a"}
	in := b.Input(t, stack)
	in.Targets, in.Adopt = []spec.Addr{a}, []spec.Addr{a}
	p, diags := planner.New(ctx, in)
	if !diags.HasErrors() { // a box cannot shrink, and the other one exists as well
		t.Error("no errors")
	}
	if !p.TakesOver(a) || p.TakesOver(spec.Addr{Kind: "mem_box", Name: "dep"}) || p.TakesOver(spec.Addr{Kind: "mem_box", Name: "absent"}) {
		t.Fatal("the wrong ones are taken over")
	}
	if err := planner.Own(ctx, p, a, b.Store()); err != nil {
		t.Fatal(err)
	}
	if err := planner.Own(ctx, p, spec.Addr{Kind: "mem_box", Name: "absent"}, b.Store()); err == nil {
		t.Error("what is not there is owned")
	}
	l := b.Ledger(t)
	if len(l.Entries) != 1 || l.Entries[a].ID != "a" || l.Entries[a].Incarnation == "" {
		t.Errorf("the ledger has %v", l.Addrs())
	}
	for _, call := range m.Calls[calls:] {
		if !strings.HasPrefix(call, "read ") {
			t.Errorf("owning called %s", call)
		}
	}
}

package planner_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/spec"
)

// TestPromise catches a provider that makes something else than was planned.
func TestPromise(t *testing.T) {
	m, b := bench(t)
	const stack = "mem_box \"a\" {\n size = 2\n key = \"hunter2\"\n}\nmem_box \"b\" { label = \"size ${mem_box.a.size}\" }"
	b.Providers["mem"] = &lying{m}
	report, diags := b.Apply(t, b.MustPlan(t, stack))
	text := providertest.Text(diags)
	if !strings.Contains(text, "Provider did not keep its promise: Mem_box.a: size was planned as 2 and came back as 99.") || strings.Contains(text, "hunter2") {
		t.Errorf("diagnostics: %s", text)
	}
	if done, failed, not := report.Counts(); done != 0 || failed != 1 || not != 1 {
		t.Errorf("%d done, %d failed, %d not started", done, failed, not)
	}
	if len(b.Ledger(t).Entries) != 1 {
		t.Error("what was made is not in the ledger")
	}
}

type lying struct{ *providertest.Memory }

func (l *lying) Resource(kind string) providers.Resource {
	return lyingResource{l.Memory.Resource(kind)}
}

type lyingResource struct{ providers.Resource }

func (r lyingResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	results := r.Resource.Create(ctx, changes)
	for i := range results {
		parts := results[i].State.AsValueMap()
		parts["size"] = cty.NumberIntVal(99)
		results[i].State = cty.ObjectVal(parts)
	}
	return results
}

// TestUnknown follows values that only apply can tell: in an attribute, in a name, and in a name of the second pass.
func TestUnknown(t *testing.T) {
	m, b := bench(t)
	const first = `mem_box "a" {}`
	const stack = first + `
mem_box "by_value" { label = "made by ${mem_box.a.owner}" }
mem_box "by_name" { name = "box-of-${mem_box.a.owner}" }
mem_box "on_name" { inside = mem_box.by_name }
output "owner" { value = mem_box.a.owner }
`
	p := b.MustPlan(t, stack)
	if c := p.Change(spec.Addr{Kind: "mem_box", Name: "by_name"}); c.ID != "" || c.After.GetAttr("name").IsKnown() {
		t.Errorf("the name is known too early: %q %#v", c.ID, c.After)
	}
	report, diags := b.Apply(t, p)
	if diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	if got := report.Outputs[0].Value; !got.RawEquals(cty.StringVal("root")) {
		t.Errorf("output: %#v", got)
	}
	if got := m.IDs("mem_box"); !slices.Equal(got, []string{"a", "box-of-root", "by_value", "on_name"}) {
		t.Errorf("objects: %v", got)
	}
	b.MustBeEmpty(t, stack)

	// The name is known in the second pass now: that the object exists is said at plan.
	m, b = bench(t)
	b.MustApply(t, first)
	m.Put("mem_box", "box-of-root", nil)
	if _, diags := b.Plan(t, stack); !strings.Contains(providertest.Text(diags), `the mem_box "box-of-root" exists already`) {
		t.Errorf("diagnostics: %s", providertest.Text(diags))
	}
	// And where it is not, the create finds out and touches nothing.
	m, b = bench(t)
	m.Put("mem_box", "box-of-root", map[string]cty.Value{"size": cty.NumberIntVal(7)})
	_, diags = b.Apply(t, b.MustPlan(t, stack))
	if text := providertest.Text(diags); !strings.Contains(text, `mem_box.by_name: create "box-of-root": it exists`) {
		t.Errorf("diagnostics: %s", text)
	}
	if v := m.Objects["mem_box"]["box-of-root"].Value; !v.GetAttr("size").RawEquals(cty.NumberIntVal(7)) {
		t.Errorf("touched: %#v", v)
	}
}

// TestUnknownTurnsOutImpossible stops at a value that asks for something else than was planned.
func TestUnknownTurnsOutImpossible(t *testing.T) {
	m, b := bench(t)
	b.MustApply(t, "mem_box \"a\" { size = 1 }\nmem_box \"b\" { size = 5 }")
	p := b.MustPlan(t, "mem_box \"a\" { size = 2 }\nmem_box \"b\" { size = mem_box.a.revision }")
	_, diags := b.Apply(t, p)
	if text := providertest.Text(diags); !strings.Contains(text, "Not what was planned: mem_box.b") {
		t.Errorf("diagnostics: %s", text)
	}
	if v := m.Objects["mem_box"]["b"].Value; !v.GetAttr("size").RawEquals(cty.NumberIntVal(5)) {
		t.Errorf("touched: %#v", v)
	}
}

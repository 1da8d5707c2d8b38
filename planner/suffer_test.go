package planner_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"mkt/planner"
	"mkt/providers/providertest"
	"mkt/spec"
)

// calls applies a plan and returns the objects in the order in which something was done to them: "delete glass".
func calls(t *testing.T, m *providertest.Memory, b *providertest.Bench, stack string) ([]string, *planner.Plan) {
	t.Helper()
	p := b.MustPlan(t, stack)
	order := callsOf(t, m, b, p)
	b.MustBeEmpty(t, stack)
	return order, p
}

func callsOf(t *testing.T, m *providertest.Memory, b *providertest.Bench, p *planner.Plan) (order []string) {
	t.Helper()
	var mu sync.Mutex
	b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(c providertest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range c.IDs {
			order = append(order, c.Op+" "+id)
		}
		return nil
	}}
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	b.Providers["mem"] = m
	return order
}

func inOrder(t *testing.T, order []string, want ...string) {
	t.Helper()
	at := -1
	for _, w := range want {
		i := slices.Index(order, w)
		if i <= at {
			t.Fatalf("%q is not where it should be in %s", w, strings.Join(order, ", "))
		}
		at = i
	}
}

// TestSuffersThroughWhatStays replaces a shelf: the glass box on the wooden box on it breaks, the wooden one does not.
func TestSuffersThroughWhatStays(t *testing.T) {
	m, b := bench(t)
	stack := func(width string) string {
		return "mem_shelf \"shelf\" {\n board \"top\" { width = " + width + " }\n}\n" +
			"mem_box \"wood\" { inside = mem_shelf.shelf }\n" +
			"mem_box \"glass\" {\n material = \"glass\"\n inside = mem_box.wood\n}"
	}
	b.MustApply(t, stack("2"))
	order, p := calls(t, m, b, stack("1"))
	if a := p.Change(spec.Addr{Kind: "mem_box", Name: "wood"}).Action; a != planner.NoOp {
		t.Errorf("the wooden box: %q", a)
	}
	inOrder(t, order, "delete glass", "delete shelf", "create shelf", "create glass")
}

// TestRemovedBeforeWhatItUsedChanges has an object removed while what it stands in is as it was.
func TestRemovedBeforeWhatItUsedChanges(t *testing.T) {
	m, b := bench(t)
	stack := func(material, size string) string {
		return "mem_box \"outer\" { size = " + size + " }\n" +
			"mem_box \"between\" { inside = mem_box.outer }\n" +
			"mem_box \"inner\" {\n material = \"" + material + "\"\n inside = mem_box.between\n}"
	}
	b.MustApply(t, stack("wood", "1"))
	order, _ := calls(t, m, b, stack("steel", "2"))
	inOrder(t, order, "delete inner", "update outer", "create inner")
}

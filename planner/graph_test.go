package planner_test

import (
	"context"
	"testing"

	"mkt/providers/providertest"
	"mkt/spec"
)

// TestOrderThatContradictsItself has c leave the stack while b, which c depended on, is replaced, and d, which
// depended on both, lets c go: d cannot be changed before c is deleted, although that is what one would like.
func TestOrderThatContradictsItself(t *testing.T) {
	_, b := bench(t)
	b.MustApply(t, `
mem_box "b" {}
mem_box "c" { inside = mem_box.b }
mem_box "d" {
  label  = mem_box.c.name
  inside = mem_box.b
}`)
	const after = `
mem_box "b" { material = "tin" }
mem_box "d" { inside = mem_box.b }`
	p := b.MustPlan(t, after)
	report, diags := b.Apply(t, p)
	if done, failed, not := report.Counts(); failed+not > 0 || diags.HasErrors() {
		t.Errorf("%d done, %d failed, %d not started: %s", done, failed, not, providertest.Text(diags))
	}
	b.MustBeEmpty(t, after)
}

// TestRecordedCycle destroys objects whose recorded dependencies, of different times, run in a circle.
func TestRecordedCycle(t *testing.T) {
	m, b := bench(t)
	const stack = "mem_box \"a\" {}\nmem_box \"b\" {}\nmem_box \"c\" { inside = mem_box.a }"
	b.MustApply(t, stack)
	l := b.Ledger(t)
	l.Entries[spec.Addr{Kind: "mem_box", Name: "a"}].Deps = []string{"mem_box.b"}
	l.Entries[spec.Addr{Kind: "mem_box", Name: "b"}].Deps = []string{"mem_box.a"}
	if err := b.Store().Save(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	report, diags := b.Destroy(t, stack)
	if done, _, _ := report.Counts(); done != 3 || diags.HasErrors() || m.Count() > 0 {
		t.Errorf("%d done, %d objects left: %s", done, m.Count(), providertest.Text(diags))
	}
}

package planner_test

import (
	"testing"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers/providertest"
	"mkt/spec"
)

// TestReplaceAsked replaces a shelf that nothing differs in: in the order of any replacement, from a saved plan, and once.
func TestReplaceAsked(t *testing.T) {
	m, b := bench(t)
	const stack = "mem_shelf \"shelf\" {}\n" +
		"mem_box \"wood\" { inside = mem_shelf.shelf }\n" +
		"mem_box \"glass\" {\n material = \"glass\"\n inside = mem_box.wood\n}"
	b.MustApply(t, stack)
	before := m.Objects["mem_shelf"]["shelf"].Incarnation
	in := b.Input(t, stack)
	in.Replace = []spec.Addr{{Kind: "mem_shelf", Name: "shelf"}}
	p, diags := planner.New(t.Context(), in)
	if diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	saved := planner.NewSaved(p)
	again := b.Input(t, stack)
	if err := saved.Options(&again); err != nil {
		t.Fatal(err)
	}
	p, _ = planner.New(t.Context(), again)
	if diags := saved.Verify(p); diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	inOrder(t, callsOf(t, m, b, p), "delete glass", "delete shelf", "create shelf", "create glass")
	if m.Objects["mem_shelf"]["shelf"].Incarnation == before {
		t.Error("it is the old shelf")
	}
	b.MustBeEmpty(t, stack)
}

// TestReplaceAskedKilled: what an apply that was killed in between has deleted is created by the next one, asked for or not.
func TestReplaceAskedKilled(t *testing.T) {
	for _, asked := range []bool{true, false} {
		m, b := bench(t)
		const stack = `mem_box "a" {}`
		b.MustApply(t, stack)
		addr := spec.Addr{Kind: "mem_box", Name: "a"}
		in := b.Input(t, stack)
		in.Ledger.Intents[addr] = ledger.Intent{ID: "a", Op: ledger.OpDelete}
		m.Remove("mem_box", "a")
		if asked {
			in.Replace = []spec.Addr{addr}
		}
		p, diags := planner.New(t.Context(), in)
		if diags.HasErrors() || p.Change(addr).Action != planner.Create {
			t.Errorf("asked %v: %q, %s", asked, p.Change(addr).Action, providertest.Text(diags))
		}
	}
}

package planner_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"mkt/planner"
	"mkt/providers/providertest"
	"mkt/spec"
)

// TestNamed: what holds data is destroyed only when it is named, or when a person agreed to the loss.
func TestNamed(t *testing.T) {
	m, b := bench(t)
	stack := `mem_shelf "s" {}` + "\n" + `mem_box "a" { tags = { x = "y" } }`
	b.MustApply(t, stack)
	b.Guarded = true
	refused := func(p *planner.Plan) {
		t.Helper()
		report, diags := b.Apply(t, p)
		text := providertest.Text(diags)
		if !strings.Contains(text, "Data would be lost") || !strings.Contains(text, "1 tags") || !strings.Contains(text, "-allow-destroy='mem_box.a'") {
			t.Errorf("diagnostics: %s", text)
		}
		if done, failed, notStarted := report.Counts(); done+failed != 0 || notStarted == 0 {
			t.Errorf("%d done, %d failed, %d not started", done, failed, notStarted)
		}
		if m.Count() != 2 {
			t.Error("something was destroyed")
		}
	}
	gone := `mem_box "new" {}`
	refused(b.MustPlan(t, gone))
	refused(b.MustPlan(t, stack[:strings.Index(stack, "\n")]+"\n"+`mem_box "a" { material = "tin" }`))

	in := b.Input(t, gone)
	in.AllowDestroy = []spec.Addr{{Kind: "mem_box", Name: "a"}}
	p, diags := planner.New(context.Background(), in)
	if diags.HasErrors() || len(p.Unnamed()) != 0 {
		t.Fatal(diags, p.Unnamed())
	}
	// A saved plan brings what was named along; an apply of it may name more.
	path := filepath.Join(b.Dir, "plan")
	if err := planner.Save(path, p); err != nil {
		t.Fatal(err)
	}
	saved, err := planner.LoadSaved(path)
	if err != nil {
		t.Fatal(err)
	}
	again := b.Input(t, gone)
	more := spec.Addr{Kind: "mem_box", Name: "more"}
	again.AllowDestroy = []spec.Addr{more}
	if err := saved.Options(&again); err != nil || len(again.AllowDestroy) != 2 || again.AllowDestroy[1] != more {
		t.Errorf("%v, %v", err, again.AllowDestroy)
	}
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatal(diags)
	}
	if got := strings.Join(m.IDs("mem_box"), " "); got != "new" {
		t.Errorf("there are %s", got)
	}

	in = b.Input(t, gone)
	in.Destroy, in.AllowDestroyAll = true, true
	if p, _ = planner.New(context.Background(), in); len(p.Unnamed()) != 0 {
		t.Error(p.Unnamed())
	}
	in.AllowDestroyAll = false
	if p, _ = planner.New(context.Background(), in); len(p.Unnamed()) != 1 {
		t.Error(p.Unnamed())
	}
	if _, diags := planner.Apply(context.Background(), p, planner.ApplyOptions{Ledger: b.Store(), LossAgreed: true}); diags.HasErrors() || m.Count() != 0 {
		t.Errorf("%v, %d objects", diags, m.Count())
	}
}

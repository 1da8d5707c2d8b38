package planner_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
	"mkt/providers/providertest"
	"mkt/spec"
)

// TestSavedPlan changes one thing after another between plan and apply; each is named, and nothing else is.
func TestSavedPlan(t *testing.T) {
	const applied = `mem_box "a" { size = 1 }`
	const stack = `
variable "n" { default = 2 }
mem_box "a" { size = var.n }
mem_box "b" { label = "revision ${mem_box.a.revision}" }
`
	tests := []struct {
		name   string
		change func(t *testing.T, m *providertest.Memory, b *providertest.Bench) (stack string)
		want   string // "" for a plan that still holds
	}{
		{"nothing", func(*testing.T, *providertest.Memory, *providertest.Bench) string { return stack }, ""},
		{"a file", func(*testing.T, *providertest.Memory, *providertest.Bench) string { return stack + "\n# a comment\n" }, "The stack's files"},
		{"a variable", func(_ *testing.T, _ *providertest.Memory, b *providertest.Bench) string {
			b.Vars = map[string]string{"n": "3"}
			return stack
		}, `The variable "n" has another value`},
		{"an object", func(_ *testing.T, m *providertest.Memory, _ *providertest.Bench) string {
			m.Put("mem_box", "a", map[string]cty.Value{"tags": cty.MapVal(map[string]cty.Value{"x": cty.StringVal("y")})})
			return stack
		}, "mem_box.a: the object changed since it was made."},
		{"its incarnation", func(_ *testing.T, m *providertest.Memory, _ *providertest.Bench) string {
			v := m.Objects["mem_box"]["a"].Value
			m.Remove("mem_box", "a")
			m.Put("mem_box", "a", v.AsValueMap())
			return stack
		}, "mem_box.a: the object changed since it was made."},
		{"it is gone", func(_ *testing.T, m *providertest.Memory, _ *providertest.Bench) string {
			m.Remove("mem_box", "a")
			return stack
		}, "mem_box.a: it says update, and now it would be create."},
		{"an apply", func(t *testing.T, _ *providertest.Memory, b *providertest.Bench) string {
			b.MustApply(t, stack)
			return stack
		}, "The ledger has changed since it was made"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, b := bench(t)
			b.MustApply(t, applied)
			path := filepath.Join(t.TempDir(), "plan")
			if err := planner.Save(path, b.MustPlan(t, stack)); err != nil {
				t.Fatal(err)
			}
			text := test.change(t, m, b)
			saved, err := planner.LoadSaved(path)
			if err != nil {
				t.Fatal(err)
			}
			p, _ := b.Plan(t, text)
			got := providertest.Text(saved.Verify(p))
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// However much differs, it is one error; blocks of one reason are named together, and not all of many.
func TestSavedPlanIsStaleOnce(t *testing.T) {
	_, b := bench(t)
	stack := func(n int) string {
		return fmt.Sprintf("mem_box \"gone\" {\n for_each = toset(%d == 1 ? [\"x\"] : [])\n name = each.key\n}\nmem_box \"many\" {\n for_each = toset([for i in range(9) : tostring(i)])\n name = each.key\n size = %[1]d\n}", n)
	}
	saved := planner.NewSaved(b.MustPlan(t, stack(1)))
	p, _ := b.Plan(t, stack(2))
	diags := saved.Verify(p)
	const want = "The stack's files, or files and variables that they read, changed since it was made.\n" +
		`mem_box.many["0"], mem_box.many["1"], mem_box.many["2"], mem_box.many["3"], mem_box.many["4"] and 4 more: it would become something else than was shown.` + "\n" +
		`mem_box.gone["x"]: in the saved plan, and not in one made now.` + "\n" +
		"Nothing was done: plan again, and look at the new plan."
	if len(diags) != 1 || diags[0].Summary != "Saved plan is stale" || diags[0].Detail != want {
		t.Errorf("%d errors, %s", len(diags), providertest.Text(diags))
	}
}

func TestSavedOptions(t *testing.T) {
	_, b := bench(t)
	in := b.Input(t, "mem_box \"a\" {}\nmem_box \"b\" {}")
	in.Targets = []spec.Addr{{Kind: "mem_box", Name: "a"}}
	in.Replace = []spec.Addr{{Kind: "mem_box", Name: "a"}}
	p, _ := planner.New(t.Context(), in)
	again := b.Input(t, "mem_box \"a\" {}\nmem_box \"b\" {}")
	saved := planner.NewSaved(p)
	if err := saved.Options(&again); err != nil {
		t.Fatal(err)
	}
	p, _ = planner.New(t.Context(), again)
	if diags := saved.Verify(p); len(diags) > 0 || len(p.Changes) != 1 {
		t.Errorf("%d changes: %s", len(p.Changes), providertest.Text(diags))
	}
}

func TestLoadSavedRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "damaged or no plan",
		`{"mkt_plan": 1, "made`: "damaged or no plan",
		`{"resources": []}`:     "no plan of mkt",
		`{"mkt_plan": 2}`:       "version 2",
	} {
		path := filepath.Join(t.TempDir(), "plan")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := planner.LoadSaved(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %q", text, err, want)
		}
	}
	if _, err := planner.LoadSaved(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
}

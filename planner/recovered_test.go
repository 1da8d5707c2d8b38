package planner_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers/providertest"
	"mkt/spec"
)

// lostGeneration applies two stacks and takes the ledger of the first one for the newest that is whole.
func lostGeneration(t *testing.T, b *providertest.Bench, first, second string) {
	t.Helper()
	b.MustApply(t, first)
	old := b.Ledger(t)
	b.MustApply(t, second)
	old.Recovered = &ledger.Recovered{Serial: old.Serial}
	old.Serial = b.Ledger(t).Serial
	if err := b.Store().Save(t.Context(), old); err != nil {
		t.Fatal(err)
	}
}

// TestRecovered has a ledger that goes on from an older generation: what was created, changed, replaced, deleted, renamed and given up since is
// found again, and the next apply changes nothing.
func TestRecovered(t *testing.T) {
	for _, test := range []struct{ name, first, second string }{
		{"everything was made since", "mem_box \"first\" {}\n", "mem_box \"first\" {}\n" + faultBefore},
		{"everything was changed since", faultBefore, faultAfter},
		{"a secret", "mem_box \"first\" {}\n", "mem_box \"first\" {}\nmem_box \"a\" { key = \"s\" }\n"},
		{"given up", `mem_box "a" {}`, "removed {\n  from = mem_box.a\n  lifecycle { destroy = false }\n}\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, b := bench(t)
			lostGeneration(t, b, test.first, test.second)
			want, calls := worldText(m), len(m.Calls)
			b.MustApply(t, test.second)
			for _, call := range m.Calls[calls:] {
				if strings.HasPrefix(call, "create") || strings.HasPrefix(call, "delete") {
					t.Errorf("it did %q", call)
				}
			}
			if got := worldText(m); got != want && test.name != "a secret" {
				t.Errorf("another world:\n%s\nwanted:\n%s", got, want)
			}
			if l := b.Ledger(t); l.Recovered != nil {
				t.Error("it is still looking")
			}
			b.MustBeEmpty(t, test.second)
		})
	}
}

// TestRecoveredProvesNothing has objects that differ from what the stack wants: nothing proves that mkt made them.
func TestRecoveredProvesNothing(t *testing.T) {
	m, b := bench(t)
	lostGeneration(t, b, `mem_box "kept" {}`, `
mem_box "kept" {}
mem_box "a" { size = 2 }
mem_box "b" { size = 2 }
`)
	want := worldText(m)
	const stack = `
mem_box "kept" {}
mem_box "a" { size = 2 }
mem_box "b" { size = 3 }
`
	p, diags := b.Plan(t, stack)
	if text := providertest.Text(diags); !strings.Contains(text, "mem_box.b") || !strings.Contains(text, "differs from its block in size") || strings.Contains(text, "mem_box.a:") {
		t.Fatal(text)
	}
	if _, diags := b.Apply(t, p); !diags.HasErrors() || worldText(m) != want {
		t.Fatalf("it was applied: %s", providertest.Text(diags))
	}
	// What is left out by -target is looked at another time; and nothing but the ledger is deleted by.
	b.MustApply(t, `mem_box "kept" {}`)
	if worldText(m) != want {
		t.Error("what the ledger does not have was deleted")
	}
}

// TestGivenUpAndProtectedAreInBothGenerations: whatever generation is lost, nothing is deleted for it.
func TestGivenUpAndProtectedAreInBothGenerations(t *testing.T) {
	for _, test := range []struct{ name, second string }{
		{"given up", "removed {\n  from = mem_box.a\n  lifecycle { destroy = false }\n}\n"},
		{"protected", "mem_box \"a\" {\n  lifecycle { prevent_destroy = true }\n}\n"},
		{"protected and changed", "mem_box \"a\" {\n  size = 3\n  lifecycle { prevent_destroy = true }\n}\n"},
	} {
		_, b := bench(t)
		b.MustApply(t, `mem_box "a" {}`)
		saved := &lastTwo{Store: b.Store()}
		if _, diags := planner.Apply(t.Context(), b.MustPlan(t, test.second), planner.ApplyOptions{Ledger: saved}); diags.HasErrors() {
			t.Fatal(providertest.Text(diags))
		}
		for _, l := range saved.texts[max(0, len(saved.texts)-2):] {
			e := l.Entries[spec.Addr{Kind: "mem_box", Name: "a"}]
			if test.name == "given up" && e != nil || test.name != "given up" && (e == nil || !e.Protected) {
				t.Errorf("%s: the generation with serial %d has %+v", test.name, l.Serial, e)
			}
		}
		if len(saved.texts) < 2 {
			t.Errorf("%s: saved %d times", test.name, len(saved.texts))
		}
	}
}

// TestCreatesAreAnnouncedInBothGenerations: whatever generation is lost, what a kill left half made is gone on with.
func TestCreatesAreAnnouncedInBothGenerations(t *testing.T) {
	m, b := bench(t)
	b.MustApply(t, `mem_box "kept" {}`)
	const stack = `
mem_box "kept" {}
mem_box "a" { size = 2 }
`
	p := b.MustPlan(t, stack)
	calls := len(m.Calls)
	saved := &lastTwo{Store: b.Store(), before: func() bool { return !slices.Contains(m.Calls[calls:], "create mem_box 1") }}
	if _, diags := planner.Apply(t.Context(), p, planner.ApplyOptions{Ledger: saved}); diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	if len(saved.texts) < 2 {
		t.Fatalf("saved %d times before the request", len(saved.texts))
	}
	for _, old := range saved.texts[len(saved.texts)-2:] {
		m.Put("mem_box", "a", map[string]cty.Value{"size": cty.NumberIntVal(1)})
		old.Recovered = &ledger.Recovered{Serial: old.Serial}
		old.Serial = b.Ledger(t).Serial
		if err := b.Store().Save(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		b.MustApply(t, stack)
		b.MustBeEmpty(t, stack)
	}
}

// lastTwo keeps what was saved.
type lastTwo struct {
	ledger.Store
	before func() bool // whether to keep it; nil: yes
	texts  []*ledger.Ledger
}

func (s *lastTwo) Save(ctx context.Context, l *ledger.Ledger) error {
	if err := s.Store.Save(ctx, l); err != nil {
		return err
	}
	if s.before != nil && !s.before() {
		return nil
	}
	text, err := l.Encode()
	if err != nil {
		return err
	}
	copied, err := ledger.Decode(text)
	s.texts = append(s.texts, copied)
	return err
}

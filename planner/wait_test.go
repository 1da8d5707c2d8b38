package planner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/spec"
)

const waitStack = `
mem_shelf "needs" {}
mem_box "on_needs" { inside = mem_shelf.needs }
mem_box "on_on_needs" { inside = mem_box.on_needs }
mem_box "free" {}
mem_box "on_free" { inside = mem_box.free }
`

// consent is a system that makes no shelf before a person has done something.
func consent(m *providertest.Memory) *providertest.Hook {
	return &providertest.Hook{Provider: m, Before: func(c providertest.Call) error {
		if c.Op == "create" && c.Kind == "mem_shelf" {
			err := providers.Errorf(providers.Waiting, "the carpenter has not been asked")
			err.Steps = []string{"Ask the carpenter."}
			return err
		}
		return nil
	}}
}

// TestWaiting applies a stack of which a part needs a person: the rest is made, nothing has failed, plan and ledger say what is
// waited for and since when, and the apply after it is done goes on from there.
func TestWaiting(t *testing.T) {
	m, b := bench(t)
	b.Providers["mem"] = consent(m)
	started := time.Now().UTC().Truncate(time.Second)
	var since time.Time
	for round := range 2 {
		report, diags := b.Apply(t, b.MustPlan(t, waitStack))
		if diags.HasErrors() {
			t.Fatal(providertest.Text(diags))
		}
		var got []string
		for _, r := range report.Waiting() {
			got = append(got, r.Change.Addr.String()+": "+r.Reason)
		}
		slices.Sort(got)
		want := []string{
			"mem_box.on_needs: mem_shelf.needs waits for a person",
			"mem_box.on_on_needs: mem_shelf.needs waits for a person",
			"mem_shelf.needs: the carpenter has not been asked",
		}
		if !slices.Equal(got, want) {
			t.Fatalf("waiting:\n%s", strings.Join(got, "\n"))
		}
		if done, failed, not := report.Counts(); done != 2*(1-round) || failed+not != 0 || report.Interrupted {
			t.Errorf("%d done, %d failed, %d not started, interrupted %t", done, failed, not, report.Interrupted)
		}
		if l := b.Ledger(t); len(l.Intents) > 0 || len(l.Waits) != 1 || len(l.Entries) != 2 {
			t.Errorf("ledger: %v %v", l.Intents, l.Waits)
		}
		w := b.MustPlan(t, waitStack).Change(spec.Addr{Kind: "mem_shelf", Name: "needs"}).Wait
		if w == nil || w.For != "the carpenter has not been asked" || !slices.Equal(w.Steps, []string{"Ask the carpenter."}) {
			t.Fatalf("the plan says %+v", w)
		}
		if round == 0 {
			since = w.Since
		}
		if w.Since.Before(started) || !w.Since.Equal(since) {
			t.Errorf("since %s, it began at %s", w.Since, started)
		}
	}

	b.Providers["mem"] = m
	b.MustApply(t, waitStack)
	b.MustBeEmpty(t, waitStack)
	if l := b.Ledger(t); len(l.Waits) > 0 || m.Count() != 5 {
		t.Errorf("%d objects, still waiting: %v", m.Count(), l.Waits)
	}
}

// TestWaitingIsForgotten takes what waits out of the stack.
func TestWaitingIsForgotten(t *testing.T) {
	m, b := bench(t)
	b.Providers["mem"] = consent(m)
	if _, diags := b.Apply(t, b.MustPlan(t, waitStack)); diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	b.MustApply(t, `mem_box "free" {}`)
	if l := b.Ledger(t); len(l.Waits) > 0 {
		t.Errorf("still waiting: %v", l.Waits)
	}
}

// TestFailureOutweighsWaiting has one thing depend on what waits and on what fails: it is not started.
func TestFailureOutweighsWaiting(t *testing.T) {
	m, b := bench(t)
	waits := consent(m)
	b.Providers["mem"] = &providertest.Hook{Provider: waits, Before: func(c providertest.Call) error {
		if c.Op == "create" && slices.Contains(c.IDs, "bad") {
			return providers.Errorf(providers.Denied, "no")
		}
		return nil
	}}
	p := b.MustPlan(t, `
mem_shelf "needs" {}
mem_box "bad" {}
mem_box "on_both" {
  inside     = mem_shelf.needs
  depends_on = [mem_box.bad]
}
`)
	report, diags := planner.Apply(context.Background(), p, planner.ApplyOptions{Ledger: b.Store()})
	if done, failed, not := report.Counts(); done != 0 || failed != 1 || not != 1 || len(report.Waiting()) != 1 || len(diags) != 1 {
		t.Errorf("%d done, %d failed, %d not started, %d waiting: %s", done, failed, not, len(report.Waiting()), providertest.Text(diags))
	}
}

// TestLongCalls has a system take its time: every few seconds it is said so, and a second interrupt ends the wait.
func TestLongCalls(t *testing.T) {
	for _, cut := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m, b := bench(t)
			slow := slowProvider{m}
			b.Providers["mem"] = slow
			p := b.MustPlan(t, `mem_box "a" {}`)
			hard, end := context.WithCancel(t.Context())
			defer end()
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			var took []time.Duration
			report, diags := planner.Apply(ctx, p, planner.ApplyOptions{Ledger: b.Store(), Hard: hard, Events: func(e planner.Event) {
				if e.Status != planner.Running {
					return
				}
				if took = append(took, e.Took); cut && e.Took > 0 {
					interrupt()
					end()
				}
			}})
			done, failed, _ := report.Counts()
			switch {
			case cut && (failed != 1 || len(took) != 2):
				t.Errorf("cut off: %d done, %d failed, said %v", done, failed, took)
			case !cut && (diags.HasErrors() || done != 1 || len(took) != 3 || took[0] != 0 || took[1] < planner.StillEvery || took[2] < 2*planner.StillEvery):
				t.Errorf("%d done, said %v: %s", done, took, providertest.Text(diags))
			}
		})
	}
}

// slowProvider takes 25 s for each create, or until the context ends.
type slowProvider struct{ providers.Provider }

func (p slowProvider) Resource(kind string) providers.Resource {
	return slowResource{p.Provider.Resource(kind)}
}

type slowResource struct{ providers.Resource }

func (r slowResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	select {
	case <-time.After(25 * time.Second):
		return r.Resource.Create(ctx, changes)
	case <-ctx.Done():
		return []providers.Result{{Err: providers.Errorf(providers.Unavailable, "it took too long: %w", ctx.Err())}}
	}
}

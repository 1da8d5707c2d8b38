package planner_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mkt/planner"
	"mkt/providers"
)

// TestSilentSystem has a system that does not answer: what is still to go there waits for seconds, and as long as ever once it answers again.
func TestSilentSystem(t *testing.T) {
	for _, test := range []struct {
		name   string
		silent int // for so many calls
		want   []time.Duration
	}{
		{"to the end", 3, []time.Duration{providers.RetryFor, providers.ConnectFor, providers.ConnectFor}},
		{"for one call", 1, []time.Duration{providers.RetryFor, providers.ConnectFor, providers.RetryFor}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, b := bench(t)
				b.MustApply(t, `mem_box "changed" { size = 1 }`)
				silent := &silentProvider{Provider: m, calls: test.silent}
				b.Providers["mem"] = silent
				p := b.MustPlan(t, "mem_box \"changed\" { size = 2 }\nmem_box \"made\" {}\nmem_shelf \"other\" {}\n")
				start := time.Now()
				report, _ := planner.Apply(t.Context(), p, planner.ApplyOptions{Ledger: b.Store(), Parallelism: 1})
				var want time.Duration
				for _, waited := range test.want[:test.silent] {
					want += waited
				}
				if took := time.Since(start); !slices.Equal(silent.waited, test.want) || took != want {
					t.Errorf("waited for up to %v, and it took %s", silent.waited, took)
				}
				if done, failed, not := report.Counts(); failed != test.silent || done != 3-test.silent || not != 0 {
					t.Errorf("%d done, %d failed, %d not started", done, failed, not)
				}
			})
		})
	}
}

// silentProvider does not answer the first calls that change something.
type silentProvider struct {
	providers.Provider
	calls  int
	waited []time.Duration // that each of all calls may take
}

func (p *silentProvider) Resource(kind string) providers.Resource {
	return silentResource{p.Provider.Resource(kind), p}
}

type silentResource struct {
	providers.Resource
	provider *silentProvider
}

func (r silentResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.provider.answer(ctx, changes, r.Resource.Create)
}

func (r silentResource) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.provider.answer(ctx, changes, r.Resource.Update)
}

func (p *silentProvider) answer(ctx context.Context, changes []providers.Change, call func(context.Context, []providers.Change) []providers.Result) []providers.Result {
	limit := providers.LimitsOf(ctx).Retry
	if p.waited = append(p.waited, limit); len(p.waited) > p.calls {
		return call(ctx, changes)
	}
	time.Sleep(limit)
	results := make([]providers.Result, len(changes))
	for i := range results {
		results[i].Err = providers.Errorf(providers.Unavailable, "no answer")
	}
	return results
}

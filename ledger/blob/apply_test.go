package blob

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
)

// An apply as the command does it, over a ledger in a blob and a system in memory.

const (
	stackBefore = `
mem_box "changed" { size = 2 }
mem_box "kept" {}
`
	stackAfter = `
mem_box "changed" { size = 3 }
mem_box "kept" {}
mem_box "made" { inside = mem_box.changed }
mem_box "on_made" { inside = mem_box.made }
`
)

type team struct {
	*world
	bench  *providertest.Bench
	memory *providertest.Memory
}

func newTeam(t testing.TB) *team {
	m := providertest.NewMemory()
	return &team{newWorld(t), providertest.NewBench(t, providertest.MemoryKinds(), map[string]providers.Provider{"mem": m}), m}
}

// change is plan and apply under the lock. The error is that of the ledger before anything was begun.
func (w *team) change(t testing.TB, s *Store, stack string, system providers.Provider) (*planner.Report, hcl.Diagnostics, error) {
	t.Helper()
	lock, err := s.Lock(t.Context(), ledger.Me("apply"), 2*time.Minute)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = lock.Unlock() }()
	p, err := w.plan(t, s, stack, system)
	if err != nil {
		return nil, nil, err
	}
	report, diags := planner.Apply(t.Context(), p, planner.ApplyOptions{Ledger: s, Lost: lock.Lost()})
	return report, diags, nil
}

func (w *team) plan(t testing.TB, s *Store, stack string, system providers.Provider) (*planner.Plan, error) {
	t.Helper()
	l, err := s.Load(t.Context())
	if err != nil {
		return nil, err
	}
	in := w.bench.Input(t, stack)
	in.Ledger = l
	in.Providers = func(string) (providers.Provider, error) { return system, nil }
	p, diags := planner.New(t.Context(), in)
	if diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	return p, nil
}

func (w *team) mustChange(t testing.TB, stack string) {
	t.Helper()
	report, diags, err := w.change(t, w.open(nil), stack, w.memory)
	if err != nil || diags.HasErrors() {
		t.Fatalf("%v %s", err, providertest.Text(diags))
	}
	if _, failed, not := report.Counts(); failed+not > 0 {
		t.Fatalf("%d failed, %d not started", failed, not)
	}
}

// mustConverge applies a stack and wants an empty plan and a ledger without intents after it.
func (w *team) mustConverge(t testing.TB, stack, want string) {
	t.Helper()
	w.mustChange(t, stack)
	p, err := w.plan(t, w.open(nil), stack, w.memory)
	if err != nil || !p.Empty() {
		t.Fatalf("the second plan is not empty (%v):\n%s", err, providertest.Dump(p))
	}
	if l := mustLoad(t, w.open(nil)); len(l.Intents) > 0 {
		t.Fatalf("intents are left: %v", l.Intents)
	}
	if got := strings.Join(w.memory.IDs("mem_box"), " "); got != want {
		t.Fatalf("there are %s, not %s", got, want)
	}
}

func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTeam(t)
		w.mustConverge(t, stackBefore, "changed kept")
		w.mustConverge(t, stackAfter, "changed kept made on_made")
		if l := mustLoad(t, w.open(nil)); len(l.Entries) != 4 || l.Serial < 4 {
			t.Errorf("%d entries, serial %d", len(l.Entries), l.Serial)
		}
	})
}

// TestApplyKilledAnywhere ends all traffic of an apply before, or after, each of its requests to the ledger, as
// kill -9 does. Another one waits for the lock and ends in the same world.
func TestApplyKilledAnywhere(t *testing.T) {
	for _, done := range []bool{false, true} {
		t.Run(fmt.Sprintf("request done %t", done), func(t *testing.T) {
			t.Parallel() // it waits for the disk
			synctest.Test(t, func(t *testing.T) {
				for at := 1; ; at++ {
					w := newTeam(t)
					w.mustChange(t, stackBefore)
					var n atomic.Int32
					dead := func() bool { return int(n.Load()) >= at }
					s := w.open(func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
						if now := int(n.Add(1)); now < at {
							return send()
						} else if now == at && done {
							return lose(send)
						}
						return nil, errCut
					})
					killed := &providertest.Hook{Provider: w.memory, Before: func(providertest.Call) error {
						if dead() {
							return providers.Errorf(providers.Unavailable, "the process is dead")
						}
						return nil
					}}
					_, _, _ = w.change(t, s, stackAfter, killed)
					if !dead() {
						if at < 12 {
							t.Errorf("only %d requests", n.Load())
						}
						return
					}
					w.mustConverge(t, stackAfter, "changed kept made on_made")
				}
			})
		})
	}
}

// TestApplyUnlocked breaks the lock while an apply is under way, and lets another go first.
func TestApplyUnlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTeam(t)
		w.mustChange(t, stackBefore)
		var once atomic.Bool
		slow := &providertest.Hook{Provider: w.memory, Before: func(c providertest.Call) error {
			if c.Op != "update" || !once.CompareAndSwap(false, true) {
				return nil
			}
			other := w.open(nil)
			held, err := other.Held(context.Background())
			if err != nil || held == nil || held.Holder.Operation != "apply" {
				t.Errorf("held by %+v, %v", held, err)
				return nil
			}
			if err := other.Break(context.Background(), held); err != nil {
				t.Error(err)
			}
			time.Sleep(30 * time.Second) // the call takes its time; the holder is told meanwhile
			return nil
		}}
		report, diags, err := w.change(t, w.open(nil), stackAfter, slow)
		if err != nil {
			t.Fatal(err)
		}
		if done, _, not := report.Counts(); done == 0 || not == 0 || !strings.Contains(providertest.Text(diags), "Lock lost") {
			t.Errorf("%d done, %d not started: %s", done, not, providertest.Text(diags))
		}
		w.mustConverge(t, stackAfter, "changed kept made on_made")
	})
}

// TestApplyOvertaken is the same with a second apply that has the lock and ends before the first is told.
func TestApplyOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTeam(t)
		w.mustChange(t, stackBefore)
		var once atomic.Bool
		slow := &providertest.Hook{Provider: w.memory, Before: func(c providertest.Call) error {
			if c.Op != "update" || !once.CompareAndSwap(false, true) {
				return nil
			}
			other := w.open(nil)
			held, err := other.Held(context.Background())
			if err == nil {
				err = other.Break(context.Background(), held)
			}
			if err != nil {
				t.Error(err)
			}
			w.mustChange(t, stackAfter)
			return nil
		}}
		_, diags, err := w.change(t, w.open(nil), stackAfter, slow)
		if err != nil {
			t.Fatal(err)
		}
		if text := providertest.Text(diags); !strings.Contains(text, "Ledger not saved") || !strings.Contains(text, "changed since it was read") {
			t.Errorf("the late apply went on: %s", text)
		}
		w.mustConverge(t, stackAfter, "changed kept made on_made")
	})
}

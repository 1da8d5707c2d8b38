package planner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/spec"
)

// TestOrder holds the order of remote operations against the dependencies of both stacks.
func TestOrder(t *testing.T) {
	m, b := bench(t)
	b.MustApply(t, faultBefore)
	var mu sync.Mutex
	at := map[string]int{}
	b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(c providertest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range c.IDs {
			at[c.Op+" "+id] = len(at)
		}
		return nil
	}}
	p := b.MustPlan(t, faultAfter)
	clear(at)
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	for _, pair := range [][2]string{
		{"delete replaced", "delete s"}, // users go first
		{"delete s", "create s"},        // a replacement
		{"create s", "create replaced"}, // users come last
		{"create replaced", "update on_replaced"},
		{"update changed", "update on_replaced"}, // by a value
		{"update on_removed", "delete removed"},  // it lets go first
		{"delete one", "create two"},
		{"create two", "create made"},
		{"create made", "create on_made"},
	} {
		before, ok1 := at[pair[0]]
		after, ok2 := at[pair[1]]
		if !ok1 || !ok2 || before >= after {
			t.Errorf("%s (%d %t) is not before %s (%d %t)", pair[0], before, ok1, pair[1], after, ok2)
		}
	}
}

// TestBatches counts calls: what is ready together goes out together, and a kind is read once.
func TestBatches(t *testing.T) {
	m, b := bench(t)
	var stack strings.Builder
	for i := range 300 {
		fmt.Fprintf(&stack, "mem_shelf \"s%d\" {}\nmem_box \"b%d\" { inside = mem_shelf.s%d }\n", i, i, i)
	}
	b.MustApply(t, stack.String())
	b.MustBeEmpty(t, stack.String())
	if _, diags := b.Destroy(t, stack.String()); diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	slices.Sort(m.Calls)
	want := []string{
		"create mem_box 300", "create mem_shelf 300", "delete mem_box 300", "delete mem_shelf 300",
		"read mem_box 300", "read mem_box 300", "read mem_box 300", "read mem_shelf 300", "read mem_shelf 300", "read mem_shelf 300",
	}
	if !slices.Equal(m.Calls, want) {
		t.Errorf("calls:\n%s", strings.Join(m.Calls, "\n"))
	}
	if m.Count() > 0 {
		t.Errorf("%d objects are left", m.Count())
	}
}

// TestParallel makes two kinds wait for each other, and holds the bound.
func TestParallel(t *testing.T) {
	const stack = "mem_box \"a\" {}\nmem_shelf \"b\" {}"
	m, b := bench(t)
	var running, most atomic.Int32
	both := make(chan struct{})
	var meet sync.WaitGroup
	meet.Add(2)
	go func() { meet.Wait(); close(both) }()
	b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(providertest.Call) error {
		meet.Done()
		select {
		case <-both:
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("the other kind was not called at the same time")
		}
	}}
	p := b.MustPlan(t, stack) // the reads meet
	both = make(chan struct{})
	meet.Add(2)
	go func(c chan struct{}) { meet.Wait(); close(c) }(both)
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}

	b.Providers["mem"] = &providertest.Hook{Provider: m,
		Before: func(providertest.Call) error {
			for n := running.Add(1); n > most.Load(); {
				most.Store(n)
			}
			return nil
		},
		After: func(providertest.Call) error { running.Add(-1); return nil },
	}
	in := b.Input(t, stack)
	in.Destroy, in.Parallelism = true, 1
	p, diags := planner.New(context.Background(), in)
	if diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	if _, diags := b.Apply(t, p); diags.HasErrors() || most.Load() != 1 {
		t.Errorf("%d calls at once with parallelism 1: %s", most.Load(), providertest.Text(diags))
	}
}

// TestInterrupt cancels while something runs: that is finished and recorded, the rest is not started, and the next apply goes on.
func TestInterrupt(t *testing.T) {
	const stack = "mem_box \"first\" {}\nmem_box \"second\" { inside = mem_box.first }"
	m, b := bench(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(c providertest.Call) error {
		if c.Op == "create" {
			cancel()
		}
		return nil
	}}
	p := b.MustPlan(t, stack)
	var events []string
	report, diags := planner.Apply(ctx, p, planner.ApplyOptions{Ledger: b.Store(), Events: func(e planner.Event) {
		events = append(events, fmt.Sprint(e.Change.Addr, " ", e.Phase, " ", e.Status))
	}})
	if diags.HasErrors() || !report.Interrupted {
		t.Errorf("interrupted %t: %s", report.Interrupted, providertest.Text(diags))
	}
	if done, failed, not := report.Counts(); done != 1 || failed != 0 || not != 1 {
		t.Errorf("%d done, %d failed, %d not started", done, failed, not)
	}
	if want := []string{"mem_box.first creating running", "mem_box.first creating done"}; !slices.Equal(events, want) {
		t.Errorf("events: %q", events)
	}
	if l := b.Ledger(t); len(l.Entries) != 1 || len(l.Intents) != 0 {
		t.Errorf("the ledger has %v and intents %v", l.Addrs(), l.Intents)
	}
	b.Providers["mem"] = m
	b.MustApply(t, stack)
	b.MustBeEmpty(t, stack)
}

// TestHardCancel cancels the calls themselves: the outcome is not known, so the intent stays.
func TestHardCancel(t *testing.T) {
	const stack = `mem_box "a" {}`
	m, b := bench(t)
	ctx, cancel := context.WithCancel(context.Background())
	b.Providers["mem"] = &hanging{m, cancel}
	_, diags := planner.Apply(context.Background(), b.MustPlan(t, stack), planner.ApplyOptions{Ledger: b.Store(), Hard: ctx})
	if !diags.HasErrors() {
		t.Error("a cancelled call counts as done")
	}
	if l := b.Ledger(t); len(l.Intents) != 1 {
		t.Errorf("intents: %v", l.Intents)
	}
	b.Providers["mem"] = m
	b.MustApply(t, stack)
	b.MustBeEmpty(t, stack)
}

// hanging is a system whose creates answer only to a cancelled context.
type hanging struct {
	*providertest.Memory
	called context.CancelFunc
}

func (h *hanging) Resource(kind string) providers.Resource {
	return hangingResource{h.Memory.Resource(kind), h.called}
}

type hangingResource struct {
	providers.Resource
	called context.CancelFunc
}

func (r hangingResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	r.called()
	<-ctx.Done()
	return []providers.Result{{Err: ctx.Err()}}
}

// TestLockLost stops when the ledger's lock is lost.
func TestLockLost(t *testing.T) {
	m, b := bench(t)
	lost := make(chan struct{})
	b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(c providertest.Call) error {
		if c.Op == "create" {
			close(lost)
		}
		return nil
	}}
	p := b.MustPlan(t, "mem_box \"first\" {}\nmem_box \"second\" { inside = mem_box.first }")
	report, diags := planner.Apply(context.Background(), p, planner.ApplyOptions{Ledger: b.Store(), Lost: lost})
	if _, _, not := report.Counts(); not != 1 || !strings.Contains(providertest.Text(diags), "Lock lost") {
		t.Errorf("%d not started: %s", not, providertest.Text(diags))
	}

	m, b = bench(t)
	report, diags = planner.Apply(context.Background(), b.MustPlan(t, `mem_box "a" {}`), planner.ApplyOptions{Ledger: b.Store(), Lost: lost})
	if _, _, not := report.Counts(); not != 1 || m.Count() > 0 || len(diags) != 1 {
		t.Errorf("lost before it began, %d not started, %d objects: %s", not, m.Count(), providertest.Text(diags))
	}
}

// TestLedgerNotSaved stops before anything is done that could not be recorded.
func TestLedgerNotSaved(t *testing.T) {
	m, b := bench(t)
	p := b.MustPlan(t, `mem_box "a" {}`)
	report, diags := planner.Apply(context.Background(), p, planner.ApplyOptions{Ledger: fullDisk{b.Store()}})
	if done, failed, not := report.Counts(); done+failed > 0 || not != 1 || m.Count() > 0 {
		t.Errorf("%d done, %d failed, %d not started, %d objects", done, failed, not, m.Count())
	}
	if text := providertest.Text(diags); strings.Count(text, "Ledger not saved: No space left on device.") != 1 {
		t.Errorf("diagnostics: %s", text)
	}
}

type fullDisk struct{ ledger.Store }

func (fullDisk) Save(context.Context, *ledger.Ledger) error {
	return errors.New("no space left on device")
}

// TestNoSecretOnDisk looks for secret and sensitive values in everything that is written.
func TestNoSecretOnDisk(t *testing.T) {
	_, b := bench(t)
	const stack = `
variable "pin" {
  default   = "hunter3"
  sensitive = true
}
mem_box "a" {
  key   = "hunter2"
  label = var.pin
  color = "visible"
}
output "pin" {
  value     = mem_box.a.label
  sensitive = true
}`
	dir := t.TempDir()
	p := b.MustPlan(t, stack)
	if err := planner.Save(filepath.Join(dir, "plan"), p); err != nil {
		t.Fatal(err)
	}
	b.MustApply(t, stack)
	b.MustBeEmpty(t, stack)
	for _, path := range []string{filepath.Join(dir, "plan"), b.Store().Path(), b.Store().Path() + ".prev"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"hunter2", "hunter3", "visible"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s has the value %s:\n%s", filepath.Base(path), secret, text)
			}
		}
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(path), info.Mode())
		}
	}
}

// TestTargetOneInstance changes one instance of a for_each; the others stay as they are, and visible.
func TestTargetOneInstance(t *testing.T) {
	m, b := bench(t)
	stack := func(size int) string {
		return fmt.Sprintf(`
mem_box "each" {
  for_each = toset(["a", "b"])
  name     = each.key
  size     = %d
}
mem_box "user" { label = "sizes ${mem_box.each["a"].size} ${mem_box.each["b"].size}" }`, size)
	}
	b.MustApply(t, stack(1))
	in := b.Input(t, stack(2))
	in.Targets = []spec.Addr{{Kind: "mem_box", Name: "each", Key: "a", Keyed: true}, {Kind: "mem_box", Name: "user"}}
	p, diags := planner.New(context.Background(), in)
	if diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	if got := m.Objects["mem_box"]["user"].Value.GetAttr("label").AsString(); got != "sizes 2 1" {
		t.Errorf("label: %s", got)
	}
	if p := b.MustPlan(t, stack(2)); p.Counts().Update != 2 {
		t.Errorf("the rest of the plan:\n%s", providertest.Dump(p))
	}
}

// TestPlanInterrupted says so, and not what each reading said.
func TestPlanInterrupted(t *testing.T) {
	m, b := bench(t)
	ctx, cancel := context.WithCancel(context.Background())
	b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(providertest.Call) error { cancel(); return context.Canceled }}
	_, diags := planner.New(ctx, b.Input(t, `mem_box "a" {}`))
	if text := providertest.Text(diags); text != "Interrupted: The plan was not finished: context canceled. Nothing was changed." {
		t.Errorf("diagnostics: %s", text)
	}
}

// TestChecksAfterApply: a check whose condition only apply can tell speaks then, as a warning.
func TestChecksAfterApply(t *testing.T) {
	_, b := bench(t)
	p := b.MustPlan(t, `
mem_box "new" {}
check "owner" {
  assert {
    condition     = mem_box.new.owner == "me"
    error_message = "The owner is ${mem_box.new.owner}."
  }
}
`)
	_, diags := b.Apply(t, p)
	if got, want := providertest.Text(diags), "stack.hcl:5: warning: Check failed: check.owner: The owner is root."; got != want {
		t.Errorf("got %q", got)
	}
}

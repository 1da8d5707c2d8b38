package planner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
)

// power is what a killed process lacks: from the fatal step on nothing reaches the system or the disk any more. A
// step is the moment before, or after, a call of a provider or a save of the ledger.
type power struct {
	mu    sync.Mutex
	step  int
	fatal int // 0: never
	off   bool
	log   []string
}

var errOff = providers.Errorf(providers.Unavailable, "the process is dead")

// next takes one step and reports whether it could be taken.
func (p *power) next(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off {
		return errOff
	}
	p.step++
	p.log = append(p.log, what)
	if p.step == p.fatal {
		p.off = true
		return errOff
	}
	return nil
}

func (p *power) hook(m providers.Provider) *providertest.Hook {
	return &providertest.Hook{
		Provider: m,
		Before:   func(c providertest.Call) error { return p.next("before " + c.Op + " " + strings.Join(c.IDs, " ")) },
		After:    func(c providertest.Call) error { return p.next("after " + c.Op + " " + strings.Join(c.IDs, " ")) },
	}
}

// poweredStore is a ledger that can be cut off before and after each save.
type poweredStore struct {
	ledger.Store
	power *power
}

func (s poweredStore) Save(ctx context.Context, l *ledger.Ledger) error {
	if err := s.power.next("before save"); err != nil {
		return err
	}
	if err := s.Store.Save(ctx, l); err != nil {
		return err
	}
	return s.power.next("after save")
}

const faultBefore = `
mem_shelf "s" {
  board "a" { width = 2 }
}
mem_box "changed" { size = 2 }
mem_box "replaced" {
  tags   = { a = "1" }
  inside = mem_shelf.s
}
mem_box "on_replaced" { inside = mem_box.replaced }
mem_box "removed" {}
mem_box "on_removed" { inside = mem_box.removed }
mem_box "named" { name = "one" }
mem_box "old_address" { name = "moving" }
`

const faultAfter = `
mem_shelf "s" {
  board "a" { width = 1 }
}
mem_box "changed" { size = 3 }
mem_box "replaced" {
  material = "tin"
  tags     = { a = "1" }
  inside   = mem_shelf.s
}
mem_box "on_replaced" {
  inside = mem_box.replaced
  label  = "revision ${mem_box.changed.revision}"
}
mem_box "on_removed" { label = "alone" }
mem_box "named" { name = "two" }
mem_box "new_address" {
  name = "moving"
  size = 2
}
mem_box "made" { inside = mem_box.named }
mem_box "on_made" { label = "owner ${mem_box.made.owner}" }
output "owner" { value = mem_box.on_made.owner }
`

// TestKilledAnywhereConverges kills an apply at each of its steps. Whatever was done by then, the next apply ends in
// the same world, with nothing left over and without help.
func TestKilledAnywhereConverges(t *testing.T) {
	want := ""
	for fatal := 0; ; fatal++ {
		m, b := bench(t)
		b.MustApply(t, faultBefore)
		killed := &power{fatal: fatal}
		b.Providers["mem"] = killed.hook(m)
		p, diags := b.Plan(t, faultAfter)
		if !diags.HasErrors() { // else it was killed while planning
			_, _ = planner.Apply(context.Background(), p, planner.ApplyOptions{Ledger: poweredStore{b.Store(), killed}, LossAgreed: true})
		}
		b.Providers["mem"] = m
		if fatal == 0 {
			want = worldText(m)
			b.MustBeEmpty(t, faultAfter)
			continue
		}
		if !killed.off {
			if fatal < 20 {
				t.Fatalf("only %d steps: %s", fatal, strings.Join(killed.log, ", "))
			}
			return
		}
		at := killed.log[len(killed.log)-1]
		b.MustApply(t, faultAfter)
		p = b.MustPlan(t, faultAfter)
		if !p.Empty() {
			t.Fatalf("killed at step %d (%s): the plan after the second apply is not empty:\n%s", fatal, at, providertest.Dump(p))
		}
		if got := worldText(m); got != want {
			t.Fatalf("killed at step %d (%s): another world:\n%s\nwanted:\n%s", fatal, at, got, want)
		}
		if l := b.Ledger(t); len(l.Intents) > 0 {
			t.Fatalf("killed at step %d (%s): intents are left: %v", fatal, at, l.Intents)
		}
	}
}

// worldText tells what exists, without what a second try may change (revisions).
func worldText(m *providertest.Memory) string {
	var out strings.Builder
	for _, kind := range []string{"mem_box", "mem_shelf"} {
		for _, id := range m.IDs(kind) {
			parts := m.Objects[kind][id].Value.AsValueMap()
			delete(parts, "revision")
			if id == "on_replaced" { // its label has a revision in it
				delete(parts, "label")
			}
			fmt.Fprintf(&out, "%s %s %#v\n", kind, id, parts)
		}
	}
	return out.String()
}

// TestOneFailureStopsWhatDependsOnIt fails one object in each way and looks at the table of results.
func TestOneFailureStopsWhatDependsOnIt(t *testing.T) {
	const stack = `
mem_box "bad" {}
mem_box "on_bad" { inside = mem_box.bad }
mem_box "on_on_bad" { inside = mem_box.on_bad }
mem_box "good" {}
mem_box "on_good" { inside = mem_box.good }
`
	for _, code := range []providers.Code{providers.Denied, providers.Throttled, providers.Unavailable, providers.Conflict, providers.Unknown} {
		t.Run(string(code), func(t *testing.T) {
			m, b := bench(t)
			b.Providers["mem"] = &itemFault{Provider: m, id: "bad", err: providers.Errorf(code, "no luck")}
			report, diags := b.Apply(t, b.MustPlan(t, stack))
			if text := providertest.Text(diags); !strings.Contains(text, "Could not create: mem_box.bad: no luck.") || len(diags) != 1 {
				t.Errorf("diagnostics:\n%s", text)
			}
			want := map[string]string{
				"bad": "failed", "on_bad": "not started: mem_box.bad failed", "on_on_bad": "not started: mem_box.bad failed",
				"good": "done", "on_good": "done",
			}
			for _, r := range report.Results {
				got := string(r.Status)
				if r.Reason != "" {
					got += ": " + r.Reason
				}
				if got != want[r.Change.Addr.Name] {
					t.Errorf("%s: %s, not %s", r.Change.Addr, got, want[r.Change.Addr.Name])
				}
			}
			b.Providers["mem"] = m
			b.MustApply(t, stack)
			b.MustBeEmpty(t, stack)
		})
	}
}

// itemFault fails the create of one object out of a batch.
type itemFault struct {
	providers.Provider
	id  string
	err error
}

func (f *itemFault) Resource(kind string) providers.Resource {
	return &itemFaultResource{f.Provider.Resource(kind), f}
}

type itemFaultResource struct {
	providers.Resource
	fault *itemFault
}

func (r *itemFaultResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	out := make([]providers.Result, len(changes))
	for i, c := range changes {
		if out[i].Err = r.fault.err; c.ID != r.fault.id {
			out[i] = r.Resource.Create(ctx, []providers.Change{c})[0]
		}
	}
	return out
}

// TestLostAnswer loses the answer to a create that happened: the next plan knows the object as ours.
func TestLostAnswer(t *testing.T) {
	const stack = `mem_box "a" { size = 2 }`
	m, b := bench(t)
	b.Providers["mem"] = &providertest.Hook{Provider: m, After: func(c providertest.Call) error {
		if c.Op == "create" {
			return providers.Errorf(providers.Unavailable, "connection reset")
		}
		return nil
	}}
	if _, diags := b.Apply(t, b.MustPlan(t, stack)); !diags.HasErrors() {
		t.Fatal("the lost answer was not noticed")
	}
	b.Providers["mem"] = m
	p := b.MustPlan(t, stack)
	if c := p.Changes[0]; c.Action != planner.NoOp || !c.Record {
		t.Errorf("the object is not taken over:\n%s", providertest.Dump(p))
	}
	b.MustApply(t, stack)
	b.MustBeEmpty(t, stack)
}

// TestRefusedAfterItWasMade refuses the second half of a create: what the first half made is known as ours. One that is
// refused altogether announces nothing, and what somebody makes under its name afterwards is theirs.
func TestRefusedAfterItWasMade(t *testing.T) {
	const stack = `mem_box "a" { size = 2 }`
	refuse := func(op string) func(providertest.Call) error {
		return func(c providertest.Call) error {
			if c.Op == op {
				return providers.Errorf(providers.Denied, "403")
			}
			return nil
		}
	}
	for _, made := range []bool{true, false} {
		for _, blind := range []bool{true, false} { // afterwards nothing can be read, either
			m, b := bench(t)
			hook := &providertest.Hook{Provider: m}
			if made {
				hook.After = refuse("create")
			} else {
				hook.Before = refuse("create")
			}
			var provider providers.Provider = hook
			if blind {
				provider = &providertest.Hook{Provider: hook, Before: refuse("read")}
			}
			p := b.MustPlan(t, stack)
			b.Providers["mem"] = provider
			if _, diags := b.Apply(t, p); !strings.Contains(providertest.Text(diags), "403") {
				t.Errorf("made %v, blind %v: %s", made, blind, providertest.Text(diags))
			}
			if announced := len(b.Ledger(t).Intents) == 1; announced != (made || blind) {
				t.Errorf("made %v, blind %v: announced %v", made, blind, announced)
			}
			b.Providers["mem"] = m
			b.MustApply(t, stack)
			b.MustBeEmpty(t, stack)
		}
	}
}

// fillingDisk is a ledger on a disk that is full from a save on.
type fillingDisk struct {
	ledger.Store
	left int
}

func (s *fillingDisk) Save(ctx context.Context, l *ledger.Ledger) error {
	if s.left--; s.left < 0 {
		return &os.PathError{Op: "write", Path: "ledger.json", Err: syscall.ENOSPC}
	}
	return s.Store.Save(ctx, l)
}

// TestDiskFullAnywhereConverges fills the disk before each save of an apply: nothing more is started, the table is whole, and with room
// again the next apply ends in the same world.
func TestDiskFullAnywhereConverges(t *testing.T) {
	want := ""
	for room := 0; ; room++ {
		m, b := bench(t)
		b.MustApply(t, faultBefore)
		p := b.MustPlan(t, faultAfter)
		calls := len(m.Calls)
		report, diags := planner.Apply(context.Background(), p, planner.ApplyOptions{Ledger: &fillingDisk{b.Store(), room}, LossAgreed: true})
		full := diags.HasErrors()
		done, failed, left := report.Counts()
		if n := p.Counts(); done+failed+left != n.Create+n.Update+n.Replace+n.Delete {
			t.Fatalf("room for %d saves: %d done, %d failed, %d not started of %+v", room, done, failed, left, n)
		}
		if full && !strings.Contains(providertest.Text(diags), "no space left on device") {
			t.Fatalf("room for %d saves: %s", room, providertest.Text(diags))
		}
		if room == 0 && len(m.Calls) > calls {
			t.Fatalf("nothing could be announced, and this was done: %q", m.Calls[calls:])
		}
		b.MustApply(t, faultAfter)
		b.MustBeEmpty(t, faultAfter)
		if want == "" {
			want = worldText(m)
		}
		if got := worldText(m); got != want {
			t.Fatalf("room for %d saves: another world:\n%s\nwanted:\n%s", room, got, want)
		}
		if !full {
			if room < 3 {
				t.Fatalf("only %d saves", room)
			}
			return
		}
	}
}

// boxOfSize is the state of a box as a server has it.
func boxOfSize(t *testing.T, size int) map[string]cty.Value {
	return attributes(t, "mem_box", fmt.Sprintf(`{"size": %d, "material": "wood", "owner": "x", "url": "mem://a", "revision": 1}`, size))
}

// TestCreateMeetsAnothers has an object appear between plan and apply: whatever it is like, it is somebody else's, such as that of
// a second stack with a ledger of its own.
func TestCreateMeetsAnothers(t *testing.T) {
	for _, size := range []int{2, 3} {
		m, b := bench(t)
		p := b.MustPlan(t, `mem_box "a" { size = 2 }`)
		m.Put("mem_box", "a", boxOfSize(t, size))
		_, diags := b.Apply(t, p)
		if text := providertest.Text(diags); !strings.Contains(text, "owned by another ledger") {
			t.Errorf("size %d: %s", size, text)
		}
		if l := b.Ledger(t); len(l.Entries)+len(l.Intents) > 0 {
			t.Errorf("size %d: the ledger has %v, intents %v", size, l.Addrs(), l.Intents)
		}
	}
}

// TestCreateMeetsItsOwnLateRequest has a create of a killed apply arrive after the next one has planned: the object is ours, and made to be
// as it was wanted.
func TestCreateMeetsItsOwnLateRequest(t *testing.T) {
	const stack = `mem_box "a" { size = 2 }`
	for _, size := range []int{2, 1} {
		m, b := bench(t)
		dead := &power{}
		hook := dead.hook(m)
		before := hook.Before
		hook.Before = func(c providertest.Call) error {
			if c.Op == "create" {
				dead.mu.Lock()
				dead.off = true
				dead.mu.Unlock()
			}
			return before(c)
		}
		b.Providers["mem"] = hook
		_, _ = planner.Apply(t.Context(), b.MustPlan(t, stack), planner.ApplyOptions{Ledger: poweredStore{b.Store(), dead}})
		if l := b.Ledger(t); len(l.Intents) != 1 {
			t.Fatalf("nothing was announced: %v", l.Intents)
		}
		b.Providers["mem"] = m
		p := b.MustPlan(t, stack)
		m.Put("mem_box", "a", boxOfSize(t, size))
		_, diags := b.Apply(t, p)
		if l := b.Ledger(t); diags.HasErrors() || len(l.Entries) != 1 || len(l.Intents) > 0 {
			t.Errorf("size %d: the ledger has %v, intents %v: %s", size, l.Addrs(), l.Intents, providertest.Text(diags))
		}
		b.MustBeEmpty(t, stack)
	}
}

// blinkered is a system whose next servers to be asked do not know of its objects yet.
type blinkered struct {
	providers.Provider
	reads int // how many more find nothing
}

func (p *blinkered) Resource(kind string) providers.Resource {
	return &blinkeredResource{p.Provider.Resource(kind), p}
}

type blinkeredResource struct {
	providers.Resource
	by *blinkered
}

func (r *blinkeredResource) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	if r.by.reads--; r.by.reads >= 0 {
		return make([]providers.Reading, len(refs))
	}
	return r.Resource.Read(ctx, refs)
}

// TestNotShownYet asks servers that lag behind for an object that is there: first the plan, and then also whoever looks why
// the create failed. What is announced stays so, and what the ledger has is not taken for another's.
func TestNotShownYet(t *testing.T) {
	const stack = `mem_box "a" { size = 2 }`
	for _, announced := range []bool{true, false} {
		for reads := 1; reads <= 2; reads++ {
			m, b := bench(t)
			if b.Providers["mem"] = m; announced {
				b.Providers["mem"] = &providertest.Hook{Provider: m, After: func(c providertest.Call) error {
					if c.Op == "create" {
						return providers.Errorf(providers.Unavailable, "connection reset")
					}
					return nil
				}}
			}
			_, _ = b.Apply(t, b.MustPlan(t, stack))
			b.Providers["mem"] = &blinkered{m, reads}
			_, diags := b.Apply(t, b.MustPlan(t, stack))
			if diags.HasErrors() != (reads > 1) {
				t.Errorf("announced %v, %d reads: %s", announced, reads, providertest.Text(diags))
			}
			b.Providers["mem"] = m
			b.MustApply(t, stack)
			b.MustBeEmpty(t, stack)
		}
	}
}

// TestOwnedAndMadeAnew has somebody make an object anew that a plan found removed: it is theirs.
func TestOwnedAndMadeAnew(t *testing.T) {
	const stack = `mem_box "a" { size = 2 }`
	m, b := bench(t)
	b.MustApply(t, stack)
	delete(m.Objects["mem_box"], "a")
	m.Put("mem_box", "a", boxOfSize(t, 2))
	b.Providers["mem"] = &blinkered{m, 1}
	if _, diags := b.Apply(t, b.MustPlan(t, stack)); !strings.Contains(providertest.Text(diags), "owned by another ledger") {
		t.Error(providertest.Text(diags))
	}
}

// TestUnreadable says once for all that a system cannot be read, plans nothing for what is there, and goes on with the rest.
func TestUnreadable(t *testing.T) {
	m, b := bench(t)
	stack := "mem_shelf \"s\" {}\n"
	for i := range 8 {
		stack += fmt.Sprintf("mem_box \"b%d\" {}\n", i)
	}
	b.MustApply(t, stack)
	b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(c providertest.Call) error {
		if c.Op == "read" && c.Kind == "mem_box" {
			return &providers.Error{Code: providers.Denied, Err: errors.New("403"), Hint: "Ask for the role."}
		}
		return nil
	}}
	p, diags := b.Plan(t, stack)
	text := providertest.Text(diags)
	if len(diags) != 1 || !strings.Contains(text, "Access denied: mem_box.b0, mem_box.b1, mem_box.b2, mem_box.b3, mem_box.b4 and 3 more: ") ||
		!strings.Contains(text, "403. Ask for the role.") {
		t.Errorf("diagnostics:\n%s", text)
	}
	if n := p.Counts(); n.Create+n.Delete+n.Update+n.Replace > 0 || n.NoOp != 1 {
		t.Errorf("planned although unknown: %+v\n%s", n, providertest.Dump(p))
	}
	p, diags = b.Plan(t, "") // all of them leave
	if n := p.Counts(); len(diags) != 1 || n.Delete != 1 {
		t.Errorf("planned although unknown: %+v\n%s%s", n, providertest.Dump(p), providertest.Text(diags))
	}
}

package providertest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers"
	"mkt/spec"

	"github.com/zclconf/go-cty/cty"
)

// subject is the address under test.
func (s Suite) subject() spec.Addr { return spec.Addr{Kind: s.Kind.Name, Name: "subject"} }

// start makes a world and a bench for it.
func (s Suite) start(t *testing.T) (World, *Bench) {
	t.Helper()
	w := s.New(t)
	systems := map[string]providers.Provider{s.Kind.System: w.Provider}
	for name, p := range w.Others {
		systems[name] = p
	}
	b := NewBench(t, s.Kinds, systems)
	b.Vars = w.Vars
	for name, text := range w.Files {
		path := filepath.Join(b.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w, b
}

// created starts and applies a first stack.
func (s Suite) created(t *testing.T, stack string) (World, *Bench) {
	t.Helper()
	w, b := s.start(t)
	b.MustApply(t, stack)
	return w, b
}

// entry is the ledger's entry of the subject.
func (s Suite) entry(t *testing.T, b *Bench) *ledger.Entry {
	t.Helper()
	e := b.Ledger(t).Entries[s.subject()]
	if e == nil {
		t.Fatalf("the ledger does not have %s", s.subject())
	}
	return e
}

func (s Suite) change(t *testing.T, p *planner.Plan) *planner.Change {
	t.Helper()
	c := p.Change(s.subject())
	if c == nil {
		t.Fatalf("the plan does not have %s", s.subject())
	}
	return c
}

// read reads the subject as the ledger knows it.
func (s Suite) read(t *testing.T, b *Bench, p providers.Provider) providers.Reading {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	e := s.entry(t, b)
	readings := p.Resource(s.Kind.Name).Read(ctx, []providers.Ref{{ID: e.ID, Private: e.Private}})
	if len(readings) != 1 {
		t.Fatalf("Read answered %d times for one object", len(readings))
	}
	return readings[0]
}

func (s Suite) create(t *testing.T, stack string) {
	w, b := s.start(t)
	p := b.MustPlan(t, stack)
	c := s.change(t, p)
	if c.Action != planner.Create {
		t.Fatalf("the first plan does not create the subject:\n%s", Dump(p))
	}
	checkNorms(t, s.Kind, c.After)
	if again, err := w.Provider.Resource(s.Kind.Name).Complete(c.After); err != nil || !again.RawEquals(c.After) {
		t.Errorf("Complete changes what it has completed:\n%#v\n%#v %v", c.After, again, err)
	}
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatalf("apply:\n%s", Text(diags))
	}
	first := s.read(t, b, w.Provider)
	switch {
	case first.Err != nil:
		t.Fatalf("read after create: %v", first.Err)
	case first.State == cty.NilVal:
		t.Fatal("read after create says that there is no object")
	case !first.State.IsWhollyKnown():
		t.Errorf("the state is not wholly known: %#v", first.State)
	case !first.State.Type().Equals(s.Kind.Type()):
		t.Errorf("the state is not of the kind's type: %#v", first.State.Type())
	}
	checkNorms(t, s.Kind, first.State)
	e := s.entry(t, b)
	if first.Incarnation != e.Incarnation {
		t.Errorf("created as incarnation %q, read as %q", e.Incarnation, first.Incarnation)
	}
	if id := s.Kind.ID(first.State); id != e.ID {
		t.Errorf("the ID of the state is %q, that of the stack %q", id, e.ID)
	}
	if again := s.read(t, b, w.Provider); again.Err != nil || !again.State.RawEquals(first.State) {
		t.Errorf("two readings differ:\n%#v\n%#v %v", first.State, again.State, again.Err)
	}
	b.MustBeEmpty(t, stack)
}

func (s Suite) from(step Step) string {
	if step.From != "" {
		return step.From
	}
	return s.Create
}

func (s Suite) unchanged(t *testing.T, step Step) {
	_, b := s.created(t, s.from(step))
	b.MustBeEmpty(t, step.Stack)
}

// second plans a step's second stack and checks the action and the attributes.
func (s Suite) second(t *testing.T, b *Bench, step Step, want planner.Action) *planner.Plan {
	t.Helper()
	p := b.MustPlan(t, step.Stack)
	c := s.change(t, p)
	if c.Action != want {
		t.Fatalf("planned as %q, not as %q:\n%s", c.Action, want, Dump(p))
	}
	checkNorms(t, s.Kind, c.After)
	for _, a := range c.Attrs {
		if a.Outside {
			t.Errorf("%s is said to be changed outside, and nobody did", planner.PathText(a.Path))
		}
	}
	text := Dump(p)
	for _, attr := range step.Attrs {
		if !strings.Contains(text, "    "+attr+": ") {
			t.Errorf("%s is not in the plan:\n%s", attr, text)
		}
	}
	if step.Want != "" && !strings.Contains(text, step.Want) {
		t.Errorf("%q is not in the plan:\n%s", step.Want, text)
	}
	return p
}

func (s Suite) inPlace(t *testing.T, step Step) {
	w, b := s.created(t, s.from(step))
	before := s.entry(t, b)
	p := s.second(t, b, step, planner.Update)
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatalf("apply:\n%s", Text(diags))
	}
	if after := s.entry(t, b); after.Incarnation != before.Incarnation || after.ID != before.ID {
		t.Errorf("changed in place, but it is another object: %s %q, was %s %q", after.ID, after.Incarnation, before.ID, before.Incarnation)
	}
	if r := s.read(t, b, w.Provider); r.Err != nil || r.Incarnation != before.Incarnation {
		t.Errorf("read as incarnation %q, was %q (%v)", r.Incarnation, before.Incarnation, r.Err)
	}
	b.MustBeEmpty(t, step.Stack)
	b.mustNotDrift(t, step.Stack)
}

func (s Suite) replaced(t *testing.T, step Step) {
	w, b := s.created(t, s.from(step))
	before := s.entry(t, b)
	p := s.second(t, b, step, planner.Replace)
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatalf("apply:\n%s", Text(diags))
	}
	after := s.entry(t, b)
	if after.ID == before.ID && before.Incarnation != "" && after.Incarnation == before.Incarnation {
		t.Errorf("replaced, but it is the same object: %s %q", after.ID, after.Incarnation)
	}
	if after.ID != before.ID { // the old one must not stay behind
		ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
		defer cancel()
		old := w.Provider.Resource(s.Kind.Name).Read(ctx, []providers.Ref{{ID: before.ID}})[0]
		if old.Err != nil || old.State != cty.NilVal {
			t.Errorf("replaced by %s, but %s is still there (%v)", after.ID, before.ID, old.Err)
		}
	}
	b.MustBeEmpty(t, step.Stack)
}

func (s Suite) refused(t *testing.T, step Step) {
	w, b := s.created(t, s.from(step))
	before := s.read(t, b, w.Provider)
	p, diags := b.Plan(t, step.Stack)
	if !diags.HasErrors() {
		t.Fatalf("the plan does not refuse:\n%s", Dump(p))
	}
	if text := Text(diags); !strings.Contains(text, step.Want) {
		t.Errorf("%q is not in what the plan says:\n%s", step.Want, text)
	}
	if _, diags := b.Apply(t, p); !diags.HasErrors() {
		t.Error("a plan with errors was applied")
	}
	if after := s.read(t, b, w.Provider); after.Err != nil || !after.State.RawEquals(before.State) {
		t.Errorf("refused, but the object changed:\n%#v\n%#v %v", before.State, after.State, after.Err)
	}
	b.MustBeEmpty(t, s.from(step))
}

// existsAlready looks at the object with the ledger of somebody who does not own it.
func (s Suite) existsAlready(t *testing.T) {
	w, b := s.created(t, s.Create)
	e := s.entry(t, b)
	mine := b.Ledger(t)
	stranger := *b
	stranger.Dir = t.TempDir()
	for name, text := range w.Files {
		path := filepath.Join(stranger.Dir, name)
		_ = os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, diags := stranger.Plan(t, s.Create)
	if text := Text(diags); !diags.HasErrors() || !strings.Contains(text, "exists already") || !strings.Contains(text, e.ID) {
		t.Fatalf("the plan does not say that %s exists already:\n%s", e.ID, text)
	}
	before := s.read(t, b, w.Provider)
	for addr := range mine.Entries {
		stranger.Adopt = append(stranger.Adopt, addr)
	}
	p := stranger.MustPlan(t, s.Create)
	if n := p.Counts(); n.Create+n.Replace+n.Delete > 0 {
		t.Errorf("taking over does more than that:\n%s", Dump(p))
	}
	if _, diags := stranger.Apply(t, p); diags.HasErrors() {
		t.Fatalf("apply:\n%s", Text(diags))
	}
	if after := s.read(t, b, w.Provider); after.Incarnation != before.Incarnation {
		t.Errorf("taken over, but it is another object: %q, was %q", after.Incarnation, before.Incarnation)
	}
	stranger.Adopt = nil
	stranger.MustBeEmpty(t, s.Create)

	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	results := w.Provider.Resource(s.Kind.Name).Create(ctx, []providers.Change{{Address: s.subject().String(), ID: e.ID, After: before.State}})
	if code := providers.CodeOf(results[0].Err); code != providers.Exists {
		t.Errorf("a create of what exists answers %v (code %q), not %q", results[0].Err, code, providers.Exists)
	}
}

// remove deletes the subject without the planner.
func (s Suite) remove(t *testing.T, w World, b *Bench) {
	t.Helper()
	e, r := s.entry(t, b), s.read(t, b, w.Provider)
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	change := providers.Change{Address: s.subject().String(), ID: e.ID, Before: r.State, Private: e.Private}
	for _, which := range []string{"first", "second"} { // what is gone already is no error
		if res := w.Provider.Resource(s.Kind.Name).Delete(ctx, []providers.Change{change}); res[0].Err != nil {
			t.Fatalf("the %s delete: %v", which, res[0].Err)
		}
	}
}

func (s Suite) goneOutside(t *testing.T) {
	w, b := s.created(t, s.Create)
	s.remove(t, w, b)
	if r := s.read(t, b, w.Provider); r.Err != nil || r.State != cty.NilVal {
		t.Fatalf("a deleted object is read as %#v (%v), not as absent", r.State, r.Err)
	}
	p := b.MustPlan(t, s.Create)
	if c := s.change(t, p); c.Action != planner.Create || !strings.Contains(c.Why, "outside") {
		t.Fatalf("the plan does not say that it was removed outside, and make it again:\n%s", Dump(p))
	}
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatalf("apply:\n%s", Text(diags))
	}
	b.MustApply(t, s.Create) // what went with it, if anything
	b.MustBeEmpty(t, s.Create)
}

func (s Suite) delete(t *testing.T) {
	w, b := s.created(t, s.Create)
	e := s.entry(t, b)
	if _, diags := b.Destroy(t, s.Create); diags.HasErrors() {
		t.Fatalf("destroy:\n%s", Text(diags))
	}
	if l := b.Ledger(t); len(l.Entries)+len(l.Intents) > 0 {
		t.Errorf("the ledger is not empty after destroy: %v %v", l.Addrs(), l.Intents)
	}
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	r := w.Provider.Resource(s.Kind.Name).Read(ctx, []providers.Ref{{ID: e.ID}})[0]
	if r.Err != nil || r.State != cty.NilVal {
		t.Fatalf("a destroyed object is read as %#v (%v), not as absent", r.State, r.Err)
	}
	b.MustApply(t, s.Create) // its name is free again
}

func (s Suite) changedOutside(t *testing.T) {
	w, b := s.created(t, s.Create)
	s.Outside(t, w, s.entry(t, b).ID)
	p := b.MustPlan(t, s.Create)
	c := s.change(t, p)
	if c.Action == planner.NoOp {
		t.Fatal("the plan does not see that the object was changed outside")
	}
	outside := false
	for _, a := range c.Attrs {
		outside = outside || a.Outside
	}
	if !outside {
		t.Errorf("the plan does not say that it was changed outside:\n%s", Dump(p))
	}
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatalf("apply:\n%s", Text(diags))
	}
	b.MustBeEmpty(t, s.Create)
}

// notMissing looks at the object through a provider that cannot see it.
func (s Suite) notMissing(t *testing.T, blind func(*testing.T, World) providers.Provider, code providers.Code) {
	if blind == nil {
		t.Fatal("the suite does not say who may not see the object")
	}
	w, b := s.created(t, s.Create)
	p := blind(t, w)
	r := s.read(t, b, p)
	if r.Err == nil {
		t.Fatalf("the reading has no error (state %#v)", r.State)
	}
	if got := providers.CodeOf(r.Err); got != code {
		t.Errorf("the error has code %q, not %q: %v", got, code, r.Err)
	}
	b.Providers[s.Kind.System] = p
	plan, diags := b.Plan(t, s.Create)
	if !diags.HasErrors() {
		t.Errorf("the plan has no error:\n%s", Dump(plan))
	}
	for _, c := range plan.Changes {
		if c.Addr == s.subject() && c.Action != planner.NoOp {
			t.Errorf("something is planned for what could not be read:\n%s", Dump(plan))
		}
	}
}

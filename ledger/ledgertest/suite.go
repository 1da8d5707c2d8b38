// Package ledgertest is the suite that every ledger.Store passes. A store adopts it with one call of Run and a Harness.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/spec"
)

// Harness is one ledger, empty at first, as a test reaches it.
type Harness struct {
	// Open returns another store of the same ledger, as another process would have it.
	Open func() ledger.Store
	// Read and Write reach behind the store for the generation that is stored and the one before. Read returns nil
	// where there is none, and Write of nil removes it.
	Read  func(previous bool) []byte
	Write func(previous bool, text []byte)
	// Restore follows the advice of a DamagedError.
	Restore func(*ledger.DamagedError) error
}

// Full returns a ledger with something of everything.
func Full() *ledger.Ledger {
	topic := spec.Addr{Kind: "kafka_topic", Name: "prices"}
	keyed := spec.Addr{Kind: "kafka_topic", Name: "each", Key: `a"b`, Keyed: true}
	l := ledger.New()
	l.Entries[topic] = &ledger.Entry{ID: "prices", Incarnation: "x1", Protected: true, Deps: []string{"a.b"},
		Digests: map[string]string{"partitions": l.Digest(cty.NumberIntVal(3))}, Private: map[string]string{"expires": "2027-01-01"}}
	l.Entries[keyed] = &ledger.Entry{ID: "each-ab"}
	l.Intents[keyed] = ledger.Intent{ID: "each-ab", Op: ledger.OpUpdate, Since: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	l.Outputs["o"] = l.Digest(cty.StringVal("v"))
	return l
}

// Run runs the suite; open makes a harness for each of its tests.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"save and load", saveAndLoad},
		{"previous generation", previousGeneration},
		{"a stale ledger is not saved", stale},
		{"damaged", damaged},
		{"gone", gone},
		{"recover", recovers},
		{"rescue", rescue},
		{"before", before},
		{"lock", lock},
		{"lock after waiting", lockAfterWaiting},
		{"waiting cancelled", waitingCancelled},
		{"saves of many", savesOfMany},
		{"notes", notes},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// notes keeps two texts, replaces one, and finds them through another handle. The ledger is untouched by them.
func notes(t *testing.T, h Harness) {
	s := h.Open()
	kept := func(name, want string) {
		t.Helper()
		text, err := h.Open().Kept(t.Context(), name)
		if err != nil || string(text) != want || want == "" && text != nil {
			t.Fatalf("%s: %q, %v; want %q", name, text, err, want)
		}
	}
	keep := func(name, text string) {
		t.Helper()
		if err := s.Keep(t.Context(), name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	kept("loads-A.B_5f_.gz", "")
	keep("loads-A.B_5f_.gz", "first")
	keep("other", "another")
	keep("loads-A.B_5f_.gz", "second")
	kept("loads-A.B_5f_.gz", "second")
	kept("other", "another")
	if l := load(t, s); l.Serial != 0 || len(l.Entries) > 0 {
		t.Errorf("the ledger is %+v", l)
	}
	save(t, s, ledger.New())
	kept("other", "another")
}

func save(t *testing.T, s ledger.Store, l *ledger.Ledger) {
	t.Helper()
	if err := s.Save(t.Context(), l); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s ledger.Store) *ledger.Ledger {
	t.Helper()
	l, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func saveAndLoad(t *testing.T, h Harness) {
	s := h.Open()
	if l := load(t, s); l.Serial != 0 || len(l.Entries) > 0 || l.Lineage == "" {
		t.Errorf("a ledger from nothing: %+v", l)
	}
	l := Full()
	for serial := uint64(1); serial <= 3; serial++ {
		save(t, s, l)
		if l.Serial != serial {
			t.Errorf("saved as serial %d, not %d", l.Serial, serial)
		}
		if got := load(t, h.Open()); !reflect.DeepEqual(got, l) {
			t.Errorf("loaded %+v, saved %+v", got, l)
		}
		l.Entries[spec.Addr{Kind: "kafka_topic", Name: fmt.Sprint("n", serial)}] = &ledger.Entry{ID: "n"}
	}
	other := h.Open()
	l = load(t, other)
	save(t, other, l)
	if l.Serial != 4 {
		t.Errorf("another process saved serial %d", l.Serial)
	}
}

func previousGeneration(t *testing.T, h Harness) {
	s, l := h.Open(), Full()
	save(t, s, l)
	if text := h.Read(true); text != nil {
		t.Errorf("the first generation has one before: %s", text)
	}
	for range 2 {
		before := h.Read(false)
		save(t, s, l)
		if got := h.Read(true); string(got) != string(before) {
			t.Errorf("the generation before is\n%s\nnot\n%s", got, before)
		}
	}
}

func stale(t *testing.T, h Harness) {
	mine, theirs := h.Open(), h.Open()
	l := Full()
	save(t, mine, l)
	other := load(t, theirs)
	save(t, theirs, other)
	var stale *ledger.StaleError
	stored, previous := h.Read(false), h.Read(true)
	for range 2 { // also when it is tried again
		if err := mine.Save(t.Context(), l); !errors.As(err, &stale) || stale.Stored != 2 || stale.Loaded != 1 || stale.ForeignLineage {
			t.Errorf("an old generation was saved: %v", err)
		}
	}
	if err := mine.Save(t.Context(), Full()); !errors.As(err, &stale) || !stale.ForeignLineage {
		t.Errorf("a foreign ledger was saved: %v", err)
	}
	if string(h.Read(false)) != string(stored) || string(h.Read(true)) != string(previous) {
		t.Error("a failed save left something behind")
	}
	if err := theirs.Save(t.Context(), load(t, mine)); err != nil { // whoever loaded it
		t.Error(err)
	}
	if err := theirs.Save(t.Context(), other); !errors.As(err, &stale) || stale.Stored != 3 {
		t.Errorf("an old copy was saved by its own store: %v", err)
	}
	if l.Serial != 1 {
		t.Errorf("a failed save changed the serial to %d", l.Serial)
	}
	h.Write(false, nil)
	if err := theirs.Save(t.Context(), other); !errors.As(err, &stale) {
		t.Errorf("saved where the ledger is gone: %v", err)
	}
}

func damaged(t *testing.T, h Harness) {
	s, l := h.Open(), Full()
	save(t, s, l)
	save(t, s, l)
	text := string(h.Read(false))
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "it is empty"},
		{"cut short", text[:len(text)/2], "cut short after"},
		{"garbage", "<html>", "not JSON"},
		{"foreign", `{"version": 4, "terraform_version": "1.9.0"}`, "not a ledger of mkt"},
		{"no key", `{"mkt_ledger": 1, "lineage": "x"}`, "key is missing"},
	} {
		h.Write(false, []byte(test.text))
		_, err := h.Open().Load(t.Context())
		var damaged *ledger.DamagedError
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, not %q", test.name, err, test.want)
			continue
		}
		if damaged.Serial != 1 || !strings.Contains(err.Error(), damaged.Previous) {
			t.Errorf("%s: no way out: %v", test.name, err)
		}
		if err := h.Restore(damaged); err != nil {
			t.Errorf("%s: restore: %v", test.name, err)
		} else if l := load(t, h.Open()); l.Serial != 1 {
			t.Errorf("%s: restored serial %d", test.name, l.Serial)
		}
	}
	// What a newer mkt wrote is whole: an older generation is no remedy, and is not put in its place.
	h.Write(false, []byte(`{"mkt_ledger": 99}`))
	_, err := h.Open().Load(t.Context())
	var newer *ledger.DamagedError
	if !errors.As(err, &newer) || !ledger.Newer(err) || !strings.HasSuffix(err.Error(), "version 99, written by a newer mkt; this one reads up to 1: use the newer one") {
		t.Errorf("newer: %v", err)
	}
	h.Write(false, []byte("x"))
	h.Write(true, []byte("y"))
	_, err = h.Open().Load(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no readable previous generation") {
		t.Errorf("both are damaged: %v", err)
	}
}

// before has one more generation than the previous one: that from before the last process that saved.
func before(t *testing.T, h Harness) {
	s, l := h.Open(), Full()
	save(t, s, l)
	save(t, s, l)
	other := h.Open()
	l = load(t, other)
	for range 3 { // its previous one has serial 4
		save(t, other, l)
	}
	h.Write(false, []byte("x"))
	h.Write(true, []byte("y"))
	_, err := h.Open().Load(t.Context())
	var damaged *ledger.DamagedError
	if !errors.As(err, &damaged) || damaged.Serial != 2 {
		t.Fatalf("both are damaged: %v", err)
	}
	if got := damaged.Recover(time.Now()); got != nil {
		t.Errorf("nobody asked for it: recovered %+v", got)
	}
	if err := h.Restore(damaged); err != nil {
		t.Error(err)
	} else if l := load(t, h.Open()); l.Serial != 2 {
		t.Errorf("restored serial %d", l.Serial)
	}
}

func gone(t *testing.T, h Harness) {
	s, l := h.Open(), Full()
	save(t, s, l)
	save(t, s, l)
	h.Write(false, nil)
	_, err := h.Open().Load(t.Context())
	var damaged *ledger.DamagedError
	if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "it is gone") {
		t.Fatalf("a ledger that is gone counts as none: %v", err)
	}
	if err := h.Restore(damaged); err != nil {
		t.Fatal(err)
	}
	if l := load(t, h.Open()); l.Serial != 1 {
		t.Errorf("restored serial %d", l.Serial)
	}
}

func lock(t *testing.T, h Harness) {
	me := ledger.Holder{Who: "ada@build-7", PID: os.Getpid(), Since: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Operation: "apply"}
	first, err := h.Open().Lock(t.Context(), me, 0)
	if err != nil {
		t.Fatal(err)
	}
	var held *ledger.HeldError
	if _, err := h.Open().Lock(t.Context(), ledger.Me("destroy"), 0); !errors.As(err, &held) || held.Holder != me || !strings.Contains(err.Error(), me.String()) {
		t.Errorf("locked twice, or who, where, since when and what for is not said: %v", err)
	}
	select {
	case <-first.Lost():
		t.Error("the lock was lost")
	default:
	}
	s := h.Open()
	l := load(t, s)
	save(t, s, l) // the lock is no hindrance to its holder
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	second, err := h.Open().Lock(t.Context(), ledger.Me("destroy"), 0)
	if err != nil {
		t.Fatalf("a lock that was let go: %v", err)
	}
	if _, err := h.Open().Lock(t.Context(), ledger.Me("apply"), 0); !errors.As(err, &held) || held.Holder.Operation != "destroy" {
		t.Errorf("the second holder: %v", err)
	}
	if err := second.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func lockAfterWaiting(t *testing.T, h Harness) {
	first, err := h.Open().Lock(t.Context(), ledger.Me("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		second, err := h.Open().Lock(t.Context(), ledger.Me("destroy"), time.Minute)
		if err == nil {
			err = second.Unlock()
		}
		done <- err
	}()
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("waiting for the lock: %v", err)
	}
}

func waitingCancelled(t *testing.T, h Harness) {
	first, err := h.Open().Lock(t.Context(), ledger.Me("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := h.Open().Lock(ctx, ledger.Me("destroy"), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait: %v", err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	second, err := h.Open().Lock(t.Context(), ledger.Me("apply"), 0)
	if err != nil {
		t.Fatalf("who was cancelled holds the lock: %v", err)
	}
	_ = second.Unlock()
}

// savesOfMany lets several processes write, each under the lock: nothing of any is lost.
func savesOfMany(t *testing.T, h Harness) {
	const n = 5
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			errs[i] = addUnderLock(t.Context(), h.Open(), fmt.Sprint("t", i))
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if l := load(t, h.Open()); len(l.Entries) != n || l.Serial != n {
		t.Errorf("%d entries, serial %d", len(l.Entries), l.Serial)
	}
}

func addUnderLock(ctx context.Context, s ledger.Store, name string) error {
	held, err := s.Lock(ctx, ledger.Me("apply"), time.Minute)
	if err != nil {
		return err
	}
	l, err := s.Load(ctx)
	if err == nil {
		l.Entries[spec.Addr{Kind: "kafka_topic", Name: name}] = &ledger.Entry{ID: name}
		err = s.Save(ctx, l)
	}
	return errors.Join(err, held.Unlock())
}

// recovers has ledgers that are no good any more: who recovers one goes on from the newest generation that is whole, and no other save
// gets through meanwhile.
func recovers(t *testing.T, h Harness) {
	s, l := h.Open(), Full()
	for range 4 {
		save(t, s, l)
	}
	text := h.Read(false)
	old := string(h.Read(true))
	for _, test := range []struct {
		name, text string
		lost       uint64 // the serial that the damaged one is known to have
	}{
		{"cut short", string(text[:len(text)/2]), 4},
		{"emptied", "", 4},
		{"garbage", "<html>", 4},
		{"a bit turned", strings.Replace(string(text), `"prices"`, `"pricez"`, 1), 4},
		{"an old copy", strings.Replace(strings.Replace(string(text), `"serial": 4`, `"serial": 2`, 1), `"sum"`, `"was"`, 1), 4},
		{"gone", "gone", 4},
	} {
		h.Write(true, []byte(old))
		if test.text == "gone" {
			h.Write(false, nil)
		} else {
			h.Write(false, []byte(test.text))
		}
		first, second := h.Open(), h.Open()
		mine, theirs := recoverFrom(t, test.name, first), recoverFrom(t, test.name, second)
		if mine == nil || theirs == nil {
			continue
		}
		if mine.Recovered == nil || mine.Recovered.Serial != 3 || !mine.Unsaved() || mine.Serial < test.lost || len(mine.Entries) != len(l.Entries) {
			t.Errorf("%s: recovered %+v", test.name, mine)
		}
		save(t, first, mine)
		if mine.Unsaved() || string(h.Read(true)) != old {
			t.Errorf("%s: saved, and the generation before is\n%s", test.name, h.Read(true))
		}
		var stale *ledger.StaleError
		if err := second.Save(t.Context(), theirs); !errors.As(err, &stale) {
			t.Errorf("%s: recovered twice: %v", test.name, err)
		}
		got := load(t, h.Open())
		if got.Serial != mine.Serial || got.Serial <= test.lost || !reflect.DeepEqual(got.Recovered, mine.Recovered) {
			t.Errorf("%s: loaded %+v, saved %+v", test.name, got, mine)
		}
		mine.Recovered = nil
		save(t, first, mine)
		if got := load(t, h.Open()); got.Recovered != nil || got.Serial != mine.Serial {
			t.Errorf("%s: loaded %+v", test.name, got)
		}
	}
	h.Write(true, []byte(strings.Replace(old, `"resources"`, "", 1))) // newer, and no good
	h.Write(false, []byte(strings.Replace(strings.Replace(string(text), `"serial": 4`, `"serial": 2`, 1), `"sum"`, `"was"`, 1)))
	if got := load(t, h.Open()); got.Recovered == nil || got.Unsaved() || got.Serial != 2 {
		t.Errorf("beside a damaged newer generation: %+v", got)
	}
	h.Write(true, []byte(old))
	for _, other := range []string{`{"version": 4, "terraform_version": "1.9.0"}`, `{"mkt_ledger": 99}`} { // no damage: something else
		h.Write(false, []byte(other))
		_, err := h.Open().Load(t.Context())
		var damaged *ledger.DamagedError
		if !errors.As(err, &damaged) || damaged.Recover(time.Now()) != nil || strings.Contains(err.Error(), "by itself") {
			t.Errorf("%s: recovered, %v", other, err)
		}
	}
}

func recoverFrom(t *testing.T, name string, s ledger.Store) *ledger.Ledger {
	t.Helper()
	_, err := s.Load(t.Context())
	var damaged *ledger.DamagedError
	if !errors.As(err, &damaged) {
		t.Errorf("%s: not damaged: %v", name, err)
		return nil
	}
	l := damaged.Recover(time.Now())
	if l == nil || !strings.Contains(err.Error(), "goes on from there by itself") {
		t.Errorf("%s: %v", name, err)
	}
	return l
}

// rescue damages the ledger under a process that saves: it fails, and what it knew is where the next one goes on from.
func rescue(t *testing.T, h Harness) {
	s, l := h.Open(), Full()
	for range 3 {
		save(t, s, l)
	}
	text := h.Read(false)
	h.Write(false, text[:len(text)/2])
	known := spec.Addr{Kind: "kafka_topic", Name: "known"}
	l.Entries[known] = &ledger.Entry{ID: "known"}
	var damaged *ledger.DamagedError
	for range 2 {
		if err := s.Save(t.Context(), l); !errors.As(err, &damaged) {
			t.Fatalf("saved over a damaged ledger: %v", err)
		}
	}
	if got := string(h.Read(false)); got != string(text[:len(text)/2]) {
		t.Errorf("it was overwritten by\n%s", got)
	}
	other := h.Open()
	_, err := other.Load(t.Context())
	if !errors.As(err, &damaged) {
		t.Fatal(err)
	}
	got := damaged.Recover(time.Now())
	if got == nil || got.Recovered != nil || got.Entries[known] == nil || got.Serial != 4 {
		t.Fatalf("recovered %+v", got)
	}
	save(t, other, got)
	if again := load(t, h.Open()); again.Serial != 5 || again.Entries[known] == nil {
		t.Errorf("loaded %+v", again)
	}
	var stale *ledger.StaleError
	if err := s.Save(t.Context(), l); !errors.As(err, &stale) {
		t.Errorf("who came upon it saved after all: %v", err)
	}
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkt/ledger"
	"mkt/providers/providertest/wire"
)

// command is mkt as a process of its own on the run's stack. out gets what it prints.
func (b *blaze) command(out *bytes.Buffer, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = b.dir
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "MKT_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	for name, value := range b.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

// TestKillAtEveryRequest kills create, change and destroy with SIGKILL ahead of a request and after it was carried out: done again they converge.
func TestKillAtEveryRequest(t *testing.T) {
	t.Parallel()
	r := random(t)
	f := newFire(t)
	requests, worlds := f.fires(t)
	var points []point // Cut stands for before, Lost for after
	for _, p := range phases {
		for _, req := range requests[p.name] {
			points = append(points, point{p, req, wire.Cut}, point{p, req, wire.Lost})
		}
	}
	all := len(points)
	points = chosen(r, points, 16)
	start := time.Now()
	var killed atomic.Int64
	inTurns(t, points, worlds, func(b *blaze, p point, world string) bool {
		hit, out, err := b.kill(p, world)
		if err != nil {
			b.t.Errorf("%s: killed at %s: %v\n%s", b.name, p, err, out)
		}
		if hit {
			killed.Add(1)
		}
		return err == nil
	})
	t.Logf("%d of %d points in %s, killed %d times", len(points), all, time.Since(start).Round(time.Second), killed.Load())
	if killed.Load() < int64(len(points))/2 {
		t.Error("most points were not reached")
	}
}

// kill kills a phase at a point and does it again.
func (b *blaze) kill(p point, world string) (hit bool, out string, err error) {
	out, err = b.killAt(p)
	hit = b.reached.Load()
	if err != nil {
		return hit, out, err
	}
	again, err := b.converges(p.phase, world)
	return hit, out + "\n--- again ---\n" + again, err
}

// killAt kills a phase at a point, which it may not come to.
func (b *blaze) killAt(p point) (out string, err error) {
	var text bytes.Buffer
	cmd := b.command(&text, "mkt", longFlags(b.args(p.phase.args))...)
	reached := &atomic.Bool{}
	b.reached = reached
	started := make(chan struct{})
	b.wire.Watch(func(r wire.Request) wire.Verdict {
		if r != p.request {
			return wire.Verdict{}
		}
		<-started
		reached.Store(true)
		kill := func() { _ = cmd.Process.Kill() }
		if p.fault == wire.Cut {
			kill()
		}
		return wire.Verdict{Fault: p.fault, Done: kill}
	})
	if err := cmd.Start(); err != nil {
		return "", err
	}
	close(started)
	if err = cmd.Wait(); err != nil && reached.Load() {
		err = nil
	}
	return text.String(), err
}

// held is a process that stands at a request until release is called.
type held struct {
	cmd     *exec.Cmd
	out     bytes.Buffer
	release func()
}

// hold starts a phase, one change at a time, and holds it at the first request that matches.
func (b *blaze) hold(p phase, request string) *held {
	b.t.Helper()
	h := &held{}
	match := regexp.MustCompile(request)
	there, on := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.wire.Watch(func(r wire.Request) wire.Verdict {
		if match.MatchString(r.String()) {
			once.Do(func() {
				close(there)
				<-on
			})
		}
		return wire.Verdict{}
	})
	h.release = sync.OnceFunc(func() { close(on) })
	b.t.Cleanup(h.release)
	h.cmd = b.command(&h.out, "mkt", longFlags(b.args(append(slices.Clone(p.args), "-parallelism", "1")))...)
	if err := h.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	select {
	case <-there:
	case <-time.After(time.Minute):
		_ = h.cmd.Process.Kill()
		_ = h.cmd.Wait()
		b.t.Fatalf("it never came to %s\n%s", request, h.out.String())
	}
	return h
}

// ends lets the process go on and returns its exit code and what it printed.
func (h *held) ends() (code int, out string) {
	h.release()
	var exit *exec.ExitError
	if err := h.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return -1, err.Error()
	}
	return exitCode(exit), h.out.String()
}

// TestTwoAppliesAtOnce starts a second apply while the first one is under way: with its ledger it is turned away, and from
// another machine, with a ledger of its own, nothing is made twice.
func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	f := newFire(t)
	_, worlds := f.fires(t)
	b := f.blaze(t)
	create := phaseNamed("create")
	b.prepare(create)
	first := b.hold(create, `kafka CreateTopics`)
	if code, out := b.mkt(patience, create.args...); code != 1 || !strings.Contains(out, "is locked by") {
		t.Errorf("the second: exit code %d\n%s", code, out)
	}
	if code, out := first.ends(); code != 0 {
		t.Errorf("the first: exit code %d\n%s", code, out)
	}
	if out, err := b.converges(create, worlds["create"]); err != nil {
		t.Errorf("%v\n%s", err, out)
	}

	for _, at := range []string{`kafka CreateTopics`, `CREATE DATABASE`, `blob PUT`, `management PUT`, `registry POST`} {
		b.prepare(create)
		first = b.hold(create, at)
		other := f.blaze(t)
		other.begin()
		other.name = b.name
		code, theirs := other.mkt(patience, create.args...)
		firstCode, ours := first.ends()
		if code > 1 || firstCode > 1 || code+firstCode == 0 {
			t.Errorf("held at %s: exit codes %d and %d\n%s\n%s", at, firstCode, code, ours, theirs)
		}
		for text, failed := range map[string]bool{ours: firstCode == 1, theirs: code == 1} {
			if failed && !strings.Contains(words(text), "owned by another ledger") && !strings.Contains(words(text), "Object exists already") {
				t.Errorf("held at %s: whose the objects are is not said\n%s", at, text)
			}
		}
		// Each object has one owner, and nothing is there that has none.
		owners := map[string]string{}
		for _, side := range []*blaze{b, other} {
			l, err := ledger.NewFile(filepath.Join(side.dir, "stack.ledger.json")).Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for addr := range l.Entries {
				if owners[addr.String()] != "" {
					t.Errorf("held at %s: two ledgers own %s", at, addr)
				}
				owners[addr.String()] = side.dir
			}
			if len(l.Intents) > 0 {
				t.Errorf("held at %s: %v are announced", at, l.Intents)
			}
		}
		if now := b.world(); now != worlds["create"] {
			t.Errorf("held at %s: two at once leave another world:\n%s", at, now)
		}
		if len(owners) < 18 {
			t.Errorf("held at %s: only %d objects have an owner", at, len(owners))
		}
	}
}

// TestStalePlanUnderFire applies a saved plan after somebody else applied: nothing is done.
func TestStalePlanUnderFire(t *testing.T) {
	t.Parallel()
	f := newFire(t)
	b := f.blaze(t)
	b.prepare(phaseNamed("change"))
	saved := filepath.Join(b.dir, "plan")
	b.must(0, "plan", "-out", saved, "-var", "changed=true")
	b.must(0, phaseNamed("change").args...)
	before := b.world()
	text, _ := os.ReadFile(filepath.Join(b.dir, "stack.ledger.json"))
	if code, out := b.mkt(patience, "apply", saved, "-allow-destroy=all", "-var", "changed=true"); code != 1 || !strings.Contains(out, "Error: ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if now, _ := os.ReadFile(filepath.Join(b.dir, "stack.ledger.json")); b.world() != before || !bytes.Equal(now, text) {
		t.Error("something was done")
	}
	b.must(0, "plan", "-detailed-exitcode", "-var", "changed=true")
}

// TestLedgerUnderFire changes the ledger under an apply. What it does not know any more it does not overwrite, and the next one goes
// on by itself.
func TestLedgerUnderFire(t *testing.T) {
	t.Parallel()
	f := newFire(t)
	_, worlds := f.fires(t)
	create := phaseNamed("create")
	for _, test := range []struct {
		name   string
		change func(t *testing.T, path string)
		want   string // of the apply that comes upon it
		next   string // of the next one, "" for nothing special
	}{
		{name: "cut short", want: "cut short", next: "put aside what it knew", change: func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, text[:len(text)*2/3], 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		{name: "deleted", want: "changed since it was read", next: "it is gone", change: func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "of another generation", want: "changed since it was read", change: func(t *testing.T, path string) {
			store := ledger.NewFile(path)
			l, err := store.Load(t.Context())
			if err == nil {
				err = store.Save(t.Context(), l)
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := f.blaze(t)
			b.prepare(create)
			path := filepath.Join(b.dir, "stack.ledger.json")
			first := b.hold(create, `CREATE SCHEMA`)
			test.change(t, path)
			changed, _ := os.ReadFile(path)
			code, out := first.ends()
			if code != 1 || !strings.Contains(words(out), test.want) || ended.FindString(out) == "" {
				t.Errorf("exit code %d, want 1 and %q\n%s", code, test.want, out)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, changed) {
				t.Error("it was overwritten")
			}
			out, err := b.converges(create, worlds["create"])
			if err != nil || !strings.Contains(words(out), test.next) {
				t.Errorf("%v, want %q\n%s", err, test.next, out)
			}
		})
	}
}

// damages are what becomes of a ledger; old is the generation from before the phase, nil where there was none.
var damages = []struct {
	name string
	text func(now, old []byte) []byte // nil: it is deleted
}{
	{"cut short", func(now, _ []byte) []byte { return now[:len(now)*2/3] }},
	{"emptied", func([]byte, []byte) []byte { return []byte{} }},
	{"deleted", func([]byte, []byte) []byte { return nil }},
	{"of an older generation", func(_, old []byte) []byte { return old }},
}

// TestLedgerLostUnderFire kills create and change at some request after which the ledger has more than one generation, and damages its
// newest one: what the older one lacks is found again, and the next apply converges without help.
func TestLedgerLostUnderFire(t *testing.T) {
	t.Parallel()
	r := random(t)
	f := newFire(t)
	requests, worlds := f.fires(t)
	tries := 3
	if deep() {
		tries = 40
	}
	for _, damage := range damages {
		for range tries {
			b := f.blaze(t)
			p := phases[r.IntN(2)]
			at := point{p, requests[p.name][r.IntN(len(requests[p.name]))], wire.Lost}
			b.prepare(p)
			path := filepath.Join(b.dir, "stack.ledger.json")
			old, _ := os.ReadFile(path)
			out, err := b.killAt(at)
			if err != nil {
				t.Fatalf("%s: %v\n%s", at, err, out)
			}
			now, _ := os.ReadFile(path)
			if _, err := os.Stat(path + ".prev"); err != nil || len(now) == 0 { // with one generation alone there is nothing to go on from
				continue
			}
			if text := damage.text(now, old); text == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path+".new", text, 0o600)
				if err == nil {
					err = os.Rename(path+".new", path)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := b.converges(p, worlds[p.name])
			if err != nil {
				t.Errorf("%s: killed at %s, the ledger %s: %v\n%s\n--- again ---\n%s", b.name, at, damage.name, err, out, again)
			}
		}
	}
}

// words is a text with its lines joined, as the view wraps them.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// TestDiskUnderFire lets files grow to a size only, smaller than the ledger becomes: what is done is recorded or announced, and
// with room again the next apply goes on from there.
func TestDiskUnderFire(t *testing.T) {
	t.Parallel()
	f := newFire(t)
	_, worlds := f.fires(t)
	var codes []int
	for blocks := 0; blocks <= 12; blocks += 3 {
		for _, p := range phases[:2] {
			b := f.blaze(t)
			b.prepare(p)
			var text bytes.Buffer
			cmd := b.command(&text, "sh", append([]string{"-c", "ulimit -f " + strconv.Itoa(blocks) + `; exec mkt "$@"`, "mkt"}, longFlags(b.args(p.args))...)...)
			err := cmd.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			code, out := exitCode(exit), text.String()
			codes = append(codes, code)
			if code > 1 || code == 1 && !strings.Contains(words(out), "file too large") {
				t.Errorf("%s with %d blocks: exit code %d\n%s", p.name, blocks, code, out)
			}
			if out, err := b.converges(p, worlds[p.name]); err != nil {
				t.Errorf("%s with %d blocks: %v\n%s", p.name, blocks, err, fmt.Sprint(text.String(), out))
			}
		}
	}
	if !slices.Contains(codes, 1) {
		t.Errorf("the disk was never full: %v", codes)
	}
}

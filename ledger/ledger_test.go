package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

var (
	topic = spec.Addr{Kind: "kafka_topic", Name: "prices"}
	keyed = spec.Addr{Kind: "kafka_topic", Name: "each", Key: `a"b`, Keyed: true}
)

func full() *Ledger {
	l := New()
	l.Entries[topic] = &Entry{ID: "prices", Incarnation: "x1", Protected: true, Deps: []string{"a.b"},
		Digests: map[string]string{"partitions": l.Digest(cty.NumberIntVal(3))}, Private: map[string]string{"expires": "2027-01-01"}}
	l.Entries[keyed] = &Entry{ID: "each-ab"}
	l.Intents[keyed] = Intent{ID: "each-ab", Op: OpUpdate, Since: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	l.Waits[topic] = Wait{For: "consent", Steps: []string{"Open it."}, Since: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	l.Outputs["o"] = l.Digest(cty.StringVal("v"))
	return l
}

func store(t *testing.T) *File {
	return NewFile(filepath.Join(t.TempDir(), "joe's stack", "ledger.json"))
}

func save(t *testing.T, f *File, l *Ledger) {
	t.Helper()
	if err := f.Save(context.Background(), l); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, f *File) *Ledger {
	t.Helper()
	l, err := f.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSaveAndLoad(t *testing.T) {
	f := store(t)
	if l := load(t, f); l.Serial != 0 || len(l.Entries) > 0 {
		t.Errorf("a ledger from nothing: %+v", l)
	}
	l := full()
	save(t, f, l)
	save(t, f, l)
	got := load(t, f)
	if !reflect.DeepEqual(got, l) || got.Serial != 2 {
		t.Errorf("loaded %+v, saved %+v", got, l)
	}
	prev, err := readLedger(f.previous())
	if err != nil || prev.Serial != 1 {
		t.Errorf("the previous generation: %+v %v", prev, err)
	}
	for _, path := range []string{f.path, f.previous()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
	names, _ := os.ReadDir(filepath.Dir(f.path))
	if len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
}

func TestStaleIsNotOverwritten(t *testing.T) {
	f := store(t)
	save(t, f, full())
	mine, theirs := load(t, f), load(t, f)
	save(t, f, theirs)
	var stale *StaleError
	if err := f.Save(context.Background(), mine); !errors.As(err, &stale) || stale.Stored != 2 || stale.Loaded != 1 {
		t.Errorf("an old generation was saved: %v", err)
	}
	if err := f.Save(context.Background(), full()); !errors.As(err, &stale) || !stale.ForeignLineage {
		t.Errorf("a foreign ledger was saved: %v", err)
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(context.Background(), theirs); !errors.As(err, &stale) {
		t.Errorf("saved where the ledger is gone: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	text, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, want string }{
		{"empty", "", "it is empty"},
		{"cut short", string(text[:len(text)/2]), "cut short after"},
		{"garbage", "<html>", "not JSON"},
		{"foreign", `{"version": 4, "terraform_version": "1.9.0"}`, "not a ledger of mkt"},
		{"no key", `{"mkt_ledger": 1, "lineage": "x"}`, "key is missing"},
		{"address", strings.Replace(string(text), "kafka_topic.prices", "nonsense", 1), "no address"},
		{"twice", strings.Replace(string(text), `kafka_topic.each[\"a\\\"b\"]`, "kafka_topic.prices", 1), "twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := store(t)
			l := full()
			save(t, f, l)
			save(t, f, l)
			if err := os.WriteFile(f.path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := f.Load(context.Background())
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("the error is %v, not %q", err, test.want)
			}
			_, out, _ := strings.Cut(err.Error(), "(serial 1) is whole: ")
			out, _, _ = strings.Cut(out, "; ")
			if text, err := exec.CommandContext(t.Context(), "sh", "-c", out).CombinedOutput(); !strings.HasPrefix(out, "cp ") || err != nil {
				t.Fatalf("no way out by %q: %v, %s", out, err, text)
			}
			if l := load(t, f); l.Serial != 1 {
				t.Errorf("serial %d", l.Serial)
			}
		})
	}
}

// A ledger that a newer mkt wrote, or that may not be read, is whole as far as anybody knows: an older generation is no remedy.
func TestNotDamaged(t *testing.T) {
	f := store(t)
	l := full()
	save(t, f, l)
	save(t, f, l)
	says := func(want string) {
		t.Helper()
		_, err := f.Load(context.Background())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "cp ") {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
	if err := os.WriteFile(f.path, []byte(`{"mkt_ledger": 99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	says("version 99, written by a newer mkt; this one reads up to 1: use the newer one")
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(f.path, 0o700); err != nil {
		t.Fatal(err)
	}
	says("is a directory")
}

// TestCutIsNotOverwritten cuts the file short anywhere after it was loaded: a save must leave it and name the way out.
func TestCutIsNotOverwritten(t *testing.T) {
	for _, change := range []func(*Ledger){
		func(*Ledger) {},
		func(l *Ledger) { clear(l.Intents) },
		func(l *Ledger) { clear(l.Entries) },
		func(l *Ledger) { clear(l.Outputs); clear(l.Entries); clear(l.Intents) },
	} {
		f := store(t)
		l := full()
		change(l)
		save(t, f, l)
		save(t, f, l)
		text, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		for n := len(text) - 2; n >= 0; n -= 1 + 10*(n%2) { // without its last byte, a line's end, it is whole
			if err := os.WriteFile(f.path, text[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			mine := *l
			var damaged *DamagedError
			if err := f.Save(context.Background(), &mine); !errors.As(err, &damaged) || damaged.Previous != f.previous() || damaged.Serial != 1 {
				t.Fatalf("cut after %d of %d bytes: %v", n, len(text), err)
			}
			if now, err := os.ReadFile(f.path); err != nil || !bytes.Equal(now, text[:n]) {
				t.Fatalf("cut after %d of %d bytes and overwritten by\n%s %v", n, len(text), now, err)
			}
		}
		var indented bytes.Buffer // formatted by somebody, it is still whole
		if err := json.Indent(&indented, text, "", "    "); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.path, bytes.TrimSpace(indented.Bytes()), 0o600); err != nil {
			t.Fatal(err)
		}
		save(t, f, l)
	}
}

func TestGone(t *testing.T) {
	f := store(t)
	l := full()
	save(t, f, l)
	save(t, f, l)
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(context.Background()); err == nil || !strings.Contains(err.Error(), "it is gone") {
		t.Errorf("a ledger that is gone counts as none: %v", err)
	}
}

func TestLock(t *testing.T) {
	f, other := store(t), (*File)(nil)
	other = NewFile(f.path)
	ctx := context.Background()
	lock, err := f.Lock(ctx, Me("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := other.Lock(ctx, Me("destroy"), 0); !errors.As(err, &held) || held.Holder.PID != os.Getpid() || held.Holder.Operation != "apply" {
		t.Errorf("locked twice, or by nobody: %v", err)
	}
	done := make(chan error)
	go func() {
		second, err := other.Lock(ctx, Me("destroy"), 10*time.Second)
		if err == nil {
			err = second.Unlock()
		}
		done <- err
	}()
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("waiting for the lock: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	lock, err = f.Lock(ctx, Me("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	cancel()
	if _, err := other.Lock(cancelled, Me("destroy"), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait: %v", err)
	}
}

// TestLockOfTheDead kills a process that holds the lock.
func TestLockOfTheDead(t *testing.T) {
	if path := os.Getenv("MKT_TEST_LOCK"); path != "" {
		if _, err := NewFile(path).Lock(context.Background(), Me("apply"), 0); err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("locked\n")
		select {}
	}
	f := store(t)
	child := exec.Command(os.Args[0], "-test.run=^TestLockOfTheDead$")
	child.Env = append(os.Environ(), "MKT_TEST_LOCK="+f.path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 7)
	if _, err := out.Read(line); err != nil || string(line) != "locked\n" {
		t.Fatalf("%q %v", line, err)
	}
	var held *HeldError
	if _, err := f.Lock(context.Background(), Me("apply"), 0); !errors.As(err, &held) || held.Holder.PID != child.Process.Pid {
		t.Errorf("the child's lock: %v", err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	lock, err := f.Lock(context.Background(), Me("apply"), 0)
	if err != nil {
		t.Fatalf("the lock of a dead process holds: %v", err)
	}
	_ = lock.Unlock()
}

func TestDigest(t *testing.T) {
	a, b := New(), New()
	v := cty.ObjectVal(map[string]cty.Value{"x": cty.StringVal("1"), "y": cty.ListVal([]cty.Value{cty.True})})
	if first, second := a.Digest(v), a.Digest(v); first != second || first == "" {
		t.Error("a digest is not stable")
	}
	if a.Digest(v) == b.Digest(v) {
		t.Error("two ledgers have one digest: it is not keyed")
	}
	if a.Digest(v) == a.Digest(cty.StringVal("1")) || a.Digest(cty.StringVal("1")) == a.Digest(cty.NumberIntVal(1)) {
		t.Error("two values have one digest")
	}
	if a.Digest(v) != a.Digest(v.Mark("sensitive")) {
		t.Error("a mark changes the digest")
	}
	if a.Digest(cty.UnknownVal(cty.String)) != "" {
		t.Error("the unknown has a digest")
	}
}

// FuzzDecode must not panic, and what it reads must survive being written.
func FuzzDecode(f *testing.F) {
	text, _ := full().Encode()
	f.Add(text)
	f.Add([]byte(`{"mkt_ledger":1,"lineage":"a","serial":1,"key":"AA==","resources":[{"address":"a.b","id":"x"}]}`))
	f.Add(text[:len(text)/2])
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Decode(text)
		if err != nil {
			return
		}
		once, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(once)
		if err != nil {
			t.Fatalf("%v:\n%s", err, once)
		}
		twice, _ := again.Encode()
		if !bytes.Equal(once, twice) {
			t.Errorf("%s\nis written again as\n%s", once, twice)
		}
		lineage, serial, err := readHead(bytes.NewReader(once))
		if err != nil || lineage != l.Lineage || serial != l.Serial {
			t.Errorf("head: %q %d %v, ledger: %q %d", lineage, serial, err, l.Lineage, l.Serial)
		}
	})
}

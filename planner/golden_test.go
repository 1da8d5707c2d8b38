package planner_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/spec"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// bench returns a system in memory and a bench for it.
func bench(t testing.TB) (*providertest.Memory, *providertest.Bench) {
	m := providertest.NewMemory()
	return m, providertest.NewBench(t, providertest.MemoryKinds(), map[string]providers.Provider{"mem": m})
}

// TestPlans holds plans against testdata/plans. In each archive, applied.hcl is applied first, then the lines of
// outside change the world and the ledger, then stack.hcl is planned, and plan is what comes out. The lines:
//
//	put KIND ID JSON      an object gets these attributes, or is made with them
//	remove KIND ID        an object goes
//	recreate KIND ID      an object goes, and an equal one comes
//	intent OP ADDRESS ID  an apply was killed while it did this
//	forget ADDRESS        the ledger loses an entry
//	adopt ADDRESS, target ADDRESS, replace ADDRESS, allow ADDRESS, destroy   the plan's options
//
// Files in directories are those of modules.
func TestPlans(t *testing.T) {
	paths, err := filepath.Glob("testdata/plans/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no plans: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { golden(t, path) })
	}
}

func golden(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	m, b := bench(t)
	for name, text := range files {
		if !strings.Contains(name, "/") { // a module's otherwise
			continue
		}
		if err := os.MkdirAll(filepath.Join(b.Dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(b.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if applied := files["applied.hcl"]; applied != "" {
		b.MustApply(t, applied)
		b.MustBeEmpty(t, applied)
	}
	in := b.Input(t, files["stack.hcl"])
	for _, line := range strings.Split(strings.TrimSpace(files["outside"]), "\n") {
		outside(t, m, &in, line)
	}
	p, diags := planner.New(context.Background(), in)
	got := providertest.Dump(p)
	if len(diags) > 0 {
		got += providertest.Text(diags) + "\n"
	}
	if *update {
		kept := archive.Files[:0]
		for _, f := range archive.Files {
			if f.Name != "plan" {
				kept = append(kept, f)
			}
		}
		archive.Files = append(kept, txtar.File{Name: "plan", Data: []byte(got)})
		if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := diff.Diff("want", []byte(files["plan"]), "got", []byte(got)); d != nil {
		t.Errorf("the plan differs:\n%s", d)
	}
}

func outside(t *testing.T, m *providertest.Memory, in *planner.Input, line string) {
	t.Helper()
	f := strings.SplitN(line, " ", 4)
	addr := func(i int) spec.Addr {
		a, ok := spec.ParseTarget(f[i])
		if !ok {
			t.Fatalf("outside: %q has no address", line)
		}
		return a
	}
	switch f[0] {
	case "":
	case "put":
		m.Put(f[1], f[2], attributes(t, f[1], f[3]))
	case "remove":
		m.Remove(f[1], f[2])
	case "recreate":
		v := m.Objects[f[1]][f[2]].Value
		m.Remove(f[1], f[2])
		m.Put(f[1], f[2], v.AsValueMap())
	case "intent":
		in.Ledger.Intents[addr(2)] = ledger.Intent{Op: f[1], ID: f[3], Since: time.Now()}
	case "forget":
		delete(in.Ledger.Entries, addr(1))
	case "adopt":
		in.Adopt = append(in.Adopt, addr(1))
	case "target":
		in.Targets = append(in.Targets, addr(1))
	case "replace":
		in.Replace = append(in.Replace, addr(1))
	case "allow":
		in.AllowDestroy = append(in.AllowDestroy, addr(1))
	case "destroy":
		in.Destroy = true
	default:
		t.Fatalf("outside: what is %q?", line)
	}
}

func attributes(t *testing.T, kind, text string) map[string]cty.Value {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	attrs := map[string]cty.Value{}
	for _, k := range providertest.MemoryKinds() {
		for name, typ := range k.Type().AttributeTypes() {
			if k.Name != kind || raw[name] == nil {
				continue
			}
			v, err := ctyjson.Unmarshal(raw[name], typ)
			if err != nil {
				t.Fatal(err)
			}
			attrs[name] = v
		}
	}
	return attrs
}

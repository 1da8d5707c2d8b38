package planner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
)

const shared = `{"size": 7, "material": "oak", "color": "red", "owner": "root", "url": "mem://shared", "revision": 3}`

// TestData reads an object that is not the stack's, and makes others after it. It is in no ledger, and nothing is ever done to it.
func TestData(t *testing.T) {
	m, b := bench(t)
	m.Put("mem_box", "shared", attributes(t, "mem_box", shared))
	stack := `
data "mem_box" "shared" {}
data "mem_box" "each" {
  for_each = toset(["shared"])
  name     = each.key
  material = "oak"
}
mem_box "mine" {
  size   = data.mem_box.shared.size + 1
  color  = data.mem_box.each["shared"].color
  inside = data.mem_box.shared
}
output "who" { value = data.mem_box.shared.owner }
`
	p := b.MustPlan(t, stack)
	if len(p.Changes) != 1 || len(p.Data) != 2 || p.Data[0].ID != "shared" || p.Data[0].Value.GetAttr("material").AsString() != "oak" {
		t.Errorf("%s\n%v", providertest.Dump(p), p.Data)
	}
	after := p.Change(p.Changes[0].Addr).After
	if !after.GetAttr("size").RawEquals(cty.NumberIntVal(8)) || after.GetAttr("inside").AsString() != "shared" || after.GetAttr("color").AsString() != "red" {
		t.Errorf("%#v", after)
	}
	report, diags := b.Apply(t, p)
	if diags.HasErrors() || report.Outputs[0].Value.AsString() != "root" {
		t.Fatalf("%v\n%s", report.Outputs, providertest.Text(diags))
	}
	b.MustBeEmpty(t, stack)
	m.Put("mem_box", "shared", map[string]cty.Value{"size": cty.NumberIntVal(9)})
	if drifted, diags := planner.FindDrift(context.Background(), b.Input(t, stack)); len(drifted) > 0 || diags.HasErrors() {
		t.Errorf("drift: %v\n%s", drifted, providertest.Text(diags))
	}
	if p := b.MustApply(t, stack); p.Counts().Update != 1 {
		t.Errorf("what follows from it was not changed:\n%s", providertest.Dump(p))
	}
	if l := b.Ledger(t); len(l.Entries) != 1 || slices.Contains(l.Entries[p.Changes[0].Addr].Deps, "data.mem_box.shared") {
		t.Errorf("the ledger has %v", l.Entries)
	}
	m.Remove("mem_box", "shared")
	if _, diags := b.Destroy(t, stack); diags.HasErrors() { // what is gone elsewhere is not in the way of that
		t.Errorf("destroy:\n%s", providertest.Text(diags))
	}
	for _, call := range m.Calls {
		if !strings.HasPrefix(call, "read ") && strings.Contains(call, "2") {
			t.Errorf("more than the stack's object was touched: %s", call)
		}
	}
}

// TestDataInModules has modules read, each by what it is given.
func TestDataInModules(t *testing.T) {
	m, b := bench(t)
	m.Put("mem_box", "a", attributes(t, "mem_box", shared))
	m.Put("mem_box", "b", attributes(t, "mem_box", shared))
	dir := filepath.Join(b.Dir, "in")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(`
variable "name" { type = string }
data "mem_box" "it" { name = var.name }
output "size" { value = data.mem_box.it.size }
output "it" { value = data.mem_box.it }
`), 0o600)); err != nil {
		t.Fatal(err)
	}
	p := b.MustPlan(t, `
module "of" {
  source   = "./in"
  for_each = toset(["a", "b"])
  name     = each.key
}
mem_box "mine" {
  size   = module.of["a"].size
  inside = module.of["b"].it
}
`)
	if got := p.Changes[0].After.GetAttr("inside").AsString(); got != "b" || p.Data[0].Addr.String() != `module.of["a"].data.mem_box.it` {
		t.Errorf("inside %q, data %v", got, p.Data)
	}
}

func TestDataNotReadable(t *testing.T) {
	for _, tc := range []struct{ name, stack, want, at string }{
		{"missing", `data "mem_box" "gone" {}`, `there is no mem_box "gone"`, "stack.hcl:1,1"},
		{"another than meant", "data \"mem_box\" \"shared\" {\n  material = \"steel\"\n}", `material of the mem_box "shared" is not "steel" but "oak"`, "stack.hcl:2,14"},
		{"secretly another", "variable \"m\" {\n  default = \"steel\"\n  sensitive = true\n}\ndata \"mem_box\" \"shared\" {\n  material = var.m\n}", `is not what the block says`, ""},
		{"name after apply", "mem_shelf \"s\" {}\ndata \"mem_box\" \"x\" {\n  name = mem_shelf.s.serial\n}", "known only after apply", "stack.hcl:3,10"},
		{"its own", "mem_box \"mine\" { name = \"shared\" }\ndata \"mem_box\" \"x\" { name = \"shared\" }", "which is mem_box.mine of this stack", "stack.hcl:2,1"},
		{"unreadable", `data "mem_box" "shared" {}`, "it could not be read: no entry", "stack.hcl:1,1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, b := bench(t)
			if tc.name != "its own" {
				m.Put("mem_box", "shared", attributes(t, "mem_box", shared))
			}
			if tc.name == "unreadable" {
				b.Providers["mem"] = &providertest.Hook{Provider: m, Before: func(providertest.Call) error { return providers.Errorf(providers.Denied, "no entry") }}
			}
			p, diags := b.Plan(t, tc.stack)
			text := providertest.Text(diags)
			if !diags.HasErrors() || !strings.Contains(text, tc.want) || strings.Contains(text, `"steel"`) && strings.HasPrefix(tc.name, "secretly") {
				t.Fatalf("the plan says\n%s\n%s", text, providertest.Dump(p))
			}
			if rng := diags[0].Subject; tc.at != "" && (rng == nil || !strings.HasPrefix(rng.String(), tc.at) && !strings.Contains(rng.String(), tc.at)) {
				t.Errorf("it points at %v, not %s", rng, tc.at)
			}
			if _, diags := b.Apply(t, p); !diags.HasErrors() {
				t.Error("a plan with errors was applied")
			}
		})
	}
}

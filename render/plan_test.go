package render_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/render"
	"mkt/spec"
)

func planSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(render.PlanSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plan.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("plan.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The plans have all that a plan can say; each conforms to the schema, and the schema describes nothing that no plan says.
func TestPlanSchema(t *testing.T) {
	schema := planSchema(t)
	m := providertest.NewMemory()
	b := providertest.NewBench(t, providertest.MemoryKinds(), map[string]providers.Provider{"mem": m})
	module := filepath.Join(b.Dir, "m")
	if err := os.Mkdir(module, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(module, "main.hcl"), []byte("variable \"name\" {}\nmem_box \"this\" {\n  name = var.name\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.MustApply(t, `
mem_box "same" {}
mem_box "old" { name = "old" }
mem_box "update" { size = 1 }
mem_box "replace" { material = "tin" }
mem_shelf "delete" {}
mem_box "secret" { key = "one" }
module "m" {
  source   = "./m"
  for_each = toset(["a", "b \"c\""])
  name     = each.key
}
output "gone" { value = "x" }
output "changed" { value = "x" }
`)
	in := b.Input(t, `
mem_box "same" {}
mem_box "new" { name = "old" }
mem_box "update" {
  size  = 2
  label = mem_box.create.url
  tags  = { a = "1", b = mem_box.create.url }
}
mem_box "replace" { material = "wood" }
mem_box "create" { key = "hunter2" }
mem_box "secret" { key = "two" }
module "m" {
  source   = "./m"
  for_each = toset(["b \"c\"", "d"])
  name     = each.key
}
moved {
  from = mem_box.old
  to   = mem_box.new
}
check "no" {
  assert {
    condition     = false
    error_message = "A warning."
  }
}
output "changed" { value = mem_box.create.revision }
output "secret" {
  value     = "hunter2"
  sensitive = true
}
`)
	m.Put("mem_box", "update", m.Objects["mem_box"]["update"].Value.AsValueMap())
	p, diags := planner.New(context.Background(), in)
	if diags.HasErrors() {
		t.Fatal(providertest.Text(diags))
	}
	seen := map[string]bool{}
	conforms(t, schema, render.NewPlanJSON(p, diags), seen)

	destroy := b.Input(t, "mem_box \"same\" {}\n")
	destroy.Destroy = true
	p, diags = planner.New(context.Background(), destroy)
	conforms(t, schema, render.NewPlanJSON(p, diags), seen)

	stack, diags := spec.Load(filepath.Join(b.Dir, "nothing.hcl"), spec.Options{})
	if stack == nil || !diags.HasErrors() {
		t.Fatal("a stack that is not there loads")
	}
	conforms(t, schema, map[string]any{"diagnostics": render.DiagnosticsJSON(diags)}, seen)

	for _, name := range []string{"create", "update", "replace", "delete", "none", "unknown", "sensitive", "was", "why", "needs_allow_destroy", "before", "after", "replaces", "module"} {
		if !seen[name] {
			t.Errorf("no plan of the test has %q; it has %v", name, slices.Sorted(maps.Keys(seen)))
		}
	}
	for _, wrong := range []string{
		`{}`, `{"diagnostics": []}`, `{"format_version": "2", "changes": [], "summary": {"create": 0, "update": 0, "replace": 0, "delete": 0, "adopt": 0, "forget": 0, "unchanged": 0}}`,
		`{"format_version": "1", "changes": [{"address": "a.b", "kind": "a", "action": "explode"}], "summary": {"create": 0, "update": 0, "replace": 0, "delete": 0, "adopt": 0, "forget": 0, "unchanged": 0}}`,
		`{"format_version": "1", "changes": [{"address": "a", "kind": "a", "action": "create"}], "summary": {"create": 0, "update": 0, "replace": 0, "delete": 0, "adopt": 0, "forget": 0, "unchanged": 0}}`,
		`{"format_version": "1", "changes": [{"address": "a.b", "kind": "a", "action": "create", "attributes": [{"path": "p", "sensitive": true, "after": "hunter2"}]}], "summary": {"create": 0, "update": 0, "replace": 0, "delete": 0, "adopt": 0, "forget": 0, "unchanged": 0}}`,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(v) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
	}
}

// The schema has the attributes that the Go types have, no more and no fewer.
func TestPlanSchemaComplete(t *testing.T) {
	var schema struct {
		Defs map[string]struct {
			Properties map[string]struct{ Properties map[string]any }
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(render.PlanSchema), &schema); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"plan": render.PlanJSON{}, "change": render.ChangeJSON{}, "attribute": render.AttrJSON{}, "output": render.OutputJSON{},
		"diagnostic": render.Diagnostic{}, "wait": render.WaitJSON{},
	} {
		if want, got := fields(v), slices.Sorted(maps.Keys(schema.Defs[name].Properties)); !slices.Equal(want, got) {
			t.Errorf("%s: the schema has %v, the type %v", name, got, want)
		}
	}
	if want, got := fields(render.SummaryJSON{}), slices.Sorted(maps.Keys(schema.Defs["plan"].Properties["summary"].Properties)); !slices.Equal(want, got) {
		t.Errorf("summary: the schema has %v, the type %v", got, want)
	}
}

// fields are the names that a struct has in JSON, sorted.
func fields(v any) (names []string) {
	for f := range reflect.TypeOf(v).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// conforms holds what -json prints against the schema, and notes what is in it.
func conforms(t *testing.T, schema *jsonschema.Schema, v any, seen map[string]bool) {
	t.Helper()
	var text bytes.Buffer
	if err := render.JSON(&text, v); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "hunter2") {
		t.Errorf("a secret is shown:\n%s", text.String())
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(parsed); err != nil {
		t.Errorf("%v\n%s", err, text.String())
	}
	var plan render.PlanJSON
	if err := json.Unmarshal(text.Bytes(), &plan); err != nil {
		t.Fatal(err)
	}
	for _, c := range plan.Changes {
		seen[c.Action] = true
		seen["module"] = seen["module"] || strings.HasPrefix(c.Address, `module.m["`)
		raw, _ := json.Marshal(c)
		for _, name := range []string{"was", "why", "needs_allow_destroy", "before", "after", "unknown", "replaces", "sensitive"} {
			seen[name] = seen[name] || strings.Contains(string(raw), `"`+name+`":`)
		}
	}
}

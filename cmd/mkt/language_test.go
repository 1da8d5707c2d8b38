package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/santhosh-tekuri/jsonschema/v6"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"mkt/spec"
)

func languageOptions() spec.Options {
	return spec.Options{Kinds: resourceKinds(), App: spec.AppKinds(), Providers: providerKinds()}
}

func languageSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	o := languageOptions()
	text, err := spec.Schema(slices.Concat(o.Kinds, o.App, o.Providers))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("language.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("language.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// toJSON writes a file of the language in its JSON syntax.
func toJSON(t *testing.T, src string) string {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(src), "x.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	text, err := json.MarshalIndent(jsonBlocks("", file.Body.(*hclsyntax.Body), src), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func jsonBlocks(in string, body *hclsyntax.Body, src string) map[string]any {
	out := map[string]any{}
	for name, a := range body.Attributes {
		out[name] = jsonExpr(slices.Contains(raw[in], name) || name == "depends_on", a.Expr, src)
	}
	for _, b := range body.Blocks {
		inner := jsonBlocks(b.Type, b.Body, src)
		to, name := out, b.Type
		if len(b.Labels) > 0 && in != "" { // an array, which keeps the order
			list, _ := out[b.Type].([]any)
			out[b.Type] = append(list, map[string]any{b.Labels[0]: inner})
			continue
		}
		if len(b.Labels) > 0 {
			if out[b.Type] == nil {
				out[b.Type] = map[string]any{}
			}
			to, name = out[b.Type].(map[string]any), b.Labels[0]
		}
		switch present := to[name].(type) {
		case nil:
			to[name] = inner
		case []any:
			to[name] = append(present, inner)
		default:
			to[name] = []any{present, inner}
		}
	}
	return out
}

// raw are the attributes that JSON has as the text of an expression, by block.
var raw = map[string][]string{
	"moved": {"from", "to"}, "removed": {"from"}, "import": {"to"}, "variable": {"type"}, "dynamic": {"iterator"},
	"lifecycle": {"ignore_changes", "replace_triggered_by"},
}

func jsonExpr(raw bool, expr hclsyntax.Expression, src string) any {
	rng := expr.Range()
	text := src[rng.Start.Byte:rng.End.Byte]
	if v, diags := expr.Value(nil); !diags.HasErrors() {
		if out, err := ctyjson.Marshal(v, v.Type()); err == nil {
			escaped := strings.NewReplacer("${", "$${", "%{", "%%{").Replace(string(out))
			return json.RawMessage(escaped)
		}
	}
	switch e := expr.(type) {
	case *hclsyntax.TupleConsExpr:
		items := []any{}
		for _, item := range e.Exprs {
			items = append(items, jsonExpr(raw, item, src))
		}
		return items
	case *hclsyntax.ObjectConsExpr:
		members := map[string]any{}
		for _, item := range e.Items {
			key, diags := item.KeyExpr.Value(nil)
			if diags.HasErrors() {
				return "${" + text + "}"
			}
			members[key.AsString()] = jsonExpr(raw, item.ValueExpr, src)
		}
		return members
	}
	if raw {
		return text
	}
	return "${" + text + "}"
}

func conforming(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return schema.Validate(v)
}

// TestJSONSyntax holds that each stack of the examples and tests conforms to the schema in its JSON form, and says there what it
// says in the other.
func TestJSONSyntax(t *testing.T) {
	schema := languageSchema(t)
	stacks := map[string]string{}
	for _, path := range []string{"../../examples/stack.hcl", "testdata/pipeline/stack.hcl"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		stacks[path] = string(text)
	}
	o := languageOptions()
	for _, k := range slices.Concat(o.Kinds, o.App) {
		stacks[k.Name] = k.Example
	}
	for _, k := range o.Providers {
		stacks["provider "+k.Name] = k.Example
	}
	stacks["the language"] = `
mkt {
  required_version = ">= 0.0"
  ledger "file" { path = "l.json" }
}
variable "n" {
  type        = object({ a = optional(number, 3) })
  default     = {}
  description = "Text with $${ and a \"quote\"."
  sensitive   = false
  validation {
    condition     = var.n.a > 0
    error_message = "No."
  }
}
locals {
  names = ["a", "b"]
  each  = { for n in local.names : n => upper(n) }
}
kafka_topic "t" {
  for_each   = toset(local.names)
  name       = "t-${each.key}"
  partitions = var.n.a
  config     = { "cleanup.policy" = "compact" }
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [config]
    silence         = { "topic-retention" = "it is compacted" }
  }
}
kafka_topic "u" {
  depends_on = [kafka_topic.t]
  lifecycle {
    ignore_changes       = all
    replace_triggered_by = [kafka_topic.t["a"], kafka_topic.v.partitions]
  }
}
kafka_topic "v" {}
snowflake_table "t" {
  schema = "D.S"
  column "X" { type = "FLOAT" }
  dynamic "column" {
    for_each = local.each
    iterator = it
    labels   = [it.value]
    content { type = "DATE" }
  }
}
producer "p" {
  topic   = kafka_topic.t["a"]
  subject = "s"
  key     = row.Index
  time    = row["Some Date"]
  speed   = "60x"
  source "csv" { path = "x" }
}
moved {
  from = kafka_topic.old
  to   = kafka_topic.u
}
moved {
  from = kafka_topic.older
  to   = kafka_topic.t["b"]
}
removed {
  from = module.gone
  lifecycle { destroy = false }
}
import {
  to = kafka_topic.v
  id = "v"
}
check "c" {
  assert {
    condition     = length(kafka_topic.t) == 2
    error_message = "Not two."
  }
}
output "o" {
  value     = kafka_topic.t["a"].name
  sensitive = true
}`
	for name, src := range stacks {
		t.Run(name, func(t *testing.T) {
			text := toJSON(t, src)
			if err := conforming(t, schema, text); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			native, inJSON := loaded(t, "stack.hcl", src), loaded(t, "stack.hcl.json", text)
			for _, addr := range slices.Sorted(maps.Keys(native)) {
				if native[addr] != inJSON[addr] {
					t.Errorf("%s is\n%s\nand in JSON\n%s", addr, native[addr], inJSON[addr])
				}
			}
			if len(native) != len(inJSON) {
				t.Errorf("%d and %d instances", len(native), len(inJSON))
			}
		})
	}
}

// loaded loads a file and writes what its instances are.
func loaded(t *testing.T, name, text string) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, diags := spec.Load(path, languageOptions())
	for _, d := range diags {
		if d.Summary != "No value for variable" {
			t.Fatalf("%s: %v\n%s", name, d, text)
		}
	}
	out := map[string]string{}
	sc := s.NewScope()
	for _, b := range s.Order() {
		instances, diags := sc.Instances(b)
		for _, d := range diags {
			if !strings.Contains(d.Error(), "cannot read") {
				t.Fatalf("%s: %v\n%s", name, d, text)
			}
		}
		for _, inst := range instances {
			sc.Set(inst.Addr, inst.Value)
			value := strings.ReplaceAll(inst.Value.GoString(), s.Dir, "DIR")
			life := b.Lifecycle
			life.PreventRange = hcl.Range{}
			var rest []string
			for _, trigger := range life.ReplaceTriggeredBy {
				rest = append(rest, trigger.Addr.String()+"/"+trigger.Attr)
			}
			for _, silence := range life.Silence {
				rest = append(rest, silence.Check+"/"+silence.Reason)
			}
			for _, dep := range b.Deps {
				rest = append(rest, dep.String())
			}
			rest = append(rest, life.IgnoreChanges...)
			if life.IgnoreAll {
				rest = append(rest, "all")
			}
			if life.PreventDestroy {
				rest = append(rest, "prevent")
			}
			out[inst.Addr.String()] = value + strings.Join(rest, " ")
		}
	}
	for _, m := range s.Moved() {
		out["moved "+m.From.String()] = m.To.String()
	}
	for _, r := range s.Removed() {
		out["removed "+r.From.String()] = ""
	}
	for _, i := range s.Imports() {
		out["import "+i.To.String()] = i.ID
	}
	return out
}

// What the schema refuses, the language refuses too.
func TestSchemaRefuses(t *testing.T) {
	schema := languageSchema(t)
	for name, text := range map[string]string{
		"an unknown kind":       `{"kafka_topc": {"a": {}}}`,
		"an unknown attribute":  `{"kafka_topic": {"a": {"colour": "x"}}}`,
		"a wrong type":          `{"kafka_topic": {"a": {"partitions": "many"}}}`,
		"a missing attribute":   `{"producer": {"p": {"topic": "t"}}}`,
		"a word out of a few":   `{"consumer": {"c": {"topic": "t", "container": "c", "format": "xml"}}}`,
		"a computed attribute":  `{"kafka_topic": {"a": {"topic_id": "x"}}}`,
		"no label":              `{"kafka_topic": {"partitions": 3}}`,
		"a missing block":       `{"snowflake_table": {"t": {"schema": "D.S"}}}`,
		"a source from afar":    `{"module": {"m": {"source": "registry/x"}}}`,
		"moved without an end":  `{"moved": {"from": "kafka_topic.a"}}`,
		"an array":              `[]`,
		"an attribute":          `{"kafka_topic": 3}`,
		"a list of no elements": `{"kafka_topic": {"a": {"depends_on": "x"}}}`,
	} {
		if conforming(t, schema, text) == nil {
			t.Errorf("%s: the schema takes %s", name, text)
		}
		path := filepath.Join(t.TempDir(), "stack.hcl.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, diags := spec.Load(path, languageOptions())
		if !diags.HasErrors() {
			diags = s.Validate()
		}
		if !diags.HasErrors() {
			t.Errorf("%s: the language takes %s", name, text)
		}
	}
}

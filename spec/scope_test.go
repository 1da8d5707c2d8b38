package spec

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// all evaluates every block in order and sets what came out, as a plan of a new stack does.
func all(t testing.TB, s *Stack) (*Scope, map[string]*Instance) {
	t.Helper()
	sc := s.NewScope()
	found := map[string]*Instance{}
	for _, b := range s.Order() {
		instances, diags := sc.Instances(b)
		if diags.HasErrors() {
			t.Fatal(render(s, diags, s.Dir))
		}
		for _, inst := range instances {
			found[inst.Addr.String()] = inst
			sc.Set(inst.Addr, inst.Value)
		}
	}
	return sc, found
}

func TestValues(t *testing.T) {
	s := mustLoad(t, `
variable "n" {
  type    = number
  default = 3
}
kafka_topic "a" {
  partitions = var.n
  config     = null
}
kafka_topic "many" {
  for_each   = { eu = 1, us = 2 }
  name       = "${kafka_topic.a.name}-${each.key}"
  partitions = each.value
}
azure_container "Up" {}
schema_subject "sub" {
  schema     = kafka_topic.a.id
  depends_on = [azure_container.Up]
}
locals {
  eu = kafka_topic.many["eu"]
}
snowflake_table "t" {
  topic = local.eu
  column "a" { type = "float" }
  dynamic "column" {
    for_each = { x = "DATE" }
    iterator = it
    labels   = ["c_${it.key}"]
    content { type = it.value }
  }
  copy { from = kafka_topic.many["us"].address }
}
snowflake_table "u" {
  for_each = toset([for t in kafka_topic.many : t.name])
  name     = each.value
  topic    = "unmanaged"
  column "n" { type = "DATE" }
}
producer "p" {
  topic   = kafka_topic.a
  subject = schema_subject.sub
  key     = row["Adj Close"]
  rate    = "30/m"
  source "csv" { path = "x.csv" }
}
output "names" { value = [for k, t in kafka_topic.many : "${k}=${t.name}"] }
`, nil)
	sc, found := all(t, s)
	value := func(addr string) cty.Value {
		if found[addr] == nil {
			t.Fatalf("no %s among %v", addr, sortedKeys(found))
		}
		return found[addr].Value
	}
	for _, tt := range []struct {
		got  cty.Value
		want cty.Value
	}{
		{value("kafka_topic.a"), cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal("a"), "partitions": cty.NumberIntVal(3), "config": cty.MapValEmpty(cty.String), "id": cty.UnknownVal(cty.String),
		})},
		{value(`kafka_topic.many["eu"]`).GetAttr("name"), cty.StringVal("a-eu")},
		{value(`kafka_topic.many["us"]`).GetAttr("partitions"), cty.NumberIntVal(2)},
		{value("azure_container.Up").GetAttr("name"), cty.StringVal("up")},
		{value("azure_container.Up").GetAttr("url"), cty.UnknownVal(cty.String)},
		{value("azure_container.Up").GetAttr("token"), cty.NullVal(cty.String)},
		{value("schema_subject.sub").GetAttr("schema"), cty.UnknownVal(cty.String)},
		{value("snowflake_table.t").GetAttr("topic"), cty.StringVal("a-eu")},
		{value("snowflake_table.t").GetAttr("column").Index(cty.NumberIntVal(1)).GetAttr("name"), cty.StringVal("c_x")},
		{value("snowflake_table.t").GetAttr("column").Index(cty.NumberIntVal(0)).GetAttr("type"), cty.StringVal("FLOAT")},
		{value("snowflake_table.t").GetAttr("copy").GetAttr("from"), cty.StringVal(`kafka_topic.many["us"]`)},
		{value(`snowflake_table.u["a-us"]`).GetAttr("topic"), cty.StringVal("unmanaged")},
		{value(`snowflake_table.u["a-us"]`).GetAttr("copy"), cty.NullVal(s.Kind("snowflake_table").Block("copy").Type())},
		{value("producer.p").GetAttr("topic"), cty.StringVal("a")},
		{value("producer.p").GetAttr("subject"), cty.StringVal("sub")},
		{value("producer.p").GetAttr("key"), cty.StringVal("Adj Close")},
		{value("producer.p").GetAttr("rate"), cty.StringVal("0.5/s")},
		{value("producer.p").GetAttr("source").GetAttr("type"), cty.StringVal("csv")},
	} {
		if !tt.got.RawEquals(tt.want) {
			t.Errorf("got %#v, want %#v", tt.got, tt.want)
		}
	}
	for addr, inst := range found {
		if !inst.Value.Type().Equals(s.Kind(inst.Addr.Kind).Type()) {
			t.Errorf("%s has type %#v", addr, inst.Value.Type())
		}
	}
	if o := found["producer.p"].Objects; len(o) != 2 || o[0].Addr.String() != "kafka_topic.a" {
		t.Errorf("the producer's objects: %v", o)
	}
	deps := fmt.Sprint(s.Block(Addr{Kind: "schema_subject", Name: "sub"}).Deps, s.Block(Addr{Kind: "snowflake_table", Name: "t"}).Deps)
	if deps != "[azure_container.Up kafka_topic.a] [kafka_topic.many]" {
		t.Errorf("deps %s", deps)
	}
	outputs, diags := sc.Outputs()
	if diags.HasErrors() || !outputs["names"].Value.RawEquals(cty.TupleVal([]cty.Value{cty.StringVal("eu=a-eu"), cty.StringVal("us=a-us")})) {
		t.Errorf("outputs %#v, %v", outputs, diags)
	}
	if out, diags := sc.Eval(`kafka_topic.many["eu"].partitions + var.n`); diags.HasErrors() || !out.Value.RawEquals(cty.NumberIntVal(4)) {
		t.Errorf("eval: %#v, %v", out, diags)
	}
}

// What apply finds out reaches the blocks behind it.
func TestSecondPass(t *testing.T) {
	s := mustLoad(t, `
kafka_topic "a" {}
schema_subject "s" {
  for_each = { x = kafka_topic.a.id }
  name     = each.key
  schema   = each.value
}
`, nil)
	sc := s.NewScope()
	a := Addr{Kind: "kafka_topic", Name: "a"}
	inst, diags := sc.Instance(a)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	attrs := inst.Value.AsValueMap()
	attrs["id"] = cty.StringVal("id-1")
	sc.Set(a, cty.ObjectVal(attrs))
	x := Addr{Kind: "schema_subject", Name: "s", Key: "x", Keyed: true}
	inst, diags = sc.Instance(x)
	if diags.HasErrors() || !inst.Value.GetAttr("schema").RawEquals(cty.StringVal("id-1")) {
		t.Fatalf("%#v, %v", inst, diags)
	}
	x.Key = "gone"
	if inst, diags := sc.Instance(x); inst != nil || diags.HasErrors() {
		t.Fatalf("an instance without a key in for_each: %#v, %v", inst, diags)
	}
}

func TestSensitive(t *testing.T) {
	s := mustLoad(t, `
variable "secret" {
  type      = string
  sensitive = true
  default   = "hunter2"
}
kafka_topic "a" {
  config = { "a.b" = var.secret, "c.d" = "open" }
}
azure_container "c" { token = "t0ken" }
kafka_topic "b" {
  name   = "b-${var.secret}"
  config = { "e.f" = kafka_topic.a.config["a.b"], "g.h" = azure_container.c.token, "i.j" = kafka_topic.a.config["c.d"] }
}
snowflake_table "t" {
  topic   = kafka_topic.b
  comment = nonsensitive(kafka_topic.a.config["a.b"])
  column "c" {
    type   = "DATE"
    secret = "mask"
  }
}
snowflake_table "open" {
  topic = kafka_topic.a
  column "c" { type = "DATE" }
}
output "o" {
  value     = kafka_topic.a
  sensitive = true
}
`, nil)
	sc, found := all(t, s)
	paths := func(addr string) string {
		var all []string
		for _, p := range found[addr].Sensitive {
			all = append(all, formatPath(p))
		}
		return strings.Join(all, " ")
	}
	for addr, want := range map[string]string{
		"kafka_topic.a":        `.config["a.b"]`,
		"azure_container.c":    `.token`,
		"kafka_topic.b":        `.name .config["e.f"] .config["g.h"]`,
		"snowflake_table.t":    `.topic .column[0].secret`,
		"snowflake_table.open": ``,
	} {
		if got := paths(addr); got != want {
			t.Errorf("%s: sensitive %s, want %s", addr, got, want)
		}
		if found[addr].Value.ContainsMarked() {
			t.Errorf("%s: the value is marked", addr)
		}
	}
	outputs, diags := sc.Outputs()
	if diags.HasErrors() || !outputs["o"].Sensitive || outputs["o"].Value.ContainsMarked() {
		t.Errorf("output %#v, %v", outputs, diags)
	}
	if out, _ := sc.Eval("kafka_topic.b.config"); !out.Sensitive {
		t.Error("a sensitive part is not noticed")
	}
}

func formatPath(p cty.Path) string {
	var b strings.Builder
	for _, step := range p {
		switch s := step.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + s.Name)
		case cty.IndexStep:
			if s.Key.Type() == cty.String {
				fmt.Fprintf(&b, "[%q]", s.Key.AsString())
			} else {
				fmt.Fprintf(&b, "[%s]", s.Key.AsBigFloat().Text('f', 0))
			}
		}
	}
	return b.String()
}

func TestRange(t *testing.T) {
	s := mustLoad(t, `kafka_topic "a" {
  config = { "x.y" = "1", "z.w" = "2" }
}
snowflake_table "t" {
  column "c" {
    type = "DATE"
  }
  dynamic "column" {
    for_each = [1]
    labels   = ["d"]
    content { type = "FLOAT" }
  }
}
`, nil)
	_, found := all(t, s)
	src := s.Files[s.Dir+"/main.hcl"].Bytes
	table := cty.GetAttrPath
	for _, tt := range []struct {
		addr string
		path cty.Path
		want string
	}{
		{"kafka_topic.a", nil, `kafka_topic "a"`},
		{"kafka_topic.a", table("name"), `"a"`},
		{"kafka_topic.a", table("partitions"), `kafka_topic "a"`},
		{"kafka_topic.a", table("config").IndexString("x.y"), `"x.y" = "1"`},
		{"kafka_topic.a", table("config").IndexString("no"), `{ "x.y" = "1", "z.w" = "2" }`},
		{"snowflake_table.t", table("column").IndexInt(0).GetAttr("type"), `"DATE"`},
		{"snowflake_table.t", table("column").IndexInt(0).GetAttr("name"), `"c"`},
		{"snowflake_table.t", table("column").IndexInt(1).GetAttr("type"), `"FLOAT"`},
		{"snowflake_table.t", table("column").IndexInt(9).GetAttr("type"), `snowflake_table "t"`},
	} {
		got := string(found[tt.addr].Range(tt.path).SliceBytes(src))
		if got != tt.want {
			t.Errorf("%s%s: %q, want %q", tt.addr, formatPath(tt.path), got, tt.want)
		}
	}
}

// for_each is evaluated once, however many instances and however often they are asked for.
func TestForEachOnce(t *testing.T) {
	reads := 0
	var mu sync.Mutex
	s := mustLoad(t, `
kafka_topic "a" {
  for_each = toset([for i in range(100) : "${env("PREFIX")}-${i}"])
  name     = each.key
}`, func(o *Options) {
		o.Getenv = func(name string) string {
			mu.Lock()
			defer mu.Unlock()
			if name == "PREFIX" {
				reads++
			}
			return "p"
		}
	})
	sc := s.NewScope()
	b := s.Blocks()[0]
	if instances, diags := sc.Instances(b); len(instances) != 100 || diags.HasErrors() {
		t.Fatal(len(instances), diags)
	}
	each := sc.blocks[b.Addr].each
	if inst, _ := sc.Instance(Addr{Kind: "kafka_topic", Name: "a", Key: "p-7", Keyed: true}); inst == nil {
		t.Fatal("no instance")
	}
	if sc.blocks[b.Addr].each != each {
		t.Error("for_each was evaluated again")
	}
	if reads != 1 {
		t.Errorf("the environment was read %d times", reads)
	}
}

// Instances of independent blocks may be evaluated and set at once.
func TestConcurrentScope(t *testing.T) {
	var src strings.Builder
	src.WriteString("locals {\n  x = kafka_topic.base.name\n}\nkafka_topic \"base\" {}\n")
	for i := range 50 {
		fmt.Fprintf(&src, "kafka_topic \"t%d\" { name = \"${local.x}-%d\" }\n", i, i)
	}
	s := mustLoad(t, src.String(), nil)
	sc := s.NewScope()
	base, _ := sc.Instances(s.Order()[0])
	sc.Set(base[0].Addr, base[0].Value)
	var wg sync.WaitGroup
	for _, b := range s.Order()[1:] {
		wg.Add(1)
		go func() {
			defer wg.Done()
			instances, diags := sc.Instances(b)
			if diags.HasErrors() || !strings.HasPrefix(instances[0].Value.GetAttr("name").AsString(), "base-") {
				t.Error(diags)
				return
			}
			sc.Set(instances[0].Addr, instances[0].Value)
		}()
	}
	wg.Wait()
}

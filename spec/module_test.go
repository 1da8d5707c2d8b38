package spec

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// loadFiles loads a stack of several files, by name; main.hcl is the stack.
func loadFiles(t testing.TB, files map[string]string) *Stack {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir+"/"+name, text)
	}
	s, diags := Load(dir+"/main.hcl", testOptions())
	if diags.HasErrors() {
		t.Fatal(render(s, diags, dir))
	}
	return s
}

const topicModule = `
variable "name" { type = string }
variable "config" {
  type    = map(string)
  default = {}
}
variable "token" {
  type      = string
  default   = "none"
  sensitive = true
}
locals { full = "t-${var.name}" }
kafka_topic "t" {
  name   = local.full
  config = var.config
}
schema_subject "s" {
  name   = kafka_topic.t.name
  schema = file("${path.module}/s.avsc")
}
azure_container "c" { token = var.token }
output "topic" { value = kafka_topic.t }
output "id" { value = kafka_topic.t.id }
output "token" { value = var.token }
`

func TestModuleValues(t *testing.T) {
	s := loadFiles(t, map[string]string{
		"main.hcl": `
kafka_topic "base" {}
module "one" {
  source = "./m"
  name   = "one"
  token  = "hunter2"
}
module "two" {
  source   = "./m"
  for_each = { a = kafka_topic.base.id, b = "known" }
  name     = each.key
  config   = { "a.b" = each.value, "c.d" = module.one.id }
}
snowflake_table "t" {
  topic   = module.two["a"].topic
  comment = module.one.token
  column "x" { type = "DATE" }
}
snowflake_table "u" {
  topic = module.one.topic.name
  column "x" { type = "DATE" }
}
output "names" { value = { for k, m in module.two : k => m.topic.name } }
output "count" { value = length(module.two) }
`,
		"m/main.hcl": topicModule,
		"m/s.avsc":   `"string"`,
	})
	sc, found := all(t, s)
	for addr, want := range map[string]map[string]string{
		`module.one.kafka_topic.t`:         {"name": "t-one"},
		`module.two["a"].kafka_topic.t`:    {"name": "t-a"},
		`module.two["b"].schema_subject.s`: {"name": "t-b", "schema": `"string"`},
		`snowflake_table.t`:                {"topic": "t-a", "comment": "hunter2"},
		`snowflake_table.u`:                {"topic": "t-one"},
	} {
		if found[addr] == nil {
			t.Errorf("no %s among %v", addr, sortedKeys(found))
			continue
		}
		for attr, text := range want {
			if got := found[addr].Value.GetAttr(attr); !got.RawEquals(cty.StringVal(text)) {
				t.Errorf("%s.%s = %#v, want %q", addr, attr, got, text)
			}
		}
	}
	if refs := found["snowflake_table.t"].Objects; len(refs) != 1 || refs[0].Addr.String() != `module.two["a"].kafka_topic.t` {
		t.Errorf("refers to %v", refs)
	}
	config := found[`module.two["b"].kafka_topic.t`].Value.GetAttr("config")
	if !config.Index(cty.StringVal("a.b")).RawEquals(cty.StringVal("known")) || config.Index(cty.StringVal("c.d")).IsKnown() {
		t.Errorf("config %#v", config)
	}
	for _, addr := range []string{"snowflake_table.t", "module.one.azure_container.c"} {
		if len(found[addr].Sensitive) != 1 {
			t.Errorf("%s: sensitive are %v", addr, found[addr].Sensitive)
		}
	}
	values, diags := sc.Outputs()
	if diags.HasErrors() || values["names"].Value.GetAttr("b").AsString() != "t-b" || !values["count"].Value.RawEquals(cty.NumberIntVal(2)) {
		t.Errorf("%v, %#v", diags, values)
	}
	for addr, want := range map[string]string{
		"module.one.kafka_topic.t":      "",
		`module.two["a"].kafka_topic.t`: "kafka_topic.base module.one.kafka_topic.t",
		"snowflake_table.t":             `module.two["a"].kafka_topic.t`,
	} {
		a, _ := ParseAddr(addr)
		var deps []string
		for _, dep := range s.Block(a).Deps {
			deps = append(deps, dep.String())
		}
		if got := strings.Join(deps, " "); got != want {
			t.Errorf("%s depends on %s, want %s", addr, got, want)
		}
	}
}

// depends_on of modules reaches all blocks, and no more edges are made than that needs.
func TestModuleDependsOn(t *testing.T) {
	s := loadFiles(t, map[string]string{
		"main.hcl": `
kafka_topic "base" {}
module "a" {
  source     = "./m"
  depends_on = [kafka_topic.base]
}
module "b" {
  source     = "./outer"
  depends_on = [module.a]
}
kafka_topic "last" {
  depends_on = [module.b]
}
`,
		"outer/main.hcl": "module \"m\" {\n  source = \"../m\"\n}\n",
		"m/main.hcl": `
kafka_topic "first" {}
schema_subject "second" { schema = kafka_topic.first.name }
azure_container "third" { depends_on = [schema_subject.second] }
`,
	})
	want := map[string]string{
		"module.a.kafka_topic.first":              "kafka_topic.base",
		"module.a.schema_subject.second":          "module.a.kafka_topic.first",
		"module.a.azure_container.third":          "module.a.schema_subject.second",
		"module.b.module.m.kafka_topic.first":     "module.a.azure_container.third",
		"module.b.module.m.schema_subject.second": "module.b.module.m.kafka_topic.first",
		"kafka_topic.last":                        "module.b.module.m.azure_container.third",
	}
	seen := map[Addr]bool{}
	for _, b := range s.Order() {
		var deps []string
		for _, dep := range b.Deps {
			deps = append(deps, dep.String())
			if !seen[dep] {
				t.Errorf("%s comes before %s", b.Addr, dep)
			}
		}
		seen[b.Addr] = true
		if w, asked := want[b.Addr.String()]; asked && strings.Join(deps, " ") != w {
			t.Errorf("%s depends on %v, want %s", b.Addr, deps, w)
		}
	}
}

// A validation over two variables is asked once both have their values, whichever comes last.
func TestModuleValidations(t *testing.T) {
	files := map[string]string{
		"main.hcl": `
kafka_topic "base" { partitions = 3 }
module "m" {
  source = "./m"
  low    = 5
  high   = kafka_topic.base.partitions
}
`,
		"m/main.hcl": `
variable "low" { type = number }
variable "high" {
  type = number
  validation {
    condition     = var.low < var.high
    error_message = "Low must be lower."
  }
}
kafka_topic "low" { partitions = var.low }
`,
	}
	s := loadFiles(t, files)
	diags := s.Validate()
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, "Low must be lower") || diags[0].Subject.Start.Line != 6 {
		t.Errorf("%v", diags)
	}
	files["main.hcl"] = strings.Replace(files["main.hcl"], "= 5", "= 2", 1)
	if diags := loadFiles(t, files).Validate(); diags.HasErrors() {
		t.Errorf("%v", diags)
	}
}

func TestModuleHash(t *testing.T) {
	files := map[string]string{"main.hcl": "module \"m\" {\n  source = \"./m\"\n}\n", "m/main.hcl": "kafka_topic \"t\" {}\n"}
	before := loadFiles(t, files).ConfigHash()
	files["m/main.hcl"] += "# another\n"
	if loadFiles(t, files).ConfigHash() == before {
		t.Error("another text of a module has the same hash")
	}
}

func TestModuleMoves(t *testing.T) {
	s := loadFiles(t, map[string]string{
		"main.hcl": `
module "new" {
  source   = "./m"
  for_each = toset(["a", "b"])
}
module "keyed" {
  source   = "./m"
  for_each = toset(["x"])
}
module "bare" {
  source = "./m"
}
moved {
  from = module.old
  to   = module.new
}
moved {
  from = module.keyed
  to   = module.keyed["x"]
}
moved {
  from = module.bare["y"]
  to   = module.bare
}
moved {
  from = kafka_topic.t
  to   = module.bare.kafka_topic.before
}
removed {
  from = module.gone.kafka_topic.t
  lifecycle {
    destroy = false
  }
}
`,
		"m/main.hcl": `
kafka_topic "t" {}
moved {
  from = kafka_topic.before
  to   = kafka_topic.t
}
`,
	})
	for from, to := range map[string]string{
		`module.old["a"].kafka_topic.t`:       `module.new["a"].kafka_topic.t`,
		`module.old["a"].kafka_topic.before`:  `module.new["a"].kafka_topic.t`,
		`module.old["z"].kafka_topic.t["k"]`:  `module.new["z"].kafka_topic.t["k"]`,
		`module.old.module.in.kafka_topic.t`:  `module.new.module.in.kafka_topic.t`,
		`module.older.kafka_topic.t`:          `module.older.kafka_topic.t`,
		`module.keyed.kafka_topic.t`:          `module.keyed["x"].kafka_topic.t`,
		`module.keyed["x"].kafka_topic.t`:     `module.keyed["x"].kafka_topic.t`,
		`module.bare["y"].kafka_topic.t`:      `module.bare.kafka_topic.t`,
		`module.bare["z"].kafka_topic.t`:      `module.bare["z"].kafka_topic.t`,
		`kafka_topic.t`:                       `module.bare.kafka_topic.t`,
		`kafka_topic.before`:                  `kafka_topic.before`,
		`module.in.module.old.kafka_topic.t`:  `module.in.module.old.kafka_topic.t`,
		`module.bare["y"].kafka_topic.before`: `module.bare.kafka_topic.t`,
	} {
		addr, ok := ParseAddr(from)
		if !ok {
			t.Fatal(from)
		}
		if got := s.MovedTo(addr).String(); got != to {
			t.Errorf("%s moved to %s, want %s", from, got, to)
		}
	}
	for text, want := range map[string]bool{
		`module.gone.kafka_topic.t`: true, `module.gone["k"].kafka_topic.t["l"]`: true, `module.gone.kafka_topic.u`: false, `kafka_topic.t`: false,
	} {
		addr, _ := ParseAddr(text)
		if got := s.RemovedBy(addr) != nil; got != want {
			t.Errorf("%s removed: %v", text, got)
		}
	}
}

func TestAddr(t *testing.T) {
	for _, text := range []string{
		"kafka_topic.a", `kafka_topic.a["x"]`, `kafka_topic.a["]\" .["]`, "module.m", `module.m["k"]`,
		"module.m.kafka_topic.a", `module.m["a.b[\"c\"]"].module.n.kafka_topic.a["x"]`, "module.module.module.module",
	} {
		addr, ok := ParseTarget(text)
		if !ok || addr.String() != text {
			t.Errorf("%s gives %#v, %v", text, addr, ok)
		}
	}
	for _, text := range []string{
		"", "a", "a.", ".a", "a.b.c", "a.b[", `a.b["x"`, `a.b[x]`, `a.b["x"]c`, "a.b['x']", "module", "module.", "module.m.", "module.m.a", "module..a.b",
		`module.m["k"]a.b`, `module.m[0].a.b`, `a["x"].b`,
	} {
		if addr, ok := ParseTarget(text); ok {
			t.Errorf("%q is %#v", text, addr)
		}
	}
	if addr, _ := ParseTarget("module.m[\"e\u0301\"].kafka_topic.a[\"e\u0301\"]"); addr.String() != `module.m["é"].kafka_topic.a["é"]` {
		t.Errorf("an é in two parts gives %s", addr)
	}
	for _, text := range []string{"module.m", `module.m["k"]`} {
		if _, ok := ParseAddr(text); ok {
			t.Errorf("%s is taken for a block", text)
		}
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"t.a", "t.a", true}, {"t.a", `t.a["x"]`, true}, {`t.a["x"]`, "t.a", false}, {`t.a["x"]`, `t.a["y"]`, false}, {"t.a", "t.b", false},
		{"module.m", "module.m.t.a", true}, {"module.m", `module.m["k"].t.a["x"]`, true}, {`module.m["k"]`, "module.m.t.a", false},
		{"module.m", "module.m.module.n.t.a", true}, {"module.m.t.a", `module.m["k"].t.a`, true}, {"module.m.t.a", "module.m.module.n.t.a", false},
		{"module.m", "t.a", false}, {"t.a", "module.m.t.a", false}, {"module.m.module.n", "module.m.t.a", false}, {"module.m", "module.mm.t.a", false},
	} {
		a, _ := ParseTarget(tt.a)
		b, _ := ParseTarget(tt.b)
		if a.Covers(b) != tt.want {
			t.Errorf("%s covers %s: %v", tt.a, tt.b, !tt.want)
		}
	}
}

// What is read as an address is written as one that names the same.
func FuzzAddr(f *testing.F) {
	for _, seed := range []string{"kafka_topic.a", `module.m["k"].module.n.kafka_topic.a["x"]`, `module.m["\"]."]`, `a.b["\x41"]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, ok := ParseTarget(text)
		if !ok {
			return
		}
		again, ok := ParseTarget(addr.String())
		if !ok || again != addr || !addr.Covers(again) || !addr.Block().Covers(addr) {
			t.Errorf("%q is %#v, which is read as %#v", text, addr, again)
		}
	})
}

package spec

import (
	"os"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestConfigHash(t *testing.T) {
	dir := t.TempDir()
	src := "variable \"v\" {\n  default = \"1\"\n}\nschema_subject \"s\" { schema = \"${file(\"a.avsc\")}${env(\"E\", \"\")}${var.v}\" }\n"
	env := ""
	hash := func(change func(*Options)) string {
		opts := testOptions()
		opts.Getenv = func(name string) string {
			if name == "E" {
				return env
			}
			return ""
		}
		if change != nil {
			change(&opts)
		}
		s, diags := Load(dir+"/main.hcl", opts)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		all(t, s)
		return s.ConfigHash()
	}
	write(t, dir+"/main.hcl", src)
	write(t, dir+"/a.avsc", "one")
	seen := map[string]string{hash(nil): "as it was"}
	if len(seen) != 1 || seen[hash(nil)] == "" {
		t.Fatal("the same inputs give another hash")
	}
	differs := func(what, h string) {
		if other := seen[h]; other != "" {
			t.Errorf("%s has the hash of %s", what, other)
		}
		seen[h] = what
	}
	differs("another variable", hash(func(o *Options) { o.Vars = map[string]string{"v": "2"} }))
	env = "x"
	differs("another environment", hash(nil))
	env = ""
	write(t, dir+"/a.avsc", "two")
	differs("another schema file", hash(nil))
	write(t, dir+"/main.hcl", src+"# a comment\n")
	differs("another text", hash(nil))
}

func TestLoadPlaces(t *testing.T) {
	dir := t.TempDir()
	if _, diags := Load(dir+"/none.hcl", testOptions()); !diags.HasErrors() {
		t.Error("a missing stack loads")
	}
	if _, diags := Load(dir, testOptions()); !diags.HasErrors() {
		t.Error("an empty directory loads")
	}
	write(t, dir+"/b.hcl", `kafka_topic "b" { name = "${var.x}-${path.stack}" }`)
	write(t, dir+"/a.hcl", `kafka_topic "a" {}`+"\nvariable \"x\" {}\n")
	write(t, dir+"/.hidden.hcl", `broken {`)
	write(t, dir+"/prod.hcl", `x = "from the file"`)
	opts := testOptions()
	opts.VarFiles = []string{dir + "/prod.hcl"}
	s, diags := Load(dir, opts)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if len(s.Blocks()) != 2 || s.Blocks()[0].Addr.Name != "a" || s.Dir != dir {
		t.Errorf("blocks %v in %s", s.Blocks(), s.Dir)
	}
	if v := s.Variables(); len(v) != 1 || v[0].Value.AsString() != "from the file" || !strings.HasSuffix(v[0].From, "prod.hcl") {
		t.Errorf("variables %v", v)
	}
	single, diags := Load(dir+"/a.hcl", testOptions())
	if !diags.HasErrors() || single.Name != "a" || single.Dir != dir {
		t.Errorf("one file: %v %s %s", diags, single.Name, single.Dir)
	}
	if os.Getuid() != 0 {
		_ = os.Chmod(dir+"/a.hcl", 0)
		if _, diags := Load(dir, opts); !diags.HasErrors() {
			t.Error("an unreadable file loads")
		}
	}
}

func TestVariablePrecedence(t *testing.T) {
	src := `
variable "s" { default = "default" }
variable "l" {
  type    = list(object({ a = string, b = optional(number, 7) }))
  default = []
}
variable "n" {
  type     = number
  nullable = false
  default  = 1
}`
	env := map[string]string{"MKT_VAR_s": "env", "MKT_VAR_l": `[{ a = "x" }]`}
	dir := t.TempDir()
	write(t, dir+"/1.vars", "s = \"file1\"\nn = null\n")
	write(t, dir+"/2.vars", "s = \"file2\"\n")
	get := func(name string) string { return env[name] }
	value := func(s *Stack, name string) Variable {
		for _, v := range s.Variables() {
			if v.Name == name {
				return v
			}
		}
		t.Fatal(name)
		return Variable{}
	}
	for _, tt := range []struct {
		change func(*Options)
		s      string
	}{
		{nil, "default"},
		{func(o *Options) { o.Getenv = get }, "env"},
		{func(o *Options) { o.Getenv, o.VarFiles = get, []string{dir + "/1.vars", dir + "/2.vars"} }, "file2"},
		{func(o *Options) { o.VarFiles, o.Vars = []string{dir + "/1.vars"}, map[string]string{"s": "flag"} }, "flag"},
	} {
		s := mustLoad(t, src, tt.change)
		if got := value(s, "s").Value.AsString(); got != tt.s {
			t.Errorf("%q, want %q", got, tt.s)
		}
		if !value(s, "n").Value.RawEquals(cty.NumberIntVal(1)) {
			t.Errorf("n = %#v", value(s, "n").Value)
		}
	}
	s := mustLoad(t, src, func(o *Options) { o.Getenv = get })
	if l := value(s, "l").Value; !l.Index(cty.NumberIntVal(0)).GetAttr("b").RawEquals(cty.NumberIntVal(7)) {
		t.Errorf("l = %#v", l)
	}
}

func TestProviderConfig(t *testing.T) {
	s := mustLoad(t, `
variable "password" {
  sensitive = true
  default   = "hunter2"
}
locals { host = "broker" }
provider "kafka" {
  bootstrap_servers = "${local.host}:1"
  password          = var.password
  tls { ca = "x" }
}`, nil)
	v, diags := s.ProviderConfig("kafka")
	if diags.HasErrors() || v.GetAttr("bootstrap_servers").AsString() != "broker:1" || v.GetAttr("password").AsString() != "hunter2" || v.ContainsMarked() {
		t.Errorf("%#v, %v", v, diags)
	}
	rng, ok := s.ProviderRange("kafka", cty.GetAttrPath("tls").GetAttr("ca"))
	if !ok || rng.Start.Line != 10 {
		t.Errorf("range %v %v", rng, ok)
	}
	bare := mustLoad(t, "kafka_topic \"a\" {}\n", nil)
	if v, diags := bare.ProviderConfig("kafka"); diags.HasErrors() || v.GetAttr("bootstrap_servers").AsString() != "localhost:9092" {
		t.Errorf("%#v, %v", v, diags)
	}
	if _, diags := bare.ProviderConfig("azure"); !diags.HasErrors() {
		t.Error("a required setting is missing, and nothing is said")
	}
}

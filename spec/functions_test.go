package spec

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestFunctions(t *testing.T) {
	s := mustLoad(t, "locals { x = 1 }\n", func(o *Options) {
		o.Getenv = func(name string) string { return map[string]string{"SET": "yes"}[name] }
	})
	write(t, s.Dir+"/t.tmpl", "Hello ${name}%{ for n in ns } ${n}%{ endfor }")
	write(t, s.Dir+"/n.tmpl", "${n}")
	write(t, s.Dir+"/raw.bin", "\xff\xfe")
	sc := s.NewScope()
	for src, want := range map[string]string{
		`try(file("no"), "fallback")`:                                       "fallback",
		`can(jsondecode("{")) ? "yes" : "no"`:                               "no",
		`env("SET")`:                                                        "yes",
		`env("NOT_SET", "d")`:                                               "d",
		`replace("a1b2", "/[0-9]/", "")`:                                    "ab",
		`replace("a.b", ".", "")`:                                           "ab",
		`templatefile("t.tmpl", { name = "n", ns = [1, 2] })`:               "Hello n 1 2",
		`templatefile("n.tmpl", { n = 5 })`:                                 "5",
		`fileexists("no") ? "y" : "n"`:                                      "n",
		`fileexists("t.tmpl") ? "y" : "n"`:                                  "y",
		`join("+", fileset(path.stack, "*.tmpl"))`:                          "n.tmpl+t.tmpl",
		`join("+", fileset("${path.stack}/none", "*"))`:                     "",
		`tostring(length("häuser") + length({ a = 1 }))`:                    "7",
		`yamldecode("a: b").a`:                                              "b",
		`yamlencode({ a = "b" })`:                                           "\"a\": \"b\"\n",
		`startswith("ab", "a") && endswith("ab", "b") ? "1" : "2"`:          "1",
		`base64decode(base64encode("x"))`:                                   "x",
		`jsonencode({ b = 1, a = [true, null] })`:                           `{"a":[true,null],"b":1}`,
		`formatdate("YYYY-MM-DD", timeadd("2024-02-28T00:00:00Z", "24h"))`:  "2024-02-29",
		`format("%03d-%s", 7, "x")`:                                         "007-x",
		`lookup({ a = "b" }, "c", "d")`:                                     "d",
		`join(",", [for k, v in merge({ a = 1 }, { b = 2 }) : "${k}${v}"])`: "a1,b2",
		`basename(dirname("/a/b/c"))`:                                       "b",
		`urlencode("a b")`:                                                  "a+b",
		`nonsensitive(sensitive("x"))`:                                      "x",
	} {
		out, diags := sc.Eval(src)
		if diags.HasErrors() || !out.Value.RawEquals(cty.StringVal(want)) || out.Sensitive {
			t.Errorf("%s = %#v, want %q: %v", src, out.Value, want, diags)
		}
	}
	for _, src := range []string{
		`file("no")`, `file("raw.bin")`, `file(".")`, `env("NOT_SET")`, `templatefile("t.tmpl", {})`, `templatefile("t.tmpl", [])`,
		`base64decode("%")`, `length(1)`, `timestamp()`, `uuid()`, `fileset(".", "[")`, `1 +`, `nope`,
	} {
		if out, diags := sc.Eval(src); !diags.HasErrors() {
			t.Errorf("%s = %#v without an error", src, out.Value)
		}
	}
	if out, diags := sc.Eval(`upper(sensitive("x"))`); diags.HasErrors() || !out.Sensitive {
		t.Errorf("a mark is lost: %#v %v", out, diags)
	}
}

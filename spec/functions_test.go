package spec

import (
	"strings"
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
	write(t, s.Dir+"/a{1,2}/b/deep.avsc", "")
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
		`join("+", fileset("a{1,2}", "**/*.avsc"))`:                         "b/deep.avsc",
		`join("+", fileset("a{1,2}", "*"))`:                                 "",
		`join("+", fileset(".", "{t,n}.*"))`:                                "n.tmpl+t.tmpl",
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
		`join(",", [alltrue([true, false]), alltrue([true, 1 == 1]), alltrue([]), alltrue([null])])`: "false,true,true,false",
		`join(",", [anytrue([true, false]), anytrue([false, null]), anytrue([])])`:                   "true,false,false",
		`tostring(sum([1, 2.5, 3]) + sum(toset([4])))`:                                               "10.5",
		`coalesce(null, "", "x", "y")`:                                                               "x",
		`tostring(coalesce(null, 0))`:                                                                "0",
		`one(["x"])`:                                                                                 "x",
		`one(toset(["x"]))`:                                                                          "x",
		`one([]) == null ? "none" : "some"`:                                                          "none",
		`join(",", setsymmetricdifference(["a", "b"], ["b", "c"]))`:                                  "a,c",
		`substr(sha256("x"), 0, 8)`:                                                                  "2d711642",
		`nonsensitive(sensitive("x"))`:                                                               "x",
	} {
		out, diags := sc.Eval(src)
		if diags.HasErrors() || !out.Value.RawEquals(cty.StringVal(want)) || out.Sensitive {
			t.Errorf("%s = %#v, want %q: %v", src, out.Value, want, diags)
		}
	}
	for _, src := range []string{
		`file("no")`, `file("raw.bin")`, `file(".")`, `file("/dev/zero")`, `env("NOT_SET")`, `templatefile("t.tmpl", {})`, `templatefile("t.tmpl", [])`,
		`base64decode("%")`, `length(1)`, `one(["a", "b"])`, `one("a")`, `coalesce(null, "")`, `coalesce()`, `sum([])`, `sum([null])`, `sum(["x"])`, `alltrue(["x"])`, `timestamp()`, `uuid()`, `fileset(".", "[")`, `1 +`, `nope`,
	} {
		if out, diags := sc.Eval(src); !diags.HasErrors() {
			t.Errorf("%s = %#v without an error", src, out.Value)
		}
	}
	if out, diags := sc.Eval(`upper(sensitive("x"))`); diags.HasErrors() || !out.Sensitive {
		t.Errorf("a mark is lost: %#v %v", out, diags)
	}
}

func TestEveryFunctionIsDescribed(t *testing.T) {
	fns := (&Stack{}).newFunctions()
	for name, fn := range fns {
		if text := describe(name, fn); !strings.HasSuffix(text, ".") {
			t.Errorf("%s is described as %q", name, text)
		}
	}
	for name := range descriptions {
		if _, ok := fns[name]; !ok {
			t.Errorf("there is a description of %s, and no such function", name)
		}
	}
}

package spec

import (
	"math"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

func TestKindsAreSound(t *testing.T) {
	for _, k := range append(append(AppKinds(), testKinds()...), testProviders()...) {
		for _, err := range k.Lint() {
			t.Error(err)
		}
	}
}

func TestLintFinds(t *testing.T) {
	bad := &Kind{Name: "bad", System: "x", Attrs: []Attr{
		{Name: "a", Type: cty.Number, Label: true},
		{Name: "a", Type: cty.String, Doc: "A.", Required: true, Computed: true},
		{Name: "address", Type: cty.String, Doc: "A."},
		{Name: "d", Type: cty.Number, Doc: "D.", Default: cty.StringVal("x")},
		{Name: "e", Type: cty.Number, Doc: "E.", Default: cty.NumberIntVal(0), Check: AtLeast(1)},
	}, Blocks: []Nested{{Name: "b", Label: "none", Min: 2, Max: 1}}}
	var all strings.Builder
	for _, err := range bad.Lint() {
		all.WriteString(err.Error() + "\n")
	}
	for _, want := range []string{
		"no doc", "needs an ID", "a has no doc", "a must be a string", "a is described twice", "a is required, so", "address has a reserved name",
		"d has a default of another type", "e has a default that its check refuses", "b has no doc", "b must be given more often", "b has a label that sets no",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %q in\n%s", want, all.String())
		}
	}
}

// The examples of the reference load as they stand, and in canonical style.
func TestExamples(t *testing.T) {
	for _, k := range AppKinds() {
		if k.Example == "" {
			t.Errorf("%s has no example", k.Name)
			continue
		}
		s := mustLoad(t, k.Example, nil)
		if diags := s.Validate(); len(diags) > 0 {
			t.Error(render(s, diags, s.Dir))
		}
	}
}

func TestSourcePath(t *testing.T) {
	for path, ok := range map[string]bool{
		"data/*.csv": true, "-": true, "a/**/[a-c]{x,y}.csv.gz": true, `a/\[1].csv`: true,
		"": false, "data/[": false, "data/{a": false,
	} {
		if err := checkSourcePath(cty.StringVal(path)); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// Every normal form is a fixed point, and what it was made from means the same.
func TestNormIsStable(t *testing.T) {
	stable := func(norm func(cty.Value) cty.Value) func(string) bool {
		return func(s string) bool {
			once := norm(cty.StringVal(s))
			return norm(once).RawEquals(once)
		}
	}
	for name, norm := range map[string]func(cty.Value) cty.Value{"duration": NormDuration, "bytes": NormBytes, "rate": NormRate, "trimmed": trimmed} {
		if err := quick.Check(stable(norm), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	same := func(n uint32, fraction uint16) bool {
		d := time.Duration(n)*time.Second + time.Duration(fraction)*time.Millisecond
		back, err := ParseDuration(FormatDuration(d))
		b, err2 := ParseBytes(FormatBytes(int64(n) << (fraction % 30)))
		rate := float64(n+1) / float64(fraction+1)
		r, err3 := ParseRate(FormatRate(rate))
		return err == nil && back == d && err2 == nil && b == int64(n)<<(fraction%30) && err3 == nil && r == rate
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10s": 10 * time.Second, "7d": 7 * 24 * time.Hour, "1.5d": 36 * time.Hour, "1d12h": 36 * time.Hour, "250ms": 250 * time.Millisecond,
		"1h30m": 90 * time.Minute, "0": 0, "0s": 0,
	} {
		if d, err := ParseDuration(text); err != nil || d != want {
			t.Errorf("%s = %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "7", "d", "-1s", "+1s", "1dd", "1d-2h", "1s1d", "x", "1e9d", "infd", "999999999d", " 1s", "106751d24h", "nand"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q is read as %v", text, d)
		}
	}
	for text, want := range map[string]int64{
		"64MiB": 64 << 20, "1.5GiB": 3 << 29, "100MB": 100e6, "4096": 4096, "1kB": 1000, "1KB": 1000, "7B": 7, "1 MiB": 1 << 20,
	} {
		if n, err := ParseBytes(text); err != nil || n != want {
			t.Errorf("%s = %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1B", "1.5B", "64 megs", "1e3B", "9999999TiB", "99999999999999999999", "0x10", "1..2kB", "."} {
		if n, err := ParseBytes(text); err == nil {
			t.Errorf("%q is read as %d", text, n)
		}
	}
	for text, want := range map[string]float64{"0.5/s": 0.5, "30/m": 0.5, "3600/h": 1, "max": math.Inf(1)} {
		if r, err := ParseRate(text); err != nil || r != want {
			t.Errorf("%s = %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "0/s", "1", "1/d", "-1/s", "/s", "1/s/s", "inf/s", "1e9/s"} {
		if r, err := ParseRate(text); err == nil {
			t.Errorf("%q is read as %v", text, r)
		}
	}
	for given, want := range map[string]string{
		"90m": "1h30m", "24h": "1d", "1500ms": "1.5s", "36h": "1d12h", "0": "0s",
	} {
		if got := NormDuration(cty.StringVal(given)).AsString(); got != want {
			t.Errorf("%s in normal form is %s, want %s", given, got, want)
		}
	}
	if got := NormBytes(cty.StringVal("65536kB")).AsString(); got != "64000KiB" {
		t.Error(got)
	}
}

// No normal form of the app's kinds changes what its check has let pass.
func TestDefaultsAreNormal(t *testing.T) {
	var walk func(name string, attrs []Attr, blocks []Nested)
	walk = func(name string, attrs []Attr, blocks []Nested) {
		for _, a := range attrs {
			if a.Norm != nil && a.Default != cty.NilVal && !a.Norm(a.Default).RawEquals(a.Default) {
				t.Errorf("%s.%s: the default %#v is not in normal form", name, a.Name, a.Default)
			}
		}
		for _, b := range blocks {
			walk(name+"."+b.Name, b.Attrs, b.Blocks)
		}
	}
	for _, k := range AppKinds() {
		walk(k.Name, k.Attrs, k.Blocks)
	}
}

func TestFormat(t *testing.T) {
	const want = "kafka_topic \"a\" {\n  name       = \"x\"\n  partitions = 1\n}\n"
	got := string(Format([]byte("kafka_topic \"a\" {\nname=\"x\"\npartitions   = 1\n}\n")))
	if got != want || string(Format([]byte(got))) != want {
		t.Errorf("got\n%s", got)
	}
}

func TestReference(t *testing.T) {
	pages := Reference(append(append(testKinds(), AppKinds()...), testProviders()...))
	for page, wants := range map[string][]string{
		"README.md":          {"[kafka_topic](kafka_topic.md): A topic.", "[provider \"azure\"](provider_azure.md)", "## The app"},
		"kafka_topic.md":     {"| `name` | `string` | optional, else the label | replaced (a topic cannot be renamed) |", "in place, or refused (partitions cannot be removed)", "set by the server", "```hcl\nkafka_topic"},
		"producer.md":        {"[kafka_topic](kafka_topic.md), or `string` | required |", "### source \"type\"", "default `\"max\"`", "| `type` | `string` | by the label |", "row[\"Adj Close\"]"},
		"provider_kafka.md":  {"# provider \"kafka\"", "Secret: never shown", "### tls"},
		"snowflake_table.md": {"It holds data", "At least once. A change: in place."},
	} {
		for _, want := range wants {
			if !strings.Contains(pages[page], want) {
				t.Errorf("%s: no %q in\n%s", page, want, pages[page])
			}
		}
	}
	for page, text := range Reference(AppKinds()) {
		if strings.Contains(text, "\n\n\n") || !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") {
			t.Errorf("%s is not clean Markdown:\n%s", page, text)
		}
	}
}

// Whatever the files hold, loading and evaluating them gives values or diagnostics, never a panic, and every
// diagnostic can be written.
func FuzzLoad(f *testing.F) {
	f.Add(wide(6))
	f.Add(chain(4))
	for _, k := range AppKinds() {
		f.Add(k.Example)
	}
	for _, seed := range []string{
		"kafka_topic \"a\" { for_each = toset([for i in range(3) : \"${i}\"])\nname = each.key }\noutput \"x\" { value = kafka_topic.a[*] }",
		"variable \"v\" {\n type = object({ a = optional(string, \"x\") })\n default = {}\n sensitive = true\n}\nlocals { a = var.v.a }\nkafka_topic \"a\" { name = local.a }",
		"snowflake_table \"t\" {\n dynamic \"column\" {\n for_each = kafka_topic.a.config\n labels = [column.key]\n content { type = column.value }\n }\n}\nkafka_topic \"a\" { config = { x = file(\"y\") } }",
		"mkt {\n required_version = \"~> 1\"\n ledger \"azure\" { key = \"a\" }\n}\nprovider \"kafka\" { tls {} }",
		"snowflake_table \"t\" {\n topic = kafka_topic.a\n dynamic \"column\" {\n for_each = kafka_topic.a.id\n content {}\n }\n}\nkafka_topic \"a\" {}",
		"module \"m\" {\n source = \"./m\"\n for_each = { a = kafka_topic.x, b = 1 }\n name = each.key\n token = module.n[*].id\n}\nkafka_topic \"x\" {}\nmodule \"n\" {\n source = \"./m/../m\"\n name = module.m[\"a\"].id\n depends_on = [module.m]\n}\nmoved {\n from = module.m\n to = module.n\n}\noutput \"o\" { value = module.m }",
		"module \"m\" { source = \"../\" }\nmodule \"n\" { source = \"./m\" }\nremoved {\n from = module.n.kafka_topic.t\n lifecycle { destroy = true }\n}\nlocals {\n a = module.n.topic\n b = local.a\n}\nmodule \"o\" {\n source = \"./m\"\n name = local.b\n for_each = local.b\n}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if strings.Contains(src, "range(") && len(src) > 2000 || strings.Contains(src, "999") {
			t.Skip("large ranges are the user's wish")
		}
		dir := t.TempDir()
		write(t, dir+"/main.hcl", src)
		write(t, dir+"/m/main.hcl", topicModule)
		s, diags := Load(dir, testOptions())
		if !diags.HasErrors() {
			diags = append(diags, s.Validate()...)
		}
		for _, d := range diags {
			if d.Severity == hcl.DiagInvalid || d.Summary == "" {
				t.Errorf("an empty diagnostic: %#v", d)
			}
		}
		_ = render(s, diags, dir)
		_ = s.ConfigHash()
		Format([]byte(src))
	})
}

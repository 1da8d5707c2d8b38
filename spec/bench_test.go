package spec

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// wide is n resources: half of them instances of a for_each, the others blocks that refer to one of those.
func wide(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "locals {\n  topics = { for i in range(%d) : \"t${i}\" => i + 1 }\n}\n", min(n/2, 1000))
	fmt.Fprintf(&b, "kafka_topic \"many\" {\n  for_each = local.topics\n  name = \"topic-${each.key}\"\n  partitions = local.topics[each.key]\n}\n")
	for i := range n - min(n/2, 1000) {
		fmt.Fprintf(&b, "schema_subject \"s%d\" {\n  name = \"${kafka_topic.many[\"t%d\"].name}-%d\"\n  schema = jsonencode({ type = \"string\" })\n}\n", i, i%min(n/2, 1000), i)
	}
	return b.String()
}

// chain is n resources, each of which refers to the one before as a whole, through a local value.
func chain(n int) string {
	var b strings.Builder
	b.WriteString("kafka_topic \"t0\" {}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "locals {\n  l%d = kafka_topic.t%d\n}\nkafka_topic \"t%d\" {\n  config = { \"a.b\" = local.l%d.name }\n}\n", i, i-1, i, i)
	}
	return b.String()
}

// modular is n resources in instances of a module: each of them has one that refers to the instance before through outputs.
func modular(t testing.TB, n int) *Stack {
	dir := t.TempDir()
	write(t, dir+"/main.hcl", fmt.Sprintf(`
locals { all = { for p in setproduct(range(%d), range(20)) : "k${p[0]}-${p[1]}" => p[1] + 1 } }
module "one" {
  source   = "./one"
  for_each = local.all
  name     = each.key
  n        = each.value
}
output "names" { value = [for m in module.one : m.name] }
`, n/40))
	write(t, dir+"/one/main.hcl", `
variable "name" { type = string }
variable "n" { type = number }
locals { full = "x-${var.name}" }
kafka_topic "t" {
  name       = local.full
  partitions = var.n
}
schema_subject "s" {
  name   = kafka_topic.t.name
  schema = jsonencode({ type = "string" })
}
output "name" { value = schema_subject.s.name }
`)
	s, diags := Load(dir, testOptions())
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s
}

func BenchmarkStack(b *testing.B) {
	for _, bench := range []struct {
		name string
		src  string
	}{
		{"wide-1000", wide(1000)},
		{"wide-10000", wide(10000)},
		{"chain-1000", chain(1000)},
		{"chain-4000", chain(4000)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				all(b, mustLoad(b, bench.src, nil))
			}
		})
	}
}

// worked is how long the process has had a processor, which other processes do not add to.
func worked(t *testing.T) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Ten times the resources may take about ten times as long, never a hundred times.
func TestLinear(t *testing.T) {
	cost := func(load func(int) *Stack, n int) time.Duration {
		best := time.Hour
		for range 3 {
			start := worked(t)
			sc, _ := all(t, load(n))
			if _, diags := sc.Outputs(); diags.HasErrors() {
				t.Fatal(diags)
			}
			best = min(best, worked(t)-start)
		}
		return best
	}
	source := func(src func(int) string) func(int) *Stack {
		return func(n int) *Stack { return mustLoad(t, src(n), nil) }
	}
	for name, load := range map[string]func(int) *Stack{
		"wide": source(wide), "chain": source(chain), "modules": func(n int) *Stack { return modular(t, n) },
	} {
		small, large := cost(load, 400), cost(load, 4000)
		t.Logf("%s: 400 in %v, 4000 in %v", name, small, large)
		if large > 40*small {
			t.Errorf("%s: 400 take %v, 4000 take %v", name, small, large)
		}
	}
}

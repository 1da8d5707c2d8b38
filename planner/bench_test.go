package planner_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mkt/providers/providertest"
)

// wide is a stack of n independent boxes, and as many that refer to one each.
func wide(n int) string {
	var s strings.Builder
	for i := range n / 2 {
		fmt.Fprintf(&s, "mem_box \"a%d\" {\n  size = %d\n  tags = { x = \"1\", y = \"2\" }\n}\nmem_box \"b%d\" { inside = mem_box.a%d }\n", i, i%7+1, i, i)
	}
	return s.String()
}

// each is a stack of two blocks with n/2 instances, the second referring to the first.
func each(n int) string {
	var keys strings.Builder
	for i := range n / 2 {
		fmt.Fprintf(&keys, "    k%d = %d\n", i, i%7+1)
	}
	return `
locals {
  n = {
` + keys.String() + `  }
}
mem_box "a" {
  for_each = local.n
  name     = "a-${each.key}"
  size     = each.value
}
mem_box "b" {
  for_each = mem_box.a
  name     = "b-${each.key}"
  inside   = mem_box.a[each.key]
}`
}

// chain is a stack in which each box refers to the one before.
func chain(n int) string {
	var s strings.Builder
	s.WriteString("mem_box \"a0\" {}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&s, "mem_box \"a%d\" { label = \"after ${mem_box.a%d.owner}\" }\n", i, i-1)
	}
	return s.String()
}

// BenchmarkNoOp measures loading and planning a stack that changes nothing, without network.
func BenchmarkNoOp(b *testing.B) {
	for _, shape := range []struct {
		name string
		text func(int) string
	}{{"wide", wide}, {"each", each}, {"chain", chain}} {
		for _, n := range []int{1000, 10000} {
			if shape.name == "chain" && n > 1000 {
				continue // its apply, which saves the ledger at each step, takes minutes
			}
			b.Run(fmt.Sprintf("%s/%d", shape.name, n), func(b *testing.B) {
				_, bench := bench(b)
				text := shape.text(n)
				applied(b, bench, text)
				b.ReportAllocs()
				for b.Loop() {
					if p := bench.MustPlan(b, text); !p.Empty() {
						b.Fatal("not empty")
					}
				}
			})
		}
	}
}

// applied fills world and ledger by a plan with all levels in memory: a chain applied for real saves its ledger n times.
func applied(b *testing.B, bench *providertest.Bench, text string) {
	b.Helper()
	start := time.Now()
	bench.MustApply(b, text)
	b.Logf("applied in %v", time.Since(start))
}

// TestLinear plans and applies a thousand objects of each shape within generous bounds: what is quadratic is far beyond.
func TestLinear(t *testing.T) {
	for name, text := range map[string]string{"wide": wide(1000), "each": each(1000), "chain": chain(300)} {
		_, b := bench(t)
		start := time.Now()
		p := b.MustApply(t, text)
		applied := time.Since(start)
		start = time.Now()
		b.MustBeEmpty(t, text)
		planned := time.Since(start)
		t.Logf("%s: %d changes applied in %v, planned again in %v", name, p.Counts().Create, applied, planned)
		if planned > 5*time.Second || applied > 30*time.Second {
			t.Errorf("%s: applied in %v, planned in %v", name, applied, planned)
		}
	}
}

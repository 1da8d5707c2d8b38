package render_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
	"mkt/render"
	"mkt/spec"
)

// A comment on GitHub takes 65,536 characters. However large the plan is, each part of it has room there, and what is left out is counted.
func TestMarkdownFitsIntoAComment(t *testing.T) {
	const each = 4000
	kind := &spec.Kind{Name: "kafka_topic"}
	p := &planner.Plan{}
	add := func(i int, c planner.Change) {
		c.Kind, c.Addr = kind, spec.Addr{Kind: kind.Name, Name: "prices", Key: fmt.Sprintf("europe|%d", i), Keyed: true}
		p.Changes = append(p.Changes, &c)
	}
	var diags hcl.Diagnostics
	for i := range each {
		add(i, planner.Change{Action: planner.Create})
		add(i, planner.Change{Action: planner.Update, Attrs: []planner.AttrChange{{Path: cty.GetAttrPath("partitions"), Before: cty.NumberIntVal(1), After: cty.NumberIntVal(2)}}})
		add(i, planner.Change{Action: planner.Delete, Loss: "1,000,000 records"})
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Keys move to other partitions", Detail: strings.Repeat("Let the consumers catch up. ", 10)})
	}
	for _, changes := range []int{6, len(p.Changes)} {
		part := &planner.Plan{Changes: p.Changes[:changes]}
		var out strings.Builder
		if err := render.PlanMarkdown(&out, part, diags[:changes/3]); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if len(text) > 65_536 {
			t.Errorf("%d changes: %d bytes", changes, len(text))
		}
		at := 0
		for _, want := range []string{"### Plan: ", "[!CAUTION]", "is deleted and loses **1,000,000 records**", "[!WARNING]\n> **Keys", "\n| `+` | `kafka_topic.prices", "\n| `-` |"} {
			i := strings.Index(text[at:], want)
			if i < 0 {
				t.Fatalf("%d changes: %q is not there, or not in its place:\n%.2000s", changes, want, text)
			}
			at += i
		}
		left := strings.Contains(text, "did not fit")
		if left != (changes > 6) || !left && !strings.Contains(text, "<details>") {
			t.Errorf("%d changes: left out: %t\n%.2000s", changes, left, text)
		}
	}
}

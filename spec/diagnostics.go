package spec

import (
	"fmt"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// withheld replaces the detail of an error that could quote a sensitive value.
const withheld = "The value is not valid; the details are withheld because it is sensitive."

func errorAt(rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...),
		Subject:  rng.Ptr(),
	}
}

// errorNowhere is for errors that no source text is to blame for: a missing file, an unknown -var.
func errorNowhere(summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}

func warningAt(rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := errorAt(rng, summary, format, args...)
	d.Severity = hcl.DiagWarning
	return d
}

// article returns a name of the language at the beginning of a sentence: "A kafka_topic", "An azure_queue".
func article(name string) string {
	if strings.IndexAny(name, "aeiou") == 0 {
		return "An " + name
	}
	return "A " + name
}

// DidYouMean returns ` Did you mean "x"?`, with the space before it, for the nearest known name, or "" when none is near.
func DidYouMean(given string, known []string) string {
	best, nearest := "", 3
	switch n := len(given); { // how many letters may be wrong
	case n < 2:
		nearest = 0
	case n < 4:
		nearest = 1
	case n < 9:
		nearest = 2
	}
	sorted := append([]string(nil), known...)
	sort.Strings(sorted)
	for _, name := range sorted {
		d := levenshtein.Distance(strings.ToLower(given), strings.ToLower(name), nil)
		if d < nearest || best == "" && d == nearest && d < len(name) {
			best, nearest = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// list writes names for a sentence: "a", "a and b", "a, b and c"; long lists are cut.
func list(names []string) string {
	const most = 12
	switch {
	case len(names) == 0:
		return "none"
	case len(names) == 1:
		return names[0]
	case len(names) > most:
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// unique drops diagnostics that say the same about the same place, as the instances of one block do; those of instances of
// a module become one that names them.
func unique(diags hcl.Diagnostics) hcl.Diagnostics {
	if len(diags) < 2 {
		return diags
	}
	type key struct {
		severity        hcl.DiagnosticSeverity
		summary, detail string
		subject         hcl.Range
	}
	seen := make(map[key]int, len(diags))
	kept := diags[:0]
	for _, d := range diags {
		k := key{severity: d.Severity, summary: d.Summary, detail: d.Detail}
		if m, ok := d.Extra.(inModule); ok {
			k.detail = m.detail
		}
		if d.Subject != nil {
			k.subject = *d.Subject
		}
		if at, repeated := seen[k]; repeated {
			kept[at] = joined(kept[at], d)
			continue
		}
		seen[k] = len(kept)
		kept = append(kept, d)
	}
	return kept
}

// apartFrom drops the diagnostics of evaluating what has been reported already: those that overlap one of reported.
func apartFrom(reported, diags hcl.Diagnostics) hcl.Diagnostics {
	kept := diags[:0]
next:
	for _, d := range diags {
		for _, r := range reported {
			if d.Subject != nil && r.Subject != nil && d.Subject.Overlaps(*r.Subject) {
				continue next
			}
		}
		kept = append(kept, d)
	}
	return kept
}

// inSourceOrder sorts by file and position, what has no place first.
func inSourceOrder(diags hcl.Diagnostics) hcl.Diagnostics {
	sort.SliceStable(diags, func(i, j int) bool {
		a, b := diags[i].Subject, diags[j].Subject
		switch {
		case a == nil || b == nil:
			return a == nil && b != nil
		case a.Filename != b.Filename:
			return a.Filename < b.Filename
		}
		return a.Start.Byte < b.Start.Byte
	})
	return diags
}

// evaluated cleans the diagnostics of an evaluation: calls of unknown functions are reported once by Load, details that
// could quote a sensitive value are withheld, and what is missing in a map or an object is said with what is there.
func evaluated(diags hcl.Diagnostics) hcl.Diagnostics {
	kept := diags[:0]
	for _, d := range diags {
		if _, unknown := d.Extra.(hclsyntax.FunctionCallUnknownDiagExtra); unknown {
			continue
		}
		if usesSensitive(d) {
			c := *d
			c.Detail = withheld
			c.Expression, c.EvalContext = nil, nil
			d = &c
		} else if detail := missing(d); detail != "" {
			c := *d
			c.Detail = detail
			d = &c
		}
		kept = append(kept, d)
	}
	return kept
}

func usesSensitive(d *hcl.Diagnostic) bool {
	if d.Expression == nil || d.EvalContext == nil {
		return false
	}
	for _, t := range d.Expression.Variables() {
		if v, _ := t.TraverseAbs(d.EvalContext); v.ContainsMarked() {
			return true
		}
	}
	return false
}

// missing says which step of a reference leads nowhere and what would; "" when that is not what d is about.
func missing(d *hcl.Diagnostic) string {
	expr, ok := d.Expression.(*hclsyntax.ScopeTraversalExpr)
	if !ok || d.EvalContext == nil || d.Summary != "Invalid index" && d.Summary != "Unsupported attribute" {
		return ""
	}
	for n := 1; n < len(expr.Traversal); n++ {
		v, diags := expr.Traversal[:n].TraverseAbs(d.EvalContext)
		if diags.HasErrors() || v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
			return ""
		}
		name := ""
		switch step := expr.Traversal[n].(type) {
		case hcl.TraverseAttr:
			name = step.Name
		case hcl.TraverseIndex:
			if step.Key.Type() != cty.String {
				return ""
			}
			name = step.Key.AsString()
		}
		var names []string
		if v.Type().IsObjectType() {
			names = sortedKeys(v.Type().AttributeTypes())
		} else {
			names = sortedKeys(v.AsValueMap())
		}
		if contains(names, name) {
			continue
		}
		hint := DidYouMean(name, names)
		if hint == "" {
			hint = " There is " + list(names) + "."
		}
		return fmt.Sprintf("There is no %q in %s.%s", name, traversalText(expr.Traversal[:n]), hint)
	}
	return ""
}

func traversalText(t hcl.Traversal) string {
	text := t.RootName()
	for _, step := range t[1:] {
		switch s := step.(type) {
		case hcl.TraverseAttr:
			text += "." + s.Name
		case hcl.TraverseIndex:
			if s.Key.Type() == cty.String {
				text += fmt.Sprintf("[%q]", s.Key.AsString())
			} else {
				text += "[…]"
			}
		}
	}
	return text
}

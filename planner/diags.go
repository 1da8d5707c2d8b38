package planner

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

var (
	// errNoProvider marks objects whose provider could not be used; the provider's own diagnostic says why.
	errNoProvider = errors.New("its provider cannot be used")
	errShort      = errors.New("the provider answered for fewer objects than it was asked for; this is a bug of mkt: please report it")
)

func failure(summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}

func failureAt(rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := failure(summary, format, args...)
	if rng.Filename != "" {
		d.Subject = rng.Ptr()
	}
	return d
}

func warningAt(rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := failureAt(rng, summary, format, args...)
	d.Severity = hcl.DiagWarning
	return d
}

// hint is what a provider advises, as a further sentence.
func hint(err error) string {
	var e *providers.Error
	if !errors.As(err, &e) || e.Hint == "" {
		return ""
	}
	return " " + e.Hint
}

// blame is the range of the attribute that a provider's error points at, or of the block.
func blame(inst *spec.Instance, block hcl.Range, err error) hcl.Range {
	var e *providers.Error
	if inst != nil && errors.As(err, &e) && len(e.Path) > 0 {
		return inst.Range(e.Path)
	}
	return block
}

// unique drops what is said twice, as the two evaluations of a block do, and sorts by place in the stack.
func unique(diags hcl.Diagnostics) hcl.Diagnostics {
	type key struct {
		summary, detail string
		at              hcl.Range
	}
	seen := map[key]bool{}
	kept := hcl.Diagnostics{}
	for _, d := range diags {
		k := key{summary: d.Summary, detail: d.Detail}
		if d.Subject != nil {
			k.at = *d.Subject
		}
		if !seen[k] {
			seen[k] = true
			kept = append(kept, d)
		}
	}
	slices.SortStableFunc(kept, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil || b.Subject == nil: // what has no place comes last
			return cmp.Compare(btoi(a.Subject == nil), btoi(b.Subject == nil))
		case a.Subject.Filename != b.Subject.Filename:
			return strings.Compare(a.Subject.Filename, b.Subject.Filename)
		}
		return cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte)
	})
	return kept
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// grouped collects failures that differ in the address alone: a broker that is down is one diagnostic, not a thousand.
type grouped struct {
	order  []string
	groups map[string]*group
}

type group struct {
	diag  *hcl.Diagnostic
	addrs []string
}

// add takes a failure of one address. The detail of the group is "<addresses>: <text>".
func (g *grouped) add(addr spec.Addr, rng hcl.Range, summary, text string) {
	if g.groups == nil {
		g.groups = map[string]*group{}
	}
	key := summary + "\x00" + text
	if g.groups[key] == nil {
		g.order = append(g.order, key)
		g.groups[key] = &group{diag: failureAt(rng, summary, "%s", text)}
	}
	g.groups[key].addrs = append(g.groups[key].addrs, addr.String())
}

func (g *grouped) diagnostics() (diags hcl.Diagnostics) {
	for _, key := range g.order {
		one := g.groups[key]
		one.diag.Detail = names(one.addrs) + ": " + one.diag.Detail
		diags = append(diags, one.diag)
	}
	return diags
}

// names writes addresses for a sentence; long lists are cut.
func names(addrs []string) string {
	const most = 5
	sort.Strings(addrs)
	if len(addrs) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(addrs[:most], ", "), len(addrs)-most)
	}
	return strings.Join(addrs, ", ")
}

// sentence ends a text that may end already.
func sentence(err error) string {
	return strings.TrimRight(err.Error(), ". ") + "." + hint(err)
}

// PathText writes a path as the language does: config["retention.ms"], column["Close"].type.
func PathText(path cty.Path) string {
	var out strings.Builder
	for i, step := range path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			if i > 0 {
				out.WriteByte('.')
			}
			out.WriteString(s.Name)
		case cty.IndexStep:
			if s.Key.Type() == cty.String {
				fmt.Fprintf(&out, "[%q]", s.Key.AsString())
			} else {
				fmt.Fprintf(&out, "[%s]", s.Key.AsBigFloat().Text('f', -1))
			}
		}
	}
	return out.String()
}

// capital starts a sentence.
func capital(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	return strings.TrimRight(s, ". ") + "."
}

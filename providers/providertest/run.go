package providertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/planner"
	"mkt/providers"
	"mkt/spec"
)

// opTimeout bounds one plan or apply of a test.
const opTimeout = 2 * time.Minute

// Bench is a stack's way through plan and apply in a test: a directory with the stack and its ledger, and the systems.
type Bench struct {
	Kinds     []*spec.Kind
	Providers map[string]providers.Provider // by system
	Vars      map[string]string
	Dir       string // of the stack and the ledger
	Adopt     []spec.Addr
	// Guarded has Apply refuse to destroy what holds data unless the plan's input names it.
	Guarded bool
}

// NewBench returns a bench in a temporary directory.
func NewBench(t testing.TB, kinds []*spec.Kind, systems map[string]providers.Provider) *Bench {
	return &Bench{Kinds: kinds, Providers: systems, Dir: t.TempDir()}
}

// Store is the bench's ledger.
func (b *Bench) Store() *ledger.File { return ledger.NewFile(filepath.Join(b.Dir, "ledger.json")) }

// Ledger loads the ledger.
func (b *Bench) Ledger(t testing.TB) *ledger.Ledger {
	t.Helper()
	l, err := b.Store().Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Load loads a stack's text, and fails the test if it is not sound.
func (b *Bench) Load(t testing.TB, stack string) *spec.Stack {
	t.Helper()
	path := filepath.Join(b.Dir, "stack.hcl")
	if err := os.WriteFile(path, []byte(stack), 0o600); err != nil {
		t.Fatal(err)
	}
	s, diags := spec.Load(path, spec.Options{Kinds: b.Kinds, Vars: b.Vars})
	if diags.HasErrors() {
		t.Fatalf("the stack does not load:\n%s\n%s", Text(diags), stack)
	}
	return s
}

// Input is the plan's input for a stack's text.
func (b *Bench) Input(t testing.TB, stack string) planner.Input {
	t.Helper()
	return planner.Input{
		Stack: b.Load(t, stack), Ledger: b.Ledger(t), Adopt: b.Adopt,
		Providers: func(system string) (providers.Provider, error) {
			if p := b.Providers[system]; p != nil {
				return p, nil
			}
			return nil, fmt.Errorf("the test has no provider %q", system)
		},
	}
}

// Plan plans a stack's text.
func (b *Bench) Plan(t testing.TB, stack string) (*planner.Plan, hcl.Diagnostics) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	return planner.New(ctx, b.Input(t, stack))
}

// MustPlan plans and fails the test on errors.
func (b *Bench) MustPlan(t testing.TB, stack string) *planner.Plan {
	t.Helper()
	p, diags := b.Plan(t, stack)
	if diags.HasErrors() {
		t.Fatalf("plan:\n%s", Text(diags))
	}
	return p
}

// Apply applies a plan.
func (b *Bench) Apply(t testing.TB, p *planner.Plan) (*planner.Report, hcl.Diagnostics) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	return planner.Apply(ctx, p, planner.ApplyOptions{Ledger: b.Store(), Hard: ctx, LossAgreed: !b.Guarded})
}

// MustApply plans and applies a stack's text and fails the test on errors.
func (b *Bench) MustApply(t testing.TB, stack string) *planner.Plan {
	t.Helper()
	p := b.MustPlan(t, stack)
	if _, diags := b.Apply(t, p); diags.HasErrors() {
		t.Fatalf("apply:\n%s\n%s", Text(diags), Dump(p))
	}
	return p
}

// MustBeEmpty plans a stack's text and fails the test when there is anything to do.
func (b *Bench) MustBeEmpty(t testing.TB, stack string) *planner.Plan {
	t.Helper()
	p := b.MustPlan(t, stack)
	if !p.Empty() {
		t.Fatalf("the plan is not empty:\n%s", Dump(p))
	}
	return p
}

// mustNotDrift fails when what was applied is said to have changed outside.
func (b *Bench) mustNotDrift(t testing.TB, stack string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	all, diags := planner.FindDrift(ctx, b.Input(t, stack))
	if len(all) > 0 || diags.HasErrors() {
		t.Errorf("drift of what nobody changed: %v\n%s", all, Text(diags))
	}
}

// Destroy plans and applies the removal of everything.
func (b *Bench) Destroy(t testing.TB, stack string) (*planner.Report, hcl.Diagnostics) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	in := b.Input(t, stack)
	in.Destroy = true
	p, diags := planner.New(ctx, in)
	if diags.HasErrors() {
		return &planner.Report{}, diags
	}
	return b.Apply(t, p)
}

// Text writes diagnostics for a test's message.
func Text(diags hcl.Diagnostics) string {
	var lines []string
	for _, d := range diags {
		line := d.Summary + ": " + d.Detail
		if d.Severity == hcl.DiagWarning {
			line = "warning: " + line
		}
		if d.Subject != nil {
			line = fmt.Sprintf("%s:%d: %s", filepath.Base(d.Subject.Filename), d.Subject.Start.Line, line)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Dump writes a plan plainly: one line per change, attribute and output. No-ops are left out.
func Dump(p *planner.Plan) string {
	var out strings.Builder
	for _, c := range p.Changes {
		if c.Action == planner.NoOp && !c.Record {
			continue
		}
		fmt.Fprintf(&out, "%c %s %q", c.Action, c.Addr, c.ID)
		if c.Record {
			out.WriteString(" record")
		}
		if c.Moved.Kind != "" {
			fmt.Fprintf(&out, " moved from %s", c.Moved)
		}
		if c.Why != "" {
			fmt.Fprintf(&out, " (%s)", c.Why)
		}
		if c.Loss != "" {
			fmt.Fprintf(&out, " loses %s", c.Loss)
		}
		if c.Unnamed {
			out.WriteString(" unnamed")
		}
		out.WriteByte('\n')
		for _, a := range c.Attrs {
			fmt.Fprintf(&out, "    %s: %s -> %s", planner.PathText(a.Path), valueText(a.Before, a.Sensitive), valueText(a.After, a.Sensitive))
			switch a.Act {
			case spec.Replace:
				fmt.Fprintf(&out, " (replaced: %s)", a.Why)
			case spec.Refuse:
				fmt.Fprintf(&out, " (refused: %s)", a.Why)
			}
			if a.Outside {
				out.WriteString(" (changed outside)")
			}
			out.WriteByte('\n')
		}
	}
	for _, o := range p.Outputs {
		if o.Action != planner.NoOp {
			fmt.Fprintf(&out, "%c output.%s = %s\n", o.Action, o.Name, valueText(o.Value, o.Sensitive))
		}
	}
	return out.String()
}

func valueText(v cty.Value, sensitive bool) string {
	switch {
	case sensitive:
		return "(sensitive)"
	case v == cty.NilVal:
		return "(none)"
	case !v.IsKnown():
		return "(unknown)"
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		return fmt.Sprintf("%q", v.AsString())
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case v.Type() == cty.Bool:
		return fmt.Sprint(v.True())
	}
	var parts []string
	for it := v.ElementIterator(); it.Next(); {
		key, elem := it.Element()
		if key.Type() == cty.String {
			parts = append(parts, key.AsString()+"="+valueText(elem, false))
		} else {
			parts = append(parts, valueText(elem, false))
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

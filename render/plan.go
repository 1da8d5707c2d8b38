package render

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/zclconf/go-cty/cty"

	"mkt/internal/shell"
	"mkt/planner"
	"mkt/spec"
)

var actionColors = map[planner.Action]text.Colors{
	planner.Create:  {text.FgGreen},
	planner.Update:  {text.FgYellow},
	planner.Replace: {text.FgRed},
	planner.Delete:  {text.FgRed},
	planner.NoOp:    {},
}

var actionWords = map[planner.Action]string{
	planner.Create:  "create",
	planner.Update:  "update",
	planner.Replace: "replace",
	planner.Delete:  "delete",
	planner.NoOp:    "none",
}

// Plan writes a plan as a person reviews it: what destroys something first and in words, then every change, then the
// outputs, the summary last.
func (v *View) Plan(p *planner.Plan) {
	v.losses(p)
	var shown int
	for _, c := range p.Changes {
		if c.Action == planner.NoOp && !c.Record {
			continue
		}
		v.change(c)
		shown++
	}
	v.outputs(p)
	if len(p.Data) > 0 {
		v.Printf("Read, and not the stack's:\n")
		for _, d := range p.Data {
			v.Printf("  %s: %s %q\n", d.Addr, d.Kind.Name, d.ID)
		}
		v.Printf("\n")
	}
	if shown == 0 && p.Empty() {
		agree := "The stack and the world agree."
		if p.Targeted() {
			agree = "What was targeted is as the stack says."
		}
		v.Printf("%s %s\n", v.bold(v.paint("Nothing to do.", text.FgGreen)), agree)
		return
	}
	v.Printf("%s\n", v.bold(Summary(p)))
}

// Summary is the plan in one line.
func Summary(p *planner.Plan) string {
	n := p.Counts()
	s := fmt.Sprintf("Plan: %d to create, %d to change, %d to replace, %d to delete", n.Create, n.Update, n.Replace, n.Delete)
	for _, rest := range []struct {
		count int
		word  string
	}{{n.Adopt, "taken over"}, {n.Forget, "forgotten"}, {n.NoOp, "unchanged"}} {
		if rest.count > 0 {
			s += fmt.Sprintf(", %d %s", rest.count, rest.word)
		}
	}
	return s + "."
}

// losses says what would be destroyed, before anything else is said.
func (v *View) losses(p *planner.Plan) {
	var lines []string
	for _, c := range p.Changes {
		if c.Action != planner.Delete && c.Action != planner.Replace && c.Loss == "" {
			continue
		}
		line := fmt.Sprintf("  %s %s", v.action(c.Action), c.Addr)
		if c.Loss != "" {
			line += ": loses " + c.Loss
		}
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		v.Printf("%s\n%s\n", v.paint("This plan destroys:", text.Bold, text.FgRed), strings.Join(lines, "\n"))
		v.named(p)
		v.Printf("\n")
	}
}

// named says how to agree to the loss of what holds data, where it was not named.
func (v *View) named(p *planner.Plan) {
	unnamed := p.Unnamed()
	switch {
	case len(unnamed) == 0:
	case p.Destroy:
		v.Printf("What holds data is deleted only if you say yes to this list, or with -allow-destroy=all.\n")
	default:
		flags := make([]string, len(unnamed))
		for i, addr := range unnamed {
			flags[i] = "-allow-destroy=" + shell.Word(addr.String())
		}
		v.Printf("What holds data is destroyed only when it is named: %s\n", strings.Join(flags, " "))
	}
}

func (v *View) action(a planner.Action) string { return v.paint(string(a), actionColors[a]...) }

func (v *View) change(c *planner.Change) {
	head := v.bold(c.Addr.String())
	if c.Moved != (spec.Addr{}) {
		head += v.dim(" (was " + c.Moved.String() + ")")
	}
	var notes []string
	if c.Why != "" {
		notes = append(notes, c.Why)
	}
	if c.Action != planner.Delete && c.Loss != "" {
		notes = append(notes, "loses "+c.Loss)
	}
	if len(notes) > 0 {
		head += v.dim("  # " + strings.Join(notes, "; "))
	}
	v.Printf("%s %s\n", v.action(c.Action), head)
	if c.Wait != nil {
		v.wait("    ", c.Wait)
	}
	if c.Action == planner.Create && len(c.Attrs) == 0 {
		v.created(c)
	}
	width := 0
	for _, a := range c.Attrs {
		width = max(width, len(path(a.Path)))
	}
	for _, a := range c.Attrs {
		v.attr(c, a, width)
	}
	v.Printf("\n")
}

// created shows what a new object will be: every attribute that has a value or will have one. Empty is no value.
func (v *View) created(c *planner.Change) {
	for _, l := range lines(c, c.After, empty) {
		v.Printf("    %s %s\n", v.paint("+", text.FgGreen), l)
	}
}

// lines writes an object, an attribute or an element of a block a line, but for what is left out.
func lines(c *planner.Change, object cty.Value, leftOut func(cty.Value) bool) (out []string) {
	var names, shown []string
	width := 0
	add := func(name, text string) {
		names, shown, width = append(names, name), append(shown, text), max(width, len(name))
	}
	for _, name := range attrNames(c.Kind) {
		part := object.GetAttr(name)
		block := c.Kind.Block(name)
		switch {
		case leftOut(part):
		case hidden(c.Sensitive, name):
			add(name, sensitive)
		case block != nil && block.Max != 1 && part.IsKnown():
			for it := part.ElementIterator(); it.Next(); {
				_, e := it.Element()
				label := name
				if block.Label != "" && e.IsKnown() {
					label += " " + value(e.GetAttr(block.Label))
					parts := e.AsValueMap()
					delete(parts, block.Label)
					e = cty.ObjectVal(parts)
				}
				add(label, value(filled(e)))
			}
		default:
			add(name, value(filled(part)))
		}
	}
	for i, name := range names {
		out = append(out, fmt.Sprintf("%-*s = %s", width, name, shown[i]))
	}
	return out
}

// empty reports whether there is nothing to show.
func empty(v cty.Value) bool {
	switch {
	case !v.IsKnown():
		return false
	case v.IsNull():
		return true
	case v.Type() == cty.String:
		return v.AsString() == ""
	}
	return v.CanIterateElements() && v.LengthInt() == 0
}

// filled returns v, or where it is an object that without its empty attributes.
func filled(v cty.Value) cty.Value {
	if empty(v) || !v.IsKnown() || !v.Type().IsObjectType() {
		return v
	}
	parts := v.AsValueMap()
	for name, part := range parts {
		if empty(part) {
			delete(parts, name)
		}
	}
	return cty.ObjectVal(parts)
}

// hidden reports whether a part of the attribute must not be shown.
func hidden(paths []cty.Path, name string) bool {
	for _, p := range paths {
		if step, ok := p[0].(cty.GetAttrStep); ok && step.Name == name {
			return true
		}
	}
	return false
}

func (v *View) attr(c *planner.Change, a planner.AttrChange, width int) {
	name := fmt.Sprintf("%-*s", width, path(a.Path))
	before, after := value(a.Before), value(a.After)
	if a.Sensitive {
		before, after = sensitive, sensitive
	}
	var line string
	switch {
	case c.Action == planner.Create || a.Before == cty.NilVal:
		line = v.paint("+", text.FgGreen) + " " + name + " = " + after
	case c.Action == planner.Delete || a.After == cty.NilVal:
		line = v.paint("-", text.FgRed) + " " + name + " = " + before
	default:
		line = v.paint("~", text.FgYellow) + " " + name + " = " + before + " → " + after
	}
	var notes []string
	if a.Act == spec.Replace && c.Action == planner.Replace {
		notes = append(notes, v.paint("replaces it", text.FgRed))
	}
	if a.Why != "" && c.Action != planner.Create {
		notes = append(notes, a.Why)
	}
	if a.Outside {
		notes = append(notes, "changed outside of mkt")
	}
	if len(notes) > 0 {
		line += v.dim("  # " + strings.Join(notes, "; "))
	}
	v.Printf("    %s\n", line)
}

func (v *View) outputs(p *planner.Plan) {
	var any bool
	for _, o := range p.Outputs {
		if o.Action == planner.NoOp {
			continue
		}
		if !any {
			v.Printf("Outputs:\n")
			any = true
		}
		shown := value(o.Value)
		if o.Sensitive {
			shown = sensitive
		}
		v.Printf("  %s %s = %s\n", v.action(o.Action), o.Name, shown)
	}
	if any {
		v.Printf("\n")
	}
}

// PlanJSON is a plan as -json prints it. FormatVersion changes when a reader of it would have to.
type PlanJSON struct {
	FormatVersion string       `json:"format_version"`
	Changes       []ChangeJSON `json:"changes"`
	Outputs       []OutputJSON `json:"outputs,omitempty"`
	Data          []DataJSON   `json:"data,omitempty"`
	Summary       SummaryJSON  `json:"summary"`
	Diagnostics   []Diagnostic `json:"diagnostics,omitempty"`
}

// ChangeJSON is one object's change. No-ops are left out.
type ChangeJSON struct {
	Address string     `json:"address"`
	Kind    string     `json:"kind"`
	Action  string     `json:"action"` // create, update, replace, delete, none (only the ledger changes)
	ID      string     `json:"id,omitempty"`
	Was     string     `json:"was,omitempty"` // the address until now
	Why     string     `json:"why,omitempty"`
	Loss    string     `json:"loss,omitempty"`
	Unnamed bool       `json:"needs_allow_destroy,omitempty"` // it holds data, and nothing named it yet
	Waiting *WaitJSON  `json:"waiting,omitempty"`             // a person had to do something for it when it was last applied
	Attrs   []AttrJSON `json:"attributes,omitempty"`
}

// AttrJSON is one attribute's change. Sensitive values are left out.
type AttrJSON struct {
	Path      string          `json:"path"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Unknown   bool            `json:"unknown,omitempty"` // a part of After is known after apply only
	Replaces  bool            `json:"replaces,omitempty"`
	Outside   bool            `json:"changed_outside,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
	Why       string          `json:"why,omitempty"`
}

// OutputJSON is an output of the stack.
type OutputJSON struct {
	Name      string          `json:"name"`
	Action    string          `json:"action,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

// DataJSON is what a data block has read. Sensitive values are left out.
type DataJSON struct {
	Address string                     `json:"address"`
	Kind    string                     `json:"kind"`
	ID      string                     `json:"id"`
	Values  map[string]json.RawMessage `json:"values"`
}

// SummaryJSON counts a plan's changes.
type SummaryJSON struct {
	Create    int `json:"create"`
	Update    int `json:"update"`
	Replace   int `json:"replace"`
	Delete    int `json:"delete"`
	Adopt     int `json:"adopt"`  // taken over as they are
	Forget    int `json:"forget"` // owned no more, and not touched
	Unchanged int `json:"unchanged"`
}

// NewPlanJSON returns p in its JSON form.
func NewPlanJSON(p *planner.Plan, diags hcl.Diagnostics) PlanJSON {
	n := p.Counts()
	out := PlanJSON{
		FormatVersion: "1",
		Changes:       []ChangeJSON{},
		Summary:       SummaryJSON{n.Create, n.Update, n.Replace, n.Delete, n.Adopt, n.Forget, n.NoOp},
		Diagnostics:   DiagnosticsJSON(diags),
	}
	for _, c := range p.Changes {
		if c.Action == planner.NoOp && !c.Record {
			continue
		}
		j := ChangeJSON{Address: c.Addr.String(), Kind: c.Kind.Name, Action: actionWords[c.Action], ID: c.ID, Why: c.Why, Loss: c.Loss, Unnamed: c.Unnamed, Waiting: newWaitJSON(c.Wait)}
		if c.Moved != (spec.Addr{}) {
			j.Was = c.Moved.String()
		}
		for _, a := range c.Attrs {
			aj := AttrJSON{Path: path(a.Path), Replaces: a.Act == spec.Replace, Outside: a.Outside, Sensitive: a.Sensitive, Why: a.Why}
			if !a.Sensitive {
				aj.Before, _ = jsonValue(a.Before)
				var known bool
				aj.After, known = jsonValue(a.After)
				aj.Unknown = !known
			}
			j.Attrs = append(j.Attrs, aj)
		}
		out.Changes = append(out.Changes, j)
	}
	for _, o := range p.Outputs {
		out.Outputs = append(out.Outputs, outputJSON(o))
	}
	for _, d := range p.Data {
		j := DataJSON{Address: d.Addr.String(), Kind: d.Kind.Name, ID: d.ID, Values: map[string]json.RawMessage{}}
		for name, v := range d.Value.AsValueMap() {
			hidden := slices.ContainsFunc(d.Sensitive, func(p cty.Path) bool { return p.HasPrefix(cty.GetAttrPath(name)) })
			if !v.IsNull() && !hidden {
				j.Values[name], _ = jsonValue(v)
			}
		}
		out.Data = append(out.Data, j)
	}
	return out
}

func outputJSON(o planner.OutputChange) OutputJSON {
	j := OutputJSON{Name: o.Name, Action: actionWords[o.Action], Sensitive: o.Sensitive}
	if !o.Sensitive {
		j.Value, _ = jsonValue(o.Value)
	}
	return j
}

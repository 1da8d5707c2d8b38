package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/planner"
	"mkt/spec"
)

// Objects writes the actual state of each object.
func (v *View) Objects(changes []*planner.Change) {
	for _, c := range changes {
		if c.Before == cty.NilVal {
			v.Printf("%s %s\n\n", v.bold(c.Addr.String()), v.dim("does not exist"))
			continue
		}
		v.Printf("%s  %s\n", v.bold(c.Addr.String()), v.dim(c.ID))
		for _, l := range lines(c, c.Before, cty.Value.IsNull) {
			v.Printf("    %s\n", l)
		}
		v.Printf("\n")
	}
}

// attrNames returns the names of a kind's attributes and nested blocks as described.
func attrNames(k *spec.Kind) []string {
	names := make([]string, 0, len(k.Attrs)+len(k.Blocks))
	for _, a := range k.Attrs {
		names = append(names, a.Name)
	}
	for _, b := range k.Blocks {
		names = append(names, b.Name)
	}
	return names
}

// ObjectJSON is one object as `show -json` prints it.
type ObjectJSON struct {
	Address string          `json:"address"`
	Kind    string          `json:"kind"`
	ID      string          `json:"id,omitempty"`
	Exists  bool            `json:"exists"`
	State   json.RawMessage `json:"state,omitempty"`
}

// ObjectsJSON returns the actual state of each object; sensitive parts are null.
func ObjectsJSON(changes []*planner.Change) []ObjectJSON {
	out := []ObjectJSON{}
	for _, c := range changes {
		j := ObjectJSON{Address: c.Addr.String(), Kind: c.Kind.Name, ID: c.ID, Exists: c.Before != cty.NilVal}
		if j.Exists {
			state, _ := cty.Transform(c.Before, func(p cty.Path, v cty.Value) (cty.Value, error) {
				for _, s := range c.Sensitive {
					if p.Equals(s) {
						return cty.NullVal(v.Type()), nil
					}
				}
				return v, nil
			})
			j.State, _ = jsonValue(state)
		}
		out = append(out, j)
	}
	return out
}

// Output writes one output bare: a string without quotes, anything else as JSON. Asked for by name, a sensitive
// output is printed.
func Output(w io.Writer, o planner.OutputChange, asJSON bool) error {
	if !o.Value.IsWhollyKnown() {
		return fmt.Errorf("the output %q is known after apply only", o.Name)
	}
	if !asJSON && o.Value.Type() == cty.String && !o.Value.IsNull() {
		_, err := fmt.Fprintln(w, o.Value.AsString())
		return err
	}
	raw, _ := jsonValue(o.Value)
	_, err := fmt.Fprintln(w, string(raw))
	return err
}

// OutputsJSON returns the outputs by name.
func OutputsJSON(outputs []planner.OutputChange) map[string]OutputJSON {
	out := map[string]OutputJSON{}
	for _, o := range outputs {
		if o.Action != planner.Delete {
			j := outputJSON(o)
			j.Action = ""
			out[o.Name] = j
		}
	}
	return out
}

// Graph writes the stack's dependencies in Graphviz' language, an arrow from each block to what it depends on.
func Graph(w io.Writer, stack *spec.Stack) error {
	var b strings.Builder
	b.WriteString("digraph stack {\n  rankdir = RL\n  node [shape = box, fontname = \"sans-serif\"]\n")
	for _, block := range stack.Blocks() {
		style := ""
		switch {
		case block.App():
			style = " [style = rounded]"
		case !block.Managed():
			style = " [style = dashed]"
		}
		fmt.Fprintf(&b, "  %q%s\n", block.Addr, style)
		for _, dep := range block.Deps {
			fmt.Fprintf(&b, "  %q -> %q\n", block.Addr, dep)
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// GraphJSON returns, for each block, what it depends on.
func GraphJSON(stack *spec.Stack) map[string][]string {
	out := map[string][]string{}
	for _, block := range stack.Blocks() {
		deps := []string{}
		for _, dep := range block.Deps {
			deps = append(deps, dep.String())
		}
		out[block.Addr.String()] = deps
	}
	return out
}

// LedgerJSON returns the entries of a ledger by address.
func LedgerJSON(l *ledger.Ledger) map[string]*ledger.Entry {
	out := make(map[string]*ledger.Entry, len(l.Entries))
	for addr, e := range l.Entries {
		out[addr.String()] = e
	}
	return out
}

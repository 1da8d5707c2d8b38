package render

import (
	"encoding/json"

	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
)

// unknownApplied stands for what mkt applied where only its digest is left.
const unknownApplied = "(another value)"

// Drift writes what changed outside of mkt as a table.
func (v *View) Drift(all []planner.Drifted) {
	if len(all) == 0 {
		v.Printf("No drift: what mkt owns is as mkt left it.\n")
		return
	}
	t := Table{Columns: []string{"address", "drift", "attribute", "applied", "now"}, Right: make([]bool, 5)}
	row := func(cells ...string) {
		r := make([]*string, len(cells))
		for i := range cells {
			r[i] = &cells[i]
		}
		t.Rows = append(t.Rows, r)
	}
	for _, d := range all {
		if len(d.Attrs) == 0 {
			row(d.Addr.String(), driftWords[d.How], "", "", "")
		}
		for _, a := range d.Attrs {
			applied, now := unknownApplied, value(a.Actual)
			switch {
			case a.Sensitive:
				applied, now = sensitive, sensitive
			case a.Applied != cty.NilVal:
				applied = value(a.Applied)
			}
			row(d.Addr.String(), driftWords[d.How], path(a.Path), applied, now)
		}
	}
	v.Table(t)
	v.Printf("\n%s drifted. `mkt plan` shows what apply would do about it.\n", plural(int64(len(all)), "object has", "objects have"))
}

var driftWords = map[planner.Drift]string{
	planner.Changed:  "changed",
	planner.Gone:     "gone",
	planner.Replaced: "replaced by someone else",
}

// DriftJSON is drift as -json prints it.
type DriftJSON struct {
	FormatVersion string              `json:"format_version"`
	Drift         []DriftedObjectJSON `json:"drift"`
	Diagnostics   []Diagnostic        `json:"diagnostics,omitempty"`
}

// DriftedObjectJSON is one object that drifted.
type DriftedObjectJSON struct {
	Address    string            `json:"address"`
	Kind       string            `json:"kind"`
	ID         string            `json:"id"`
	Drift      planner.Drift     `json:"drift"` // changed, gone, replaced
	Attributes []DriftedAttrJSON `json:"attributes,omitempty"`
}

// DriftedAttrJSON is one attribute that drifted. Sensitive values are left out, and so is what mkt applied where only its
// digest is left.
type DriftedAttrJSON struct {
	Path      string          `json:"path"`
	Applied   json.RawMessage `json:"applied,omitempty"`
	Now       json.RawMessage `json:"now,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

// NewDriftJSON returns drift in its JSON form.
func NewDriftJSON(all []planner.Drifted, diags []Diagnostic) DriftJSON {
	out := DriftJSON{FormatVersion: "1", Drift: []DriftedObjectJSON{}, Diagnostics: diags}
	for _, d := range all {
		j := DriftedObjectJSON{Address: d.Addr.String(), Kind: d.Kind.Name, ID: d.ID, Drift: d.How}
		for _, a := range d.Attrs {
			aj := DriftedAttrJSON{Path: path(a.Path), Sensitive: a.Sensitive}
			if !a.Sensitive {
				aj.Applied, _ = jsonValue(a.Applied)
				aj.Now, _ = jsonValue(a.Actual)
			}
			j.Attributes = append(j.Attributes, aj)
		}
		out.Drift = append(out.Drift, j)
	}
	return out
}

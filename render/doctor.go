package render

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"mkt/providers"
)

// Check is what doctor found out about one system.
type Check struct {
	System  string
	Sources []providers.Source
	Notes   []string // what of the credentials ends when, or will stop working
	Answer  string   // what the system said
	Err     error
}

// Checks writes what doctor found out.
func (v *View) Checks(checks []Check) {
	for _, c := range checks {
		if c.Err != nil {
			v.Printf("%s %s: %s\n", v.paint("✗", text.FgRed), v.bold(c.System), c.Err)
			if e := providers.Detail(c.Err); e != nil && e.Hint != "" {
				v.Printf("    %s\n", e.Hint)
			}
		} else {
			v.Printf("%s %s: %s\n", v.paint("✓", text.FgGreen), v.bold(c.System), c.Answer)
		}
		for _, s := range c.Sources {
			from := "from " + s.From
			if len(s.Over) > 0 {
				from += ", over " + strings.Join(s.Over, ", ")
			}
			v.Printf("    %s %s\n", s.Setting, v.dim(from))
		}
		for _, note := range c.Notes {
			v.Printf("    %s %s\n", v.paint("!", text.FgYellow), note)
		}
	}
}

// CheckJSON is a Check as -json prints it.
type CheckJSON struct {
	System  string            `json:"system"`
	OK      bool              `json:"ok"`
	Answer  string            `json:"answer,omitempty"`
	Error   string            `json:"error,omitempty"`
	Hint    string            `json:"hint,omitempty"`
	Sources map[string]string `json:"sources"` // setting → where it came from
	Notes   []string          `json:"notes,omitempty"`
}

// ChecksJSON returns checks in their JSON form.
func ChecksJSON(checks []Check) []CheckJSON {
	out := make([]CheckJSON, 0, len(checks))
	for _, c := range checks {
		j := CheckJSON{System: c.System, OK: c.Err == nil, Answer: c.Answer, Notes: c.Notes, Sources: map[string]string{}}
		if c.Err != nil {
			j.Error = c.Err.Error()
			if e := providers.Detail(c.Err); e != nil {
				j.Hint = e.Hint
			}
		}
		for _, s := range c.Sources {
			j.Sources[s.Setting] = s.From
		}
		out = append(out, j)
	}
	return out
}

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

	Abilities []providers.Ability // of what the stack needs
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
		v.abilities(c.Abilities)
	}
}

// abilities says what may not be done, and what is not known, and counts the rest.
func (v *View) abilities(list []providers.Ability) {
	if len(list) == 0 {
		return
	}
	n := 0
	for _, a := range list {
		if a.May == providers.Yes {
			n++
		}
	}
	v.Printf("    may do %d of the %d things that the stack needs\n", n, len(list))
	for _, a := range list {
		what := strings.Join(strings.Fields(a.Do+" "+a.On+" "+a.Name), " ")
		switch a.May {
		case providers.Yes:
		case providers.No:
			v.Printf("    %s may not %s: %s\n", v.paint("✗", text.FgRed), what, a.Why)
		default:
			v.Printf("    %s %s: %s\n", v.dim("?"), what, a.Why)
		}
	}
}

// AbilityJSON is one thing that the stack needs, and whether the credential may do it.
type AbilityJSON struct {
	On   string `json:"on"`
	Name string `json:"name,omitempty"`
	Do   string `json:"do"`
	May  string `json:"may"` // yes, no or unknown
	Why  string `json:"why,omitempty"`
}

// CheckJSON is a Check as -json prints it.
type CheckJSON struct {
	System  string            `json:"system"`
	OK      bool              `json:"ok"`
	Answer  string            `json:"answer,omitempty"`
	Error   string            `json:"error,omitempty"`
	Hint    string            `json:"hint,omitempty"`
	Sources map[string]string `json:"sources"`               // setting → where it came from
	Over    map[string]string `json:"passed_over,omitempty"` // setting → weaker places that have it too
	Notes   []string          `json:"notes,omitempty"`

	Abilities []AbilityJSON `json:"abilities,omitempty"`
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
			if len(s.Over) > 0 {
				if j.Over == nil {
					j.Over = map[string]string{}
				}
				j.Over[s.Setting] = strings.Join(s.Over, ", ")
			}
		}
		for _, a := range c.Abilities {
			j.Abilities = append(j.Abilities, AbilityJSON{On: a.On, Name: a.Name, Do: a.Do, May: string(a.May), Why: a.Why})
		}
		out = append(out, j)
	}
	return out
}

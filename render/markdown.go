package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/planner"
	"mkt/spec"
)

// commentSize is how large a plan in Markdown may be: GitHub takes comments of up to 65,536 characters.
const commentSize = 60_000

// PlanMarkdown writes a plan for a pull request: the risk first, the warnings, a table of the changes, then the details
// of each, folded. What does not fit into a comment is left out and said so.
func PlanMarkdown(w io.Writer, p *planner.Plan, diags hcl.Diagnostics) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", Summary(p))
	var changes []*planner.Change
	for _, c := range p.Changes {
		if c.Action != planner.NoOp || c.Record {
			changes = append(changes, c)
		}
	}
	markdownRisks(&b, changes)
	for _, d := range diags {
		where := ""
		if d.Subject != nil {
			where = fmt.Sprintf(" (`%s:%d`)", d.Subject.Filename, d.Subject.Start.Line)
		}
		fmt.Fprintf(&b, "> [!WARNING]\n> **%s**%s: %s\n\n", d.Summary, where, strings.ReplaceAll(d.Detail, "\n", " "))
	}
	if len(changes) > 0 {
		b.WriteString("| | address | what |\n|---|---|---|\n")
	}
	var omitted int
	for _, c := range changes {
		line := fmt.Sprintf("| `%s` | `%s` | %s |\n", string(c.Action), c.Addr, cellText(markdownWhat(c)))
		if b.Len()+len(line) > commentSize {
			omitted++
			continue
		}
		b.WriteString(line)
	}
	for _, c := range changes {
		detail := markdownDetail(c)
		if detail == "" {
			continue
		}
		if b.Len()+len(detail) > commentSize {
			omitted++
			continue
		}
		b.WriteString(detail)
	}
	if omitted > 0 {
		fmt.Fprintf(&b, "\n%d more did not fit into a comment: `mkt plan` shows all of it.\n", omitted)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdownRisks lists what would be lost.
func markdownRisks(b *strings.Builder, changes []*planner.Change) {
	var lines []string
	for _, c := range changes {
		if c.Action == planner.Delete || c.Action == planner.Replace || c.Loss != "" {
			line := fmt.Sprintf("> - `%s` is %sd", c.Addr, actionWords[c.Action])
			if c.Loss != "" {
				line += " and loses **" + c.Loss + "**"
			}
			lines = append(lines, line)
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "> [!CAUTION]\n> This plan destroys:\n%s\n\n", strings.Join(lines, "\n"))
	}
}

// markdownWhat says in a few words what happens to an object.
func markdownWhat(c *planner.Change) string {
	var parts []string
	if c.Why != "" {
		parts = append(parts, c.Why)
	}
	if c.Wait != nil {
		parts = append(parts, "waits for a person: "+c.Wait.For)
	}
	switch c.Action {
	case planner.Update, planner.Replace:
		for _, a := range c.Attrs {
			what := "`" + path(a.Path) + "`"
			if a.Act == spec.Replace {
				what += " (replaces it)"
			}
			if a.Outside {
				what += " (changed outside)"
			}
			parts = append(parts, what)
		}
	case planner.Create, planner.Delete, planner.NoOp:
	}
	if len(parts) == 0 {
		return actionWords[c.Action]
	}
	return strings.Join(parts, ", ")
}

// markdownDetail is the folded diff of an object; "" where the table has said it all.
func markdownDetail(c *planner.Change) string {
	if len(c.Attrs) == 0 || c.Action != planner.Update && c.Action != planner.Replace {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details><summary><code>%s</code></summary>\n\n```diff\n", c.Addr)
	for _, a := range c.Attrs {
		before, after := value(a.Before), value(a.After)
		if a.Sensitive {
			before, after = sensitive, sensitive
		}
		if a.Before != cty.NilVal {
			fmt.Fprintf(&b, "- %s = %s\n", path(a.Path), before)
		}
		if a.After != cty.NilVal {
			fmt.Fprintf(&b, "+ %s = %s\n", path(a.Path), after)
		}
		if a.Why != "" {
			fmt.Fprintf(&b, "# %s\n", a.Why)
		}
	}
	b.WriteString("```\n\n</details>\n")
	return b.String()
}

// cellText keeps a text within its cell of a table.
func cellText(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

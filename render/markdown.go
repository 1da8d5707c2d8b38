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
// of each, folded. What does not fit into a comment is left out and said so, and leaves some room for what follows it.
func PlanMarkdown(w io.Writer, p *planner.Plan, diags hcl.Diagnostics) error {
	var m comment
	fmt.Fprintf(&m, "### %s\n\n", Summary(p))
	var losses, warnings, rows, details []string
	for _, c := range p.Changes {
		if c.Action == planner.NoOp && !c.Record {
			continue
		}
		if loss := markdownLoss(c); loss != "" {
			losses = append(losses, loss)
		}
		rows = append(rows, fmt.Sprintf("| `%s` | `%s` | %s |\n", string(c.Action), cellText(c.Addr.String()), cellText(markdownWhat(c))))
		if detail := markdownDetail(c); detail != "" {
			details = append(details, detail)
		}
	}
	for _, d := range diags {
		where := ""
		if d.Subject != nil {
			where = fmt.Sprintf(" (`%s:%d`)", d.Subject.Filename, d.Subject.Start.Line)
		}
		warnings = append(warnings, fmt.Sprintf("> [!WARNING]\n> **%s**%s: %s\n\n", d.Summary, where, strings.ReplaceAll(d.Detail, "\n", " ")))
	}
	if len(losses) > 0 {
		m.WriteString("> [!CAUTION]\n> This plan destroys:\n")
		if left := m.fit(commentSize/2, losses); left > 0 {
			fmt.Fprintf(&m, "> - **and %d more**, which did not fit into a comment\n", left)
		}
		m.WriteString("\n")
	}
	if left := m.fit(commentSize*3/4, warnings); left > 0 {
		fmt.Fprintf(&m, "> [!WARNING]\n> And %d more warnings, which did not fit into a comment.\n\n", left)
	}
	if len(rows) > 0 {
		m.WriteString("| | address | what |\n|---|---|---|\n")
	}
	left := m.fit(commentSize, rows)
	left += m.fit(commentSize, details)
	if left > 0 {
		fmt.Fprintf(&m, "\n%d more did not fit into a comment: `mkt plan` shows all of it.\n", left)
	}
	_, err := io.WriteString(w, m.String())
	return err
}

// comment is a text that must not become too large.
type comment struct{ strings.Builder }

// fit writes those of the texts that keep the whole below a size in bytes, and returns how many do not.
func (m *comment) fit(size int, texts []string) (left int) {
	for _, text := range texts {
		if m.Len()+len(text) > size {
			left++
			continue
		}
		m.WriteString(text)
	}
	return left
}

// markdownLoss says what would be lost with a change; "" for nothing.
func markdownLoss(c *planner.Change) string {
	if c.Action != planner.Delete && c.Action != planner.Replace && c.Loss == "" {
		return ""
	}
	line := fmt.Sprintf("> - `%s` is %sd", c.Addr, actionWords[c.Action])
	if c.Loss != "" {
		line += " and loses **" + c.Loss + "**"
	}
	return line + "\n"
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

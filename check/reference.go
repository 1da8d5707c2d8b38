package check

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Reference writes the reference page of the checks, Markdown. It is the same for the same rules.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Checks

Written from the rules that mkt itself works by. Do not edit.

` + "`mkt validate` and `mkt plan`" + ` look for places where two systems of one pipeline do not fit each other. An error stops the command, a warning does not.
Each names both ends, and the check that found it. What is known only after apply is not judged.

A check that does not matter for one block is silenced there, with the reason:

` + "```hcl" + `
producer "prices" {
  # …
  lifecycle {
    silence = { "key-order" = "rows of one index need no order" }
  }
}
` + "```" + `

The silence stands in the block that the finding points at, and works in resources, producers and consumers alike.

| Check | Severity | Finding |
|---|---|---|
`)
	rules := Rules()
	for _, r := range rules {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", r.ID, r.ID, severity(r), r.Summary)
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "\n## %s\n\n%s: *%s.*\n\n%s\n", r.ID, severity(r), r.Summary, r.Doc)
	}
	return b.String()
}

func severity(r Rule) string {
	if r.Severity == hcl.DiagWarning {
		return "Warning"
	}
	return "Error"
}

package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

var privilegeRules = []Rule{
	{
		ID: "role-privileges", Severity: hcl.DiagError, Summary: "Role may not use what the pipe needs",
		Doc: "On objects that a pipe names and the stack does not describe, the role of the connection has what the pipe needs: `INSERT` and `SELECT` on the table, `USAGE` on stage, file format and integration " +
			"(Snowflake: \"CREATE PIPE\", access control requirements). What the stack describes is made, and owned, by the role itself. Only `plan` and `apply` know the grants, and only where SHOW GRANTS tells them; " +
			"what it does not tell is not judged.",
		Check: checkPrivileges,
	},
}

// needed are the privileges that a pipe's role needs on what an attribute names.
var needed = []struct {
	kind, noun string
	path       []string
	privileges []string
}{
	{"snowflake_table", "table", []string{"copy", "into"}, []string{"INSERT", "SELECT"}},
	{"snowflake_stage", "stage", []string{"copy", "from"}, []string{"USAGE"}},
	{"snowflake_file_format", "file format", []string{"copy", "file_format"}, []string{"USAGE"}},
	{"snowflake_notification_integration", "integration", []string{"integration"}, []string{"USAGE"}},
}

func checkPrivileges(p *Pipeline) (found []Finding) {
	for _, pipe := range p.Pipes {
		for _, need := range needed {
			ref := p.ref(pipe.Node, need.kind, need.path...)
			have, asked := p.Facts.Privileges[need.kind][ref.ID]
			if !asked || ref.Node != nil || slices.Contains(have, "OWNERSHIP") || slices.Contains(have, "ALL") {
				continue
			}
			missing := slices.DeleteFunc(slices.Clone(need.privileges), func(s string) bool { return slices.Contains(have, s) })
			if len(missing) == 0 {
				continue
			}
			what := strings.Join(missing, ", ")
			found = append(found, Finding{At: pipe.End(need.path...), Others: p.provider("snowflake", "role"),
				Detail: fmt.Sprintf("The role of the connection does not have %s on the %s %s, so the pipe could not be made, or would load nothing. Have its owner run: GRANT %s ON %s %s TO ROLE …", strings.Join(missing, " and "), need.noun, ref.ID, what, strings.ToUpper(need.noun), ref.ID)})
		}
	}
	return found
}

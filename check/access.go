package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mkt/spec"
)

var accessRules = []Rule{
	{
		ID: "stage-access", Severity: hcl.DiagError, Summary: "Stage cannot read its container",
		Doc:   "A stage on a private container has a `sas` block or a `storage_integration`, and the `sas` block's permissions have `read` and `list`.",
		Check: checkStageAccess,
	},
	{
		ID: "sas-permissions", Severity: hcl.DiagWarning, Summary: "Token allows more than loading needs",
		Doc:   "The permissions of a stage's `sas` block are `read` and `list`, and no more: whoever has the token could write or delete files.",
		Check: checkPermissions,
	},
	{
		ID: "sas-horizon", Severity: hcl.DiagWarning, Summary: "Token ends soon",
		Doc: "The stage's token lives past the next days. It is replaced by `mkt apply` only, from `rotate_before` its end on: when nobody applies in that time, loading stops. It speaks when `rotate_before` is under a day, " +
			"when a token lives less than 2 days, and when the present one ends within a day.",
		Check: checkSASHorizon,
	},
	{
		ID: "sas-lifetime", Severity: hcl.DiagError, Summary: "Token lives too long",
		Doc: "A stage's token lives no more than 90 days, or it is warned of: whoever has it may read the container until it ends, and only a new key of the account ends it before. " +
			"Where mkt signs in to Azure without the account's key, a token is signed with a user delegation key and lives no more than 7 days (Azure: \"Create a user delegation SAS\"): more is an error, which only `plan` and `apply` can know.",
		Check: checkSASLifetime,
	},
	{
		ID: "plain-secret", Severity: hcl.DiagWarning, Summary: "Secret in the stack",
		Doc: "Passwords, keys and tokens do not stand in the stack's files, which are shared and kept in version control. They come from the environment variables that the systems' own tools use, from `env(\"NAME\")`, " +
			"or from a sensitive variable.",
		Check: checkPlainSecret,
	},
}

const (
	second = time.Second
	day    = 24 * time.Hour
)

func checkPlainSecret(p *Pipeline) (found []Finding) {
	for _, s := range p.in.Stack.PlainSecrets() {
		at := s.Header
		if at.Filename == "" { // its line, and by the byte no text that an excerpt could show
			pos := hcl.Pos{Line: s.Range.Start.Line, Column: 1, Byte: len(p.in.Stack.Files[s.Range.Filename].Bytes) + 1}
			at = hcl.Range{Filename: s.Range.Filename, Start: pos, End: pos}
		}
		found = append(found, Finding{At: End{Block: at},
			Detail: fmt.Sprintf("%s of %s stands in %s:%d as text. Who reads the file has it. Leave it out and set the environment variable that the reference names, or write env(\"…\").", s.Attr, s.Owner, s.Range.Filename, s.Range.Start.Line)})
	}
	return found
}

func checkStageAccess(p *Pipeline) (found []Finding) {
	for _, stage := range p.Stages {
		container := p.ref(stage, "azure_container", "container")
		if stage.absent("sas") {
			private := false
			if container.Node != nil {
				access, known := container.Node.text("access")
				private = known && access == "private"
			}
			if private && stage.absent("storage_integration") {
				found = append(found, Finding{At: stage.End(), Others: []End{container.Node.End()},
					Detail: fmt.Sprintf("%s is private and the stage has neither a sas block nor a storage_integration, so Snowflake could not read it. Add sas {}.", container)})
			}
			continue
		}
		permissions, known := stage.texts("sas", "permissions")
		if !known {
			continue
		}
		var missing []string
		for _, need := range []string{"read", "list"} {
			if !slices.ContainsFunc(permissions, func(s string) bool { return strings.EqualFold(s, need) }) {
				missing = append(missing, need)
			}
		}
		if len(missing) > 0 {
			found = append(found, Finding{At: stage.End("sas", "permissions"), Others: ends(container),
				Detail: fmt.Sprintf("The token does not allow to %s, which a pipe needs. Write permissions = [\"read\", \"list\"].", strings.Join(missing, " and to "))})
		}
	}
	return found
}

func checkPermissions(p *Pipeline) (found []Finding) {
	for _, stage := range p.Stages {
		permissions, _ := stage.texts("sas", "permissions")
		var extra []string
		for _, have := range permissions {
			if !strings.EqualFold(have, "read") && !strings.EqualFold(have, "list") {
				extra = append(extra, have)
			}
		}
		if len(extra) > 0 {
			found = append(found, Finding{At: stage.End("sas", "permissions"), Others: ends(p.ref(stage, "azure_container", "container")),
				Detail: fmt.Sprintf("The token also allows to %s, which loading does not need. Write permissions = [\"read\", \"list\"].", strings.Join(extra, " and to "))})
		}
	}
	return found
}

func checkSASHorizon(p *Pipeline) (found []Finding) {
	for _, stage := range p.Stages {
		lives, known := durationOf(stage, "sas", "expires_in")
		before, known2 := durationOf(stage, "sas", "rotate_before")
		if !known || !known2 {
			continue
		}
		report := func(attr, format string, args ...any) {
			found = append(found, Finding{At: stage.End("sas", attr), Others: ends(p.ref(stage, "azure_container", "container")), Detail: fmt.Sprintf(format, args...)})
		}
		switch ends, err := time.Parse(time.RFC3339, textOf(stage, "sas_expires_at")); {
		case lives < 2*day:
			report("expires_in", "A token lives %s, so mkt apply must run that often, or loading stops. Let it live for some weeks.", spec.FormatDuration(lives))
		case before < day:
			report("rotate_before", "The token is replaced by an apply within %s before its end only, and loading stops if none comes in that time. Make rotate_before longer.", spec.FormatDuration(before))
		case err == nil && !p.Facts.Now.IsZero() && ends.Sub(p.Facts.Now) < day:
			report("rotate_before", "The present token ends at %s. Run mkt apply, and make rotate_before longer than the time between two applies.", ends.Format(time.RFC3339))
		}
	}
	return found
}

// The longest life of a token: as it is wise, and as Azure allows it without the account's key.
const (
	wiseLife      = 90 * day
	delegatedLife = 7 * day
)

func checkSASLifetime(p *Pipeline) (found []Finding) {
	for _, stage := range p.Stages {
		lives, known := durationOf(stage, "sas", "expires_in")
		f := Finding{At: stage.End("sas", "expires_in"), Others: ends(p.ref(stage, "azure_container", "container"))}
		switch {
		case !known:
			continue
		case p.Facts.Delegated && lives > delegatedLife:
			f.Detail = fmt.Sprintf("mkt signs in to Azure without the storage account's key, so a token lives at most 7 days, and this one is to live %s. Write expires_in = \"7d\", or give mkt the key (AZURE_STORAGE_KEY).", spec.FormatDuration(lives))
		case lives > wiseLife:
			f.Warning = true
			f.Detail = fmt.Sprintf("Whoever has the token may read the container for %s. Make it end within 90 days: mkt apply replaces it in time.", spec.FormatDuration(lives))
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

func textOf(n *Node, names ...string) string {
	s, _ := n.text(names...)
	return s
}

func durationOf(n *Node, names ...string) (time.Duration, bool) {
	s, known := n.text(names...)
	if !known || s == "" {
		return 0, false
	}
	d, err := spec.ParseDuration(s)
	return d, err == nil
}

func bytesOf(c *Consumer, names ...string) (int64, bool) {
	s, known := c.text(names...)
	if !known || s == "" {
		return 0, false
	}
	n, err := spec.ParseBytes(s)
	return n, err == nil
}

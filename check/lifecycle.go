package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

var lifecycleRules = []Rule{
	{
		ID: "lifecycle-early", Severity: hcl.DiagWarning, Summary: "Files end before they are loaded and audited",
		Doc: "A lifecycle policy leaves the files that a consumer writes where they are for the 14 days in which a pipe may still have to load them, and keeps the history that says whether it did. " +
			"What is deleted or archived before cannot be loaded again after a long outage or a paused pipe, and `mkt audit` cannot compare it row by row. Later is better where audits come later.",
		Check: checkLifecycleEarly,
	},
}

// filesNeeded is how long a file may still be asked for: Snowpipe's load history, and the time after which a paused pipe is
// stale (Snowflake: "Introduction to Snowpipe", "Managing Snowpipe").
const filesNeeded = 14 * 24 * time.Hour

func checkLifecycleEarly(p *Pipeline) (found []Finding) {
	for _, policy := range p.nodes("azure_lifecycle_policy") {
		rules := policy.get("rule")
		if !rules.IsKnown() || rules.IsNull() {
			continue
		}
		for i, v := range rules.AsValueSlice() {
			rule := &Node{Addr: policy.Addr, Block: policy.Block, Value: v}
			at := cty.GetAttrPath("rule").IndexInt(i)
			id, _ := rule.text("container")
			container := p.refAt(policy, "azure_container", id, at.GetAttr("container"))
			prefix, known := rule.text("prefix")
			if enabled := rule.get("enabled"); !known || enabled.IsKnown() && !rule.is("enabled") {
				continue
			}
			for _, c := range p.Consumers {
				if !c.Placed || same(c.Container, container) != yes || !strings.HasPrefix(c.Dir, prefix) && !strings.HasPrefix(prefix, c.Dir) {
					continue
				}
				for step, does := range []string{"archive_after", "delete_after"} {
					text, known := rule.text(does)
					age, err := spec.ParseDuration(text)
					if !known || text == "" || err != nil || age >= filesNeeded {
						continue
					}
					found = append(found, Finding{
						At:     End{Node: policy, Path: at.GetAttr(does)},
						Others: []End{c.End("container")},
						Detail: fmt.Sprintf("The files of %s are %s after %s. A pipe that stands still may have to load them within %s, and an audit row by row reads them. Set %s to %s or more.",
							c.Addr, []string{"archived, where nothing can read them,", "deleted"}[step], text, spec.FormatDuration(filesNeeded), does, spec.FormatDuration(filesNeeded)),
					})
				}
			}
		}
	}
	return found
}

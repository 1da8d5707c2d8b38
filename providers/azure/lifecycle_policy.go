package azure

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// lifecycleSteps are what a rule does as a blob ages, in the order of it.
var lifecycleSteps = []string{"cool_after", "archive_after", "delete_after"}

// LifecyclePolicy describes azure_lifecycle_policy.
var LifecyclePolicy = &spec.Kind{
	Name:   "azure_lifecycle_policy",
	System: system,
	Doc: "What becomes of a storage account's blobs as they age: cooler and cheaper tiers, and in the end deletion. An account has one policy, and this block is " +
		"the whole of it: rules that somebody else made in it are taken out. Azure looks once a day. The account's subscription and resource group are those of the provider.",
	Example: `azure_lifecycle_policy "blobs" {
  rule "loaded" {
    container    = "https://myaccount.blob.core.windows.net/market-data"
    prefix       = "kafka-messages/"
    cool_after   = "30d"
    delete_after = "365d"
  }
}
`,
	Attrs: []spec.Attr{
		{Name: "account", Type: cty.String, Optional: true, Computed: true, Check: checkAccount, Doc: "The storage account; that of the first rule's container by default.",
			Change: spec.Replaced("a policy belongs to one storage account")},
		{Name: "id", Type: cty.String, Computed: true, Follows: []string{"account"}, Doc: "The resource id, `/subscriptions/…/managementPolicies/default`."},
	},
	Blocks: []spec.Nested{{
		Name: "rule", Label: "name", Min: 1, Doc: "A rule. Azure applies all that fit a blob, and of several steps the cheapest: deletion before archive before cool.",
		Attrs: []spec.Attr{
			{Name: "name", Type: cty.String, Doc: "The rule's name: letters, digits and hyphens.", Check: checkRuleName},
			{Name: "container", Type: cty.String, Required: true, Refs: []string{"azure_container"}, Check: checkStorageID(blobService), Doc: "The container: an azure_container, or a container's URL."},
			{Name: "prefix", Type: cty.String, Default: cty.StringVal(""), Check: checkPrefix, Doc: "Only blobs whose names begin so."},
			{Name: "cool_after", Type: cty.String, Check: checkDays, Norm: normDays, Doc: "Age from which a blob is in the cool tier, such as `30d`, since it was written last."},
			{Name: "archive_after", Type: cty.String, Check: checkDays, Norm: normDays, Doc: "Age from which a blob is in the archive tier. It cannot be read there without hours of waiting, by Snowflake neither."},
			{Name: "delete_after", Type: cty.String, Check: checkDays, Norm: normDays, Doc: "Age from which a blob is deleted."},
			{Name: "enabled", Type: cty.Bool, Default: cty.True, Doc: "Whether the rule is applied."},
		},
		Change: changeRules,
	}},
	ID: func(v cty.Value) string {
		if id := v.GetAttr("id"); id.IsKnown() && !id.IsNull() {
			return id.AsString()
		}
		return ""
	},
	Check: checkLifecycle,
}

var ruleName = regexp.MustCompile(`^[A-Za-z0-9-]{1,256}$`)

func checkRuleName(v cty.Value) error {
	if !ruleName.MatchString(v.AsString()) {
		return fmt.Errorf("%q is no rule's name, which has letters, digits and hyphens", v.AsString())
	}
	return nil
}

const dayLength = 24 * time.Hour

func checkDays(v cty.Value) error {
	d, err := spec.ParseDuration(v.AsString())
	if err == nil && (d < 0 || d%dayLength != 0) {
		err = errors.New("must be a whole number of days, such as 30d")
	}
	return err
}

func normDays(v cty.Value) cty.Value {
	d, err := spec.ParseDuration(v.AsString())
	if err != nil {
		return v
	}
	return cty.StringVal(spec.FormatDuration(d))
}

// changeRules: the order of rules means nothing.
func changeRules(before, after cty.Value) spec.Verdict {
	if sortRules(before).RawEquals(sortRules(after)) {
		return spec.Verdict{Act: spec.Same}
	}
	return spec.Verdict{Act: spec.InPlace}
}

// sortRules puts rules in the order of their names.
func sortRules(v cty.Value) cty.Value {
	if !v.IsKnown() || v.IsNull() || v.LengthInt() == 0 {
		return v
	}
	rules := v.AsValueSlice()
	for _, r := range rules {
		if name := r.GetAttr("name"); !name.IsKnown() || name.IsNull() {
			return v
		}
	}
	slices.SortFunc(rules, func(a, b cty.Value) int {
		return strings.Compare(a.GetAttr("name").AsString(), b.GetAttr("name").AsString())
	})
	return cty.ListVal(rules)
}

func checkLifecycle(v cty.Value) (problems []spec.Problem) {
	rules := v.GetAttr("rule")
	if !rules.IsKnown() || rules.IsNull() {
		return nil
	}
	names := map[string]bool{}
	for i, rule := range rules.AsValueSlice() {
		if !rule.IsKnown() {
			continue
		}
		at := cty.GetAttrPath("rule").IndexInt(i)
		if name := rule.GetAttr("name"); name.IsKnown() && !name.IsNull() {
			if names[name.AsString()] {
				problems = append(problems, spec.Problem{Path: at, Summary: "Two rules of one name", Detail: fmt.Sprintf("There is another rule %q. Each needs a name of its own.", name.AsString())})
			}
			names[name.AsString()] = true
		}
		last, lastStep, steps := time.Duration(-1), "", 0
		for _, step := range lifecycleSteps {
			age := rule.GetAttr(step)
			if !age.IsKnown() {
				steps++
			}
			if !age.IsKnown() || age.IsNull() {
				continue
			}
			steps++
			d, err := spec.ParseDuration(age.AsString())
			if err != nil {
				continue // reported by its own check
			}
			if d <= last {
				problems = append(problems, spec.Problem{Path: at.GetAttr(step), Summary: "Steps out of order",
					Detail: fmt.Sprintf("%s is not later than %s. A blob goes from cool to archive to deletion as it ages.", step, lastStep)})
			}
			last, lastStep = d, step
		}
		if steps == 0 {
			problems = append(problems, spec.Problem{Path: at, Summary: "Rule without a step", Detail: "The rule does nothing. Set one of " + strings.Join(lifecycleSteps, ", ") + "."})
		}
	}
	return problems
}

package azure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// EventSubscription describes azure_event_subscription.
var EventSubscription = &spec.Kind{
	Name:   "azure_event_subscription",
	System: system,
	Doc: "Tells a queue about each blob that is written to a container: an Event Grid event subscription on the container's storage account. " +
		"The account's subscription and resource group are those of the provider.",
	Example: `azure_container "market" { name = "market-data" }
azure_queue "events" { name = "market-events" }

azure_event_subscription "created" {
  container = azure_container.market
  queue     = azure_queue.events
  prefix    = "kafka-messages/"
}
`,
	Attrs: []spec.Attr{
		{
			Name: "name", Type: cty.String, Label: true, Check: checkSubscriptionName,
			Doc:    "The event subscription's name: 3 to 64 letters, digits and hyphens. The block's label by default.",
			Change: spec.Replaced("an event subscription cannot be renamed; blobs written in between are not told about"),
		},
		{
			Name: "container", Type: cty.String, Required: true, Refs: []string{"azure_container"}, Check: checkStorageID(blobService),
			Doc:    "The container whose blobs are told about: an azure_container, or a container's URL.",
			Change: changeWatched,
		},
		{
			Name: "queue", Type: cty.String, Required: true, Refs: []string{"azure_queue"}, Check: checkStorageID(queueService),
			Doc:    "The queue that is told: an azure_queue, or a queue's URL. Its account must be in the provider's resource group.",
			Change: spec.Updated,
		},
		{
			Name: "prefix", Type: cty.String, Default: cty.StringVal(""), Check: checkPrefix,
			Doc: "Only blobs whose names begin so.", Change: spec.Updated,
		},
		{
			Name: "suffix", Type: cty.String, Default: cty.StringVal(""),
			Doc: "Only blobs whose names end so.", Change: spec.Updated,
		},
		{
			Name: "event_types", Type: cty.Set(cty.String), Default: stringSet(blobCreated), Check: checkEventTypes,
			Doc: "The types of events. `Microsoft.Storage.BlobCreated` by default, which is all that Snowpipe reads.", Change: spec.Updated,
		},
		{
			Name: "apis", Type: cty.Set(cty.String), Default: stringSet("CopyBlob", "PutBlob", "PutBlockList", "FlushWithClose", "SftpCommit"), Check: notEmpty,
			Doc: "The storage operations that are told about, as in an event's `data.api`. By default those after which a blob is complete.", Change: spec.Updated,
		},
		{
			Name: "dead_letter", Type: cty.String, Refs: []string{"azure_container"}, Check: checkStorageID(blobService),
			Doc:    "A container for events that the queue does not take; without one they are dropped.",
			Change: spec.Updated,
		},
		{
			Name: "schema", Type: cty.String, Computed: true, Doc: "How events are written: always `EventGridSchema`, since Snowpipe reads no other.",
			Change: spec.Replaced("the schema of an event subscription's events cannot be changed, and Snowpipe reads EventGridSchema only"),
		},
		{Name: "id", Type: cty.String, Computed: true, Doc: "The resource id, `/subscriptions/…/eventSubscriptions/NAME`."},
	},
	ID: func(v cty.Value) string {
		if id := v.GetAttr("id"); id.IsKnown() && !id.IsNull() {
			return id.AsString()
		}
		return ""
	},
}

const (
	blobCreated     = "Microsoft.Storage.BlobCreated"
	eventGridSchema = "EventGridSchema"
)

func stringSet(values ...string) cty.Value {
	if len(values) == 0 {
		return cty.SetValEmpty(cty.String)
	}
	list := make([]cty.Value, len(values))
	for i, v := range values {
		list[i] = cty.StringVal(v)
	}
	return cty.SetVal(list)
}

func setStrings(v cty.Value) []string {
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		out = append(out, e.AsString())
	}
	slices.Sort(out)
	return out
}

func checkSubscriptionName(v cty.Value) error {
	if name := v.AsString(); !subscriptionName.MatchString(name) {
		return fmt.Errorf("the name has 3 to 64 letters, digits and hyphens, not %q", name)
	}
	return nil
}

func checkPrefix(v cty.Value) error {
	if strings.HasPrefix(v.AsString(), "/") {
		return fmt.Errorf("a blob's name does not begin with a slash; write %q", strings.TrimLeft(v.AsString(), "/"))
	}
	return nil
}

// maxFilterValues is Event Grid's bound on the values of all advanced filters
// ("Event filtering", Azure Event Grid documentation).
const maxFilterValues = 25

func notEmpty(v cty.Value) error {
	switch n := v.LengthInt(); {
	case n == 0:
		return fmt.Errorf("must not be empty: nothing would be told about")
	case n > maxFilterValues:
		return fmt.Errorf("has %d values, Event Grid takes %d", n, maxFilterValues)
	}
	return nil
}

func checkEventTypes(v cty.Value) error {
	for _, name := range setStrings(v) {
		if !strings.HasPrefix(name, "Microsoft.Storage.") {
			return fmt.Errorf("%q is no event of a storage account, which begin with \"Microsoft.Storage.\"", name)
		}
	}
	return notEmpty(v)
}

// changeWatched: an event subscription belongs to a storage account, and filters
// for the container.
func changeWatched(before, after cty.Value) spec.Verdict {
	if before.IsNull() || after.IsNull() || !after.IsKnown() {
		return spec.Verdict{Act: spec.InPlace}
	}
	was, _, err := ParseContainerURL(before.AsString())
	is, _, err2 := ParseContainerURL(after.AsString())
	if err != nil || err2 != nil || was == is {
		return spec.Verdict{Act: spec.InPlace}
	}
	return spec.Verdict{Act: spec.Replace, Why: "the container is in another storage account, and an event subscription belongs to one"}
}

package azure_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
)

// What somebody made that mkt would not write so must show as a difference.
func TestForeignEventSubscription(t *testing.T) {
	const id = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Storage/storageAccounts/mktlocal/providers/Microsoft.EventGrid/eventSubscriptions/created"
	queue := `"destination": {"endpointType": "StorageQueue", "properties": {"resourceId": "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Storage/storageAccounts/mktlocal", "queueName": "q"}}`
	subject := `"subjectBeginsWith": "/blobServices/default/containers/data/blobs/in/"`
	for _, tt := range []struct{ name, properties, attr, want string }{
		{"ours", queue + `, "filter": {` + subject + `}`, "prefix", "in/"},
		{"canonical names", queue + `, "filter": {` + subject + `}`, "container", "https://mktlocal.blob.core.windows.net/data"},
		{"queue", queue + `, "filter": {` + subject + `}`, "queue", "https://mktlocal.queue.core.windows.net/q"},
		{"container without blobs", queue + `, "filter": {"subjectBeginsWith": "/blobServices/default/containers/data/"}`, "container", "https://mktlocal.blob.core.windows.net/data"},
		{"no filter on the subject", queue + `, "filter": {"subjectBeginsWith": ""}`, "container", `(subjects that begin with "")`},
		{"schema", queue + `, "eventDeliverySchema": "CloudEventSchemaV1_0", "filter": {` + subject + `}`, "schema", "CloudEventSchemaV1_0"},
		{"web hook", `"destination": {"endpointType": "WebHook", "properties": {}}, "filter": {` + subject + `}`, "queue", "(a destination of type WebHook)"},
		{"another filter", queue + `, "filter": {` + subject + `, "advancedFilters": [{"operatorType": "NumberGreaterThan", "key": "data.contentLength", "value": 1}]}`,
			"apis", "(a filter NumberGreaterThan on data.contentLength)"},
		{"event types", queue + `, "filter": {` + subject + `, "includedEventTypes": ["Microsoft.Storage.BlobDeleted"]}`, "event_types", "Microsoft.Storage.BlobDeleted"},
	} {
		p := azure.Through(serve(t).connect(t, nil), faulty(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			resp := answer(r, http.StatusOK, map[string]string{"Content-Type": "application/json"})
			resp.Body = io.NopCloser(strings.NewReader(`{"name": "created", "properties": {` + tt.properties + `}}`))
			return resp, nil
		}))
		got := p.Resource("azure_event_subscription").Read(t.Context(), []providers.Ref{{ID: id}})[0]
		if got.Err != nil {
			t.Errorf("%s: %v", tt.name, got.Err)
			continue
		}
		values := []cty.Value{got.State.GetAttr(tt.attr)}
		if !values[0].Type().IsPrimitiveType() {
			values = values[0].AsValueSlice()
		}
		if !slices.ContainsFunc(values, func(v cty.Value) bool { return v.AsString() == tt.want }) {
			t.Errorf("%s: %s is %#v, want %q", tt.name, tt.attr, got.State.GetAttr(tt.attr), tt.want)
		}
		if !got.State.IsWhollyKnown() || !got.State.Type().Equals(azure.EventSubscription.Type()) {
			t.Errorf("%s: %#v", tt.name, got.State)
		}
	}
}

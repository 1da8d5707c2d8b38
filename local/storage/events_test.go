package storage

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/eventgrid/armeventgrid/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
)

func storageQueue(name string) *armeventgrid.StorageQueueEventSubscriptionDestination {
	return &armeventgrid.StorageQueueEventSubscriptionDestination{
		EndpointType: to.Ptr(armeventgrid.EndpointTypeStorageQueue),
		Properties:   &armeventgrid.StorageQueueEventSubscriptionDestinationProperties{ResourceID: new(testScope), QueueName: new(name)},
	}
}

// subscriptionFor is what mkt asks for: blobs under prefix in container.
func subscriptionFor(queue, container, prefix string) armeventgrid.EventSubscription {
	return armeventgrid.EventSubscription{Properties: &armeventgrid.EventSubscriptionProperties{
		Destination:         storageQueue(queue),
		EventDeliverySchema: to.Ptr(armeventgrid.EventDeliverySchemaEventGridSchema),
		Filter: &armeventgrid.EventSubscriptionFilter{
			IncludedEventTypes: []*string{new(blobCreated)},
			SubjectBeginsWith:  new("/blobServices/default/containers/" + container + "/blobs/" + prefix),
			AdvancedFilters: []armeventgrid.AdvancedFilterClassification{&armeventgrid.StringInAdvancedFilter{
				Key: new("data.api"), OperatorType: to.Ptr(armeventgrid.AdvancedFilterOperatorTypeStringIn),
				Values: []*string{new("CopyBlob"), new("PutBlob"), new("PutBlockList"), new("FlushWithClose"), new("SftpCommit")},
			}},
		},
	}}
}

func (w *world) subscribe(name string, sub armeventgrid.EventSubscription) {
	w.t.Helper()
	poller, err := w.eventClient(testToken).BeginCreateOrUpdate(w.t.Context(), testScope, name, sub, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := poller.PollUntilDone(w.t.Context(), nil); err != nil {
		w.t.Fatal(err)
	}
}

// events takes all messages of a queue and decodes them.
func (w *world) events(queue string) []map[string]any {
	w.t.Helper()
	var out []map[string]any
	for {
		resp := must[azqueue.DequeueMessagesResponse](w.t)(w.queueClient().NewQueueClient(queue).DequeueMessages(w.t.Context(), &azqueue.DequeueMessagesOptions{NumberOfMessages: new(int32(32))}))
		if len(resp.Messages) == 0 {
			return out
		}
		for _, m := range resp.Messages {
			body, err := base64.StdEncoding.DecodeString(*m.MessageText)
			if err != nil {
				w.t.Fatal(err)
			}
			var e map[string]any
			if err := json.Unmarshal(body, &e); err != nil {
				w.t.Fatal(err)
			}
			out = append(out, e)
		}
	}
}

func TestEventSubscription(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.container("data")
	if _, err := w.queueClient().CreateQueue(ctx, "events", nil); err != nil {
		t.Fatal(err)
	}
	ec := w.eventClient(testToken)
	_, err := ec.Get(ctx, testScope, "created", nil)
	wantCode(t, err, 404, "ResourceNotFound")
	_, err = w.eventClient("wrong").Get(ctx, testScope, "created", nil)
	wantCode(t, err, 403, "AuthorizationFailed")
	_, err = ec.BeginCreateOrUpdate(ctx, testScope, "created", subscriptionFor("nothing", "data", ""), nil)
	wantCode(t, err, 400, "InvalidRequest")
	_, err = ec.BeginCreateOrUpdate(ctx, strings.Replace(testScope, testAccount, "elsewhere", 1), "created", subscriptionFor("events", "data", ""), nil)
	wantCode(t, err, 404, "ResourceNotFound")
	foreign := subscriptionFor("events", "data", "")
	foreign.Properties.EventDeliverySchema = to.Ptr(armeventgrid.EventDeliverySchemaCloudEventSchemaV10)
	_, err = ec.BeginCreateOrUpdate(ctx, testScope, "created", foreign, nil)
	wantCode(t, err, 501, "NotImplemented")

	w.subscribe("created", subscriptionFor("events", "data", "in/"))
	got := must[armeventgrid.EventSubscriptionsClientGetResponse](t)(ec.Get(ctx, testScope, "created", nil))
	queue, _ := got.Properties.Destination.(*armeventgrid.StorageQueueEventSubscriptionDestination)
	if *got.Properties.ProvisioningState != "Succeeded" || *got.Properties.Topic != testScope || queue == nil || *queue.Properties.QueueName != "events" ||
		*got.Properties.Filter.SubjectBeginsWith != "/blobServices/default/containers/data/blobs/in/" || len(got.Properties.Filter.AdvancedFilters) != 1 ||
		*got.ID != testScope+"/providers/Microsoft.EventGrid/eventSubscriptions/created" {
		t.Fatalf("read back: %+v", got.Properties)
	}
	page := must[armeventgrid.EventSubscriptionsClientListByResourceResponse](t)(
		ec.NewListByResourcePager("group", "Microsoft.Storage", "storageAccounts", testAccount, nil).NextPage(ctx))
	if len(page.Value) != 1 || *page.Value[0].Name != "created" {
		t.Fatalf("listed %d", len(page.Value))
	}

	c := w.blobClient()
	w.put("data", "out/x", "1")
	w.put("data", "in/put", "12345")
	if _, err := c.UploadStream(ctx, "data", "in/blocks", bytes.NewReader(make([]byte, 3<<20)), &azblob.UploadStreamOptions{BlockSize: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	cc := c.ServiceClient().NewContainerClient("data")
	if _, err := cc.NewBlobClient("in/copy").StartCopyFromURL(ctx, cc.NewBlobClient("out/x").URL(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := cc.NewBlobClient("in/put").SetMetadata(ctx, map[string]*string{"a": new("b")}, nil); err != nil {
		t.Fatal(err)
	}
	apis := map[string]string{}
	for _, e := range w.events("events") {
		data := e["data"].(map[string]any)
		apis[strings.TrimPrefix(e["subject"].(string), "/blobServices/default/containers/data/blobs/")] = data["api"].(string)
		if e["subject"].(string) != "/blobServices/default/containers/data/blobs/in/put" {
			continue
		}
		if got := slices.Sorted(maps.Keys(e)); strings.Join(got, " ") != "data dataVersion eventTime eventType id metadataVersion subject topic" {
			t.Errorf("members: %v", got)
		}
		for _, name := range []string{"requestId", "eTag", "sequencer", "storageDiagnostics"} {
			if data[name] == "" || data[name] == nil {
				t.Errorf("data.%s is missing", name)
			}
		}
		if e["eventType"] != blobCreated || e["topic"] != testScope || data["contentLength"] != 5.0 || data["contentType"] != "application/octet-stream" ||
			data["blobType"] != "BlockBlob" || data["url"] != "https://"+testAccount+".blob.core.windows.net/data/in/put" {
			t.Errorf("event: %v", e)
		}
	}
	want := map[string]string{"in/put": "PutBlob", "in/blocks": "PutBlockList", "in/copy": "CopyBlob"}
	if !maps.Equal(apis, want) {
		t.Fatalf("events: %v, want %v", apis, want)
	}

	deleted, err := ec.BeginDelete(ctx, testScope, "created", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deleted.PollUntilDone(ctx, nil); err != nil {
		t.Fatal(err)
	}
	w.put("data", "in/put", "again")
	if left := w.events("events"); len(left) != 0 {
		t.Fatalf("%d events after the subscription was deleted", len(left))
	}
}

func TestFilter(t *testing.T) {
	e := event{Subject: "/blobServices/default/containers/C/blobs/a.json", EventType: blobCreated, Data: eventData{API: "PutBlob"}}
	for _, tt := range []struct {
		name string
		f    filter
		want bool
	}{
		{"all", filter{}, true},
		{"prefix without case", filter{BeginsWith: "/blobservices/default/containers/c/"}, true},
		{"prefix with case", filter{BeginsWith: "/blobservices/", SubjectCaseMatters: true}, false},
		{"suffix", filter{EndsWith: ".csv"}, false},
		{"type", filter{Types: []string{"Microsoft.Storage.BlobDeleted"}}, false},
		{"api", filter{Advanced: []advancedFilter{{"StringIn", "data.api", []string{"x", "putblob"}}}}, true},
		{"other api", filter{Advanced: []advancedFilter{{"StringIn", "data.api", []string{"CopyBlob"}}}}, false},
		{"both must match", filter{Advanced: []advancedFilter{{"StringEndsWith", "subject", []string{".json"}}, {"StringContains", "data.api", []string{"Copy"}}}}, false},
	} {
		if got := tt.f.matches(e); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzSubscription(f *testing.F) {
	f.Add([]byte(`{"properties":{"destination":{"endpointType":"StorageQueue","properties":{"resourceId":"` + testScope + `","queueName":"q"}},"filter":{"advancedFilters":[{"operatorType":"StringIn","key":"data.api","values":["PutBlob"]}]}}}`))
	f.Add([]byte(`{"properties":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sub, err := parseSubscription(body)
		if err != nil {
			return
		}
		if _, err := sub.describe("Succeeded"); err != nil {
			t.Fatalf("accepted, but not to be shown: %v", err)
		}
		sub.Filter.matches(event{Subject: "/a"})
	})
}

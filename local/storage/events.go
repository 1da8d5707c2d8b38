package storage

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const blobCreated = "Microsoft.Storage.BlobCreated"

// subscription is an event subscription on a storage account.
type subscription struct {
	Scope      string // resource id of the account, as the request wrote it
	Account    string // name of that account
	Name       string // of the subscription
	Queue      string // name of the destination queue, in the destination's account
	QueueOwner string // account of the destination queue
	TTL        int64  // seconds that a message lives; negative: for ever
	Filter     filter
	Properties json.RawMessage // as they are read back
}

// filter decides which events a subscription gets. Empty members match all.
type filter struct {
	Types               []string         `json:"includedEventTypes,omitempty"`
	BeginsWith          string           `json:"subjectBeginsWith,omitempty"`
	EndsWith            string           `json:"subjectEndsWith,omitempty"`
	SubjectCaseMatters  bool             `json:"isSubjectCaseSensitive,omitempty"`
	Advanced            []advancedFilter `json:"advancedFilters,omitempty"`
	ArrayFilteringAsked bool             `json:"enableAdvancedFilteringOnArrays,omitempty"`
}

type advancedFilter struct {
	Operator string   `json:"operatorType"`
	Key      string   `json:"key"`
	Values   []string `json:"values"`
}

// event is one event in the EventGrid schema ("Azure Blob Storage as an Event
// Grid source", Azure Event Grid documentation).
type event struct {
	Topic           string    `json:"topic"`
	Subject         string    `json:"subject"`
	EventType       string    `json:"eventType"`
	ID              string    `json:"id"`
	Data            eventData `json:"data"`
	DataVersion     string    `json:"dataVersion"`
	MetadataVersion string    `json:"metadataVersion"`
	EventTime       string    `json:"eventTime"`
}

type eventData struct {
	API             string            `json:"api"`
	ClientRequestID string            `json:"clientRequestId"`
	RequestID       string            `json:"requestId"`
	ETag            string            `json:"eTag"`
	ContentType     string            `json:"contentType"`
	ContentLength   int64             `json:"contentLength"`
	BlobType        string            `json:"blobType"`
	AccessTier      string            `json:"accessTier"`
	URL             string            `json:"url"`
	Sequencer       string            `json:"sequencer"`
	Diagnostics     map[string]string `json:"storageDiagnostics"`
}

// Message is an event on its way into a queue.
type Message struct {
	Account, Queue string
	Text           string        // base64
	TTL            time.Duration // negative: for ever
}

// Created returns the messages that the subscriptions of the resource manager send of a blob that another server has
// stored: a blob service without an Event Grid. api is the operation
// that made it, size in bytes.
func (s *Storage) Created(account, container, name, api string, size int64, etag, contentType string) ([]Message, error) {
	rq := &request{r: &http.Request{}, id: newID(), account: account, container: container, object: name}
	b := &blob{Size: size, ETag: etag, ContentType: contentType, Modified: s.now()}
	var out []Message
	err := s.view(func(st *state) error {
		out = st.messages(rq, b, api)
		return nil
	})
	return out, err
}

// emit puts one message for each matching subscription into its queue, within
// the same journal line as the blob. A subscription whose queue is gone loses
// the event, as in Azure after its retries.
func (t *tx) emit(rq *request, b *blob, api string) {
	for _, m := range t.s.state.messages(rq, b, api) {
		queue := m.Account + "/" + m.Queue
		if t.s.state.queues[queue] == nil {
			t.s.log.Warn("event dropped: its queue does not exist", "queue", m.Queue, "blob", rq.object)
			continue
		}
		t.enqueue(queue, m.Text, m.TTL, 0)
	}
}

// messages are the events of a new blob that subscriptions want.
func (st *state) messages(rq *request, b *blob, api string) []Message {
	var out []Message
	var e event
	for _, sub := range st.subscriptions {
		if sub.Account != rq.account {
			continue
		}
		if e.ID == "" {
			e = newEvent(rq, b, api)
		}
		if !sub.Filter.matches(e) {
			continue
		}
		e.Topic = sub.Scope
		body, err := json.Marshal(e)
		if err != nil {
			panic(fmt.Sprintf("storage: encode event: %v", err)) // plain data: cannot fail
		}
		out = append(out, Message{sub.QueueOwner, sub.Queue, base64.StdEncoding.EncodeToString(body), time.Duration(sub.TTL) * time.Second})
	}
	return out
}

func newEvent(rq *request, b *blob, api string) event {
	link := url.URL{Scheme: "https", Host: rq.account + ".blob.core.windows.net", Path: "/" + rq.container + "/" + rq.object}
	return event{
		Subject: "/blobServices/default/containers/" + rq.container + "/blobs/" + rq.object, EventType: blobCreated,
		EventTime: b.Modified.UTC().Format("2006-01-02T15:04:05.0000000Z"), ID: newID(), MetadataVersion: "1",
		Data: eventData{
			API: api, ClientRequestID: rq.header("x-ms-client-request-id"), RequestID: rq.id,
			ETag: strings.Trim(b.ETag, `"`), ContentType: b.ContentType, ContentLength: b.Size, BlobType: "BlockBlob",
			AccessTier: cmp.Or(b.Tier, "Default"), URL: link.String(), Sequencer: hex16(0) + hex16(b.Modified.UnixNano()),
			Diagnostics: map[string]string{"batchId": newID()},
		},
	}
}

func (f filter) matches(e event) bool {
	subject, begins, ends := e.Subject, f.BeginsWith, f.EndsWith
	if !f.SubjectCaseMatters {
		subject, begins, ends = strings.ToLower(subject), strings.ToLower(begins), strings.ToLower(ends)
	}
	if !strings.HasPrefix(subject, begins) || !strings.HasSuffix(subject, ends) {
		return false
	}
	if len(f.Types) > 0 && !slices.Contains(f.Types, e.EventType) {
		return false
	}
	for _, a := range f.Advanced {
		if !a.matches(e) {
			return false
		}
	}
	return true
}

// stringFilters are the operators understood; Event Grid compares strings
// without regard to case.
var stringFilters = map[string]func(got, want string) bool{
	"StringIn":         func(got, want string) bool { return got == want },
	"StringBeginsWith": strings.HasPrefix,
	"StringEndsWith":   strings.HasSuffix,
	"StringContains":   strings.Contains,
}

// eventKeys are the keys understood in advanced filters.
var eventKeys = map[string]func(event) string{
	"subject":          func(e event) string { return e.Subject },
	"eventtype":        func(e event) string { return e.EventType },
	"data.api":         func(e event) string { return e.Data.API },
	"data.contenttype": func(e event) string { return e.Data.ContentType },
	"data.blobtype":    func(e event) string { return e.Data.BlobType },
	"data.url":         func(e event) string { return e.Data.URL },
}

func (a advancedFilter) matches(e event) bool {
	compare, value := stringFilters[a.Operator], eventKeys[strings.ToLower(a.Key)]
	if compare == nil || value == nil {
		return false
	}
	got := strings.ToLower(value(e))
	return slices.ContainsFunc(a.Values, func(want string) bool { return compare(got, strings.ToLower(want)) })
}

// check refuses by name what matches would not understand.
func (f filter) check() error {
	for _, t := range f.Types {
		if t != blobCreated {
			return unsupported("The event type " + t)
		}
	}
	if f.ArrayFilteringAsked {
		return unsupported("enableAdvancedFilteringOnArrays")
	}
	for _, a := range f.Advanced {
		if stringFilters[a.Operator] == nil {
			return unsupported("The advanced filter operator " + a.Operator)
		}
		if eventKeys[strings.ToLower(a.Key)] == nil {
			return unsupported("The advanced filter key " + a.Key)
		}
	}
	return nil
}

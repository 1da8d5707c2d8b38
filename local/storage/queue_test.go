package storage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
)

func TestQueues(t *testing.T) {
	w := open(t)
	c, ctx := w.queueClient(), t.Context()
	for i := range 3 {
		if _, err := c.CreateQueue(ctx, fmt.Sprintf("queue-%d", i), &azqueue.CreateOptions{Metadata: map[string]*string{"n": new(fmt.Sprint(i))}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.CreateQueue(ctx, "queue-0", &azqueue.CreateOptions{Metadata: map[string]*string{"n": new("0")}}); err != nil {
		t.Fatalf("same queue again: %v", err)
	}
	_, err := c.CreateQueue(ctx, "queue-0", nil)
	wantCode(t, err, 409, "QueueAlreadyExists")
	var listed []string
	for pager := c.NewListQueuesPager(&azqueue.ListQueuesOptions{MaxResults: new(int32(2)), Prefix: new("queue-"), Include: azqueue.ListQueuesInclude{Metadata: true}}); pager.More(); {
		page := must[azqueue.ListQueuesResponse](t)(pager.NextPage(ctx))
		for _, q := range page.Queues {
			listed = append(listed, *q.Name+"="+*q.Metadata["n"])
		}
	}
	if got := strings.Join(listed, " "); got != "queue-0=0 queue-1=1 queue-2=2" {
		t.Fatal(got)
	}
	q := c.NewQueueClient("queue-0")
	if _, err := q.SetMetadata(ctx, &azqueue.SetMetadataOptions{Metadata: map[string]*string{"x": new("y")}}); err != nil {
		t.Fatal(err)
	}
	p := must[azqueue.GetQueuePropertiesResponse](t)(q.GetProperties(ctx, nil))
	if *p.Metadata["X"] != "y" || *p.ApproximateMessagesCount != 0 {
		t.Fatalf("properties: %+v", p)
	}
	if _, err := q.Delete(ctx, nil); err != nil {
		t.Fatal(err)
	}
	_, err = q.GetProperties(ctx, nil)
	wantCode(t, err, 404, "QueueNotFound")
	_, err = q.EnqueueMessage(ctx, "x", nil)
	wantCode(t, err, 404, "QueueNotFound")
}

func TestMessages(t *testing.T) {
	w := open(t)
	now := time.Now()
	w.s.now = func() time.Time { return now }
	c, ctx := w.queueClient(), t.Context()
	q := c.NewQueueClient("events")
	if _, err := q.Create(ctx, nil); err != nil {
		t.Fatal(err)
	}
	text := " <a> & \"b\"\n "
	must[azqueue.EnqueueMessagesResponse](t)(q.EnqueueMessage(ctx, text, nil))
	must[azqueue.EnqueueMessagesResponse](t)(q.EnqueueMessage(ctx, "later", &azqueue.EnqueueMessageOptions{VisibilityTimeout: new(int32(100))}))
	must[azqueue.EnqueueMessagesResponse](t)(q.EnqueueMessage(ctx, "short", &azqueue.EnqueueMessageOptions{TimeToLive: new(int32(50))}))
	_, err := q.EnqueueMessage(ctx, strings.Repeat("x", maxMessage+1), nil)
	wantCode(t, err, 400, "RequestBodyTooLarge")
	if n := *must[azqueue.GetQueuePropertiesResponse](t)(q.GetProperties(ctx, nil)).ApproximateMessagesCount; n != 3 {
		t.Fatalf("%d messages", n)
	}
	peeked := must[azqueue.PeekMessagesResponse](t)(q.PeekMessages(ctx, &azqueue.PeekMessagesOptions{NumberOfMessages: new(int32(32))}))
	if len(peeked.Messages) != 2 || *peeked.Messages[0].MessageText != text || *peeked.Messages[0].DequeueCount != 0 {
		t.Fatalf("peeked %d", len(peeked.Messages))
	}
	take := func(seconds int32) []*azqueue.DequeuedMessage {
		t.Helper()
		return must[azqueue.DequeueMessagesResponse](t)(q.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{
			NumberOfMessages: new(int32(32)), VisibilityTimeout: &seconds})).Messages
	}
	first := take(30)
	if len(first) != 2 || *first[0].MessageText != text || *first[0].DequeueCount != 1 || len(take(30)) != 0 {
		t.Fatalf("took %d", len(first))
	}
	now = now.Add(60 * time.Second) // visible again; the short one has expired
	second := take(30)
	if len(second) != 1 || *second[0].MessageID != *first[0].MessageID || *second[0].DequeueCount != 2 {
		t.Fatalf("took %d again", len(second))
	}
	_, err = q.DeleteMessage(ctx, *first[0].MessageID, *first[0].PopReceipt, nil)
	wantCode(t, err, 400, "PopReceiptMismatch")
	updated := must[azqueue.UpdateMessageResponse](t)(q.UpdateMessage(ctx, *second[0].MessageID, *second[0].PopReceipt, "changed", &azqueue.UpdateMessageOptions{VisibilityTimeout: new(int32(0))}))
	if got := take(30); len(got) != 1 || *got[0].MessageText != "changed" {
		t.Fatal("the update is not seen")
	} else {
		_, err = q.DeleteMessage(ctx, *got[0].MessageID, *updated.PopReceipt, nil)
		wantCode(t, err, 400, "PopReceiptMismatch")
		if _, err := q.DeleteMessage(ctx, *got[0].MessageID, *got[0].PopReceipt, nil); err != nil {
			t.Fatal(err)
		}
		_, err = q.DeleteMessage(ctx, *got[0].MessageID, *got[0].PopReceipt, nil)
		wantCode(t, err, 404, "MessageNotFound")
	}
	now = now.Add(60 * time.Second)
	if got := take(30); len(got) != 1 || *got[0].MessageText != "later" {
		t.Fatalf("took %d", len(got))
	}
	if _, err := q.ClearMessages(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if n := *must[azqueue.GetQueuePropertiesResponse](t)(q.GetProperties(ctx, nil)).ApproximateMessagesCount; n != 0 {
		t.Fatalf("%d messages", n)
	}
}

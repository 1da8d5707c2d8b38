package warehouse

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
)

const (
	pollEvery      = 150 * time.Millisecond
	messageLease   = int32(5) // seconds a message stays hidden while its files are written down; after a crash it comes again that late
	messagesPerGet = int32(32)
)

// queuePoller reads the notification queue of one integration and hands the files to its pipes.
type queuePoller struct {
	w      *Warehouse
	id     int64
	name   string
	def    *integrationDef
	cancel context.CancelFunc
}

func (q *queuePoller) loop(ctx context.Context) {
	wait := pollEvery
	logged := ""
	for ctx.Err() == nil {
		n, err := q.poll(ctx)
		switch {
		case err == nil && n > 0:
			wait, logged = pollEvery, ""
			continue
		case err == nil:
			wait, logged = pollEvery, ""
		case ctx.Err() == nil:
			if logged != err.Error() {
				logged = err.Error()
				q.w.log.Warn("notification queue", "integration", q.name, "err", err)
			}
			wait = min(2*wait, 2*time.Second)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// blobEvent is what a message says of a blob.
type blobEvent struct {
	account, container, path string
	size                     int64
	at                       time.Time
}

// parseEvent reads an Event Grid message, base64 or plain. ok is false for events of no interest.
func parseEvent(text string) (ev blobEvent, ok bool, err error) {
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil {
		text = string(raw)
	}
	var m struct {
		Topic     string    `json:"topic"`
		Subject   string    `json:"subject"`
		EventType string    `json:"eventType"`
		EventTime time.Time `json:"eventTime"`
		Data      struct {
			URL    string `json:"url"`
			Length int64  `json:"contentLength"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return ev, false, fmt.Errorf("notification is no event: %w", err)
	}
	if m.EventType != "Microsoft.Storage.BlobCreated" {
		return ev, false, nil
	}
	rest, found := strings.CutPrefix(m.Subject, "/blobServices/default/containers/")
	container, path, found2 := strings.Cut(rest, "/blobs/")
	if !found || !found2 || container == "" || path == "" {
		return ev, false, fmt.Errorf("event subject %q names no blob", m.Subject)
	}
	ev = blobEvent{container: container, path: path, size: m.Data.Length, at: m.EventTime}
	if i := strings.LastIndex(m.Topic, "/"); i >= 0 {
		ev.account = m.Topic[i+1:]
	} else if u, err := url.Parse(m.Data.URL); err == nil {
		ev.account, _, _ = strings.Cut(u.Host, ".")
	}
	return ev, true, nil
}

// poll takes one batch of messages. A message is deleted when its files are in the pipes' durable lists.
func (q *queuePoller) poll(ctx context.Context) (int, error) {
	if !q.w.consented() {
		return 0, errNoConsent()
	}
	client, err := q.w.queue(q.def)
	if err != nil {
		return 0, err
	}
	get, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	n, lease := messagesPerGet, messageLease
	resp, err := client.DequeueMessages(get, &azqueue.DequeueMessagesOptions{NumberOfMessages: &n, VisibilityTimeout: &lease})
	if err != nil {
		return 0, fmt.Errorf("receive: %w", err)
	}
	files := map[*pipeWorker][]pendingFile{}
	now := q.w.now()
	pipes := q.pipes()
	for _, p := range pipes {
		if len(resp.Messages) > 0 {
			p.worker.mu.Lock()
			p.worker.lastMsg = now
			p.worker.mu.Unlock()
		}
	}
	for _, m := range resp.Messages {
		ev, ok, err := parseEvent(deref(m.MessageText))
		if err != nil {
			q.w.log.Warn("notification queue", "integration", q.name, "err", err)
		}
		if !ok {
			continue
		}
		for _, p := range pipes {
			account, container, _ := p.bound.stage.Stage.location()
			if ev.container == container && (ev.account == "" || strings.EqualFold(ev.account, account)) && p.bound.matches(ev.path) {
				files[p.worker] = append(files[p.worker], pendingFile{path: ev.path, size: ev.size, event: ev.at, received: now})
			}
		}
	}
	for p, list := range files {
		if err := p.enqueue(ctx, list); err != nil {
			return 0, fmt.Errorf("write down files: %w", err)
		}
		p.mu.Lock()
		p.lastFwd = now
		p.mu.Unlock()
	}
	for _, m := range resp.Messages {
		if _, err := client.DeleteMessage(get, deref(m.MessageID), deref(m.PopReceipt), nil); err != nil {
			return 0, fmt.Errorf("delete message: %w", err) // it comes again; the pipes know the file
		}
	}
	return len(resp.Messages), nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// listener is a pipe that takes events: running or paused, not stopped.
type listener struct {
	worker *pipeWorker
	bound  *boundCopy
}

func (q *queuePoller) pipes() []listener {
	var out []listener
	q.w.pipeMu.Lock()
	defer q.w.pipeMu.Unlock()
	for _, o := range q.w.cat.list(kindPipe, func(o *object) bool { return o.Pipe.AutoIngest && o.Pipe.Integration == q.name }) {
		p := q.w.pipes[o.ID]
		if state := q.w.cat.state(o); p == nil || state != "RUNNING" && state != "PAUSED" {
			continue
		}
		stage := q.w.cat.id(o.Pipe.StageID)
		b := &boundCopy{def: o.Pipe.Copy, stage: stage}
		b.path = joinPath(stage, o.Pipe.Copy.Path)
		out = append(out, listener{p, b})
	}
	return out
}

// outstanding gives the number of messages in the queue, as the queue estimates it.
func (q *queuePoller) outstanding() (int64, error) {
	if !q.w.consented() {
		return 0, errNoConsent()
	}
	client, err := q.w.queue(q.def)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(q.w.ctx, 5*time.Second)
	defer cancel()
	p, err := client.GetProperties(ctx, nil)
	if err != nil || p.ApproximateMessagesCount == nil {
		return 0, err
	}
	return *p.ApproximateMessagesCount, nil
}

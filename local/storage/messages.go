package storage

import (
	"encoding/xml"
	"net/http"
	"strings"
	"time"
)

const (
	week           = 7 * 24 * time.Hour
	maxMessage     = 64 << 10 // bytes
	maxVisibility  = int64(week / time.Second)
	defaultVisible = 30 // seconds that a taken message stays hidden
)

// forever is the expiry of a message with TTL -1.
var forever = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

type messageXML struct {
	MessageID       string `xml:"MessageId"`
	InsertionTime   string
	ExpirationTime  string
	PopReceipt      string `xml:",omitempty"`
	TimeNextVisible string `xml:",omitempty"`
	DequeueCount    *int64 `xml:",omitempty"`
	MessageText     *string
}

type messagesXML struct {
	XMLName  xml.Name     `xml:"QueueMessagesList"`
	Messages []messageXML `xml:"QueueMessage"`
}

func describeMessage(id string, m *message) messageXML {
	return messageXML{
		MessageID: id, InsertionTime: m.Inserted.UTC().Format(http.TimeFormat), ExpirationTime: m.Expires.UTC().Format(http.TimeFormat),
		PopReceipt: m.Receipt, TimeNextVisible: m.Visible.UTC().Format(http.TimeFormat),
	}
}

// readMessage reads the body of Put and Update Message.
func readMessage(r *http.Request) (string, error) {
	var in struct {
		XMLName xml.Name `xml:"QueueMessage"`
		Text    string   `xml:"MessageText"`
	}
	if err := readXML(r, &in); err != nil {
		return "", err
	}
	if len(in.Text) > maxMessage {
		return "", fail(http.StatusBadRequest, "RequestBodyTooLarge", "The message is larger than %d bytes.", maxMessage)
	}
	return in.Text, nil
}

func (s *Storage) putMessage(rq *request) error {
	text, err := readMessage(rq.r)
	if err != nil {
		return err
	}
	hidden, err := intQuery(rq.q, "visibilitytimeout", 0, maxVisibility, 0)
	if err != nil {
		return err
	}
	ttl, err := intQuery(rq.q, "messagettl", -1, 1<<31-1, int64(week/time.Second))
	if err != nil {
		return err
	}
	if ttl == 0 || ttl > 0 && hidden >= ttl {
		return badQuery("messagettl", rq.q.Get("messagettl"))
	}
	var out messagesXML
	err = s.update(func(t *tx) error {
		if _, err := s.state.queue(rq); err != nil {
			return err
		}
		id, m := t.enqueue(rq.key(), text, time.Duration(ttl)*time.Second, time.Duration(hidden)*time.Second)
		out.Messages = []messageXML{describeMessage(id, m)}
		return nil
	})
	if err != nil {
		return err
	}
	writeXML(rq.w, http.StatusCreated, out)
	return nil
}

// enqueue adds a message; a ttl below zero is for ever.
func (t *tx) enqueue(queue, text string, ttl, hidden time.Duration) (string, *message) {
	now := t.s.now().UTC()
	m := &message{Text: text, Inserted: now, Expires: forever, Visible: now.Add(hidden), Receipt: newID()}
	if ttl >= 0 {
		m.Expires = now.Add(ttl)
	}
	id := newID()
	t.put(kindMessage, []string{queue, id}, m)
	return id, m
}

func (s *Storage) getMessages(rq *request) error {
	n, err := intQuery(rq.q, "numofmessages", 1, 32, 1)
	if err != nil {
		return err
	}
	hidden, err := intQuery(rq.q, "visibilitytimeout", 1, maxVisibility, defaultVisible)
	if err != nil {
		return err
	}
	peek := rq.q.Get("peekonly") == "true"
	var out messagesXML
	err = s.update(func(t *tx) error {
		q, err := s.state.queue(rq)
		if err != nil {
			return err
		}
		now := s.now().UTC()
		var expired []string
		for _, id := range q.order {
			m := q.messages[id]
			if m == nil {
				continue
			}
			if !now.Before(m.Expires) {
				expired = append(expired, id)
				continue
			}
			if now.Before(m.Visible) {
				continue
			}
			taken := *m
			if !peek {
				taken.Count++
				taken.Receipt, taken.Visible = newID(), now.Add(time.Duration(hidden)*time.Second)
				t.put(kindMessage, []string{rq.key(), id}, &taken)
			}
			item := describeMessage(id, &taken)
			item.DequeueCount, item.MessageText = &taken.Count, &taken.Text
			if peek {
				item.PopReceipt, item.TimeNextVisible = "", ""
			}
			if out.Messages = append(out.Messages, item); len(out.Messages) == int(n) {
				break
			}
		}
		for _, id := range expired {
			t.del(kindMessage, rq.key(), id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeXML(rq.w, http.StatusOK, out)
	return nil
}

// taken finds the message of a request that names a pop receipt.
func (s *Storage) taken(rq *request) (string, *message, error) {
	q, err := s.state.queue(rq)
	if err != nil {
		return "", nil, err
	}
	id := strings.TrimPrefix(rq.object, "messages/")
	m := q.messages[id]
	if m == nil || !s.now().Before(m.Expires) {
		return "", nil, fail(http.StatusNotFound, "MessageNotFound", "The specified message does not exist.")
	}
	if m.Receipt != rq.q.Get("popreceipt") {
		return "", nil, fail(http.StatusBadRequest, "PopReceiptMismatch", "The specified pop receipt did not match the pop receipt for a dequeued message.")
	}
	return id, m, nil
}

func (s *Storage) updateMessage(rq *request) error {
	hidden, err := intQuery(rq.q, "visibilitytimeout", 0, maxVisibility, 0)
	if err != nil {
		return err
	}
	var text string
	if rq.r.ContentLength != 0 {
		if text, err = readMessage(rq.r); err != nil {
			return err
		}
	}
	return done(rq, http.StatusNoContent, s.update(func(t *tx) error {
		id, m, err := s.taken(rq)
		if err != nil {
			return err
		}
		changed := *m
		if rq.r.ContentLength != 0 {
			changed.Text = text
		}
		changed.Receipt, changed.Visible = newID(), s.now().UTC().Add(time.Duration(hidden)*time.Second)
		t.put(kindMessage, []string{rq.key(), id}, &changed)
		rq.w.Header().Set("x-ms-popreceipt", changed.Receipt)
		rq.w.Header().Set("x-ms-time-next-visible", changed.Visible.Format(http.TimeFormat))
		return nil
	}))
}

func (s *Storage) deleteMessage(rq *request) error {
	return done(rq, http.StatusNoContent, s.update(func(t *tx) error {
		id, _, err := s.taken(rq)
		if err == nil {
			t.del(kindMessage, rq.key(), id)
		}
		return err
	}))
}

func (s *Storage) clearMessages(rq *request) error {
	return done(rq, http.StatusNoContent, s.update(func(t *tx) error {
		if _, err := s.state.queue(rq); err != nil {
			return err
		}
		t.del(kindMessages, rq.key())
		return nil
	}))
}

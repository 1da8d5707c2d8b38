package storage

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// QueueHandler serves the Queue service, path style: /account/queue.
func (s *Storage) QueueHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, queueService, findQueueOperation)
	})
}

var queueServiceOps = map[string]operation{
	"GET list": {"l", (*Storage).listQueues},
}

var queueOps = map[string]operation{
	"PUT ":          {"cw", (*Storage).createQueue},
	"DELETE ":       {"d", (*Storage).deleteQueue},
	"GET metadata":  {"r", (*Storage).getQueue},
	"HEAD metadata": {"r", (*Storage).getQueue},
	"PUT metadata":  {"w", (*Storage).setQueueMetadata},
}

var messagesOps = map[string]operation{
	"POST ":   {"a", (*Storage).putMessage},
	"GET ":    {"rp", (*Storage).getMessages},
	"DELETE ": {"d", (*Storage).clearMessages},
}

var messageOps = map[string]operation{
	"PUT ":    {"u", (*Storage).updateMessage},
	"DELETE ": {"p", (*Storage).deleteMessage},
}

func findQueueOperation(rq *request) (o operation, kind string, listing bool, err error) {
	ops := messageOps
	switch {
	case rq.container == "":
		ops, kind = queueServiceOps, "s"
	case rq.object == "":
		ops, kind = queueOps, "c"
	case rq.object == "messages":
		ops, kind = messagesOps, "o"
	case strings.HasPrefix(rq.object, "messages/"):
		kind = "o"
	default:
		return o, "", false, fail(http.StatusBadRequest, "InvalidUri", "The requested URI does not represent any resource on the server.")
	}
	verb := rq.r.Method + " " + rq.q.Get("comp")
	o, ok := ops[verb]
	if !ok {
		return o, "", false, unsupported("The operation " + verb + " on the queue service")
	}
	if verb == "GET " { // peeking needs r, taking needs p
		o.need = "p"
		if rq.q.Get("peekonly") == "true" {
			o.need = "r"
		}
	}
	return o, kind, kind == "c" && verb == "GET metadata", nil
}

func (st *state) queue(rq *request) (*queue, error) {
	if q := st.queues[rq.key()]; q != nil {
		return q, nil
	}
	return nil, fail(http.StatusNotFound, "QueueNotFound", "The specified queue does not exist.")
}

func (s *Storage) createQueue(rq *request) error {
	if err := validResource(rq.container); err != nil {
		return err
	}
	status := http.StatusCreated
	p := &queueProps{Metadata: metadataOf(rq.r.Header)}
	err := s.update(func(t *tx) error {
		if s.beingDeleted("queue/" + rq.key()) {
			return fail(http.StatusConflict, "QueueBeingDeleted", "The specified queue is being deleted.")
		}
		if q := s.state.queues[rq.key()]; q != nil {
			if !maps.Equal(q.props.Metadata, p.Metadata) {
				return fail(http.StatusConflict, "QueueAlreadyExists", "The specified queue already exists.")
			}
			status = http.StatusNoContent
			return nil
		}
		t.put(kindQueue, []string{rq.key()}, p)
		return nil
	})
	return done(rq, status, err)
}

func (s *Storage) deleteQueue(rq *request) error {
	return done(rq, http.StatusNoContent, s.update(func(t *tx) error {
		if _, err := s.state.queue(rq); err != nil {
			return err
		}
		t.del(kindQueue, rq.key())
		if s.cfg.DeleteDelay > 0 {
			s.deleting["queue/"+rq.key()] = s.now().Add(s.cfg.DeleteDelay)
		}
		return nil
	}))
}

func (s *Storage) getQueue(rq *request) error {
	return done(rq, http.StatusOK, s.view(func(st *state) error {
		q, err := st.queue(rq)
		if err != nil {
			return err
		}
		count := 0
		for _, m := range q.messages {
			if s.now().Before(m.Expires) {
				count++
			}
		}
		setMetadata(rq.w.Header(), q.props.Metadata)
		rq.w.Header().Set("x-ms-approximate-messages-count", strconv.Itoa(count))
		return nil
	}))
}

func (s *Storage) setQueueMetadata(rq *request) error {
	return done(rq, http.StatusNoContent, s.update(func(t *tx) error {
		if _, err := s.state.queue(rq); err != nil {
			return err
		}
		t.put(kindQueue, []string{rq.key()}, &queueProps{Metadata: metadataOf(rq.r.Header)})
		return nil
	}))
}

func (s *Storage) listQueues(rq *request) error {
	type listedQueue struct {
		Name     string
		Metadata metadataXML `xml:",omitempty"`
	}
	names, page, err := pageOf(rq)
	if err != nil {
		return err
	}
	out := struct {
		XMLName    xml.Name `xml:"EnumerationResults"`
		Endpoint   string   `xml:"ServiceEndpoint,attr"`
		Prefix     string
		Marker     string
		MaxResults int
		Queues     []listedQueue `xml:"Queues>Queue"`
		NextMarker string
	}{Endpoint: "http://" + rq.r.Host + "/" + rq.account + "/", Prefix: page.prefix, Marker: rq.q.Get("marker"), MaxResults: page.max}
	err = s.view(func(st *state) error {
		found, next := names(slices.Sorted(maps.Keys(st.queues)))
		out.NextMarker = next
		for _, name := range found {
			item := listedQueue{Name: name}
			if m := st.queues[rq.account+"/"+name].props.Metadata; len(m) > 0 && rq.q.Get("include") == "metadata" {
				item.Metadata = m
			}
			out.Queues = append(out.Queues, item)
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeXML(rq.w, http.StatusOK, out)
	return nil
}

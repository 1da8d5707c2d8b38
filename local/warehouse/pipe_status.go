package warehouse

import (
	"database/sql"
	"encoding/json"
	"errors"
	"time"
)

// pipeStatus is SYSTEM$PIPE_STATUS.
func (w *Warehouse) pipeStatus(o *object) (string, error) {
	w.pipeMu.Lock()
	p := w.pipes[o.ID]
	var q *queuePoller
	for _, c := range w.queues {
		if c.name == o.Pipe.Integration {
			q = c
		}
	}
	w.pipeMu.Unlock()
	stamp := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
	m := map[string]any{"executionState": w.cat.state(o), "pendingFileCount": 0}
	if p != nil {
		p.mu.Lock()
		m["pendingFileCount"] = len(p.pending)
		if len(p.pending) > 0 {
			m["oldestPendingFilePath"] = p.pending[0].path
			m["oldestFileTimestamp"] = stamp(p.pending[0].event)
		}
		if p.lastError != "" {
			m["error"] = p.lastError
		}
		if !p.lastMsg.IsZero() {
			m["lastReceivedMessageTimestamp"] = stamp(p.lastMsg)
		}
		if !p.lastFwd.IsZero() {
			m["lastForwardedMessageTimestamp"] = stamp(p.lastFwd)
		}
		p.mu.Unlock()
	}
	if o.Pipe.AutoIngest {
		m["notificationChannelName"] = ""
		if in := w.cat.get(keyOf(kindIntegration, "", "", o.Pipe.Integration)); in != nil {
			m["notificationChannelName"] = in.Integration.QueueURI
		}
		m["numOutstandingMessagesOnChannel"] = 0
		if q != nil {
			n, err := q.outstanding()
			if err != nil && m["error"] == nil {
				m["error"] = "notification channel: " + err.Error()
			}
			m["numOutstandingMessagesOnChannel"] = n
		}
	}
	var at sql.NullInt64
	var path sql.NullString
	err := w.db.QueryRow(`SELECT loaded, file_name FROM meta.loads WHERE pipe_id = ? ORDER BY loaded DESC LIMIT 1`, o.ID).Scan(&at, &path)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	if at.Valid {
		m["lastIngestedTimestamp"], m["lastIngestedFilePath"] = stamp(time.UnixMilli(at.Int64)), path.String
	}
	out, err := json.Marshal(m)
	return string(out), err
}

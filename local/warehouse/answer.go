package warehouse

import (
	"crypto/subtle"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type chunkMeta struct {
	URL              string `json:"url"`
	RowCount         int    `json:"rowCount"`
	UncompressedSize int64  `json:"uncompressedSize"`
	CompressedSize   int64  `json:"compressedSize"`
}

type queryData struct {
	Parameters   []parameter `json:"parameters"`
	RowType      []column    `json:"rowtype"`
	RowSet       any         `json:"rowset,omitempty"` // [][]*string, and none in Arrow
	RowSetBase64 *string     `json:"rowsetBase64,omitempty"`
	Total        int64       `json:"total"`
	Returned     int64       `json:"returned"`
	QueryID      string      `json:"queryId"`
	SQLState     string      `json:"sqlState,omitempty"`
	Database     *string     `json:"finalDatabaseName"`
	Schema       *string     `json:"finalSchemaName"`
	Warehouse    *string     `json:"finalWarehouseName"`
	Role         *string     `json:"finalRoleName"`
	TypeID       int64       `json:"statementTypeId"`
	Version      int         `json:"version"`
	Chunks       []chunkMeta `json:"chunks,omitempty"`
	ChunkHeaders any         `json:"chunkHeaders,omitempty"`
	Format       string      `json:"queryResultFormat"`
	ResultIDs    string      `json:"resultIds,omitempty"`
	ResultTypes  string      `json:"resultTypes,omitempty"`
}

// answer writes the result of a query, or says that it still runs.
func (w *Warehouse) answer(rw http.ResponseWriter, r *http.Request, q *query, running string) {
	select {
	case <-q.done:
	case <-r.Context().Done():
		return
	case <-w.ctx.Done():
		reply(rw, false, nil, errGone)
		return
	case <-time.After(longPoll):
		reply(rw, true, map[string]any{"queryId": q.id, "getResultUrl": "/queries/" + q.id + "/result"},
			&sqlError{Code: running, Msg: "Query execution in progress."})
		return
	}
	if q.err != nil {
		reply(rw, false, map[string]any{"queryId": q.id, "sqlState": q.err.State, "errorCode": q.err.Code}, q.err)
		return
	}
	res := q.res
	d := queryData{
		Parameters: outputFormats, RowType: res.cols, RowSet: append([][]*string{}, res.rows...), Total: int64(len(res.rows)), QueryID: q.id, Version: 1,
		Database: q.info.DatabaseName, Schema: q.info.SchemaName, Warehouse: q.info.WarehouseName, Role: q.info.RoleName,
		TypeID: res.typeID, Format: "json",
	}
	d.Returned = d.Total
	if d.RowType == nil {
		d.RowType = []column{}
	}
	if a := res.arrow; a != nil {
		d.Format, d.RowSet, d.RowSetBase64, d.Total, d.Returned = "arrow", nil, &a.first, a.total, a.total
		for i, c := range a.chunks {
			d.Chunks = append(d.Chunks, chunkMeta{
				URL: fmt.Sprintf("http://%s/results/%s/%d", r.Host, q.id, i), RowCount: c.rows, UncompressedSize: c.size, CompressedSize: c.size})
		}
		d.ChunkHeaders = map[string]string{"Authorization": "Bearer " + a.secret}
	}
	for _, k := range q.kids {
		sep := ","
		if d.ResultIDs == "" {
			sep = ""
		}
		d.ResultIDs += sep + k.id
		d.ResultTypes += sep + strconv.FormatInt(k.res.typeID, 10)
	}
	reply(rw, true, d, nil)
}

func (s *session) query(id string) *query {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	return s.queries[id]
}

// findQuery looks in all sessions: results belong to the user, not to the session.
func (w *Warehouse) findQuery(id string) *query {
	w.sessMu.Lock()
	all := slices.Collect(maps.Values(w.sessions))
	w.sessMu.Unlock()
	for _, s := range all {
		if q := s.query(id); q != nil {
			return q
		}
	}
	return nil
}

func (w *Warehouse) serveResult(s *session, rw http.ResponseWriter, r *http.Request) {
	q := w.findQuery(r.PathValue("id"))
	if q == nil {
		reply(rw, false, nil, &sqlError{Code: codeNotFound, State: "02000", Msg: "Result not found."})
		return
	}
	w.answer(rw, r, q, codeAsync)
}

func (w *Warehouse) serveMonitor(s *session, rw http.ResponseWriter, r *http.Request) {
	q := w.findQuery(r.PathValue("id"))
	if q == nil {
		reply(rw, true, map[string]any{"queries": []any{}}, nil)
		return
	}
	m := map[string]any{"id": q.id, "sqlText": q.sql, "startTime": q.start.UnixMilli(), "status": "RUNNING", "errorCode": "", "errorMessage": ""}
	if q.ended() {
		m["status"], m["endTime"] = "SUCCESS", q.end.UnixMilli()
		if q.err != nil {
			m["status"], m["errorCode"], m["errorMessage"] = "FAILED_WITH_ERROR", q.err.Code, q.err.Msg
		}
	}
	reply(rw, true, map[string]any{"queries": []any{m}}, nil)
}

func (w *Warehouse) serveAbort(s *session, rw http.ResponseWriter, r *http.Request) {
	var req struct {
		RequestID string `json:"requestId"`
	}
	if err := body(r, &req); err != nil {
		http.Error(rw, "abort request is no JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.qmu.Lock()
	q := s.queries[req.RequestID]
	if q == nil && req.RequestID != "" && len(s.aborted) < 1000 {
		s.aborted[req.RequestID] = true // the abort may overtake the request
	}
	s.qmu.Unlock()
	if q != nil {
		q.cancel()
		reply(rw, true, nil, nil)
		return
	}
	reply(rw, false, nil, errNotExecuting)
}

// serveAbortQuery cancels by the query's id: what an async query is known by.
func (w *Warehouse) serveAbortQuery(s *session, rw http.ResponseWriter, r *http.Request) {
	if q := w.findQuery(r.PathValue("id")); q != nil && !q.ended() {
		q.cancel()
		reply(rw, true, nil, nil)
		return
	}
	reply(rw, false, nil, errNotExecuting)
}

var errNotExecuting = &sqlError{Code: "000605", State: "02000", Msg: "Identified SQL statement is not currently executing."}

// serveChunk serves one later part of a large result. The secret in the header stands for the signed URL.
func (w *Warehouse) serveChunk(rw http.ResponseWriter, r *http.Request) {
	if q := w.findQuery(r.PathValue("id")); q != nil && q.ended() && q.res != nil && q.res.arrow != nil {
		_, secret, _ := strings.Cut(r.Header.Get("Authorization"), "Bearer ")
		n, err := strconv.Atoi(r.PathValue("chunk"))
		if err == nil && n >= 0 && n < len(q.res.arrow.chunks) && subtle.ConstantTimeCompare([]byte(secret), []byte(q.res.arrow.secret)) == 1 {
			http.ServeFile(rw, r, q.res.arrow.chunks[n].file)
			return
		}
	}
	http.NotFound(rw, r)
}

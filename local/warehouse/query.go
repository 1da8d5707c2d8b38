package warehouse

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mkt/local/dialect"
)

// Statement types as the protocol numbers them; drivers count rows for 0x3000 to 0x3500 only.
const (
	typeSelect   = 0x1000
	typeInsert   = 0x3100
	typeUpdate   = 0x3200
	typeDelete   = 0x3300
	typeCopy     = 0x3600
	typeShow     = 0x4100
	typeSession  = 0x4000
	typeDDL      = 0x6000
	typeMultiple = 0xA000
)

const (
	// longPoll is how long a request waits for its answer before it is told to come again.
	longPoll     = 40 * time.Second
	keptResults  = 256      // per session, and
	keptBytes    = 64 << 20 // in memory; a byte on disk counts a 32nd,
	cellWeight   = 32       // and a cell of JSON this much
	codeRunning  = "333333"
	codeAsync    = "333334"
	codeNotFound = "612"
)

// result is what a statement gives: JSON rows, or Arrow when arrow is set.
type result struct {
	typeID int64
	cols   []column
	rows   [][]*string
	arrow  *arrowResult
}

// query is one request for execution and what came of it.
type query struct {
	id      string
	request string
	sql     string
	start   time.Time
	cancel  context.CancelFunc
	done    chan struct{}
	// The rest is set before done closes.
	end  time.Time
	res  *result
	err  *sqlError
	info sessionInfo
	kids []*query // of several statements in one request
}

// forget removes the files of the result.
func (q *query) forget() {
	select {
	case <-q.done:
	default:
		return
	}
	if q.res != nil && q.res.arrow != nil {
		for _, c := range q.res.arrow.chunks {
			os.Remove(c.file)
		}
	}
}

// weight is what keeping the result costs; 0 while the query runs.
func (q *query) weight() int64 {
	select {
	case <-q.done:
	default:
		return 0
	}
	if q.res == nil {
		return 0
	}
	if q.res.arrow == nil {
		return int64(len(q.res.rows)*len(q.res.cols)) * cellWeight
	}
	n := int64(len(q.res.arrow.first))
	for _, c := range q.res.arrow.chunks {
		n += c.size / 32
	}
	return n
}

type binding struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
}

type queryRequest struct {
	SQL      string             `json:"sqlText"`
	Async    bool               `json:"asyncExec"`
	Describe bool               `json:"describeOnly"`
	Params   map[string]any     `json:"parameters"`
	Bindings map[string]binding `json:"bindings"`
}

func (w *Warehouse) serveQuery(s *session, rw http.ResponseWriter, r *http.Request) {
	var req queryRequest
	if err := body(r, &req); err != nil {
		http.Error(rw, "query request is no JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	q := s.start(req, r.URL.Query().Get("requestId"))
	if req.Async {
		reply(rw, true, map[string]any{"queryId": q.id, "getResultUrl": "/queries/" + q.id + "/result"},
			&sqlError{Code: codeAsync, Msg: "Query execution in progress."})
		return
	}
	w.answer(rw, r, q, codeRunning)
}

var querySerial atomic.Uint64

// newQueryID has the form of a UUID: the connector for Python takes nothing else.
func newQueryID() string {
	t := randomToken()
	n := querySerial.Add(1)
	return fmt.Sprintf("01%s-%s-%04x-0000-%012x", t[:6], t[6:10], n>>48&0xffff, n&0xffffffffffff)
}

// start begins a query, or finds the one that an earlier try of the same request began.
func (s *session) start(req queryRequest, requestID string) *query {
	s.qmu.Lock()
	defer s.qmu.Unlock()
	if q := s.queries[requestID]; q != nil && requestID != "" && q.sql == req.SQL {
		return q
	}
	ctx, cancel := context.WithCancel(s.w.ctx)
	if s.closed || s.aborted[requestID] {
		cancel()
	}
	q := &query{id: newQueryID(), request: requestID, sql: req.SQL, start: s.w.now(), cancel: cancel, done: make(chan struct{})}
	s.keepLocked(q)
	s.w.wg.Go(func() {
		defer cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		if ctx.Err() != nil { // nothing may open a connection in a closed session
			q.err = mapError(ctx.Err())
			s.finish(q, nil)
			return
		}
		s.execute(ctx, q, req)
	})
	return q
}

func (s *session) keepLocked(q *query) {
	s.queries[q.id] = q
	if q.request != "" {
		s.queries[q.request] = q
	}
	s.order = append(s.order, q.id)
	bytes := int64(0)
	for _, id := range s.order {
		bytes += s.queries[id].weight()
	}
	for len(s.order) > 1 && (len(s.order) > keptResults || bytes > keptBytes) {
		old := s.queries[s.order[0]]
		select {
		case <-old.done:
		default:
			return
		}
		bytes -= old.weight()
		old.forget()
		delete(s.queries, old.id)
		delete(s.queries, old.request)
		s.order = s.order[1:]
	}
}

// execute runs all statements of a request. Called with s.mu held.
func (s *session) execute(ctx context.Context, q *query, req queryRequest) {
	limit := s.statementTimeout(req)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	res, err := s.executeAll(limited, q, req)
	if err != nil {
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case limited.Err() != nil:
			err = &sqlError{Code: "000630", State: "57014", Msg: fmt.Sprintf("Statement reached its statement or warehouse timeout of %d second(s) and was canceled.", limit/time.Second)}
		}
		q.err = mapError(err)
		s.w.log.Debug("statement failed", "query", q.id, "err", q.err)
	}
	s.finish(q, res)
}

// statementTimeout is how long a request may run, by its parameter or the session's; Snowflake's default is two days.
func (s *session) statementTimeout(req queryRequest) time.Duration {
	v, ok := req.Params["STATEMENT_TIMEOUT_IN_SECONDS"]
	if !ok {
		v = s.params["STATEMENT_TIMEOUT_IN_SECONDS"]
	}
	const most = 7 * 24 * 3600
	n, err := strconv.Atoi(fmt.Sprint(v))
	switch {
	case err != nil:
		n = 2 * 24 * 3600
	case n <= 0 || n > most:
		n = most
	}
	return time.Duration(n) * time.Second
}

func (s *session) finish(q *query, res *result) {
	q.res, q.end, q.info = res, s.w.now(), s.info()
	if q.err == nil {
		s.lastID = q.id
	}
	close(q.done)
}

func (s *session) executeAll(ctx context.Context, q *query, req queryRequest) (*result, error) {
	stmts, err := dialect.Split(req.SQL)
	if err != nil {
		return nil, err
	}
	want := 1
	if v, ok := req.Params["MULTI_STATEMENT_COUNT"]; ok {
		want, _ = strconv.Atoi(fmt.Sprint(v))
	} else if v, ok := s.params["MULTI_STATEMENT_COUNT"]; ok {
		want, _ = strconv.Atoi(v)
	}
	if len(stmts) == 0 {
		return nil, &sqlError{Code: "000900", State: "42601", Msg: "SQL compilation error:\nEmpty SQL statement."}
	}
	if want != 0 && want != len(stmts) {
		return nil, &sqlError{Code: "000008", State: "0A000", Msg: fmt.Sprintf("Actual statement count %d did not match the desired statement count %d.", len(stmts), want)}
	}
	if len(stmts) == 1 && want == 1 {
		return s.executeOne(ctx, q.id, stmts[0], req)
	}
	for _, sql := range stmts {
		kid := &query{id: newQueryID(), sql: sql, start: s.w.now(), cancel: func() {}, done: make(chan struct{})}
		res, err := s.executeOne(ctx, kid.id, sql, req)
		if err != nil {
			return nil, err
		}
		s.finish(kid, res)
		s.qmu.Lock()
		s.keepLocked(kid)
		s.qmu.Unlock()
		q.kids = append(q.kids, kid)
	}
	r := textResult(typeMultiple, "multiple statement execution", "Multiple statements executed successfully.")
	return r, nil
}

func (s *session) executeOne(ctx context.Context, id, sql string, req queryRequest) (*result, error) {
	sql, err := bind(sql, req.Bindings, req.Describe)
	if err != nil {
		return nil, err
	}
	if m := reResultScan.FindStringSubmatch(sql); m != nil {
		return s.resultOf(m[1])
	}
	st, err := parseStatement(sql)
	if err != nil {
		return nil, err
	}
	if sel, ok := st.(*selectStmt); ok {
		sel.id, sel.describe, sel.json = id, req.Describe, s.wantsJSON()
	} else if req.Describe {
		if d, ok := st.(describer); ok {
			return &result{typeID: typeShow, cols: d.columns()}, nil
		}
		return &result{typeID: typeDDL, cols: []column{textColumn("status")}}, nil
	}
	return st.run(ctx, s)
}

// reResultScan is RESULT_SCAN as drivers ask for the result of an earlier query; in larger queries it is refused.
var reResultScan = regexp.MustCompile(`(?is)^\s*SELECT\s+\*\s+FROM\s+TABLE\s*\(\s*RESULT_SCAN\s*\(\s*'([0-9a-f-]+)'\s*\)\s*\)[\s;]*$`)

// resultOf returns what an earlier query of any session gave.
func (s *session) resultOf(id string) (*result, error) {
	if q := s.w.findQuery(s, id); q != nil {
		select {
		case <-q.done:
			if q.err == nil && q.res != nil {
				return q.res, nil
			}
		default:
		}
	}
	return nil, &sqlError{Code: "000709", State: "02000", Msg: fmt.Sprintf("Statement %s not found", id)}
}

// describer is a statement whose result columns are known before it runs.
type describer interface{ columns() []column }

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

// findQuery looks in the session, then in the other ones: results belong to the user, not to the session.
func (w *Warehouse) findQuery(s *session, id string) *query {
	if q := s.query(id); q != nil {
		return q
	}
	w.sessMu.Lock()
	all := make([]*session, 0, len(w.sessions))
	for _, o := range w.sessions {
		all = append(all, o)
	}
	w.sessMu.Unlock()
	for _, o := range all {
		if q := o.query(id); q != nil {
			return q
		}
	}
	return nil
}

func (w *Warehouse) serveResult(s *session, rw http.ResponseWriter, r *http.Request) {
	q := w.findQuery(s, r.PathValue("id"))
	if q == nil {
		reply(rw, false, nil, &sqlError{Code: codeNotFound, State: "02000", Msg: "Result not found."})
		return
	}
	w.answer(rw, r, q, codeAsync)
}

func (w *Warehouse) serveMonitor(s *session, rw http.ResponseWriter, r *http.Request) {
	q := w.findQuery(s, r.PathValue("id"))
	if q == nil {
		reply(rw, true, map[string]any{"queries": []any{}}, nil)
		return
	}
	m := map[string]any{"id": q.id, "sqlText": q.sql, "startTime": q.start.UnixMilli(), "status": "RUNNING", "errorCode": "", "errorMessage": ""}
	select {
	case <-q.done:
		m["status"], m["endTime"] = "SUCCESS", q.end.UnixMilli()
		if q.err != nil {
			m["status"], m["errorCode"], m["errorMessage"] = "FAILED_WITH_ERROR", q.err.Code, q.err.Msg
		}
	default:
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
	if q := w.findQuery(s, r.PathValue("id")); q != nil {
		select {
		case <-q.done:
		default:
			q.cancel()
			reply(rw, true, nil, nil)
			return
		}
	}
	reply(rw, false, nil, errNotExecuting)
}

var errNotExecuting = &sqlError{Code: "000605", State: "02000", Msg: "Identified SQL statement is not currently executing."}

// serveChunk serves one later part of a large result. The secret in the header stands for the signed URL.
func (w *Warehouse) serveChunk(rw http.ResponseWriter, r *http.Request) {
	w.sessMu.Lock()
	var all []*session
	for _, o := range w.sessions {
		all = append(all, o)
	}
	w.sessMu.Unlock()
	_, secret, _ := strings.Cut(r.Header.Get("Authorization"), "Bearer ")
	n, err := strconv.Atoi(r.PathValue("chunk"))
	for _, s := range all {
		q := s.query(r.PathValue("id"))
		if q == nil || q.res == nil || q.res.arrow == nil || q.res.arrow.secret != secret {
			continue
		}
		if err == nil && n >= 0 && n < len(q.res.arrow.chunks) {
			http.ServeFile(rw, r, q.res.arrow.chunks[n].file)
			return
		}
	}
	http.NotFound(rw, r)
}

func (w *Warehouse) chunkFile(id string, n int) string {
	return filepath.Join(w.resultDir(), fmt.Sprintf("%s.%d", id, n))
}

package warehouse

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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

func (q *query) ended() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// forget removes the files of the result.
func (q *query) forget() {
	if q.ended() && q.res != nil && q.res.arrow != nil {
		for _, c := range q.res.arrow.chunks {
			os.Remove(c.file)
		}
	}
}

// weight is what keeping the result costs; 0 while the query runs.
func (q *query) weight() int64 {
	if !q.ended() || q.res == nil {
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
		if !old.ended() {
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
	return s.runStatement(ctx, st)
}

// runStatement runs a statement, anew if a table it was compiled for was dropped or replaced meanwhile.
func (s *session) runStatement(ctx context.Context, st statement) (*result, error) {
	for try := 0; ; try++ {
		res, err := st.run(ctx, s)
		if !dropped(err) || try == 20 {
			return res, err
		}
		s.w.ddlMu.RLock()   // waits for the change to be in the catalog
		s.w.ddlMu.RUnlock() //nolint:staticcheck // nothing to do within
	}
}

// reResultScan is RESULT_SCAN as drivers ask for the result of an earlier query; in larger queries it is refused.
var reResultScan = regexp.MustCompile(`(?is)^\s*SELECT\s+\*\s+FROM\s+TABLE\s*\(\s*RESULT_SCAN\s*\(\s*'([0-9a-f-]+)'\s*\)\s*\)[\s;]*$`)

// resultOf returns what an earlier query of any session gave.
func (s *session) resultOf(id string) (*result, error) {
	if q := s.w.findQuery(id); q != nil && q.ended() && q.err == nil && q.res != nil {
		return q.res, nil
	}
	return nil, &sqlError{Code: "000709", State: "02000", Msg: fmt.Sprintf("Statement %s not found", id)}
}

// describer is a statement whose result columns are known before it runs.
type describer interface{ columns() []column }

func (w *Warehouse) chunkFile(id string, n int) string {
	return filepath.Join(w.resultDir(), fmt.Sprintf("%s.%d", id, n))
}

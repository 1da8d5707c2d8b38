package warehouse

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	pipeMemory   = 14 * 24 * time.Hour // a pipe loads a name once in this time
	copyMemory   = 64 * 24 * time.Hour // COPY's own history
	refreshReach = 7 * 24 * time.Hour
)

// pipeDef is a pipe. IDs and the URL are what it saw when it was created: if the stage or the file format
// is another one now, the pipe stands still until it is re-created.
type pipeDef struct {
	Text        string   `json:"text"` // the COPY statement
	Copy        *copyDef `json:"copy"`
	AutoIngest  bool     `json:"auto_ingest,omitempty"`
	Integration string   `json:"integration,omitempty"`
	ErrorInt    string   `json:"error_integration,omitempty"`
	Paused      bool     `json:"paused,omitempty"`
	StageID     int64    `json:"stage_id"`
	StageURL    string   `json:"stage_url"`
	FormatName  objName  `json:"format_name,omitempty"` // named in the COPY or by the stage
	FormatID    int64    `json:"format_id,omitempty"`
}

type createPipe struct {
	head
	def     pipeDef
	comment string
}

func parseCreatePipe(p *parser, h head) (statement, error) {
	st := &createPipe{head: h}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	opts.takeString("COMMENT", &st.comment)
	if err := opts.takeBool("AUTO_INGEST", &st.def.AutoIngest); err != nil {
		return nil, err
	}
	opts.takeString("INTEGRATION", &st.def.Integration)
	opts.takeString("ERROR_INTEGRATION", &st.def.ErrorInt)
	if err := opts.refuseRest("PIPE"); err != nil {
		return nil, err
	}
	if err := p.expect("AS"); err != nil {
		return nil, err
	}
	start := p.peek().Pos
	if err := p.expect("COPY", "INTO"); err != nil {
		return nil, err
	}
	if st.def.Copy, err = p.copyDef(); err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	last := p.toks[len(p.toks)-1]
	st.def.Text = p.src[start : last.Pos+len(last.Text)]
	return st, nil
}

func (st *createPipe) run(ctx context.Context, s *session) (*result, error) {
	def := st.def
	for _, k := range def.Copy.refused {
		return nil, errInvalid("invalid COPY option [%s] in a pipe", k)
	}
	if def.Copy.OnError == "ABORT_STATEMENT" {
		return nil, errInvalid("invalid value [ABORT_STATEMENT] for parameter 'ON_ERROR' in a pipe")
	}
	if def.AutoIngest && def.Integration == "" {
		return nil, errInvalid("missing parameter 'INTEGRATION': a pipe with AUTO_INGEST on Azure needs a notification integration")
	}
	if !def.AutoIngest && def.Integration != "" {
		return nil, errInvalid("INTEGRATION is for pipes with AUTO_INGEST = TRUE")
	}
	k, err := qualify(st.name, kindPipe, s.db, s.schema)
	if err != nil {
		return nil, err
	}
	o := &object{Comment: st.comment, Pipe: &def}
	return s.createObject(ctx, st.head, o, func(d *ddlTx) error {
		if def.Integration != "" {
			in := s.w.cat.get(keyOf(kindIntegration, "", "", def.Integration))
			if in == nil || in.Integration.Direction == "" {
				return errNotFound(kindIntegration, def.Integration)
			}
		}
		// Names are looked up from where the pipe lives and kept qualified.
		b, err := s.bindCopy(def.Copy, k.db, k.schema, "SKIP_FILE")
		if err != nil {
			return err
		}
		c := *def.Copy
		c.Table = objName{b.table.DB, b.table.Schema, b.table.Name}
		c.Stage = objName{b.stage.DB, b.stage.Schema, b.stage.Name}
		if c.Format, err = s.resolveFormat(c.Format, k.db, k.schema); err != nil {
			return err
		}
		def.Copy, def.StageID, def.StageURL = &c, b.stage.ID, b.stage.Stage.URL
		ref := c.Format
		if ref == nil {
			ref = b.stage.Stage.Format
		}
		if ref != nil && ref.Def == nil {
			def.FormatName = ref.Name
			if f := s.w.cat.get(keyOf(kindFormat, ref.Name[0], ref.Name[1], ref.Name[2])); f != nil {
				def.FormatID = f.ID
			}
		}
		return nil
	})
}

func setPipe(d *ddlTx, o *object, opts options) error {
	def := *o.Pipe
	if err := opts.takeBool("PIPE_EXECUTION_PAUSED", &def.Paused); err != nil {
		return err
	}
	opts.takeString("ERROR_INTEGRATION", &def.ErrorInt)
	o.Pipe = &def
	return opts.refuseRest("PIPE")
}

// state gives the execution state of a pipe (Snowflake document "SYSTEM$PIPE_STATUS").
func (c *catalog) state(o *object) string {
	p := o.Pipe
	stage := c.id(p.StageID)
	switch {
	case stage == nil || stage.DB != p.Copy.Stage[0] || stage.Schema != p.Copy.Stage[1] || stage.Name != p.Copy.Stage[2]:
		return "STOPPED_STAGE_DROPPED"
	case stage.Stage.URL != p.StageURL:
		return "STOPPED_STAGE_ALTERED"
	case p.FormatID != 0 && c.id(p.FormatID) == nil:
		return "STOPPED_FILE_FORMAT_DROPPED"
	case p.Paused:
		return "PAUSED"
	}
	return "RUNNING"
}

// pendingFile is a file that a pipe was told of and has not loaded.
type pendingFile struct {
	path     string // name in the container
	size     int64
	event    time.Time
	received time.Time
}

// pipeWorker loads the files of one pipe, one at a time.
type pipeWorker struct {
	w      *Warehouse
	id     int64
	cancel context.CancelFunc
	wake   chan struct{}

	mu        sync.Mutex
	pending   []pendingFile
	has       map[string]bool
	lastError string
	lastMsg   time.Time // an event for the channel came
	lastFwd   time.Time // an event matched this pipe
}

// readPending reads what the pipes were told before the last Close, and forgets what has no pipe any more.
func (w *Warehouse) readPending() (map[int64][]pendingFile, error) {
	rows, err := w.db.Query(`SELECT pipe_id, path, size, event, received FROM meta.pipe_pending ORDER BY received, path`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64][]pendingFile{}
	for rows.Next() {
		var id, event, received int64
		var f pendingFile
		if err := rows.Scan(&id, &f.path, &f.size, &event, &received); err != nil {
			return nil, err
		}
		f.event, f.received = time.UnixMilli(event), time.UnixMilli(received)
		out[id] = append(out[id], f)
	}
	return out, rows.Err()
}

// syncPipes starts and stops workers and pollers so that they fit the catalog, and wakes the workers.
func (w *Warehouse) syncPipes() {
	w.pipeMu.Lock()
	defer w.pipeMu.Unlock()
	if w.ctx.Err() != nil {
		return
	}
	want := map[int64]bool{}
	channels := map[string]bool{}
	for _, o := range w.cat.list(kindPipe, nil) {
		want[o.ID] = true
		if o.Pipe.AutoIngest {
			channels[o.Pipe.Integration] = true
		}
		p := w.pipes[o.ID]
		if p == nil {
			ctx, cancel := context.WithCancel(w.ctx)
			p = &pipeWorker{w: w, id: o.ID, cancel: cancel, wake: make(chan struct{}, 1), has: map[string]bool{}}
			for _, f := range w.pending[o.ID] {
				p.addLocked(f)
			}
			w.pipes[o.ID] = p
			w.wg.Add(1)
			go func() { defer w.wg.Done(); p.loop(ctx) }()
		}
		p.signal()
	}
	w.pending = nil
	for id, p := range w.pipes {
		if !want[id] {
			p.cancel()
			delete(w.pipes, id)
		}
	}
	for _, o := range w.cat.list(kindIntegration, nil) {
		in := o.Integration
		q := w.queues[o.ID]
		active := in.Direction != "" && in.Enabled && channels[o.Name]
		if active && q == nil {
			ctx, cancel := context.WithCancel(w.ctx)
			q = &queuePoller{w: w, id: o.ID, name: o.Name, def: in, cancel: cancel}
			w.queues[o.ID] = q
			w.wg.Add(1)
			go func() { defer w.wg.Done(); q.loop(ctx) }()
		}
		if !active && q != nil {
			q.cancel()
			delete(w.queues, o.ID)
		}
	}
	for id, q := range w.queues {
		if w.cat.id(id) == nil {
			q.cancel()
			delete(w.queues, id)
		}
	}
}

func (p *pipeWorker) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pipeWorker) addLocked(f pendingFile) bool {
	if p.has[f.path] {
		return false
	}
	p.has[f.path] = true
	p.pending = append(p.pending, f)
	return true
}

// enqueue makes files wait for the pipe, durably, so that their messages may be deleted.
func (p *pipeWorker) enqueue(ctx context.Context, files []pendingFile) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var fresh []pendingFile
	for _, f := range files {
		if !p.has[f.path] {
			fresh = append(fresh, f)
		}
	}
	if len(fresh) > 0 {
		var q strings.Builder
		q.WriteString("INSERT INTO meta.pipe_pending VALUES ")
		var args []any
		for i, f := range fresh {
			if i > 0 {
				q.WriteString(", ")
			}
			q.WriteString("(?, ?, ?, ?, ?)")
			args = append(args, p.id, f.path, f.size, f.event.UnixMilli(), f.received.UnixMilli())
		}
		p.w.ddlMu.RLock()
		defer p.w.ddlMu.RUnlock()
		if p.w.cat.id(p.id) == nil {
			return nil // dropped meanwhile; nobody waits for its files
		}
		if _, err := p.w.db.ExecContext(ctx, q.String(), args...); err != nil {
			return err
		}
		for _, f := range fresh {
			p.addLocked(f)
		}
	}
	p.signal()
	return nil
}

func (p *pipeWorker) next() (pendingFile, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) == 0 {
		return pendingFile{}, false
	}
	return p.pending[0], true
}

func (p *pipeWorker) done(f pendingFile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.has, f.path)
	p.pending = p.pending[1:]
	p.lastError = ""
}

func (p *pipeWorker) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastError = mapError(err).Msg
}

const (
	minRetry = 100 * time.Millisecond
	maxRetry = 10 * time.Second
)

func (p *pipeWorker) loop(ctx context.Context) {
	var conn *sql.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	wait := minRetry
	for {
		var again <-chan time.Time
		for ctx.Err() == nil {
			o := p.w.cat.id(p.id)
			f, ok := p.next()
			if o == nil || !ok || p.w.cat.state(o) != "RUNNING" {
				break
			}
			var err error
			if conn == nil {
				conn, err = p.w.db.Conn(ctx)
			}
			if err == nil {
				err = p.load(ctx, conn, o, f)
			}
			if err == nil {
				p.done(f)
				wait = minRetry
				continue
			}
			if ctx.Err() == nil {
				p.fail(err)
				p.w.log.Warn("pipe load failed, will be tried again", "pipe", o.full(), "file", f.path, "err", err)
				again = time.After(wait)
				wait = min(2*wait, maxRetry)
			}
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-again:
		}
	}
}

var errChanged = errors.New("the table changed while the file was read")

// load loads one file: rows, history, name memory and the end of its waiting are one transaction.
func (p *pipeWorker) load(ctx context.Context, conn *sql.Conn, o *object, f pendingFile) error {
	w := p.w
	s := &session{w: w, db: o.DB, schema: o.Schema, conn: conn, params: map[string]string{}}
	b, err := s.bindCopy(o.Pipe.Copy, o.DB, o.Schema, "SKIP_FILE")
	if err != nil {
		return err
	}
	url := b.stage.blobURL(f.path)
	var known int
	if err := conn.QueryRowContext(ctx, `SELECT count(*) FROM meta.pipe_files WHERE pipe_id = ? AND path = ? AND registered > ?`,
		p.id, url, w.now().Add(-pipeMemory).UnixMilli()).Scan(&known); err != nil {
		return err
	}
	info := blobInfo{Name: f.path, Size: f.size}
	var l *fileLoad
	if known == 0 {
		local, err := w.fetch(ctx, b, f.path)
		if errors.Is(err, errBlobGone) {
			l = &fileLoad{file: info, errors: 1, limit: 1, status: "Load failed", first: &rowError{message: fmt.Sprintf("Remote file '%s' was not found.", url)}}
		} else if err != nil {
			return err
		} else {
			info.Size = local.size
			l, err = b.stageRows(ctx, conn, local, info)
			local.remove()
			if err != nil {
				return err
			}
		}
	}
	w.ddlMu.RLock()
	defer w.ddlMu.RUnlock()
	if w.cat.id(o.ID) == nil {
		return nil
	}
	if w.cat.id(b.table.ID) != b.table {
		return errChanged
	}
	return inTx(ctx, conn, func() error {
		if l != nil {
			if err := b.commitLoad(ctx, conn, l); err != nil {
				return err
			}
			now := w.now().UnixMilli()
			if _, err := conn.ExecContext(ctx, `INSERT INTO meta.pipe_files VALUES ($1, $2, $3) ON CONFLICT DO UPDATE SET registered = $3`, p.id, url, now); err != nil {
				return err
			}
			if err := b.record(ctx, conn, l, o, f.received.UnixMilli(), now); err != nil {
				return err
			}
		}
		_, err := conn.ExecContext(ctx, `DELETE FROM meta.pipe_pending WHERE pipe_id = ? AND path = ?`, p.id, f.path)
		return err
	})
}

// inTx runs do between BEGIN and COMMIT on the connection.
func inTx(ctx context.Context, conn *sql.Conn, do func() error) error {
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

// record writes the history of one file. pipe is nil for COPY; times are in milliseconds.
func (b *boundCopy) record(ctx context.Context, conn *sql.Conn, l *fileLoad, pipe *object, received, now int64) error {
	var first [4]any
	if l.first != nil {
		first = [4]any{l.first.message, l.first.line, l.first.char, l.first.column}
	}
	var id, db, schema, name, got any
	if pipe != nil {
		id, db, schema, name, got = pipe.ID, pipe.DB, pipe.Schema, pipe.Name, received
	}
	_, err := conn.ExecContext(ctx, `INSERT INTO meta.loads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		b.table.ID, id, db, schema, name, b.stage.Stage.URL, b.relative(l.file.Name), l.file.Size, l.loaded, l.parsed, l.errors, l.limit,
		first[0], first[1], first[2], first[3], l.status, got, now)
	return err
}

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

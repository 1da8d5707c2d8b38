package warehouse

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"time"
)

const (
	pipeMemory   = 14 * 24 * time.Hour // a pipe loads a name once in this time
	copyMemory   = 64 * 24 * time.Hour // COPY's own history
	refreshReach = 7 * 24 * time.Hour
)

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
			w.wg.Go(func() { p.loop(ctx) })
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
		active := in.Direction == "INBOUND" && in.Enabled && channels[o.Name]
		if active && q == nil {
			ctx, cancel := context.WithCancel(w.ctx)
			q = &queuePoller{w: w, id: o.ID, name: o.Name, def: in, cancel: cancel}
			w.queues[o.ID] = q
			w.wg.Go(func() { q.loop(ctx) })
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

func (p *pipeWorker) addLocked(f pendingFile) {
	if !p.has[f.path] {
		p.has[f.path] = true
		p.pending = append(p.pending, f)
	}
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
		if _, err := p.w.db.ExecContext(context.WithoutCancel(ctx), q.String(), args...); err != nil {
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
				conn, err = p.w.db.Conn(context.WithoutCancel(ctx))
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

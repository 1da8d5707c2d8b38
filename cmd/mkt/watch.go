package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"mkt/providers/snowflake"
	"mkt/render"
	"mkt/stream"
	"mkt/telemetry"
)

const (
	watchAfter   = 2 * time.Second // a run that is over sooner is told by its report
	watchEvery   = 5 * time.Second
	historyEvery = 6       // looks at the pipes; the load history takes a warehouse's time
	mostWatched  = 100_000 // files whose arrival is waited for; the age of rows of others is not known
)

// watch looks at the pipes that load what a run writes, while it runs. It implements stream.Observer.
//
// A session is for one goroutine: while the run goes on it is the watch's, from when the run has opened its containers
// until end returns.
type watch struct {
	s         *session
	consumers []stream.Consumer
	metrics   *telemetry.Metrics // nil if nobody asks

	stop func() // nil before it looks
	done chan struct{}

	mu    sync.Mutex
	pipes []render.PipeStatus
	files map[string]stream.Step // that no table has yet, by URL
}

func newWatch(s *session, consumers []stream.Consumer, m *telemetry.Metrics) *watch {
	return &watch{s: s, consumers: consumers, metrics: m, files: map[string]stream.Step{}}
}

// Progress implements stream.Observer.
func (w *watch) Progress(s stream.Snapshot) {
	if w.stop != nil || len(w.consumers) == 0 || s.Elapsed < watchAfter {
		return
	}
	for _, c := range s.Consumers {
		if c.State == stream.Starting {
			return
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.done = cancel, make(chan struct{})
	go func() {
		defer close(w.done)
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			slog.Debug("the pipes are not watched", "error", err)
		}
	}()
}

// Took implements stream.Observer.
func (w *watch) Took(s stream.Step) {
	if w.metrics == nil || s.Kind != stream.StepUpload || s.Err != nil || s.Adopted {
		return
	}
	for _, c := range w.consumers {
		if c.Name == s.Name {
			w.mu.Lock()
			if len(w.files) < mostWatched {
				w.files[fileURL(c.ContainerURL, s.File)] = s
			}
			w.mu.Unlock()
		}
	}
}

// Pipes is the pipes as they were a moment ago.
func (w *watch) Pipes() []render.PipeStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pipes
}

// end waits until nothing is looked at any more.
func (w *watch) end() {
	if w.stop != nil {
		w.stop()
		<-w.done
	}
}

func (w *watch) look(ctx context.Context) error {
	all, diags, err := w.s.findPipes(ctx) // the run goes on without them, and is what is shown
	if err == nil && diags.HasErrors() {
		err = diags
	}
	if err != nil {
		return err
	}
	var pipes []pipe
	for _, p := range all {
		for _, c := range w.consumers {
			if p.loads(c) {
				pipes = append(pipes, p)
				break
			}
		}
	}
	if len(pipes) == 0 {
		return nil
	}
	conn, err := w.s.snowflake(ctx)
	if err != nil {
		return err
	}
	db, err := conn.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	ages := make([]stream.Ages, len(pipes))
	for n := 0; ; n++ {
		var outside telemetry.Outside
		var now []render.PipeStatus
		for i, p := range pipes {
			status, err := pipeState(ctx, db, p)
			if err != nil {
				status.State, status.Error = "UNKNOWN", err.Error()
			}
			now = append(now, status)
			if w.metrics == nil {
				continue
			}
			if n%historyEvery == 0 {
				if err := w.arrived(ctx, db, p, &ages[i]); err != nil {
					slog.Debug("the load history is not known", "pipe", p.name, "error", err)
				}
			}
			outside.Pipes = append(outside.Pipes, telemetry.Pipe{Name: p.name, Running: status.State == "RUNNING", Pending: status.Pending, Fresh: ages[i].Freshness(time.Now())})
			if !p.sasExpires.IsZero() {
				outside.Tokens = append(outside.Tokens, telemetry.Token{Stage: p.stage, Expires: p.sasExpires})
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		w.mu.Lock()
		w.pipes = now
		w.mu.Unlock()
		if w.metrics != nil {
			w.metrics.Outside(outside)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

// arrived counts how old rows were when the pipe's table had them.
func (w *watch) arrived(ctx context.Context, db *sql.DB, p pipe, ages *stream.Ages) error {
	w.mu.Lock()
	waiting := len(w.files)
	w.mu.Unlock()
	if waiting == 0 {
		return nil
	}
	loads, err := w.s.history(ctx, db, p.table)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for url, step := range w.files {
		if l, ok := loads[url]; ok {
			delete(w.files, url)
			if l.Loaded() {
				ages.Add(time.Now(), l.At.Sub(step.Newest), l.At.Sub(step.Oldest), step.Rows)
			}
		}
	}
	return nil
}

// pipeState is what Snowflake says of a pipe, without what it has loaded.
func pipeState(ctx context.Context, db *sql.DB, p pipe) (render.PipeStatus, error) {
	out := render.PipeStatus{Name: p.name, Table: p.table}
	ctx, cancel := context.WithTimeout(ctx, appTimeout)
	defer cancel()
	n, err := snowflake.ParseName(p.name)
	if err != nil {
		return out, err
	}
	var raw string
	if err := db.QueryRowContext(ctx, "SELECT SYSTEM$PIPE_STATUS(?)", n.SQL()).Scan(&raw); err != nil {
		return out, err
	}
	var said struct {
		State   string `json:"executionState"`
		Pending int64  `json:"pendingFileCount"`
		Error   string `json:"error"`
	}
	err = json.Unmarshal([]byte(raw), &said)
	out.State, out.Pending, out.Error = said.State, said.Pending, said.Error
	return out, err
}

// fileURL names a file of a container as Snowflake does.
func fileURL(container, file string) string {
	return "azure" + strings.TrimPrefix(container, "https") + "/" + file
}

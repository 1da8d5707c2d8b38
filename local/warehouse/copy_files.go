package warehouse

import (
	"context"
	"fmt"
	"strings"
)

// copiedFiles gives what COPY has loaded into a table, as URL and ETag.
func (w *Warehouse) copiedFiles(ctx context.Context, table int64) (map[string]string, error) {
	rows, err := w.db.QueryContext(ctx, `SELECT path, etag FROM meta.copy_files WHERE table_id = ? AND loaded > ?`, table, w.now().Add(-copyMemory).UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var path, etag string
		if err := rows.Scan(&path, &etag); err != nil {
			return nil, err
		}
		out[path] = etag
	}
	return out, rows.Err()
}

// copyFiles loads files for one COPY statement: all of them in one transaction, so that an abort leaves nothing.
func (w *Warehouse) copyFiles(ctx context.Context, b *boundCopy, files []blobInfo) ([]*fileLoad, error) {
	fetchCtx := ctx
	ctx = context.WithoutCancel(ctx) // see pipeWorker.load
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var loads []*fileLoad
	defer func() {
		for _, l := range loads {
			if l.temp != "" {
				_ = run(ctx, conn, "DROP TABLE IF EXISTS "+l.temp) // it ends with the connection
			}
		}
	}()
	for i, info := range files {
		local, err := w.fetch(fetchCtx, b, info.Name)
		if err != nil {
			return nil, err
		}
		l, err := b.stageRows(ctx, conn, local, info)
		local.remove()
		if err != nil {
			return nil, err
		}
		if l.temp != "" {
			name := fmt.Sprintf("mkt_load_%d", i)
			if err := run(ctx, conn, "ALTER TABLE "+l.temp+" RENAME TO "+name); err != nil {
				return nil, err
			}
			l.temp = "temp." + name
		}
		loads = append(loads, l)
		if b.onErr == "ABORT_STATEMENT" && l.errors > 0 {
			return nil, &sqlError{Code: "100038", State: "22018", Msg: fmt.Sprintf("%s\n  File '%s', line %d, character %d\n  Row %d, column %v\n  If you would like to continue loading when an error is encountered, use other values such as 'SKIP_FILE' or 'CONTINUE' for the ON_ERROR option.",
				l.first.message, b.relative(info.Name), l.first.line, l.first.char, l.first.line, orNone(l.first.column))}
		}
	}
	if err := fetchCtx.Err(); err != nil {
		return nil, err
	}
	w.ddlMu.RLock()
	defer w.ddlMu.RUnlock()
	if w.cat.id(b.table.ID) != b.table {
		return nil, &sqlError{Code: "000625", State: "57014", Msg: "Statement has conflicted with a change of the table; run it again."}
	}
	now := w.now().UnixMilli()
	err = inTx(ctx, conn, func() error {
		for _, l := range loads {
			if err := b.commitLoad(ctx, conn, l); err != nil {
				return err
			}
			if l.status != "Load failed" {
				if _, err := conn.ExecContext(ctx, `INSERT INTO meta.copy_files VALUES (?, ?, ?, ?)`, b.table.ID, b.stage.blobURL(l.file.Name), l.file.ETag, now); err != nil {
					return err
				}
			}
			if err := b.record(ctx, conn, l, nil, 0, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return loads, nil
}

func orNone(v any) any {
	if v == nil {
		return "none"
	}
	return v
}

// refreshStmt is ALTER PIPE … REFRESH: files that are in the stage already are told to the pipe.
type refreshStmt struct {
	head
	prefix string
	since  string
}

func parseRefresh(p *parser, h head) (statement, error) {
	st := &refreshStmt{head: h}
	if err := p.expect("REFRESH"); err != nil {
		return nil, err
	}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	opts.takeString("PREFIX", &st.prefix)
	opts.takeString("MODIFIED_AFTER", &st.since)
	if err := opts.refuseRest("REFRESH"); err != nil {
		return nil, err
	}
	return st, p.end()
}

func (st *refreshStmt) columns() []column { return newTable("File", "Status").cols }

func (st *refreshStmt) run(ctx context.Context, s *session) (*result, error) {
	o, err := s.mustFind(st.name, kindPipe)
	if err != nil {
		return nil, err
	}
	if state := s.w.cat.state(o); strings.HasPrefix(state, "STOPPED") {
		return nil, &sqlError{Code: "003053", State: "0A000", Msg: fmt.Sprintf("Pipe %s cannot be refreshed: it is %s.", o.full(), state)}
	}
	now := s.w.now()
	since := now.Add(-refreshReach).UnixMilli()
	if st.since != "" {
		ms, err := millis(st.since, "MODIFIED_AFTER")
		if err != nil {
			return nil, err
		}
		if ms < since {
			return nil, errInvalid("MODIFIED_AFTER [%s] is more than 7 days ago", st.since)
		}
		since = ms
	}
	b, err := s.bindCopy(o.Pipe.Copy, o.DB, o.Schema, "SKIP_FILE")
	if err != nil {
		return nil, err
	}
	blobs, err := s.w.listBlobs(ctx, b.stage, b.path+st.prefix)
	if err != nil {
		return nil, err
	}
	copied, err := s.w.copiedFiles(ctx, b.table.ID)
	if err != nil {
		return nil, err
	}
	known, err := s.w.pipeFiles(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	t := newTable("File", "Status")
	var files []pendingFile
	for _, f := range blobs {
		url := b.stage.blobURL(f.Name)
		if !b.matches(f.Name) || f.Modified.UnixMilli() < since || copied[url] != "" || known[url] {
			continue
		}
		files = append(files, pendingFile{path: f.Name, size: f.Size, event: f.Modified, received: now})
		t.add(b.relative(f.Name), "SENT")
	}
	s.w.pipeMu.Lock()
	p := s.w.pipes[o.ID]
	s.w.pipeMu.Unlock()
	if p == nil {
		return nil, errNotFound(kindPipe, o.full())
	}
	if err := p.enqueue(ctx, files); err != nil {
		return nil, err
	}
	return t.result(), nil
}

// pipeFiles gives the URLs that a pipe remembers.
func (w *Warehouse) pipeFiles(ctx context.Context, pipe int64) (map[string]bool, error) {
	rows, err := w.db.QueryContext(ctx, `SELECT path FROM meta.pipe_files WHERE pipe_id = ? AND registered > ?`, pipe, w.now().Add(-pipeMemory).UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]bool{}
	for rows.Next() {
		var path string
		if err := rows.Scan(&path); err != nil {
			return nil, err
		}
		out[path] = true
	}
	return out, rows.Err()
}

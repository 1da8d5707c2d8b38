package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

var errChanged = errors.New("the table changed while the file was read")

// load loads one file: rows, history, name memory and the end of its waiting are one transaction.
// Cancelling ctx stops the download. A statement that runs is let finish: an interrupted load can keep the
// database instance alive after its connections are closed, and then it cannot be opened again.
func (p *pipeWorker) load(ctx context.Context, conn *sql.Conn, o *object, f pendingFile) error {
	w, fetchCtx := p.w, ctx
	ctx = context.WithoutCancel(ctx)
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
		local, err := w.fetch(fetchCtx, b, f.path)
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
	if l != nil && l.temp != "" {
		defer func() { _ = run(ctx, conn, "DROP TABLE IF EXISTS "+l.temp) }() // it ends with the connection
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
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // err says what went wrong
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

package snowflake

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"mkt/providers"
)

// parallel is how many statements of one call are under way at once.
const parallel = 6

// ddlLasts is how many times as long as all tries of an operation a statement may take that changes something. The driver repeats it
// meanwhile where that is safe.
const ddlLasts = 4

// How long ending sessions and cancelling statements may take.
const (
	closeTime  = 3 * time.Second
	cancelTime = time.Second
)

// observe is told every statement before it is sent; tests list them.
var observe = func(text string) {}

// client runs statements. The connection is opened at the first of them.
type client struct {
	conn    Connection
	opening singleflight.Group
	db      atomic.Pointer[sql.DB]
}

// open connects once. Those who ask meanwhile share the outcome, so that an unreachable account is waited for once.
func (c *client) open(ctx context.Context) (*sql.DB, error) {
	if db := c.db.Load(); db != nil {
		return db, nil
	}
	v, err, _ := c.opening.Do("", func() (any, error) {
		if db := c.db.Load(); db != nil {
			return db, nil
		}
		db, err := c.conn.Open(ctx)
		if err == nil {
			c.db.Store(db)
		}
		return db, err
	})
	if err != nil {
		return nil, err
	}
	return v.(*sql.DB), nil
}

// close ends the sessions, as far as that succeeds within closeTime: the driver goes on trying for a minute where the
// account cannot be reached any more, and a session that is left behind ends by itself.
func (c *client) close() error {
	db := c.db.Load()
	if db == nil {
		return nil
	}
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeTime):
		return nil
	}
}

// row is one row of SHOW or DESCRIBE by column name, lower case; NULL is "".
type row map[string]string

// query reads all rows, again and again while that fails for a passing reason.
func (c *client) query(ctx context.Context, text string) ([]row, error) {
	observe(text)
	db, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	return providers.Retry(ctx, func(ctx context.Context) ([]row, error) {
		out, err := within(ctx, func() ([]row, error) {
			rows, err := db.QueryContext(ctx, text)
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			return scan(rows)
		})
		return out, c.conn.classify(err)
	})
}

// within returns when fn does, or soon after ctx ended: the driver then goes on to cancel the statement, and where the
// account cannot be reached that takes it up to a minute.
func within[R any](ctx context.Context, fn func() (R, error)) (R, error) {
	type answer struct {
		r   R
		err error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := fn()
		done <- answer{r, err}
	}()
	select {
	case a := <-done:
		return a.r, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-done:
		return a.r, a.err
	case <-time.After(cancelTime):
		var none R
		return none, ctx.Err()
	}
}

func scan(rows *sql.Rows) ([]row, error) {
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []row
	cells := make([]sql.NullString, len(cols))
	into := make([]any, len(cols))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		r := make(row, len(cols))
		for i, name := range cols {
			r[name] = cells[i].String
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// exec runs a statement that changes something. Only signing in is repeated here: whether a statement whose answer was
// lost has run is for the next plan to see. Secrets are cut out of errors.
func (c *client) exec(ctx context.Context, text string, secrets ...string) error {
	observe(text)
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	conn, err := providers.Retry(ctx, func(ctx context.Context) (*sql.Conn, error) {
		conn, err := db.Conn(ctx)
		return conn, c.conn.classify(err)
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ddlLasts*providers.LimitsOf(ctx).Retry)
	defer cancel()
	_, err = within(ctx, func() (sql.Result, error) {
		defer conn.Close()
		return conn.ExecContext(ctx, text)
	})
	return classify(err, append(secrets, c.conn.secrets()...)...)
}

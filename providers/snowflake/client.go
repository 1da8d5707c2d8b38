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

// ddlTimeout ends a statement that changes something; the driver repeats it meanwhile where that is safe.
const ddlTimeout = 2 * time.Minute

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

func (c *client) close() error {
	if db := c.db.Load(); db != nil {
		return db.Close()
	}
	return nil
}

// row is one row of SHOW or DESCRIBE by column name, lower case; NULL is "".
type row map[string]string

// query reads all rows, again and again while that fails for a passing reason.
func (c *client) query(ctx context.Context, text string) ([]row, error) {
	db, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	return providers.Retry(ctx, func(ctx context.Context) ([]row, error) {
		rows, err := db.QueryContext(ctx, text)
		if err != nil {
			return nil, c.conn.classify(err)
		}
		defer rows.Close()
		out, err := scan(rows)
		return out, c.conn.classify(err)
	})
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
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, ddlTimeout)
	defer cancel()
	_, err = conn.ExecContext(ctx, text)
	return classify(err, append(secrets, c.conn.Password, c.conn.Token)...)
}

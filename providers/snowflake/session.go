package snowflake

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/snowflakedb/gosnowflake/v2"
)

// lasting makes connections whose sessions may end under them: after four idle hours, by ALTER USER … ABORT ALL QUERIES and the
// like, or since the server was restarted. The driver then fails every further statement of the connection. Nothing of a
// statement without a session has run, so it is safe to send it again in a new one, which database/sql does for ErrBadConn.
type lasting struct{ driver.Connector }

// connection is what gosnowflake's connections are and database/sql uses.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.NamedValueChecker
}

func (l lasting) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := l.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := c.(connection)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("gosnowflake's %T lacks what database/sql uses", c)
	}
	return &renewed{connection: full}, nil
}

// renewed is a connection that says when its session is gone.
type renewed struct {
	connection
	gone bool
}

// IsValid is asked before a connection goes back into the pool.
func (r *renewed) IsValid() bool { return !r.gone }

func (r *renewed) saw(err error) error {
	var sf *gosnowflake.SnowflakeError
	if errors.As(err, &sf) && (sf.Number == errSessionLost || sf.Number == errTokenExpired) {
		r.gone = true
		return driver.ErrBadConn
	}
	return err
}

func (r *renewed) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := r.connection.QueryContext(ctx, text, args)
	return rows, r.saw(err)
}

func (r *renewed) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	res, err := r.connection.ExecContext(ctx, text, args)
	return res, r.saw(err)
}

// Ping is not repeated by database/sql: its error tells, and the next one has a session.
func (r *renewed) Ping(ctx context.Context) error {
	err := r.connection.Ping(ctx)
	_ = r.saw(err)
	return err
}

package warehouse

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/snowflakedb/gosnowflake/v2"
)

// TestReadsWhileTablesAreDropped reads a table that another session drops and makes anew: a reader finds
// it or not, and never an error of the engine below.
func TestReadsWhileTablesAreDropped(t *testing.T) {
	l := newLab(t)
	l.exec(`CREATE DATABASE D`)
	l.exec(`CREATE TABLE D.PUBLIC.OTHER (A NUMBER)`)
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for i := 0; ; i++ {
			for _, q := range []string{`CREATE OR REPLACE TABLE D.PUBLIC.T (A NUMBER)`, `CREATE OR REPLACE TABLE D.PUBLIC.T (A NUMBER)`, `DROP TABLE D.PUBLIC.T`} {
				if _, err := l.db.Exec(q); err != nil {
					done <- err
					return
				}
			}
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
		}
	}()
	reader := l.connect("/D/PUBLIC", "")
	for range 200 {
		for _, q := range []string{
			`SHOW TABLES IN DATABASE D`,
			`SELECT COUNT(*) FROM D.PUBLIC.T`,
			`SELECT SUM(ROW_COUNT) FROM D.INFORMATION_SCHEMA.TABLES`,
			`INSERT INTO D.PUBLIC.T SELECT A FROM D.PUBLIC.OTHER`,
		} {
			if err := readAll(reader, q); err != nil {
				if e, ok := errors.AsType[*gosnowflake.SnowflakeError](err); !ok || e.Number != 2003 {
					t.Errorf("%s: %v", q, err)
				}
			}
		}
	}
	close(stop)
	check(t, <-done)
}

func readAll(db *sql.DB, q string) error {
	rows, err := db.Query(q)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	return nil
}

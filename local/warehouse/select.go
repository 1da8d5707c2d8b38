package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"mkt/local/dialect"
)

// selectStmt is a query. The id names its result files.
type selectStmt struct {
	text     string
	id       string
	describe bool
	json     bool // the client wants JSON, not Arrow
}

func (st *selectStmt) run(ctx context.Context, s *session) (*result, error) {
	duck, cols, err := s.described(ctx, st.text, s.scope())
	if err != nil {
		return nil, err
	}
	if st.describe {
		return &result{typeID: typeSelect, cols: cols}, nil
	}
	conn, err := s.connection(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := conn.QueryContext(ctx, textForm(duck, cols))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if st.json {
		cells, err := jsonRows(cols, rows)
		return &result{typeID: typeSelect, cols: cols, rows: cells}, err
	}
	a, err := s.w.arrowRows(st.id, cols, rows)
	if err != nil {
		return nil, err
	}
	return &result{typeID: typeSelect, cols: cols, arrow: a}, nil
}

// described compiles a query and gives its columns as its tables declare them.
func (s *session) described(ctx context.Context, text string, sc scope) (duck string, cols []column, err error) {
	duck, declared, err := s.compileDeclared(ctx, text, sc)
	if err != nil {
		return "", nil, err
	}
	conn, err := s.connection(ctx)
	if err != nil {
		return "", nil, err
	}
	if cols, err = describeQuery(ctx, conn, duck); err != nil {
		return "", nil, err
	}
	declare(cols, declared)
	return duck, cols, nil
}

// describeQuery gives the columns of a DuckDB query.
func describeQuery(ctx context.Context, conn *sql.Conn, duck string) ([]column, error) {
	rows, err := conn.QueryContext(ctx, "DESCRIBE "+duck)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var cols []column
	for rows.Next() {
		var name, typ string
		var rest [4]any
		if err := rows.Scan(&name, &typ, &rest[0], &rest[1], &rest[2], &rest[3]); err != nil {
			return nil, err
		}
		cols = append(cols, duckColumn(name, typ))
	}
	return cols, rows.Err()
}

// textForm wraps a query whose result has columns that travel as text: the driver would decode JSON
// and lose the spelling of numbers and the order of keys.
func textForm(duck string, cols []column) string {
	need := false
	names, exprs := make([]string, len(cols)), make([]string, len(cols))
	for i, c := range cols {
		names[i] = fmt.Sprintf("c%d", i)
		exprs[i] = names[i]
		if c.text {
			need = true
			exprs[i] += "::VARCHAR"
			if c.Type == "array" || c.Type == "object" {
				exprs[i] = "to_json(" + names[i] + ")::VARCHAR"
			}
		}
		exprs[i] += " AS " + dialect.Quote(c.Name)
	}
	if !need {
		return duck
	}
	return "SELECT " + strings.Join(exprs, ", ") + " FROM (" + duck + ") AS q(" + strings.Join(names, ", ") + ")"
}

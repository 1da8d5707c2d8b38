package main

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mkt/providers/snowflake"
	"mkt/render"
	"mkt/spec"
)

func newQuery(c *cli) *cobra.Command {
	var asCSV bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "query [NAME | SQL]",
		Short: "Ask a query of the stack, or one given as SQL",
		Long: `query runs the query block of that name (module.eu.volatility for one in a module), or the argument itself when it is SQL (it
has a space in it), and prints the result as an aligned table, as JSON or as CSV. Without an argument it lists the stack's queries.`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			app, err := s.app(cmd.Context(), []string{"query"})
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return c.listQueries(app)
			}
			sql, err := findQuery(app, args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			conn, err := s.snowflake(ctx)
			if err != nil {
				return err
			}
			t, err := runQuery(ctx, conn, sql)
			switch {
			case err != nil:
				return err
			case c.json:
				return render.JSON(c.out, t.JSON())
			case asCSV:
				return t.CSV(c.out)
			}
			c.view(c.out).Table(t)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV with a header line")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "give up after this long")
	return cmd
}

func (c *cli) listQueries(app []*spec.Instance) error {
	t := render.Table{Columns: []string{"query", "description"}, Right: []bool{false, false}}
	for _, q := range app {
		name, description := q.Addr.Label(), text(q.Value, "description")
		t.Rows = append(t.Rows, []*string{&name, &description})
	}
	if c.json {
		return render.JSON(c.out, t.JSON())
	}
	c.view(c.out).Table(t)
	return nil
}

// findQuery returns the SQL of the query block of that name, or arg itself when it is SQL.
func findQuery(app []*spec.Instance, arg string) (string, error) {
	var names []string
	for _, q := range app {
		if q.Addr.Label() == arg || q.Addr.String() == arg {
			return text(q.Value, "sql"), nil
		}
		names = append(names, q.Addr.Label())
	}
	if strings.ContainsAny(arg, " \t\n") {
		return arg, nil
	}
	return "", fmt.Errorf("the stack has no query %q: it has %s; SQL is told from a name by the spaces in it", arg, orNone(names))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// runQuery asks and returns the whole result.
func runQuery(ctx context.Context, conn snowflake.Connection, query string) (t render.Table, err error) {
	db, err := conn.Open(ctx)
	if err != nil {
		return t, err
	}
	defer db.Close()
	rows, err := db.QueryContext(snowflake.Exact(ctx), query)
	if err != nil {
		return t, fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return t, err
	}
	for _, ct := range types {
		t.Columns = append(t.Columns, ct.Name())
		name := ct.DatabaseTypeName()
		t.Right = append(t.Right, name == "FIXED" || name == "REAL")
	}
	values := make([]any, len(types))
	targets := make([]any, len(types))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return t, err
		}
		row := make([]*string, len(values))
		for i, v := range values {
			_, scale, _ := types[i].DecimalSize()
			row[i] = cell(v, types[i].DatabaseTypeName(), int(scale))
		}
		t.Rows = append(t.Rows, row)
	}
	return t, rows.Err()
}

// cell returns a value of the driver as people read it; nil is NULL.
func cell(v any, typ string, scale int) *string {
	var s string
	switch v := v.(type) {
	case nil:
		return nil
	case time.Time:
		switch typ {
		case "DATE":
			s = v.Format(time.DateOnly)
		case "TIME":
			s = v.Format("15:04:05.999999999")
		case "TIMESTAMP_NTZ":
			s = v.Format("2006-01-02 15:04:05.999999999")
		default:
			s = v.Format("2006-01-02 15:04:05.999999999 -07:00")
		}
	case []byte:
		s = string(v)
	case big.Int:
		s = v.String()
	case *big.Float:
		s = v.Text('f', scale)
	case big.Float:
		s = v.Text('f', scale)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
		if a := math.Abs(v); a >= 1e-4 && a < 1e15 || a == 0 {
			s = strconv.FormatFloat(v, 'f', -1, 64)
		}
	default:
		s = fmt.Sprint(v)
	}
	return &s
}

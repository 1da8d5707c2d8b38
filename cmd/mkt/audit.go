package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mkt/audit"
	"mkt/providers/snowflake"
	"mkt/render"
	"mkt/stream"
	"mkt/stream/codec"
)

func newAudit(c *cli) *cobra.Command {
	var examples int
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove that no row was lost or doubled; exit 1 if one was",
		Long: `audit reads the sources, the topics, the files and the tables again and compares each hop with the one before it, row by
row and by content. It changes nothing. Where a pipe has not heard of files, it shows the statement that has it load them.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := c.open(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			cfg, db, err := s.auditConfig(ctx)
			if err != nil {
				return err
			}
			if db != nil {
				defer db.Close()
			}
			cfg.Examples = cmp.Or(examples, -1) // none, which is not the default
			report, err := audit.Run(ctx, cfg)
			if err != nil {
				return err
			}
			if db != nil && !report.OK() {
				if err := s.noteUnloaded(ctx, db, cfg.Consumers, &report); err != nil {
					return err
				}
			}
			if c.json {
				if err := render.JSON(c.out, render.NewAuditJSON(report)); err != nil {
					return err
				}
			} else {
				c.view(c.out).Audit(report)
			}
			if !report.OK() {
				return exitError(exitFailed)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&examples, "examples", 10, "most examples of lost or doubled rows to show per hop")
	return cmd
}

// auditConfig says what the stack's rows pass. The handle is that of the tables, nil without any; the caller closes it.
func (s *session) auditConfig(ctx context.Context) (audit.Config, *sql.DB, error) {
	app, err := s.app(ctx, []string{"producer", "consumer"})
	if err != nil {
		return audit.Config{}, nil, err
	}
	if len(app) == 0 {
		return audit.Config{}, nil, errors.New("the stack has no producer and no consumer: there is nothing to audit")
	}
	run, err := s.streamConfig(ctx, app)
	if err != nil {
		return audit.Config{}, nil, err
	}
	cfg := audit.Config{Kafka: run.Kafka, Registry: run.Registry, Blob: run.Blob, Producers: run.Producers, Consumers: run.Consumers}
	pipes, err := s.pipes(ctx)
	if err != nil || len(pipes) == 0 {
		return cfg, nil, err
	}
	conn, err := s.snowflake(ctx)
	if err != nil {
		return cfg, nil, err
	}
	db, err := conn.Open(ctx)
	if err != nil {
		return cfg, nil, err
	}
	if cfg.Tables, err = auditTables(ctx, db, cfg, pipes); err != nil {
		return cfg, nil, errors.Join(err, db.Close())
	}
	return cfg, db, nil
}

// auditTables returns the tables that the pipes load the consumers' files into.
func auditTables(ctx context.Context, db *sql.DB, cfg audit.Config, pipes []pipe) ([]audit.Table, error) {
	schemas, err := stream.NewSchemas(cfg.Registry)
	if err != nil {
		return nil, err
	}
	byTable := map[string]int{}
	var tables []audit.Table
	for _, p := range pipes {
		for _, c := range cfg.Consumers {
			if !p.loads(c) {
				continue
			}
			if i, ok := byTable[p.table]; ok {
				tables[i].Consumers = append(tables[i].Consumers, c.Name)
				continue
			}
			schema, err := schemas.Latest(ctx, subjectOf(cfg.Producers, c.Topic))
			if err != nil {
				return nil, err
			}
			n, err := snowflake.ParseName(p.table)
			if err != nil {
				return nil, err
			}
			columns, err := columnsOf(ctx, db, n.SQL())
			if err != nil {
				return nil, err
			}
			byTable[p.table] = len(tables)
			tables = append(tables, audit.Table{
				Name: n.SQL(), Columns: matchColumns(schema, columns, p.match), Consumers: []string{c.Name}, DB: db,
			})
		}
	}
	return tables, nil
}

// subjectOf is the subject of a topic's values: that of a producer that writes it, or the one that Confluent's naming gives it.
func subjectOf(producers []stream.Producer, topic string) string {
	for _, p := range producers {
		if p.Topic == topic {
			return p.Subject
		}
	}
	return topic + "-value"
}

// columnsOf returns what selects each column of a table exactly, by its name.
func columnsOf(ctx context.Context, db *sql.DB, table string) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table+" LIMIT 0")
	if err != nil {
		return nil, fmt.Errorf("look at the columns of %s: %w", table, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	columns := map[string]string{}
	for _, t := range types {
		column := snowflake.Ident(t.Name()).SQL()
		columns[t.Name()] = column
		// gosnowflake divides in floating point, which has fewer digits than a NUMBER (converter.go, arrowIntToValue).
		if _, scale, ok := t.DecimalSize(); ok && scale > 0 {
			columns[t.Name()] = "TO_VARCHAR(" + column + ")"
		}
	}
	return columns, rows.Err()
}

// matchColumns pairs fields with columns as the pipe does.
func matchColumns(schema *codec.Schema, columns map[string]string, match string) map[string]string {
	out := map[string]string{}
	for _, f := range schema.Row.Fields {
		for _, column := range slices.Sorted(maps.Keys(columns)) {
			if match == "CASE_INSENSITIVE" && strings.EqualFold(f.Name, column) || match == "CASE_SENSITIVE" && f.Name == column {
				out[f.Name] = columns[column]
			}
		}
	}
	return out
}

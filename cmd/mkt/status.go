package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"mkt/providers/snowflake"
	"mkt/render"
)

func newStatus(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the pipeline stands: resources, consumers, pipes",
		Args:  takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, p, err := c.openPlan(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			status := render.Status{Plan: p}
			if status.Pipes, err = s.pipeStatus(ctx); err != nil {
				return err
			}
			if c.json {
				return render.JSON(c.out, status.JSON())
			}
			c.view(c.out).Status(status)
			return nil
		},
	}
}

// pipeStatus asks Snowflake about each pipe of the stack.
func (s *session) pipeStatus(ctx context.Context) ([]render.PipeStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, appTimeout)
	defer cancel()
	pipes, err := s.pipes(ctx)
	if err != nil || len(pipes) == 0 {
		return nil, err
	}
	conn, err := s.snowflake(ctx)
	if err != nil {
		return nil, err
	}
	db, err := conn.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var out []render.PipeStatus
	for _, p := range pipes {
		status, err := s.askPipe(ctx, db, p)
		if err != nil {
			return nil, fmt.Errorf("ask pipe %s: %w", p.name, err)
		}
		out = append(out, status)
	}
	return out, nil
}

func (s *session) askPipe(ctx context.Context, db *sql.DB, p pipe) (render.PipeStatus, error) {
	out := render.PipeStatus{Name: p.name, Table: p.table}
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
	if err := json.Unmarshal([]byte(raw), &said); err != nil {
		return out, err
	}
	out.State, out.Pending, out.Error = said.State, said.Pending, said.Error
	loads, err := s.history(ctx, db, p.table)
	if err != nil {
		return out, err
	}
	for _, l := range loads {
		if l.Loaded() {
			out.Loaded++
		} else {
			out.Failed++
		}
	}
	return out, nil
}

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mkt/render"
	"mkt/spec"
	"mkt/stream"
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
			if status.Consumers, err = s.consumerStatus(ctx, p.Scope); err != nil {
				return err
			}
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

// consumerStatus asks Kafka what waits for each consumer of the stack whose topic is there.
func (s *session) consumerStatus(ctx context.Context, scope *spec.Scope) ([]render.ConsumerStatus, error) {
	blocks, err := s.appBlocks([]string{"consumer"}, nil)
	if err != nil || len(blocks) == 0 || scope == nil {
		return nil, err
	}
	conn, err := s.kafka(ctx)
	if err != nil {
		return nil, err
	}
	admin, err := stream.NewAdmin(conn.ClientConfig())
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, appTimeout)
	defer cancel()
	var out []render.ConsumerStatus
	for _, b := range blocks {
		instances, diags := scope.Instances(b)
		if err := s.c.report(diags, s.stack.Files); err != nil {
			return nil, err
		}
		for _, inst := range instances {
			if !inst.Value.GetAttr("topic").IsKnown() || !inst.Value.GetAttr("group").IsKnown() {
				continue // not applied yet
			}
			c := stream.Consumer{Name: inst.Addr.Label(), Topic: text(inst.Value, "topic"), Group: text(inst.Value, "group")}
			lags, err := stream.Lag(ctx, conn.ClientConfig(), admin, c)
			if errors.Is(err, stream.ErrNoTopic) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("ask what waits for %s: %w", inst.Addr, err)
			}
			out = append(out, render.ConsumerStatus{Name: c.Name, Topic: c.Topic, Group: c.Group, Lags: lags})
		}
	}
	return out, nil
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
	out, err := pipeState(ctx, db, p)
	if err != nil {
		return out, err
	}
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

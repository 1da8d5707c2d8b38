package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"mkt/render"
	"mkt/stream"
)

func newStream(c *cli) *cobra.Command {
	var follow bool
	var arrival time.Duration
	cmd := &cobra.Command{
		Use:   "stream [producer.NAME | consumer.NAME ...]",
		Short: "Run the producers and consumers",
		Long: `stream runs every producer and consumer of the stack, or those named, until the sources are drained, everything is in
files and the pipes have loaded them. It may be interrupted or killed at any moment: run again, it goes on from there, and
no row is lost or doubled. The first Ctrl-C finishes what is under way, the second cuts it off.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s, err := c.open(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			app, err := s.app(ctx, []string{"producer", "consumer"}, args...)
			if err != nil {
				return err
			}
			if len(app) == 0 {
				return errors.New("the stack has no producer and no consumer")
			}
			cfg, err := s.streamConfig(ctx, app)
			if err != nil {
				return err
			}
			cfg.Follow = follow
			report, err := stream.Run(ctx, cfg, c.observer())
			if e := c.showReport(report); e != nil && err == nil {
				err = e
			}
			if err != nil || len(cfg.Consumers) == 0 {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, arrival)
			defer cancel()
			return s.awaitArrival(ctx, cfg.Consumers)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "keep going after the sources are drained, until interrupted")
	cmd.Flags().DurationVar(&arrival, "arrival-timeout", 10*time.Minute, "how long to wait until the pipes have loaded the files")
	return cmd
}

// observer shows a run's progress: a live line in a terminal, a line now and then in a pipe, one object a line as JSON.
func (c *cli) observer() stream.Observer {
	if c.json {
		return &render.StreamJSON{W: c.out}
	}
	return &render.StreamProgress{View: c.view(c.err)}
}

func (c *cli) showReport(r stream.Report) error {
	if c.json {
		return render.StreamReportJSON(c.out, r)
	}
	c.view(c.out).StreamReport(r)
	return nil
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"mkt/render"
	"mkt/stream"
)

func newStream(c *cli) *cobra.Command {
	var follow, dry bool
	var arrival time.Duration
	var metricsAddr string
	cmd := &cobra.Command{
		Use:   "stream [producer.NAME | consumer.NAME ...]",
		Short: "Run the producers and consumers",
		Long: `stream runs every producer and consumer of the stack, or those named, until the sources are drained, everything is in
files and the pipes have loaded them. It may be interrupted or killed at any moment: run again, it goes on from there, and
no row is lost or doubled. The first Ctrl-C or SIGTERM finishes what is under way, the second cuts it off.

With -metrics-addr it answers /metrics to Prometheus, and /healthz and /readyz to Kubernetes. Where the environment has
OTEL_EXPORTER_OTLP_ENDPOINT it sends a trace of the run to that collector.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			collect(streamGCPercent)
			c.lines = true
			ctx := cmd.Context()
			watched, err := c.observe(ctx, metricsAddr)
			if err != nil {
				return err
			}
			defer watched.close()
			s, cfg, err := c.streamOf(ctx, args)
			if err != nil {
				return err
			}
			defer s.Close()
			if dry {
				return s.dryRun(ctx, cfg)
			}
			cfg.Follow = follow
			report, err := watched.run(ctx, s, cfg)
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
	cmd.Flags().BoolVar(&dry, "dry-run", false, "read, type and count the sources from their first row, and send nothing; exit 1 if a row is bad")
	cmd.Flags().StringVar(&metricsAddr, "metrics-addr", "", "serve /metrics, /healthz and /readyz at this address, as 127.0.0.1:9464")
	cmd.Flags().DurationVar(&arrival, "arrival-timeout", 10*time.Minute, "how long to wait until the pipes have loaded the files")
	return cmd
}

// dryRun says what the producers would send, were nothing sent yet.
func (s *session) dryRun(ctx context.Context, cfg stream.Config) error {
	c := s.c
	done, err := stream.DryRun(ctx, cfg, 10)
	if err != nil {
		return err
	}
	if len(done) == 0 {
		return errors.New("there is no producer to run")
	}
	bad := false
	for _, d := range done {
		bad = bad || d.Bad > 0
		examples := []string{}
		for _, e := range d.Examples {
			examples = append(examples, s.below(e.Error()))
		}
		if c.json {
			err = render.JSONLine(c.out, map[string]any{"type": "dry_run", "producer": d.Name, "topic": d.Topic, "rows": d.Rows, "bytes": d.Bytes, "bad": d.Bad, "examples": examples})
			if err != nil {
				return err
			}
			continue
		}
		view := c.view(c.out)
		view.Printf("producer %s: %s, %s, for %s; %s bad\n", d.Name, count(int(d.Rows), "row"), humanize.Bytes(uint64(d.Bytes)), d.Topic, humanize.Comma(d.Bad))
		for _, e := range examples {
			view.Printf("  %s\n", e)
		}
	}
	if bad {
		return exitError(exitFailed)
	}
	return nil
}

func (c *cli) showReport(r stream.Report) error {
	if c.json {
		return render.StreamReportJSON(c.out, r)
	}
	c.view(c.out).StreamReport(r)
	return nil
}

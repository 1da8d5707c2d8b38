package main

import (
	"context"

	"mkt/render"
	"mkt/stream"
	"mkt/telemetry"
)

// observed is how a run of the stream is seen from outside.
type observed struct {
	c       *cli
	metrics *telemetry.Metrics // nil without -metrics-addr
	traces  *telemetry.Traces  // nil unless the environment asks for them
	close   func()
}

// observe serves metrics and probes at an address, "" for none, from now on: a run that looks for where to go on is alive.
func (c *cli) observe(ctx context.Context, addr string) (*observed, error) {
	o := &observed{c: c, close: func() {}}
	var err error
	if o.traces, err = telemetry.NewTraces(ctx, c.getenv, version); err != nil || addr == "" {
		return o, err
	}
	o.metrics = telemetry.NewMetrics(version)
	at, stop, err := o.metrics.Serve(addr)
	if err != nil {
		return nil, err
	}
	notReady := context.AfterFunc(ctx, o.metrics.Drain)
	o.close = func() { notReady(); stop() }
	if !c.json {
		c.view(c.err).Printf("Metrics at http://%s/metrics\n", at)
	}
	return o, nil
}

// run runs the stream and shows it: a live view in a terminal, a line now and then in a pipe, one object a line as JSON.
func (o *observed) run(ctx context.Context, s *session, cfg stream.Config) (stream.Report, error) {
	pipes := newWatch(s, cfg.Consumers, o.metrics)
	var all stream.Observers
	if o.c.json {
		all = append(all, &render.StreamJSON{W: o.c.out, Pipes: pipes.Pipes}, pipes)
	} else {
		all = append(all, &render.StreamProgress{View: o.c.view(o.c.err), Pipes: pipes.Pipes}, pipes)
	}
	if o.metrics != nil {
		all = append(all, o.metrics)
	}
	if o.traces != nil {
		all = append(all, o.traces)
	}
	report, err := stream.Run(ctx, cfg, all)
	pipes.end()
	if o.traces != nil {
		if e := o.traces.End(report, err); e != nil { // a run is none the worse for it
			o.c.view(o.c.err).Printf("Note: %v\n", e)
		}
	}
	return report, err
}

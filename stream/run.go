package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// run is what the producers and consumers of one Run share.
type run struct {
	cfg     Config
	admin   *kafka.AdminClient
	schemas *Schemas
	obs     Observer      // nil if nobody looks
	sent    chan struct{} // closed when no producer runs any more
}

// Run runs every producer and consumer of cfg. It returns when the sources
// are drained and the consumers have written and committed everything that
// was in their topics then; with cfg.Follow, when ctx is cancelled.
//
// Cancelling ctx drains: producers commit what they have sent, consumers
// upload and commit what they have read, and Run returns ctx's error. The
// first failure drains the others likewise. The report is valid in any case.
func Run(ctx context.Context, cfg Config, obs Observer) (Report, error) {
	start := time.Now()
	r := &run{cfg: cfg, obs: obs, sent: make(chan struct{})}
	producers, consumers, err := r.open()
	report := func() Report {
		out := Report{Elapsed: time.Since(start)}
		for _, p := range producers {
			out.Producers = append(out.Producers, p.counts.status(p.cfg))
		}
		for _, c := range consumers {
			out.Consumers = append(out.Consumers, c.counts.status(c.cfg))
		}
		return out
	}
	if err != nil {
		return report(), err
	}
	defer r.admin.Close()
	stop := observe(obs, report)
	defer stop()

	drain, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var failures []error
	fail := func(what, name string, state interface{ Store(any) }, err error) {
		if err == nil {
			state.Store(Done)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if drain.Err() != nil && errors.Is(err, drain.Err()) || errors.Is(err, context.Canceled) {
			state.Store(Stopped)
			return // drained, since it was told to or since another failed
		}
		state.Store(Failed)
		cancel()
		failures = append(failures, fmt.Errorf("%s %q: %w", what, name, explain(r.cfg.Kafka, err)))
	}
	var sending, all sync.WaitGroup
	// Nothing is sent and no group is joined before all of them could begin.
	for _, p := range producers {
		all.Go(func() { check(fail, "producer", p.cfg.Name, &p.counts.state, p.prepare(drain)) })
	}
	for _, c := range consumers {
		all.Go(func() { check(fail, "consumer", c.cfg.Name, &c.counts.state, c.prepare(drain)) })
	}
	all.Wait()
	if err := errors.Join(errors.Join(failures...), ctx.Err()); err != nil {
		return report(), err
	}
	for _, p := range producers {
		sending.Add(1)
		all.Go(func() {
			defer sending.Done()
			fail("producer", p.cfg.Name, &p.counts.state, p.loop(drain))
		})
	}
	go func() {
		sending.Wait()
		close(r.sent)
	}()
	for _, c := range consumers {
		all.Go(func() { fail("consumer", c.cfg.Name, &c.counts.state, c.loop(drain)) })
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return report(), err
	}
	if r.aborted() {
		return report(), context.Canceled
	}
	return report(), ctx.Err()
}

// check hands an error on, and says nothing of success.
func check(fail func(string, string, interface{ Store(any) }, error), what, name string, state interface{ Store(any) }, err error) {
	if err != nil {
		fail(what, name, state, err)
	}
}

// open checks the configuration and opens what is shared.
func (r *run) open() (ps []*producer, cs []*consumer, err error) {
	var problems []error
	for _, p := range r.cfg.Producers {
		problems = append(problems, p.check())
		ps = append(ps, &producer{cfg: p, run: r})
	}
	for _, c := range r.cfg.Consumers {
		full, err := c.withDefaults()
		problems = append(problems, err)
		cs = append(cs, &consumer{cfg: full, run: r})
	}
	if err := errors.Join(problems...); err != nil {
		return ps, cs, err
	}
	if r.schemas, err = NewSchemas(r.cfg.Registry); err != nil {
		return ps, cs, err
	}
	r.admin, err = NewAdmin(r.cfg.Kafka)
	return ps, cs, err
}

// took tells the observer of a step that has ended now.
func (r *run) took(s Step) {
	if r.obs != nil {
		s.Took = time.Since(s.Start)
		r.obs.Took(s)
	}
}

// aborted says whether the run was told to end at once.
func (r *run) aborted() bool {
	select {
	case <-r.cfg.Abort:
		return true
	default:
		return false
	}
}

// untilAbort calls f with a context that ends at the limit or with an abort,
// not with the run's own context.
func (r *run) untilAbort(limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-r.cfg.Abort:
			cancel()
		case <-done:
		}
	}()
	return f(ctx)
}

// observe reports progress until the returned function is called, which
// reports once more.
func observe(obs Observer, report func() Report) func() {
	if obs == nil {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				obs.Progress(report())
			case <-stop:
				obs.Progress(report())
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

package stream

import (
	"context"
	"sync"
	"testing"
	"time"

	"mkt/stream/streamtest"
)

// steps keeps what a run tells.
type steps struct {
	mu    sync.Mutex
	all   []Step
	last  Snapshot
	count int
}

func (s *steps) Progress(snap Snapshot) { s.last = snap; s.count++ }

func (s *steps) Took(step Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, step)
}

// The steps of a run add up to its report, and the lag to what was sent and not written.
func TestSteps(t *testing.T) {
	s := newStack(t, 2)
	const rows = 3000
	cfg := s.config(streamtest.Generate(t, s.Dir, rows, nil))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	lag := func() (sum int64) {
		t.Helper()
		lags, err := Lag(ctx, s.Props, admin, cfg.Consumers[0])
		if err != nil || len(lags) != 2 {
			t.Fatalf("%v, %v", lags, err)
		}
		for _, l := range lags {
			sum += l.Lag
		}
		return sum
	}
	send, write := cfg, cfg
	send.Consumers, write.Producers = nil, nil
	var seen steps
	if _, err := Run(ctx, send, Observers{&seen, &steps{}}); err != nil {
		t.Fatal(err)
	}
	if p := seen.last.Producers[0]; p.Part != 1 || p.Freshness.Rows != rows || p.Freshness.P99 < p.Freshness.P50 || p.Freshness.P50 <= 0 {
		t.Errorf("%+v", p)
	}
	if n := lag(); n < rows || n > rows+fewOffsets { // and the markers of transactions
		t.Errorf("%d records wait, %d were sent", n, rows)
	}
	rep, err := Run(ctx, write, &seen)
	if err != nil {
		t.Fatal(err)
	}
	if n := lag(); n != 0 {
		t.Errorf("%d records wait after all are written", n)
	}
	sum := map[StepKind]int64{}
	for _, step := range seen.all {
		if step.Err != nil || step.Took <= 0 || step.Topic != "prices" || time.Since(step.Start) > time.Minute {
			t.Errorf("%+v", step)
		}
		sum[step.Kind] += step.Rows
		if step.Kind == StepUpload && (step.File == "" || step.Oldest.IsZero() || step.Newest.Before(step.Oldest) || step.Bytes == 0) {
			t.Errorf("%+v", step)
		}
		if step.Kind == StepCommit {
			sum[step.Kind]++
		}
	}
	if sum[StepTransaction] != rows || sum[StepUpload] != rows || sum[StepCommit] == 0 {
		t.Errorf("%v", sum)
	}
	c := rep.Consumers[0]
	if c.Freshness.Rows != rows || c.Freshness.P50 <= 0 || len(c.Lags) != 2 || c.Ticked.IsZero() {
		t.Errorf("%+v", c)
	}
}

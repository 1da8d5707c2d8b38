package stream

import (
	"context"
	"time"
)

// pacer spreads rows evenly over time. The zero rate does not wait. It counts
// from its first row, so that a late row is caught up with, not lost time.
type pacer struct {
	rate  float64 // rows per second
	start time.Time
	rows  int64
}

// due is how long the next row has to wait from now on.
func (p *pacer) due(now time.Time) time.Duration {
	if p.rate <= 0 {
		return 0
	}
	if p.rows == 0 {
		p.start = now
	}
	at := p.start.Add(time.Duration(float64(p.rows) / p.rate * float64(time.Second)))
	return at.Sub(now)
}

// sent counts a row.
func (p *pacer) sent() { p.rows++ }

// sleep waits for d or until ctx is done, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package stream

import (
	"context"
	"time"
)

// pacer says when rows are due: evenly, by a rate, and as far apart as the
// times that stand in the rows are, by a speed; whichever is later. The zero
// pacer does not wait. It counts from its first row, so that a late row is
// caught up with, not lost time.
type pacer struct {
	rate  float64 // rows per second
	speed float64 // seconds in the rows for each second
	start time.Time
	rows  int64
	seen  time.Time     // in the last row that had a time
	gone  time.Duration // what the schedule by speed has come to
}

// at tells the time in the next row. A time before the last one starts anew
// from there without a wait: what comes next is another series.
func (p *pacer) at(t time.Time) {
	if p.speed <= 0 || t.IsZero() {
		return
	}
	// Saturated where times lie centuries apart, which nobody waits for.
	if !p.seen.IsZero() && t.After(p.seen) {
		wait := float64(t.Sub(p.seen)) / p.speed
		p.gone += time.Duration(min(wait, float64(1<<62-p.gone)))
	}
	p.seen = t
}

// due is how long the next row has to wait from now on.
func (p *pacer) due(now time.Time) time.Duration {
	if p.rate <= 0 && p.speed <= 0 {
		return 0
	}
	if p.rows == 0 {
		p.start = now
	}
	after := p.gone
	if p.rate > 0 {
		after = max(after, time.Duration(float64(p.rows)/p.rate*float64(time.Second)))
	}
	return p.start.Add(after).Sub(now)
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

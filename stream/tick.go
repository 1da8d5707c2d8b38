package stream

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// tick does what time asks for: it rolls files, keeps within memory, counts
// the lag and says whether the consumer is done.
func (c *consumer) tick(ctx context.Context, now time.Time) (done bool, err error) {
	for id, p := range c.parts {
		target, ending := c.targets[id]
		ended := ending && p.next >= target
		if p.open != nil && p.forced == 0 && (ended || now.Sub(p.open.opened) >= c.cfg.Roll.Every) {
			if err := c.seal(p); err != nil {
				return false, err
			}
		}
	}
	if err := c.fitMemory(); err != nil {
		return false, err
	}
	if err := c.commitAll(); err != nil {
		return false, err
	}
	c.measure()
	if now.Sub(c.checked) >= 10*time.Second {
		if err := c.sameTopic(ctx); err != nil {
			return false, err
		}
	}
	return c.finished(ctx, now)
}

// fitMemory keeps what is buffered within the budget: the largest open files
// are rolled, and while uploads are behind, nothing more is read.
func (c *consumer) fitMemory() error {
	for {
		var total, waiting int64
		var largest *partition
		for _, p := range c.parts {
			for _, f := range p.queue {
				waiting += f.memory()
			}
			if p.open == nil {
				continue
			}
			total += p.open.memory()
			if p.forced == 0 && (largest == nil || p.open.memory() > largest.open.memory()) {
				largest = p
			}
		}
		total += waiting
		if full := total > c.cfg.Memory && waiting > 0; full != c.paused {
			c.paused = full
			if err := c.pause(full); err != nil {
				return err
			}
		}
		if total <= c.cfg.Memory || waiting > c.cfg.Memory/2 || largest == nil {
			return nil
		}
		if err := c.seal(largest); err != nil {
			return err
		}
	}
}

// pause stops or resumes reading of every owned partition. Polling goes on,
// which keeps the membership alive.
func (c *consumer) pause(on bool) error {
	ids := slices.Collect(maps.Keys(c.parts))
	if on {
		return c.client.Pause(ids)
	}
	return c.client.Resume(ids)
}

// measure counts the records that wait, from what the client knows.
func (c *consumer) measure() {
	var lag, buffered int64
	lags := make([]PartitionLag, 0, len(c.parts))
	for id, p := range c.parts {
		one := PartitionLag{Partition: id}
		if high, known := c.client.End(id); known && high > p.next {
			one.Lag = high - p.next
			lag += one.Lag
		}
		lags = append(lags, one)
		for _, f := range p.queue {
			buffered += f.memory()
		}
		if p.open != nil {
			buffered += p.open.memory()
		}
	}
	slices.SortFunc(lags, func(a, b PartitionLag) int { return cmp.Compare(a.Partition, b.Partition) })
	c.counts.lags.Store(&lags)
	c.counts.lag.Store(lag)
	c.counts.buffered.Store(buffered)
	c.counts.ticked.Store(time.Now().UnixNano())
	c.counts.parts.Store(int64(len(c.parts)))
}

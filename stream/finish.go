package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// finished says whether every partition of the topic is written up to its
// target: by this process, or by another member of the group.
func (c *consumer) finished(ctx context.Context, now time.Time) (bool, error) {
	if c.targets == nil {
		return false, nil
	}
	var others []int32
	for id, target := range c.targets {
		p := c.parts[id]
		switch {
		case p == nil:
			others = append(others, id)
		case p.next < target || !p.idle():
			return false, nil
		}
	}
	if len(others) > 0 {
		if now.Sub(c.asked) < 500*time.Millisecond {
			return false, nil
		}
		c.asked = now
		done, err := c.writtenByOthers(ctx, others)
		if !done || err != nil {
			return false, err
		}
	}
	return true, c.sameTopic(ctx)
}

// writtenByOthers says whether the group has committed the partitions up to
// their targets, control records aside.
func (c *consumer) writtenByOthers(ctx context.Context, ids []int32) (bool, error) {
	// While the group changes the broker answers late, and the group waits for
	// this member to poll.
	committed, err := c.committed(ids, 500*time.Millisecond)
	if err != nil {
		if transient(err) {
			return false, nil
		}
		return false, err
	}
	for _, id := range ids {
		at, ok := committed[id]
		if !ok {
			at = -1
			if start, err := TopicOffsets(ctx, c.run.admin, Topic{Name: c.topic.Name, Partitions: []int32{id}}); err == nil {
				at = start.Start[id]
			}
		}
		if at < 0 {
			return false, nil
		}
		if at >= c.targets[id] {
			continue
		}
		left, err := anyRecord(ctx, c.run.cfg.Kafka, c.topic.Name, id, span{at, c.targets[id]})
		if err != nil {
			return false, c.fault(err)
		}
		if left {
			return false, nil
		}
	}
	return true, nil
}

// drain ends a cancelled consumer: everything read is uploaded and committed.
func (c *consumer) drain(ctx context.Context) error {
	c.draining = true
	c.counts.state.Store(Draining)
	for _, p := range c.parts {
		if p.forced > 0 {
			p.open, p.forced = nil, 0 // repaired by whoever comes next
			continue
		}
		if err := c.seal(p); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(c.cfg.UploadTimeout)
	for {
		idle := true
		for _, p := range c.parts {
			idle = idle && p.idle()
		}
		if idle {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return errors.New("not everything could be committed; run again to go on")
		}
		select {
		case r := <-c.results:
			if err := c.settle(r); err != nil {
				return err
			}
		case <-c.run.cfg.Abort:
			return context.Canceled
		case <-time.After(pollTime):
		}
		if err := c.commitAll(); err != nil {
			return err
		}
		if err := c.pause(true); err != nil {
			return err
		}
		if err := c.handle(ctx, c.client.Poll(0, &c.records)); err != nil { // records are left to the next run
			return err
		}
	}
}

// sameTopic fails when the topic was re-created under the consumer.
func (c *consumer) sameTopic(ctx context.Context) error {
	c.checked = time.Now()
	if err := c.incarnation(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// incarnation fails unless the topic is the one that this consumer began with.
// It may be called at any time, by uploads too.
func (c *consumer) incarnation(ctx context.Context) error {
	t, err := DescribeTopic(ctx, c.run.admin, c.cfg.Topic)
	if err == nil && t.ID != c.topic.ID {
		err = fmt.Errorf("topic %q was re-created while it was read; start again to read the new one", c.cfg.Topic)
	}
	return err
}

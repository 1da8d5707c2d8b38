package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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
		if done, err := c.writtenByOthers(others, now); !done || err != nil {
			return false, err
		}
	}
	return true, c.sameTopic(ctx)
}

const (
	lookEvery = 500 * time.Millisecond // at what others have committed
	// quietFor is how long another member's commit has to stand before someone
	// looks whether anything is left behind it.
	quietFor = time.Second
)

// others is what is known of the partitions that other members own. It is
// looked up beside the polling: a member that does not poll holds up its group.
type others struct {
	began   time.Time
	ids     []int32            // that are being looked at
	answer  chan error         // of the look that is under way: nil is written, errUnfinished is not; nil if none is
	stands  map[int32]standing // for the look alone
	looking sync.WaitGroup
}

// standing is a committed offset that is short of its target.
type standing struct {
	at    int64
	since time.Time
	empty bool // only control records follow up to the target
	left  bool // others do: that does not change
}

var errUnfinished = errors.New("records are left")

// writtenByOthers says whether the group is known to have committed the
// partitions up to their targets, control records aside.
func (c *consumer) writtenByOthers(ids []int32, now time.Time) (bool, error) {
	o := &c.others
	if o.answer != nil {
		select {
		case err := <-o.answer:
			o.answer = nil
			switch {
			case err == nil:
				return !slices.ContainsFunc(ids, func(id int32) bool { return !slices.Contains(o.ids, id) }), nil
			case !errors.Is(err, errUnfinished) && !transient(err):
				return false, err
			}
		default:
		}
		return false, nil
	}
	if now.Sub(o.began) < lookEvery {
		return false, nil
	}
	if o.stands == nil {
		o.stands = map[int32]standing{}
	}
	answer, targets := make(chan error, 1), maps.Clone(c.targets)
	o.began, o.ids, o.answer = now, ids, answer
	o.looking.Go(func() { answer <- c.look(c.uploads, ids, targets) })
	return false, nil
}

// look returns nil when the group has committed the partitions up to the
// targets. One look runs at a time.
func (c *consumer) look(ctx context.Context, ids []int32, targets map[int32]int64) error {
	topic := c.topic
	topic.Partitions = ids
	committed, err := GroupOffsets(ctx, c.run.admin, c.cfg.Group, topic)
	if err != nil {
		return err
	}
	var starts map[int32]int64
	unfinished := false
	for _, id := range ids {
		at, ok := committed[id]
		if !ok {
			if starts == nil {
				bounds, err := TopicOffsets(ctx, c.run.admin, topic)
				if err != nil {
					return err
				}
				starts = bounds.Start
			}
			at = starts[id]
		}
		if at >= targets[id] {
			continue
		}
		was, ok := c.others.stands[id]
		switch {
		case !ok || was.at != at:
			was = standing{at: at, since: time.Now()}
		case !was.empty && !was.left && time.Since(was.since) >= quietFor:
			if was.left, err = anyRecord(ctx, c.run.cfg.Kafka, topic.Name, id, span{at, targets[id]}); err != nil {
				return c.fault(err)
			}
			was.empty = !was.left
		}
		c.others.stands[id] = was
		unfinished = unfinished || !was.empty
	}
	if unfinished {
		return errUnfinished
	}
	return nil
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

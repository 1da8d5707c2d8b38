package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/stream/codec"
	"mkt/stream/engine"
)

// consumer runs one Consumer. Everything but counts belongs to the goroutine
// of loop; uploads hand their outcome back through a channel.
type consumer struct {
	cfg    Consumer
	run    *run
	counts consumerCounts

	topic   Topic
	client  engine.Receiver
	records engine.Records
	schema  *codec.Schema // of the last row
	dirs    *directories  // nil: files are in none
	blobs   *container.Client
	parts   map[int32]*partition

	results  chan outcome
	slots    chan struct{} // one per upload that runs
	uploads  context.Context
	inflight int
	epoch    int64           // a number for each partition's tenure and rewind
	targets  map[int32]int64 // where the topic ended when the last producer had ended
	draining bool
	paused   bool // uploads are behind
	sealed   bool // files are full, or uploads have ended, since the last commit
	others   others
	checked  time.Time // when the topic's incarnation was last looked at

	refusal              error     // of the sign-in, nil since a record has come
	refused, refusedLast time.Time // when it was first and last heard of
}

// partition is one that this consumer owns.
//
//	start ≤ next: [start, next) is read and in open, queue and sending hold
//	what is before start, down to the last chain end that is committed.
type partition struct {
	id      int32
	epoch   int64
	start   int64 // where the next file to open starts
	next    int64 // offset after the last record, or end of partition, seen
	forced  int64 // a file must end exactly here, 0 for none
	open    *file
	queue   []*file // full, in order
	sending bool    // queue[0] is being uploaded
	commit  int64   // end of the chain that is written
	commits int64   // end of the chain that is committed
	told    int64   // where the file that starts there will end, as committed; 0 for nowhere
	telling int64   // what is being committed as that
}

func (p *partition) idle() bool {
	return p.open == nil && len(p.queue) == 0 && p.commit == p.commits
}

// willEnd is where the next file to be written ends, 0 if it is not full.
func (p *partition) willEnd() int64 {
	if p.forced == 0 && len(p.queue) > 0 {
		return p.queue[0].end
	}
	return p.forced
}

const (
	pollTime  = 50 * time.Millisecond
	tickEvery = 100 * time.Millisecond

	refusedFor   = 10 * time.Second // how long a sign-in may fail before that is an answer
	refusedApart = time.Minute      // refusals that are further apart say nothing about each other
)

func (c *consumer) loop(ctx context.Context) (err error) {
	defer func() {
		if c.refusal != nil && err != nil && transient(err) { // that is why no broker answers
			err = fmt.Errorf("%w; then: %s", c.refusal, err.Error())
		}
	}()
	uploads, stop := context.WithCancel(context.Background())
	defer stop()
	c.uploads = uploads
	if err := c.connect(); err != nil {
		return err
	}
	defer c.client.Close()
	defer func() { // before Close: it waits for nothing that uploads
		stop()
		c.others.looking.Wait()
	}()
	c.counts.state.Store(Running)
	sent := c.run.sent
	ticked := time.Now()
	for {
		event := c.client.Poll(pollTime, &c.records)
		for i := range c.records.Len() {
			err := c.message(ctx, c.records.At(i))
			if errors.Is(err, context.Canceled) && ctx.Err() != nil {
				// The registry was being asked; the record is left to the next run, and with it what
				// the event may say is the end behind it.
				if _, end := event.(engine.End); end {
					event = nil
				}
				break
			}
			if err != nil {
				return err
			}
		}
		if err := c.handle(ctx, event); err != nil {
			return err
		}
		if c.run.aborted() {
			return context.Canceled
		}
		if err := c.collect(); err != nil {
			return err
		}
		if now := time.Now(); now.Sub(ticked) >= tickEvery {
			ticked = now
			if done, err := c.tick(ctx, now); done || err != nil {
				return err
			}
		}
		select {
		case <-sent:
			sent = nil
			if !c.run.cfg.Follow && !c.draining {
				topic, err := DescribeTopic(ctx, c.run.admin, c.cfg.Topic) // it may have gained partitions since
				if err != nil || topic.ID != c.topic.ID {
					topic = c.topic
				}
				if c.targets, err = topicEnds(ctx, c.run.admin, topic); err != nil && ctx.Err() == nil {
					return err
				}
			}
		default:
		}
		if ctx.Err() != nil && !c.draining {
			return c.drain(ctx)
		}
	}
}

// prepare opens the container and finds the topic.
func (c *consumer) prepare(ctx context.Context) error {
	var err error
	if c.blobs, err = c.run.cfg.Blob(c.cfg.ContainerURL); err != nil {
		return fmt.Errorf("open container: %w", err)
	}
	if c.topic, err = DescribeTopic(ctx, c.run.admin, c.cfg.Topic); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, contactLimit)
	defer cancel()
	err = retryBlob(ctx, nil, func(ctx context.Context) error {
		_, err := c.blobs.GetProperties(ctx, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("container %s: %w", c.cfg.ContainerURL, err)
	}
	return nil
}

// connect joins the group.
func (c *consumer) connect() error {
	var err error
	c.dirs = newDirectories(c.cfg.By)
	c.parts, c.results = map[int32]*partition{}, make(chan outcome, 1024)
	c.slots = make(chan struct{}, uploaders)
	c.checked = time.Now()
	group := map[string]string{"partition.assignment.strategy": "cooperative-sticky",
		"session.timeout.ms": "6000", "heartbeat.interval.ms": "1500",
		// A member whose storage does not answer for a while is no dead one.
		"max.poll.interval.ms": "60000"}
	if usesNewProtocol(merged(c.run.cfg.Kafka, c.cfg.Properties)) {
		group = nil
	}
	c.client, err = engine.NewReceiver(merged(quiet, group, map[string]string{
		"fetch.queue.backoff.ms": "5",
		"fetch.wait.max.ms":      "100", // how late the end of a partition is seen
		// Of each partition. A record of 100 bytes takes 600 while it is queued.
		"queued.max.messages.kbytes":         "2048",
		"queued.min.messages":                "5000",
		"fetch.message.max.bytes":            "524288",
		"topic.metadata.refresh.interval.ms": "30000",
	}, c.run.cfg.Kafka, c.cfg.Properties, map[string]string{
		"group.id":                 c.cfg.Group,
		"enable.auto.commit":       "false",
		"enable.auto.offset.store": "false",
		"isolation.level":          "read_committed",
		"enable.partition.eof":     "true",
		"auto.offset.reset":        "error",
	}), c.cfg.Topic)
	if err != nil {
		return fmt.Errorf("kafka consumer of topic %q: %w", c.cfg.Topic, err)
	}
	return nil
}

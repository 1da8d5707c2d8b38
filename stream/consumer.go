package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// consumer runs one Consumer. Everything but counts belongs to the goroutine
// of loop: the rebalance callback runs there, inside Poll, and uploads hand
// their outcome back through a channel.
type consumer struct {
	cfg    Consumer
	run    *run
	counts consumerCounts

	topic  Topic
	client *kafka.Consumer
	blobs  *container.Client
	parts  map[int32]*partition
	err    error // met inside a callback

	results  chan outcome
	slots    chan struct{} // one per upload that runs
	uploads  context.Context
	inflight int
	epoch    int64           // a number for each partition's tenure and rewind
	targets  map[int32]int64 // where the topic ended when the last producer had ended
	draining bool
	ended    bool      // the client is being closed
	paused   bool      // uploads are behind
	refused  time.Time // since when no broker lets us in
	asked    time.Time // when others' partitions were last looked at
	checked  time.Time // when the topic's incarnation was last looked at
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
}

func (p *partition) idle() bool {
	return p.open == nil && len(p.queue) == 0 && p.commit == p.commits
}

const (
	pollTime  = 50 * time.Millisecond
	tickEvery = 100 * time.Millisecond

	refusedFor = 10 * time.Second // how long a sign-in may fail before that is an answer
)

func (c *consumer) loop(ctx context.Context) error {
	uploads, stop := context.WithCancel(context.Background())
	defer stop()
	c.uploads = uploads
	if err := c.connect(ctx); err != nil {
		return err
	}
	defer func() {
		c.ended = true
		c.client.Close()
	}()
	defer stop() // before Close: it waits for nothing that uploads
	c.counts.state.Store(Running)
	sent := c.run.sent
	ticked := time.Now()
	for n := 0; ; n++ {
		event := c.client.Poll(int(pollTime / time.Millisecond))
		if err := c.handle(ctx, event); err != nil {
			return err
		}
		if c.err != nil {
			return c.err
		}
		if n%128 != 0 && event != nil {
			continue
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
func (c *consumer) connect(ctx context.Context) error {
	var err error
	c.parts, c.results = map[int32]*partition{}, make(chan outcome, 1024)
	c.slots = make(chan struct{}, uploaders)
	c.checked = time.Now()
	group := map[string]string{"partition.assignment.strategy": "cooperative-sticky",
		"session.timeout.ms": "6000", "heartbeat.interval.ms": "1500",
		// Also how long a group waits for a member that died while it joined.
		"max.poll.interval.ms": "15000"}
	if usesNewProtocol(c.run.cfg.Kafka) {
		group = nil
	}
	c.client, err = kafka.NewConsumer(logged(configMap(quiet, group, map[string]string{
		"fetch.queue.backoff.ms":             "5",
		"fetch.wait.max.ms":                  "100", // how late the end of a partition is seen
		"queued.max.messages.kbytes":         "32768",
		"queued.min.messages":                "20000",
		"fetch.message.max.bytes":            "4194304",
		"topic.metadata.refresh.interval.ms": "30000",
	}, c.run.cfg.Kafka, map[string]string{
		"group.id":                 c.cfg.Group,
		"enable.auto.commit":       "false",
		"enable.auto.offset.store": "false",
		"isolation.level":          "read_committed",
		"enable.partition.eof":     "true",
		"auto.offset.reset":        "error",
	})))
	if err != nil {
		return fmt.Errorf("kafka consumer: %w", err)
	}
	err = c.client.Subscribe(c.cfg.Topic, func(_ *kafka.Consumer, ev kafka.Event) error {
		switch e := ev.(type) {
		case kafka.AssignedPartitions:
			if !c.ended { // Close serves what came late, and asking the group then only times out
				c.assigned(ctx, e.Partitions)
			}
		case kafka.RevokedPartitions:
			c.revoked(e.Partitions)
		}
		return nil
	})
	if err != nil {
		c.client.Close()
		return fmt.Errorf("subscribe to topic %q: %w", c.cfg.Topic, err)
	}
	return nil
}

// handle takes in one event of the client.
func (c *consumer) handle(ctx context.Context, event kafka.Event) error {
	switch e := event.(type) {
	case *kafka.Message:
		if err := e.TopicPartition.Error; err != nil {
			return c.fault(err)
		}
		c.refused = time.Time{}
		return c.message(ctx, e)
	case kafka.PartitionEOF:
		p := c.parts[e.Partition]
		if p == nil || int64(e.Offset) < p.next {
			return nil
		}
		if p.forced > 0 && int64(e.Offset) >= p.forced {
			if err := c.seal(p); err != nil {
				return err
			}
		}
		// Up to here there are control records only: a file may end here.
		p.next = int64(e.Offset)
	case kafka.Error:
		return c.fault(e)
	}
	return nil
}

// fault sorts the client's errors into those that pass and those that end
// the consumer.
func (c *consumer) fault(err error) error {
	var ke kafka.Error
	if !errors.As(err, &ke) || ke.IsFatal() {
		return err
	}
	switch ke.Code() {
	case kafka.ErrAutoOffsetReset, kafka.ErrOffsetOutOfRange:
		return fmt.Errorf("the offset to go on from is not in topic %q any more: records were deleted before they were written,"+
			" or the topic was re-created; nothing is skipped silently: %w", c.cfg.Topic, err)
	case kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic:
		return fmt.Errorf("topic %q: %w", c.cfg.Topic, err)
	case kafka.ErrTopicAuthorizationFailed, kafka.ErrGroupAuthorizationFailed, kafka.ErrClusterAuthorizationFailed,
		kafka.ErrSaslAuthenticationFailed:
		return fmt.Errorf("kafka refuses the credential: %w", err)
	case kafka.ErrAuthentication:
		// librdkafka says so as well when a connection breaks during the sign-in, as it does while a broker restarts:
		// only what lasts is a refusal.
		if c.refused.IsZero() {
			c.refused = time.Now()
		}
		if time.Since(c.refused) > refusedFor {
			return fmt.Errorf("kafka refuses the credential: %w", err)
		}
	}
	return nil // the client tries again by itself
}

// message takes in one record.
func (c *consumer) message(ctx context.Context, msg *kafka.Message) error {
	p := c.parts[msg.TopicPartition.Partition]
	offset := int64(msg.TopicPartition.Offset)
	if p == nil || offset < p.next {
		return nil
	}
	if p.forced > 0 && offset >= p.forced {
		if err := c.seal(p); err != nil {
			return err
		}
	}
	id, datum, poison := SchemaID(msg.Value)
	schema, err := c.run.schemas.ByID(ctx, id)
	if poison == nil && errors.Is(err, ErrPoison) {
		poison = err
	} else if poison == nil && err != nil {
		return err
	}
	f := p.open
	if f != nil && poison == nil && f.schema != 0 && f.schema != id && p.forced == 0 {
		if err := c.seal(p); err != nil {
			return err
		}
		f = nil
	}
	if f == nil {
		f = newFile(p.start, c.cfg.letterCompression())
		p.open = f
	}
	if poison == nil {
		if poison, err = f.add(schema, datum, c.cfg.Format, c.cfg.Compression); err != nil {
			return err
		}
	}
	if poison != nil {
		if c.cfg.DeadLetterPrefix == "" {
			return fmt.Errorf("topic %q, partition %d, offset %d: %w; give the consumer a dead_letter prefix to go on without such records",
				c.cfg.Topic, p.id, offset, poison)
		}
		if err := f.addDead(msg, poison); err != nil {
			return err
		}
	}
	p.next = offset + 1
	c.counts.read.Add(1)
	if p.forced == 0 && (f.rows+f.dead >= c.cfg.Roll.Rows || f.stored() >= c.cfg.Roll.Bytes) {
		return c.seal(p)
	}
	return nil
}

// seal closes the open file and lines it up for upload.
func (c *consumer) seal(p *partition) error {
	f := p.open
	if f == nil {
		if p.forced == 0 {
			return nil
		}
		// The range to write again holds no record any more.
		return fmt.Errorf("topic %q, partition %d: the records of [%d, %d) are gone before their dead letters were written",
			c.cfg.Topic, p.id, p.start, p.forced)
	}
	f.end = p.next
	if p.forced > 0 {
		f.end = p.forced
		p.next, p.forced = p.forced, 0
	}
	if err := f.close(c.cfg.Format, c.cfg.Compression); err != nil {
		return err
	}
	p.open, p.start = nil, f.end
	p.queue = append(p.queue, f)
	c.send(p)
	return nil
}

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
	var tps []kafka.TopicPartition
	for id := range c.parts {
		tps = append(tps, kafka.TopicPartition{Topic: &c.cfg.Topic, Partition: id})
	}
	if on {
		return c.client.Pause(tps)
	}
	return c.client.Resume(tps)
}

// measure counts the records that wait, from what the client knows.
func (c *consumer) measure() {
	var lag int64
	for id, p := range c.parts {
		_, high, err := c.client.GetWatermarkOffsets(c.cfg.Topic, id)
		if err == nil && high > p.next {
			lag += high - p.next
		}
	}
	c.counts.lag.Store(lag)
	c.counts.parts.Store(int64(len(c.parts)))
}

package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/internal/realtest"
	"mkt/stream/streamtest"
)

// Two consumers that both think they own every partition, and cut their files
// differently, leave one chain: what a zombie and its successor do.
func TestZombieOverlap(t *testing.T) {
	t.Parallel()
	s := newStack(t, 3)
	const n = 40_000
	path := streamtest.Generate(t, s.Dir, n, func(i int) bool { return i%1000 == 5 })
	cfg := s.config(path)
	cfg.Producers[0].Rate = 15_000
	poison(t, s, 5) // dead letters, too
	cfg.Consumers[0].Roll.Rows = 700
	zombie := cfg.Consumers[0]
	zombie.Name, zombie.Group, zombie.Roll = "zombie", "group2", Roll{Rows: 450, Every: 300 * time.Millisecond}
	third := cfg.Consumers[0]
	third.Name, third.Group, third.Roll = "third", "group3", Roll{Rows: 5000, Every: 700 * time.Millisecond}
	cfg.Consumers = append(cfg.Consumers, zombie, third)
	rep := s.run(cfg)
	var adopted int64
	for _, c := range rep.Consumers {
		adopted += c.Adopted
	}
	if adopted == 0 {
		t.Error("nobody adopted a file: the consumers did not overlap")
	}
	rows := s.fileRows()
	for i := uint64(5); i <= n; i += 1000 {
		rows[i]++
	}
	exactlyOnce(t, "files", rows, n)
	if n := s.deadLetterLines(); n != 5 {
		t.Errorf("%d dead letters, want 5", n)
	}
}

// poison sends records that are no datum of any schema.
func poison(t *testing.T, s *stack, n int) {
	t.Helper()
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": s.Props["bootstrap.servers"], "log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	topic := streamtest.Topic
	values := [][]byte{[]byte("no avro"), nil, {0, 0, 0, 1, 244, 1}, {0, 0, 0, 0, 1, 255}}
	for i := range n {
		done := make(chan kafka.Event, 1)
		err := p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
			Key: fmt.Append(nil, i), Value: values[i%len(values)]}, done)
		if err != nil {
			t.Fatal(err)
		}
		<-done
	}
}

func (s *stack) deadLetterLines() int {
	n := 0
	for _, text := range s.blobsUnder("dead-letter/") {
		n += strings.Count(text, "\n")
	}
	return n
}

// Without a dead-letter prefix a record that is no row stops the consumer.
func TestPoisonStops(t *testing.T) {
	s := newStack(t, 1)
	poison(t, s, 1)
	cfg := s.config(streamtest.Generate(t, s.Dir, 10, nil))
	cfg.Consumers[0].DeadLetterPrefix = ""
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := Run(ctx, cfg, nil); err == nil || !strings.Contains(err.Error(), "partition 0, offset 0") {
		t.Error(err)
	}
}

// A second member of the group joins while rows come and leaves again: with
// partitions that move one by one (cooperative), and as brokers decide
// (KIP-848).
func TestRebalance(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			rebalance(t, protocol)
		})
	}
}

func rebalance(t *testing.T, protocol string) {
	s := newStack(t, 6)
	const n = 60_000
	path := streamtest.Generate(t, s.Dir, n, nil)
	cfg := s.config(path)
	cfg.Producers[0].Rate = 5000 // longer than it takes to join on a busy machine
	if realtest.At(t, realtest.Kafka) != "" && protocol == "consumer" {
		cfg.Producers[0].Rate = 2500 // partitions move with heartbeats, every 5 s there
	}
	cfg.Consumers[0].Roll = Roll{Rows: 800, Every: 200 * time.Millisecond}
	other := cfg
	other.Producers = nil
	other.Follow = true
	s.groups(protocol, "1000", "2000")
	var joined Report
	var wg sync.WaitGroup
	wg.Go(func() { // joins, works a little, leaves
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var err error
		joined, err = Run(ctx, other, observer(func(s Snapshot) {
			if s.Consumers[0].Rows > 500 {
				cancel()
			}
		}))
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	rep := s.run(cfg)
	wg.Wait()
	exactlyOnce(t, "files", s.fileRows(), n)
	var theirs int64
	for _, c := range joined.Consumers {
		theirs += c.Rows
	}
	if theirs == 0 || rep.Consumers[0].Rows == 0 {
		t.Errorf("the work was not shared: %d and %d rows", rep.Consumers[0].Rows, theirs)
	}
}

// groups sets how members of groups find together, and how soon one that is
// silent, or does not poll, is one no more: in milliseconds. With KIP-848 the
// broker says so.
func (s *stack) groups(protocol, session, poll string) {
	s.Props["group.protocol"], s.Props["max.poll.interval.ms"] = protocol, poll
	s.Props["session.timeout.ms"], s.Props["heartbeat.interval.ms"] = session, "100"
	if protocol == "consumer" {
		delete(s.Props, "session.timeout.ms")
		delete(s.Props, "heartbeat.interval.ms")
	}
}

// Cancelling drains: what was sent is committed, what was read is written.
func TestDrainAndAbort(t *testing.T) {
	t.Parallel()
	s := newStack(t, 3)
	const n = 50_000
	path := streamtest.Generate(t, s.Dir, n, nil)
	cfg := s.config(path)
	cfg.Producers[0].Rate = 20_000
	cfg.Consumers[0].Roll.Every = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	rep, err := Run(ctx, cfg, observer(func(s Snapshot) {
		if s.Consumers[0].Read > 0 {
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) || rep.Producers[0].State != Stopped || rep.Consumers[0].State != Stopped {
		t.Fatalf("%v, %+v", err, rep)
	}
	p, c := rep.Producers[0], rep.Consumers[0]
	if p.Rows == 0 || p.Rows == n || c.Rows == 0 || c.Rows != c.Read {
		t.Errorf("%+v", rep)
	}
	if got := len(s.topicRows("prices")); got != int(p.Rows) {
		t.Errorf("%d rows in the topic, %d reported", got, p.Rows)
	}
	abort := make(chan struct{})
	cfg.Abort = abort
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	time.AfterFunc(700*time.Millisecond, func() { cancel(); close(abort) })
	start := time.Now()
	if _, err := Run(ctx, cfg, nil); err == nil {
		t.Error("an aborted run must not succeed")
	}
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("the abort took %s", took)
	}
	cfg.Producers[0].Rate, cfg.Abort = 0, nil
	s.run(cfg)
	exactlyOnce(t, "topic", s.topicRows("prices"), n)
	exactlyOnce(t, "files", s.fileRows(), n)
}

// Records that were deleted before they were written are not passed over.
func TestOffsetOutOfRangeStops(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	path := streamtest.Generate(t, s.Dir, 1000, nil)
	cfg := s.config(path)
	s.run(cfg)
	more := cfg
	more.Consumers = nil
	more.Producers = []Producer{cfg.Producers[0]}
	more.Producers[0].Name = "other"
	s.run(more)
	if err := s.Cluster.DeleteRecords("prices", 0, 1500); err != nil {
		t.Fatal(err)
	}
	cfg.Producers = nil
	s.fails(cfg, "nothing is skipped silently")
}

// A re-created topic starts a new chain beside the old one.
func TestTopicRecreated(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	// The dead letters of the last row outlive the topic.
	path := streamtest.Generate(t, s.Dir, 1001, func(i int) bool { return i == 1001 })
	s.run(s.config(path))
	if err := s.Cluster.DeleteTopic("prices"); err != nil {
		t.Fatal(err)
	}
	if err := s.Cluster.CreateTopic("prices", 2, nil); err != nil {
		t.Fatal(err)
	}
	if rep := s.run(s.config(path)); rep.Consumers[0].Rows != 1000 || rep.Consumers[0].Adopted != 0 {
		t.Errorf("%+v", rep)
	}
	ids := map[string]bool{}
	files, err := ListTopicFiles(context.Background(), s.Container(), "kafka-messages/", "prices")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		ids[f.TopicID] = true
	}
	if len(ids) != 2 {
		t.Errorf("%d incarnations in %v", len(ids), files)
	}
}

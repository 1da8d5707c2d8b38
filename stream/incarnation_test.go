package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/streamtest"
)

// recreate deletes the topic and creates it again.
func (s *stack) recreate(partitions int32) {
	s.t.Helper()
	if err := s.Cluster.DeleteTopic("prices"); err != nil {
		s.t.Error(err)
	}
	if err := s.Cluster.CreateTopic("prices", partitions, nil); err != nil {
		s.t.Error(err)
	}
}

// A producer whose topic is re-created under it commits nothing to the new
// one, so that the next run sends every row.
func TestRecreatedUnderProducer(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 200
	path := streamtest.Generate(t, s.Dir, n, nil)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	in, out := io.Pipe()
	cfg := s.config("-")
	cfg.Consumers, cfg.Stdin = nil, in
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	half := make(chan struct{})
	go func() { // between two transactions
		at := len(text) / 2
		at += bytes.IndexByte(text[at:], '\n') + 1
		out.Write(text[:at])
		<-half
		s.recreate(2)
		out.Write(text[at:])
		out.Close()
	}()
	var once sync.Once
	_, err = Run(ctx, cfg, observer(func(snap Snapshot) {
		if snap.Producers[0].Rows > 0 {
			once.Do(func() { close(half) })
		}
	}))
	if err == nil || !strings.Contains(err.Error(), "was re-created") {
		t.Errorf("the producer did not notice: %v", err)
	}
	again := s.config(path)
	again.Consumers = nil
	s.run(again)
	exactlyOnce(t, "topic", s.topicRows("prices"), n)
}

// A consumer whose topic is re-created under it writes no record of the new
// one beside those of the old.
func TestRecreatedUnderConsumer(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	old := s.config(streamtest.Generate(t, s.Dir, 500, nil))
	s.run(old)
	cfg := old
	cfg.Producers, cfg.Follow = nil, true
	cfg.Consumers[0].Roll = Roll{Every: 100 * time.Millisecond}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	joined := make(chan struct{})
	wg.Go(func() {
		var once sync.Once
		_, err := Run(ctx, cfg, observer(func(snap Snapshot) {
			if snap.Consumers[0].Partitions == 1 {
				once.Do(func() { close(joined) })
			}
		}))
		if err == nil || ctx.Err() != nil {
			t.Errorf("the consumer did not notice: %v", err)
		}
	})
	<-joined
	s.recreate(1)
	fresh := s.config(streamtest.Generate(t, t.TempDir(), 3000, nil))
	fresh.Consumers = nil
	s.run(fresh)
	wg.Wait()
	fresh.Consumers, fresh.Producers = s.config().Consumers, nil
	s.run(fresh)
	files, err := ListTopicFiles(context.Background(), s.Container(), "kafka-messages/", "prices")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int64{}
	for _, f := range files {
		t.Log(f.Name, f.FileInfo)
		rows[f.TopicID] += f.Rows
	}
	if len(rows) != 2 {
		t.Errorf("incarnations: %v", rows)
	}
	for id, n := range rows {
		if n != 500 && n != 3000 {
			t.Errorf("files of incarnation %s hold %d rows", id, n)
		}
	}
}

// A partition that has lost its records may have held the last row: it is not
// guessed from the others.
func TestTruncatedPartitionStops(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	cfg := s.config(streamtest.Generate(t, s.Dir, 100, nil))
	cfg.Consumers, cfg.Producers[0].Key = nil, ""
	s.run(cfg)
	var last kafka.TopicPartition
	s.eachRecord("prices", func(m *kafka.Message) {
		if mark, _ := MarkOf(m, HeaderOf("prices")); mark.Row == 100 {
			last = m.TopicPartition
		}
	})
	if err := s.Cluster.DeleteRecords("prices", last.Partition, -1); err != nil {
		t.Fatal(err)
	}
	s.fails(cfg, "cannot tell which rows were sent")
}

// Members that find their files complete but nothing committed say so to each
// other: none waits for another forever.
func TestMembersWithoutOffsetsEnd(t *testing.T) {
	t.Parallel()
	s := newStack(t, 4)
	cfg := s.config(streamtest.Generate(t, s.Dir, 500, nil))
	cfg.Producers[0].Key = ""
	s.run(cfg)
	s.Props["session.timeout.ms"], s.Props["heartbeat.interval.ms"] = "3000", "50"
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var wg, both sync.WaitGroup
	both.Add(2)
	for _, name := range []string{"one", "two"} {
		// A producer that has nothing to send holds the end back until the
		// partitions are shared.
		in, out := io.Pipe()
		member := s.config("-")
		member.Stdin, member.Producers[0].Name, member.Consumers[0].Group = in, name, "group without offsets"
		go func() {
			fmt.Fprintln(out, "Index,Date,Close,Adj Close,Volume")
			both.Wait()
			out.Close()
		}()
		wg.Go(func() {
			var once sync.Once
			rep, err := Run(ctx, member, observer(func(snap Snapshot) {
				if snap.Consumers[0].Partitions == 2 {
					once.Do(both.Done)
				}
			}))
			if err != nil {
				t.Errorf("%v: %+v", err, rep)
			}
		})
	}
	wg.Wait()
	exactlyOnce(t, "files", s.fileRows(), 500)
}

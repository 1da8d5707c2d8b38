package stream

import (
	"errors"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/streamtest"
)

// What other members have left is looked at once for each offset that they have
// committed, and not while they get on.
func TestLookAtOthers(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	cfg := s.config(streamtest.Generate(t, s.Dir, 500, nil))
	consumers := cfg.Consumers
	cfg.Consumers = nil
	s.run(cfg)
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(t.Context(), admin, "prices")
	if err != nil {
		t.Fatal(err)
	}
	bounds, err := TopicOffsets(t.Context(), admin, topic)
	if err != nil {
		t.Fatal(err)
	}
	end := bounds.Committed[0]
	c := &consumer{cfg: consumers[0], run: &run{cfg: cfg, admin: admin}, topic: topic}
	c.others.stands = map[int32]standing{}
	look := func() error { return c.look(t.Context(), []int32{0}, map[int32]int64{0: end}) }
	stands := func(want standing) {
		t.Helper()
		got := c.others.stands[0]
		if got.since = want.since; got != want {
			t.Fatalf("partition 0 stands as %+v, want %+v", got, want)
		}
	}
	unfinished := func(err error) {
		t.Helper()
		if !errors.Is(err, errUnfinished) {
			t.Fatalf("got %v, want that records are left", err)
		}
	}
	commit := func(at int64) {
		t.Helper()
		name := "prices"
		_, err := admin.AlterConsumerGroupOffsets(t.Context(), []kafka.ConsumerGroupTopicPartitions{{Group: consumers[0].Group,
			Partitions: []kafka.TopicPartition{{Topic: &name, Partition: 0, Offset: kafka.Offset(at), Metadata: &topic.ID}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	quiet := func() {
		was := c.others.stands[0]
		was.since = time.Now().Add(-quietFor)
		c.others.stands[0] = was
	}

	unfinished(look())
	stands(standing{at: 0})
	unfinished(look())
	stands(standing{at: 0}) // too early to read
	quiet()
	unfinished(look())
	stands(standing{at: 0, left: true})

	commit(end - 1) // the last offset is the transaction's marker
	unfinished(look())
	stands(standing{at: end - 1})
	quiet()
	if err := look(); err != nil {
		t.Fatal(err)
	}
	stands(standing{at: end - 1, empty: true})
	if err := look(); err != nil {
		t.Fatal(err)
	}
	commit(end)
	if err := look(); err != nil {
		t.Fatal(err)
	}
}

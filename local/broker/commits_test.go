package broker_test

import (
	"os"
	"testing"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// A transaction whose commit was asked for is committed in every partition, or in none that a reader can tell, when the
// process dies before kfake has written its markers; the one after it, which nobody asked to commit, is aborted.
func TestBegunCommitsAreFinished(t *testing.T) {
	dir, asked, open := t.TempDir(), t.TempDir(), t.TempDir()
	leave := func(to string) {
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
	}
	b := start(t, dir)
	ctx := within(t, 60*time.Second)
	spec := []ck.TopicSpecification{{Topic: "t", NumPartitions: 3, ReplicationFactor: 3}}
	if _, err := admin(t, b.Addr()).CreateTopics(ctx, spec); err != nil {
		t.Fatal(err)
	}
	p, err := ck.NewProducer(conf(b.Addr(), "transactional.id", "same", "linger.ms", "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.InitTransactions(ctx); err != nil {
		t.Fatal(err)
	}
	send := func(each int) {
		t.Helper()
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		topic, reports := "t", make(chan ck.Event, 3*each)
		for i := range 3 * each {
			at := ck.TopicPartition{Topic: &topic, Partition: int32(i % 3)}
			if err := p.Produce(&ck.Message{TopicPartition: at, Value: []byte("x")}, reports); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 * each {
			if m := (<-reports).(*ck.Message); m.TopicPartition.Error != nil {
				t.Fatal(m.TopicPartition.Error)
			}
		}
	}
	send(2)
	b.OnCommit(func() { leave(asked) })
	if err := p.CommitTransaction(ctx); err != nil {
		t.Fatal(err)
	}
	b.OnCommit(nil)
	send(4)
	leave(open)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct{ name, dir string }{{"killed at the commit", asked}, {"killed in the next transaction", open}} {
		t.Run(tc.name, func(t *testing.T) {
			b := start(t, tc.dir)
			// Partition 0 holds a third.
			if got := committed(t, b.Addr()); got != 2 {
				t.Errorf("%d records in a partition, want 2", got)
			}
		})
	}
}

package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What was aborted is told, however few bytes the whole answer may have.
func TestFetchTellsWhatWasAborted(t *testing.T) {
	b := start(t, t.TempDir())
	ctx := within(t, 30*time.Second)
	admin := kadm.NewClient(franz(t, b.Addr()))
	topic, err := admin.CreateTopic(ctx, 1, 1, nil, "t")
	if err != nil {
		t.Fatal(err)
	}
	c := franz(t, b.Addr(), kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := c.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MaxWaitMillis, req.MinBytes, req.IsolationLevel, req.SessionEpoch = 1, 100, 1, 1, -1
	rt, rp := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	rt.Topic, rt.TopicID = "t", topic.ID
	rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = 1<<20, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	topics, err := admin.ListTopics(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Broker(int(topics["t"].Partitions[0].Leader)).Request(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	answers := res.(*kmsg.FetchResponse).Topics
	if len(answers) != 1 || len(answers[0].Partitions) != 1 {
		t.Fatalf("the answer is for %+v", answers)
	}
	p := answers[0].Partitions[0]
	if p.ErrorCode != 0 || len(p.RecordBatches) == 0 || len(p.AbortedTransactions) != 1 || p.AbortedTransactions[0].FirstOffset != 0 {
		t.Errorf("code %d, %d bytes, aborted %+v", p.ErrorCode, len(p.RecordBatches), p.AbortedTransactions)
	}
}

// An answer has no more bytes than the reader asks for, whatever the number of partitions.
func TestFetchKeepsToItsBytes(t *testing.T) {
	b := start(t, t.TempDir())
	ctx := within(t, 30*time.Second)
	const partitions, batches, size, most = 8, 4, 30_000, 256 << 10
	admin := kadm.NewClient(franz(t, b.Addr()))
	topic, err := admin.CreateTopic(ctx, partitions, 1, nil, "t")
	if err != nil {
		t.Fatal(err)
	}
	meta, err := admin.Metadata(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	c := franz(t, b.Addr(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MaxWaitMillis, req.MinBytes, req.SessionEpoch = most, 100, 1, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = "t", topic.ID
	for p := range int32(partitions) {
		for range batches {
			if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: p, Value: make([]byte, size)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = p, 1<<20, -1
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	res, err := c.Broker(int(meta.Topics["t"].Partitions[0].Leader)).Request(ctx, req) // another one may lead none of them
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, topic := range res.(*kmsg.FetchResponse).Topics {
		for _, p := range topic.Partitions {
			total += len(p.RecordBatches)
		}
	}
	if total < size || total > most {
		t.Errorf("%d bytes of at most %d", total, most)
	}
}

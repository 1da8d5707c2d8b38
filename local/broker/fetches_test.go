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

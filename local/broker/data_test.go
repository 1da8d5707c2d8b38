package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"

	"mkt/local/broker"
)

func plain() sasl.Mechanism { return saslplain.Auth{User: user, Pass: password}.AsMechanism() }

// serveDir, when set, makes this test binary a broker that serves the
// directory until it is killed, and prints its address.
const serveDir = "MKT_TEST_SERVE_BROKER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveDir); dir != "" {
		b, err := broker.Start(context.Background(), broker.Config{Dir: dir, User: user, Password: password})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func TestAcknowledgedSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line := bufio.NewScanner(out)
	line.Scan()
	addr := line.Text()

	p, err := ck.NewProducer(conf(addr, "acks", "all", "enable.idempotence", "true", "transactional.id", "killed", "linger.ms", "5"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := within(t, 30*time.Second)
	a, err := ck.NewAdminClientFromProducer(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateTopics(ctx, []ck.TopicSpecification{{Topic: "t", NumPartitions: 3, ReplicationFactor: 3}}); err != nil {
		t.Fatal(err)
	}
	id := describe(t, a, "t")[0].TopicID
	send := func(n int) {
		t.Helper()
		topic := "t"
		for i := range n {
			if err := p.Produce(&ck.Message{TopicPartition: ck.TopicPartition{Topic: &topic, Partition: int32(i % 3)}, Value: fmt.Appendf(nil, "%d", i)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		acked := 0
		for acked < n {
			select {
			case e := <-p.Events():
				if m, ok := e.(*ck.Message); ok {
					if m.TopicPartition.Error != nil {
						t.Fatal(m.TopicPartition.Error)
					}
					acked++
				}
			case <-ctx.Done():
				t.Fatalf("%d of %d acknowledged", acked, n)
			}
		}
	}
	if err := errors.Join(p.InitTransactions(ctx), p.BeginTransaction()); err != nil {
		t.Fatal(err)
	}
	send(3000)
	if err := p.CommitTransaction(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	send(300) // acknowledged, never committed
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	b := start(t, dir)
	if b.Addr() != addr {
		t.Fatalf("address moved from %s to %s", addr, b.Addr())
	}
	if again := describe(t, admin(t, addr), "t")[0].TopicID; again.String() != id.String() {
		t.Errorf("topic id %s became %s", id, again)
	}
	// A new producer of the same transactional id fences the dead one and
	// ends its open transaction.
	p2, err := ck.NewProducer(conf(addr, "transactional.id", "killed"))
	if err != nil {
		t.Fatal(err)
	}
	defer p2.Close()
	if err := p2.InitTransactions(ctx); err != nil {
		t.Fatal(err)
	}
	if got := consume(t, addr, 3, kgo.ReadCommitted()); got != 3000 {
		t.Errorf("read committed: %d records, want 3000", got)
	}
}

// consume marks the end of each partition of topic t with a record of its own
// and returns the number of records that a reader sees before the marks.
func consume(t *testing.T, addr string, partitions int32, level kgo.IsolationLevel) int {
	t.Helper()
	c := franz(t, addr, kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(level),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ctx := within(t, 20*time.Second)
	mark := fmt.Sprint(level)
	for p := range partitions {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: p, Key: []byte("end"), Value: []byte(mark)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for left := partitions; left > 0; {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("no end of %d partitions after %d records", left, seen)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			switch {
			case string(r.Key) != "end":
				seen++
			case string(r.Value) == mark:
				left--
			}
		})
	}
	return seen
}

func TestTransactionsReadCommitted(t *testing.T) {
	b := start(t, t.TempDir())
	p, err := ck.NewProducer(conf(b.Addr(), "transactional.id", "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := within(t, 30*time.Second)
	if _, err := admin(t, b.Addr()).CreateTopics(ctx, []ck.TopicSpecification{{Topic: "t", NumPartitions: 1, ReplicationFactor: 3}}); err != nil {
		t.Fatal(err)
	}
	if err := p.InitTransactions(ctx); err != nil {
		t.Fatal(err)
	}
	topic := "t"
	for _, commit := range []bool{false, true} {
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := p.Produce(&ck.Message{TopicPartition: ck.TopicPartition{Topic: &topic, Partition: 0}, Value: []byte("v")}, nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 { // delivery reports: all records are at the broker
			<-p.Events()
		}
		end := p.AbortTransaction
		if commit {
			end = p.CommitTransaction
		}
		if err := end(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := consume(t, b.Addr(), 1, kgo.ReadCommitted()); got != 10 {
		t.Errorf("read committed: %d, want 10", got)
	}
	if got := consume(t, b.Addr(), 1, kgo.ReadUncommitted()); got != 20 {
		t.Errorf("read uncommitted: %d, want 20", got)
	}
}

// TestOpenTransactionsEndWithTheProcess: what was in no committed transaction when the process died never comes back,
// and what the producer commits afterwards is read, after one more death too. A copy of the files while the broker runs
// is what a killed one leaves.
func TestOpenTransactionsEndWithTheProcess(t *testing.T) {
	dir := t.TempDir()
	die := func(b *broker.Broker) *broker.Broker {
		t.Helper()
		left := t.TempDir()
		if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		dir = left
		return start(t, dir)
	}
	// send sends records in one transaction of the same transactional id, and ends it or not.
	send := func(b *broker.Broker, n int, commit bool) {
		t.Helper()
		ctx := within(t, 30*time.Second)
		p, err := ck.NewProducer(conf(b.Addr(), "transactional.id", "same", "linger.ms", "0"))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := p.InitTransactions(ctx); err != nil {
			t.Fatal(err)
		}
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		topic, reports := "t", make(chan ck.Event, n)
		for range n {
			if err := p.Produce(&ck.Message{TopicPartition: ck.TopicPartition{Topic: &topic, Partition: 0}, Value: []byte("x")}, reports); err != nil {
				t.Fatal(err)
			}
		}
		for range n {
			if m := (<-reports).(*ck.Message); m.TopicPartition.Error != nil {
				t.Fatal(m.TopicPartition.Error)
			}
		}
		if commit {
			if err := p.CommitTransaction(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := start(t, dir)
	if _, err := admin(t, b.Addr()).CreateTopics(within(t, 30*time.Second), []ck.TopicSpecification{{Topic: "t", NumPartitions: 1, ReplicationFactor: 3}}); err != nil {
		t.Fatal(err)
	}
	send(b, 2, true)
	send(b, 10, false)
	b = die(b)
	if got := committed(t, b.Addr()); got != 2 {
		t.Fatalf("%d records after the first death, want 2", got)
	}
	send(b, 5, true)
	if got := committed(t, b.Addr()); got != 7 {
		t.Errorf("%d records after the next transaction, want 7", got)
	}
	b = die(b)
	if got := committed(t, b.Addr()); got != 7 {
		t.Errorf("%d records after the second death, want 7", got)
	}
}

// committed counts the records of topic t as a reader of committed ones sees them, by librdkafka, whose readers skip a
// producer's records from an aborted transaction's begin to its marker.
func committed(t *testing.T, addr string) (n int) {
	t.Helper()
	c, err := ck.NewConsumer(conf(addr, "group.id", "any", "isolation.level", "read_committed", "enable.partition.eof", "true"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	topic := "t"
	if err := c.Assign([]ck.TopicPartition{{Topic: &topic, Partition: 0, Offset: ck.OffsetBeginning}}); err != nil {
		t.Fatal(err)
	}
	ctx := within(t, 30*time.Second)
	for ctx.Err() == nil {
		switch e := c.Poll(100).(type) {
		case *ck.Message:
			n++
		case ck.PartitionEOF:
			return n
		case ck.Error:
			t.Logf("%v", e)
		}
	}
	t.Fatal("the end of the partition is not reached")
	return n
}

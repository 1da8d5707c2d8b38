package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"mkt/stream"
	"mkt/stream/codec"
	"mkt/stream/engine"
	"mkt/stream/source"
)

// job is what a child process is to do with one client.
type job struct {
	What   string // of jobs
	Props  map[string]string
	Topic  string
	Rows   string // the CSV
	N      int
	Header bool // send the mark
}

// jobs are one loop each: the same messages, sent or received.
var jobs = map[string]func(context.Context, job, *messages) error{
	"c": func(_ context.Context, j job, m *messages) error {
		return ceiling(merge(sending, j.Props), j.Topic, j.header(), m)
	},
	"naive":          naive,
	"produce-engine": produceEngine,
	"produce-public": producePublic,
	"consume-engine": consumeEngine,
	"consume-public": consumePublic,
	"consume-franz":  consumeFranz,
}

// result is what the child measured of itself, without its preparations.
type result struct {
	Elapsed, CPU time.Duration
	RSS          int64
}

const childEnv = "MKT_BENCH_JOB"

// run does a job in a process of its own.
func (j job) run(ctx context.Context, name string) (figures, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return figures{}, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return figures{}, fmt.Errorf("%s: %w", name, err)
	}
	var r result
	if err := json.Unmarshal(out, &r); err != nil {
		return figures{}, fmt.Errorf("%s: %w", name, err)
	}
	return figures{name, j.N, r.Elapsed, r.CPU, r.RSS}, nil
}

// child is the child process.
func child(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	var m *messages
	var err error
	if !strings.HasPrefix(j.What, "consume") {
		if m, err = encode(j.Rows, j.N); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	before, began := used(), time.Now()
	if err := jobs[j.What](ctx, j, m); err != nil {
		return err
	}
	r := result{Elapsed: time.Since(began)}
	after := used()
	r.CPU = cpu(after) - cpu(before)
	r.RSS = after.Maxrss * 1024
	return json.NewEncoder(os.Stdout).Encode(r)
}

func used() (u syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for no process that asks about itself
	return u
}

func cpu(u syscall.Rusage) time.Duration { return time.Duration(u.Utime.Nano() + u.Stime.Nano()) }

// messages are rows as they go to the topic: key, value in Confluent's wire
// format, and a mark of 16 bytes.
type messages struct {
	list  []message
	block []byte
}

// message is bench_message.
type message struct {
	at         int64
	key, value int32
}

func (m *messages) key(i int) []byte { a := &m.list[i]; return m.block[a.at : a.at+int64(a.key)] }
func (m *messages) value(i int) []byte {
	a := &m.list[i]
	return m.block[a.at+int64(a.key) : a.at+int64(a.key)+int64(a.value)]
}
func (m *messages) mark(i int) []byte {
	a := &m.list[i]
	return m.block[a.at+int64(a.key)+int64(a.value):][:16]
}

// encode makes the messages of the first n rows of a CSV.
func encode(path string, n int) (*messages, error) {
	s, err := codec.Parse(1, schema)
	if err != nil {
		return nil, err
	}
	m := &messages{}
	p := stream.Producer{Name: "bench", Source: stream.Source{Paths: []string{path}, Rename: map[string]string{"Adj Close": "Adj_Close"}, Null: []string{"", "null"}, Limit: uint64(n)}}
	err = p.EachRow(context.Background(), s, nil, func(row *source.Row, datum []byte, bad error) error {
		if bad != nil {
			return bad
		}
		m.list = append(m.list, message{int64(len(m.block)), int32(len(row.Fields[0])), int32(5 + len(datum))})
		m.block = append(append(m.block, row.Fields[0]...), 0, 0, 0, 0, 1)
		m.block = binary.BigEndian.AppendUint64(append(m.block, datum...), row.Number)
		m.block = binary.BigEndian.AppendUint64(m.block, row.Digest)
		return nil
	})
	return m, err
}

// sending and receiving are librdkafka's settings for much at a time, with the
// compression that mkt has.
var (
	sending = map[string]string{"linger.ms": "20", "batch.size": "1000000", "batch.num.messages": "100000", "compression.type": "none",
		"queue.buffering.max.messages": "20000", "queue.buffering.max.kbytes": "65536", "enable.idempotence": "true", "acks": "all",
		"partitioner": "murmur2_random", "log_level": "0"}
	receiving = map[string]string{"fetch.queue.backoff.ms": "5", "fetch.wait.max.ms": "100", "queued.max.messages.kbytes": "2048",
		"queued.min.messages": "5000", "fetch.message.max.bytes": "524288", "enable.auto.commit": "false", "enable.auto.offset.store": "false",
		"isolation.level": "read_committed", "auto.offset.reset": "earliest", "log_level": "0"}
)

const transaction = 100_000 // rows

func (j job) header() string {
	if j.Header {
		return stream.HeaderOf("prices")
	}
	return ""
}

func merge(layers ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, l := range layers {
		maps.Copy(out, l)
	}
	return out
}

func public(m map[string]string, more ...kafka.ConfigMap) *kafka.ConfigMap {
	out := kafka.ConfigMap{}
	for k, v := range m {
		out[k] = v
	}
	for _, l := range more {
		maps.Copy(out, l)
	}
	return &out
}

// naive waits for each message before it sends the next.
func naive(_ context.Context, j job, m *messages) error {
	p, err := kafka.NewProducer(public(j.Props, kafka.ConfigMap{"acks": "all", "enable.idempotence": true}))
	if err != nil {
		return err
	}
	defer p.Close()
	go func() {
		for range p.Events() { // closed by Close
		}
	}()
	for i := range m.list {
		err := p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &j.Topic, Partition: kafka.PartitionAny}, Key: m.key(i), Value: m.value(i)}, nil)
		if err != nil {
			return err
		}
		for p.Flush(1000) > 0 {
		}
	}
	return nil
}

// inTransactions sends messages in transactions of 100,000.
func inTransactions(ctx context.Context, n int, begin, commit func() error, send func(i int) error) error {
	for i := range n {
		if i%transaction == 0 {
			if err := begin(); err != nil {
				return err
			}
		}
		if err := send(i); err != nil {
			return err
		}
		if i%transaction == transaction-1 || i == n-1 {
			if err := commit(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func produceEngine(ctx context.Context, j job, m *messages) error {
	s, err := engine.NewSender(merge(j.Props, map[string]string{"transactional.id": "bench-engine"}), j.Topic)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Init(ctx); err != nil {
		return err
	}
	var b engine.Batch
	commit := func() error { return errors.Join(s.Send(ctx, &b), s.Commit(ctx)) }
	return inTransactions(ctx, len(m.list), func() error { return s.Begin(ctx) }, commit, func(i int) error {
		b.Add(0, m.key(i), m.value(i), engine.Header{Name: j.header(), Value: m.mark(i)})
		if b.Len() < 1000 {
			return nil
		}
		return s.Send(ctx, &b)
	})
}

func producePublic(ctx context.Context, j job, m *messages) error {
	p, err := kafka.NewProducer(public(merge(sending, j.Props), kafka.ConfigMap{"transactional.id": "bench-public", "go.delivery.reports": false}))
	if err != nil {
		return err
	}
	defer p.Close()
	go func() {
		for range p.Events() { // closed by Close
		}
	}()
	if err := p.InitTransactions(ctx); err != nil {
		return err
	}
	commit := func() error { return p.CommitTransaction(ctx) }
	return inTransactions(ctx, len(m.list), p.BeginTransaction, commit, func(i int) error {
		for {
			err := p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &j.Topic, Partition: kafka.PartitionAny},
				Key: m.key(i), Value: m.value(i), Headers: []kafka.Header{{Key: j.header(), Value: m.mark(i)}}}, nil)
			var ke kafka.Error
			if !errors.As(err, &ke) || ke.Code() != kafka.ErrQueueFull {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	})
}

func franz(j job, more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(more, kgo.SeedBrokers(j.Props["bootstrap.servers"]),
		kgo.SASL(plain.Auth{User: j.Props["sasl.username"], Pass: j.Props["sasl.password"]}.AsMechanism()))...)
}

func consumeEngine(ctx context.Context, j job, _ *messages) error {
	r, err := engine.NewReceiver(merge(receiving, j.Props, map[string]string{"group.id": "bench-engine", "partition.assignment.strategy": "cooperative-sticky"}), j.Topic)
	if err != nil {
		return err
	}
	defer r.Close()
	var records engine.Records
	for n := 0; n < j.N && ctx.Err() == nil; n += records.Len() {
		switch e := r.Poll(100*time.Millisecond, &records).(type) {
		case engine.Assigned:
			starts := map[int32]int64{}
			for _, p := range e.Partitions {
				starts[p] = 0
			}
			if err := r.Assign(starts); err != nil {
				return err
			}
		case error:
			return e
		}
	}
	return ctx.Err()
}

func consumePublic(ctx context.Context, j job, _ *messages) error {
	c, err := kafka.NewConsumer(public(merge(receiving, j.Props, map[string]string{"group.id": "bench-public", "partition.assignment.strategy": "cooperative-sticky"})))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Subscribe(j.Topic, nil); err != nil {
		return err
	}
	for n := 0; n < j.N && ctx.Err() == nil; {
		switch e := c.Poll(100).(type) {
		case *kafka.Message:
			n++
		case kafka.Error:
			return e
		}
	}
	return ctx.Err()
}

func consumeFranz(ctx context.Context, j job, _ *messages) error {
	c, err := franz(j, kgo.ConsumerGroup("bench-franz"), kgo.ConsumeTopics(j.Topic), kgo.DisableAutoCommit(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxPartitionBytes(4<<20), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer c.CloseAllowingRebalance()
	for n := 0; n < j.N; {
		f := c.PollRecords(ctx, engine.Most)
		if err := f.Err(); err != nil {
			return err
		}
		n += f.NumRecords()
	}
	return nil
}

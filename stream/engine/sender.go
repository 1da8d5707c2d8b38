package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sender sends with franz-go.
type sender struct {
	c      *kgo.Client
	topics []string
	// sending is the context of every record. It ends with Close or with that
	// of a Send: either way the transaction is given up.
	sending context.Context
	stop    context.CancelFunc
	failed  atomic.Pointer[error] // the first record that was not delivered
	slabs   sync.Pool             // of *slab
	names   []string              // of headers

	transactional string
	timeout       time.Duration
	now           tenure
}

// name is a header's name without a new string for each record.
func (s *sender) name(b []byte) string {
	for _, n := range s.names {
		if n == string(b) {
			return n
		}
	}
	s.names = append(s.names, string(b))
	return string(b)
}

// slab is the records of one batch on their way: what they point into is used
// again when the last of them has arrived.
type slab struct {
	s       *sender
	batch   Batch
	records []kgo.Record
	headers []kgo.RecordHeader
	left    atomic.Int64
	promise func(*kgo.Record, error)
}

// NewSender opens a client with librdkafka properties, of which
// transactional.id is one. Records name their topics by index.
func NewSender(props map[string]string, topics ...string) (Sender, error) {
	opts, err := franzOptions(props)
	if err != nil {
		return nil, err
	}
	how, err := senderOptions(props)
	if err != nil {
		return nil, err
	}
	s := &sender{topics: slices.Clone(topics), transactional: props["transactional.id"], timeout: transactionTimeoutOf(props)}
	s.sending, s.stop = context.WithCancel(context.Background())
	s.slabs.New = func() any {
		b := &slab{s: s}
		b.promise = b.delivered
		return b
	}
	s.c, err = kgo.NewClient(append(append(opts, how...), kgo.TransactionalID(s.transactional), kgo.WithHooks(&s.now),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))...) // murmur2, as Java's client
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return s, nil
}

func (s *sender) Init(ctx context.Context) error {
	_, _, err := s.c.ProducerID(ctx)
	return franzError(err)
}

// Begin may ask for a producer id first, where the last one is spent; what ctx
// cuts off there, Close ends.
func (s *sender) Begin(ctx context.Context) error {
	s.failed.Store(nil)
	if err := s.c.BeginTransaction(); err != nil {
		return s.problem(err)
	}
	var err error
	s.now.cut.Store(false)
	s.now.began = time.Now()
	s.now.id, s.now.epoch, err = s.c.ProducerID(ctx)
	return s.problem(err)
}

func (s *sender) Send(ctx context.Context, b *Batch) error {
	if b.Len() == 0 {
		return nil
	}
	out := s.slabs.Get().(*slab)
	out.batch, *b = *b, out.batch // the caller fills what the last batch has left
	b.Reset()
	out.left.Store(int64(out.batch.Len()))
	out.fill()
	given := context.AfterFunc(ctx, s.stop)
	defer given()
	for i := range out.records {
		s.c.Produce(s.sending, &out.records[i], out.promise)
	}
	return s.failure()
}

// fill makes records of what stands in the batch.
func (b *slab) fill() {
	n := b.batch.Len()
	b.records, b.headers = slices.Grow(b.records[:0], n)[:n], b.headers[:0]
	now, most := time.Now(), 0
	for i := range b.batch.records {
		most += int(b.batch.records[i].headers)
	}
	b.headers = slices.Grow(b.headers, most)
	for i := range b.batch.records {
		r := &b.batch.records[i]
		rest := b.batch.block[r.at:]
		cut := func(n int32) []byte {
			if n < 0 {
				return nil
			}
			out := rest[:n:n]
			rest = rest[n:]
			return out
		}
		key, value := cut(r.key), cut(r.value)
		first := len(b.headers)
		for range r.headers {
			name, size := header(rest)
			rest = rest[headerSize:]
			key := b.s.name(cut(name))
			b.headers = append(b.headers, kgo.RecordHeader{Key: key, Value: cut(size)})
		}
		b.records[i] = kgo.Record{Topic: b.s.topics[r.topic], Key: key, Value: value, Timestamp: now, Headers: b.headers[first:len(b.headers):len(b.headers)]}
	}
}

// delivered is called for each record, in order.
func (b *slab) delivered(_ *kgo.Record, err error) {
	if err != nil {
		first := err // the address of err itself would put it on the heap for each record
		b.s.failed.CompareAndSwap(nil, &first)
	}
	if b.left.Add(-1) == 0 {
		clear(b.records)
		b.s.slabs.Put(b)
	}
}

func (s *sender) failure() error {
	if err := s.failed.Load(); err != nil {
		return s.problem(*err)
	}
	return nil
}

func (s *sender) Flush(ctx context.Context) error {
	if err := s.c.Flush(ctx); err != nil {
		return s.problem(err)
	}
	return s.failure()
}

func (s *sender) Commit(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	return s.problem(s.c.EndTransaction(ctx, kgo.TryCommit))
}

func (s *sender) Abort(ctx context.Context) error {
	if err := s.c.AbortBufferedRecords(ctx); err != nil {
		return franzError(err)
	}
	return s.problem(s.c.EndTransaction(ctx, kgo.TryAbort))
}

func (s *sender) Close() {
	s.stop()
	s.c.UnsafeAbortBufferedRecords() // of what is in no committed transaction
	s.c.Close()
}

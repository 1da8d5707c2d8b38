package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/engine"
	"mkt/stream/source"
)

// connect opens the transactional producer. Its first act fences a process
// that ran the same producer before and ends what that one left open (KIP-98).
func (p *producer) connect(ctx context.Context) error {
	props := merged(quiet, p.run.cfg.Kafka, p.cfg.Properties, map[string]string{"transactional.id": "mkt-" + p.cfg.Name + "-" + p.cfg.Topic})
	client, err := engine.NewSender(props, p.cfg.Topic, p.cfg.DeadLetters())
	if err != nil {
		return fmt.Errorf("kafka producer: %w", err)
	}
	p.client, p.open, p.largest = client, false, largestRecord
	if n, err := strconv.Atoi(props["message.max.bytes"]); err == nil {
		p.largest = n
	}
	p.batch.Reset()
	_, err = retry(ctx, rpcLimit, func(ctx context.Context) (struct{}, error) { return struct{}{}, client.Init(ctx) })
	if err != nil {
		client.Close()
		return fmt.Errorf("begin as transactional producer: %w", p.fenced(err))
	}
	return nil
}

// fenced says in words that another process took over.
func (p *producer) fenced(err error) error {
	if isFenced(err) {
		return fmt.Errorf("another process runs producer %q on this topic and has taken over: %w", p.cfg.Name, err)
	}
	return err
}

// isFenced looks for a newer process's mark anywhere in err. Joined errors
// are walked: the client's own may stand before it. A producer id that the
// broker does not know is no such mark: the broker has lost it.
func isFenced(err error) bool {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(many.Unwrap(), isFenced)
	}
	if ke, ok := err.(kafka.Error); ok { //nolint:errorlint // each level is looked at in turn
		switch ke.Code() {
		case kafka.ErrFenced, kafka.ErrProducerFenced, kafka.ErrInvalidProducerEpoch:
			return true
		}
	}
	one := errors.Unwrap(err)
	return one != nil && isFenced(one)
}

// mark is valid until the next one.
func (p *producer) mark(row *source.Row) engine.Header {
	p.marked = Mark{row.Number, row.Digest}.append(p.marked[:0])
	return engine.Header{Name: p.header, Value: p.marked}
}

// The topics of a sender, by index.
const (
	toTopic = iota
	toDeadLetters
)

const (
	batchRows  = 1000
	batchBytes = 1 << 20
	// largestRecord is message.max.bytes when nobody sets it.
	largestRecord = 1_000_000
)

var errTooLarge = errors.New("the row is too large for a record")

// produce lines a record up to be sent, beginning a transaction when none is
// open. A record that is larger than the client takes is errTooLarge.
func (p *producer) produce(topic int, key, value []byte, headers ...engine.Header) error {
	if len(key)+len(value) > p.largest {
		return fmt.Errorf("%w: key and value have %d bytes, and message.max.bytes is %d", errTooLarge, len(key)+len(value), p.largest)
	}
	if !p.open {
		if err := p.run.untilAbort(answerLimit, p.client.Begin); err != nil {
			return p.failed(fmt.Errorf("begin transaction: %w", err))
		}
		p.open, p.began = true, time.Now()
	}
	p.batch.Add(topic, key, value, headers...)
	if p.batch.Len() < batchRows && p.batch.Size() < batchBytes {
		return nil
	}
	return p.hand()
}

// hand gives what is lined up to the client. A full queue is waited for.
func (p *producer) hand() error {
	err := p.run.untilAbort(5*time.Minute, func(ctx context.Context) error { return p.client.Send(ctx, &p.batch) })
	if err != nil && !p.run.aborted() {
		return p.failed(fmt.Errorf("produce to topic %q: %w", p.cfg.Topic, err))
	}
	return err
}

// commit commits the open transaction, if any, and counts its rows. It does
// not listen to the run's context: a drain finishes what is open. Only an
// abort leaves it.
func (p *producer) commit() error {
	if p.open {
		full := time.Now()
		if err := p.hand(); err != nil {
			return err
		}
		err := p.run.untilAbort(rpcLimit, func(ctx context.Context) error {
			if err := p.sameTopic(ctx); err != nil {
				return err
			}
			return p.client.Commit(ctx)
		})
		p.run.took(Step{Kind: StepTransaction, Name: p.cfg.Name, Topic: p.cfg.Topic, Start: p.began, Rows: p.pending.Rows,
			Bytes: p.pending.Bytes, DeadLetters: p.pending.DeadLetters, Err: err})
		if err != nil {
			return p.failed(fmt.Errorf("commit transaction up to row %d: %w", p.pending.Row, err))
		}
		p.open = false
		p.counts.ages.Add(time.Now(), time.Since(full), time.Since(p.began), p.pending.Rows)
	}
	n := p.pending
	p.counts.rows.Add(n.Rows)
	p.counts.bytes.Add(n.Bytes)
	p.counts.dead.Add(n.DeadLetters)
	p.counts.skipped.Add(n.Skipped)
	if n.Row > 0 {
		p.counts.row.Store(n.Row)
	}
	p.pending = ProducerStatus{}
	return nil
}

// sameTopic sends what waits and fails when the topic was re-created since the
// producer found out where to go on: the records of the open transaction, or
// of those before it, are then not in the topic. A topic's id never comes back,
// so that what is committed after this went to the topic it was meant for.
func (p *producer) sameTopic(ctx context.Context) error {
	failed := p.client.Flush(ctx)
	t, err := DescribeTopic(ctx, p.run.admin, p.cfg.Topic)
	if err == nil && t.ID != p.topic.ID {
		return fmt.Errorf("topic %q was re-created while rows were sent to it; nothing was committed to the new one:"+
			" start again to send it the source from the first row", p.cfg.Topic)
	}
	return cmp.Or(failed, err)
}

// failed sorts an error of the client: fenced and refused are final, the rest
// is begun anew from what is committed. Whether a commit whose answer was
// lost took place, the next beginning finds out.
func (p *producer) failed(err error) error {
	var ke kafka.Error
	if p.run.aborted() || !errors.As(err, &ke) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if isFenced(err) {
		return p.fenced(err)
	}
	switch ke.Code() {
	case kafka.ErrTopicAuthorizationFailed, kafka.ErrTransactionalIDAuthorizationFailed, kafka.ErrClusterAuthorizationFailed,
		kafka.ErrSaslAuthenticationFailed, kafka.ErrAuthentication, kafka.ErrUnknownTopic, kafka.ErrUnknownTopicOrPart:
		return err
	}
	// Some brokers tell a fenced producer only when it gives up its transaction.
	abort := p.run.untilAbort(10*time.Second, func(ctx context.Context) error { return p.client.Abort(ctx) })
	if isFenced(abort) {
		return p.fenced(fmt.Errorf("%w: %w", err, abort))
	}
	return restart{err}
}

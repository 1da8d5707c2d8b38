package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/source"
)

// connect opens the transactional producer. Its first act fences a process
// that ran the same producer before and ends what that one left open (KIP-98).
func (p *producer) connect(ctx context.Context) error {
	client, err := kafka.NewProducer(logged(configMap(quiet, map[string]string{
		"linger.ms":                    "20",
		"batch.size":                   "1000000",
		"batch.num.messages":           "100000",
		"compression.type":             "lz4",
		"queue.buffering.max.messages": "20000",
		"queue.buffering.max.kbytes":   "65536",
		"transaction.timeout.ms":       "60000",
	}, p.run.cfg.Kafka, map[string]string{
		"transactional.id":   "mkt-" + p.cfg.Name + "-" + p.cfg.Topic,
		"enable.idempotence": "true",
		"acks":               "all",
		"partitioner":        "murmur2_random",
		// The commit of the transaction is the delivery report of its rows.
		"go.delivery.reports": "false",
		"go.batch.producer":   "false",
	})))
	if err != nil {
		return fmt.Errorf("kafka producer: %w", err)
	}
	p.client, p.open = client, false
	go func() {
		for range client.Events() { // closed by Close
		}
	}()
	_, err = retry(ctx, func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, rpcLimit)
		defer cancel()
		return struct{}{}, client.InitTransactions(ctx)
	})
	if err != nil {
		p.disconnect()
		return fmt.Errorf("begin as transactional producer: %w", p.fenced(err))
	}
	return nil
}

// disconnect closes the client. What is in no committed transaction is thrown
// away; the broker aborts it when the next producer begins.
func (p *producer) disconnect() {
	if p.open {
		_ = p.client.Purge(kafka.PurgeQueue | kafka.PurgeInFlight)
	}
	p.client.Close()
}

// fenced says in words that another process took over.
func (p *producer) fenced(err error) error {
	if isFenced(err) {
		return fmt.Errorf("another process runs producer %q on this topic and has taken over: %w", p.cfg.Name, err)
	}
	return err
}

// isFenced looks for a newer process's mark anywhere in err. Joined errors
// are walked: the client's own may stand before it.
func isFenced(err error) bool {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(many.Unwrap(), isFenced)
	}
	if ke, ok := err.(kafka.Error); ok { //nolint:errorlint // each level is looked at in turn
		switch ke.Code() {
		case kafka.ErrFenced, kafka.ErrProducerFenced, kafka.ErrInvalidProducerEpoch, kafka.ErrInvalidProducerIDMapping:
			return true
		}
	}
	one := errors.Unwrap(err)
	return one != nil && isFenced(one)
}

func (p *producer) mark(row *source.Row) kafka.Header {
	return kafka.Header{Key: p.header, Value: Mark{row.Number, row.Digest}.bytes()}
}

// produce hands a record to the client, beginning a transaction when none is
// open. A full queue is waited for.
func (p *producer) produce(topic string, key, value []byte, row *source.Row, headers ...kafka.Header) error {
	if !p.open {
		if err := p.client.BeginTransaction(); err != nil {
			return p.failed(fmt.Errorf("begin transaction: %w", err))
		}
		p.open, p.began = true, time.Now()
	}
	msg := kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}, Key: key, Value: value, Headers: headers}
	for {
		err := p.client.Produce(&msg, nil)
		var ke kafka.Error
		if !errors.As(err, &ke) || ke.Code() != kafka.ErrQueueFull {
			if err != nil && ke.Code() != kafka.ErrMsgSizeTooLarge {
				return p.failed(fmt.Errorf("produce row %d to topic %q: %w", row.Number, topic, err))
			}
			return err
		}
		if p.run.aborted() {
			return context.Canceled
		}
		if time.Since(p.began) > 5*time.Minute {
			return p.failed(fmt.Errorf("produce row %d to topic %q: %w", row.Number, topic, err))
		}
		time.Sleep(time.Millisecond)
	}
}

// commit commits the open transaction, if any, and counts its rows. It does
// not listen to the run's context: a drain finishes what is open. Only an
// abort leaves it.
func (p *producer) commit() error {
	if p.open {
		err := p.run.untilAbort(rpcLimit, func(ctx context.Context) error {
			if err := p.sameTopic(ctx); err != nil {
				return err
			}
			_, err := retry(ctx, func() (struct{}, error) { return struct{}{}, p.client.CommitTransaction(ctx) })
			return err
		})
		if err != nil {
			return p.failed(fmt.Errorf("commit transaction up to row %d: %w", p.pending.Row, err))
		}
		p.open = false
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
	for p.client.Flush(50) > 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	t, err := DescribeTopic(ctx, p.run.admin, p.cfg.Topic)
	if err == nil && t.ID != p.topic.ID {
		err = fmt.Errorf("topic %q was re-created while rows were sent to it; nothing was committed to the new one:"+
			" start again to send it the source from the first row", p.cfg.Topic)
	}
	return err
}

// failed sorts an error of the client: fenced and refused are final, the rest
// is begun anew from what is committed. Whether a commit whose answer was
// lost took place, the next beginning finds out.
func (p *producer) failed(err error) error {
	if fatal := p.client.GetFatalError(); fatal != nil {
		err = fmt.Errorf("%w: %w", err, fatal) // err may only say that the client is done
	}
	var ke kafka.Error
	if p.run.aborted() || !errors.As(err, &ke) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if isFenced(err) {
		return p.fenced(err)
	}
	switch ke.Code() {
	case kafka.ErrTopicAuthorizationFailed, kafka.ErrTransactionalIDAuthorizationFailed, kafka.ErrClusterAuthorizationFailed,
		kafka.ErrSaslAuthenticationFailed, kafka.ErrUnknownTopic, kafka.ErrUnknownTopicOrPart:
		return err
	}
	// Some brokers tell a fenced producer only when it gives up its transaction.
	abort := p.run.untilAbort(10*time.Second, func(ctx context.Context) error { return p.client.AbortTransaction(ctx) })
	if isFenced(abort) {
		return p.fenced(fmt.Errorf("%w: %w", err, abort))
	}
	return restart{err}
}

package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Mark is what the header of a record says about its source row.
type Mark struct {
	Row    uint64 // 1-based
	Digest uint64 // of the source up to the end of the row
}

// HeaderOf is the name of the header that a producer's records carry.
func HeaderOf(producer string) string { return "mkt." + producer }

func (m Mark) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, m.Row), m.Digest)
}

// MarkOf finds the mark that a producer left on a record.
func MarkOf(msg *kafka.Message, header string) (Mark, bool) {
	for i := range msg.Headers {
		if h := &msg.Headers[i]; h.Key == header && len(h.Value) == 16 {
			return Mark{binary.BigEndian.Uint64(h.Value), binary.BigEndian.Uint64(h.Value[8:])}, true
		}
	}
	return Mark{}, false
}

// headerTopicID is on every dead letter: the id of the topic that its row did
// not go to. When that topic is re-created its rows are sent again, and the
// dead letters of before say nothing about them.
const headerTopicID = "mkt.topic-id"

// DeadMarkOf is MarkOf for a record of the dead-letter topic of t.
func DeadMarkOf(msg *kafka.Message, header string, t Topic) (Mark, bool) {
	for i := range msg.Headers {
		if h := &msg.Headers[i]; h.Key == headerTopicID && string(h.Value) == t.ID {
			return MarkOf(msg, header)
		}
	}
	return Mark{}, false
}

// resumePoint is the last row that a producer has committed to its topic or,
// as a dead letter, to the topic named dead, if that is not empty: a mark with
// row 0 when there is none.
//
// A partition that has lost its first records and holds none of the producer
// may have held the last: then it fails rather than guess from the others.
func resumePoint(ctx context.Context, props map[string]string, admin *kafka.AdminClient, header string, topic Topic, dead string) (Mark, error) {
	last, unknown, err := lastOf(ctx, props, admin, topic.Name, func(msg *kafka.Message) (Mark, bool) { return MarkOf(msg, header) })
	if err != nil {
		return last, err
	}
	if unknown != "" {
		return last, fmt.Errorf("cannot tell which rows were sent: %s and no record of this producer is left in it;"+
			" re-create the topic to send everything again", unknown)
	}
	if dead == "" {
		return last, nil
	}
	m, _, err := lastOf(ctx, props, admin, dead, func(msg *kafka.Message) (Mark, bool) { return DeadMarkOf(msg, header, topic) })
	if m.Row > last.Row {
		last = m
	}
	return last, err
}

// lastOf is the last mark in one topic, and a partition of which it is unknown
// whether it held a later one, if there is any.
func lastOf(ctx context.Context, props map[string]string, admin *kafka.AdminClient, name string, mark marker) (last Mark, unknown string, err error) {
	t, err := DescribeTopic(ctx, admin, name)
	if err != nil {
		return last, "", err
	}
	bounds, err := settledOffsets(ctx, admin, t)
	if err != nil {
		return last, "", err
	}
	marks, err := lastMarks(ctx, props, t, bounds, mark)
	if err != nil {
		return last, "", fmt.Errorf("find the last row in topic %q: %w", name, err)
	}
	for _, p := range t.Partitions {
		m, found := marks[p]
		if found && m.Row > last.Row {
			last = m
		}
		if low := bounds.Start[p]; !found && low > 0 && unknown == "" {
			unknown = fmt.Sprintf("topic %q, partition %d starts at offset %d", name, p, low)
		}
	}
	return last, unknown, nil
}

// marker finds a producer's mark on a record.
type marker func(*kafka.Message) (Mark, bool)

// lastMarks reads every partition backwards from its committed end until it
// finds a record of the producer. Within a partition rows are in order, so
// that record is the partition's last row. Windows grow eightfold: control
// records, aborted batches and records of others cost no more than reading
// them once.
func lastMarks(ctx context.Context, props map[string]string, t Topic, bounds Offsets, mark marker) (map[int32]Mark, error) {
	last := map[int32]Mark{}
	upper := map[int32]int64{}
	for p, end := range bounds.Committed {
		if end > bounds.Start[p] {
			upper[p] = end
		}
	}
	if len(upper) == 0 {
		return last, nil
	}
	c, err := newScanner(props)
	if err != nil {
		return last, err
	}
	defer c.Close()
	for window := int64(64); len(upper) > 0; window *= 8 {
		spans := map[int32]span{}
		for p, end := range upper {
			spans[p] = span{max(bounds.Start[p], end-window), end}
		}
		found := map[int32]Mark{}
		err := c.read(ctx, t.Name, spans, func(msg *kafka.Message) error {
			if m, ok := mark(msg); ok {
				found[msg.TopicPartition.Partition] = m
			}
			return nil
		})
		if err != nil {
			return last, err
		}
		for p, s := range spans {
			m, ok := found[p]
			if ok {
				last[p] = m
			}
			if ok || s.from == bounds.Start[p] {
				delete(upper, p)
			} else {
				upper[p] = s.from
			}
		}
	}
	return last, nil
}

// span is a range of offsets, to exclusive.
type span struct{ from, to int64 }

// scanner reads ranges of committed records without a group.
type scanner struct{ c *kafka.Consumer }

func newScanner(props map[string]string) (scanner, error) {
	c, err := kafka.NewConsumer(configMap(quiet, map[string]string{"fetch.queue.backoff.ms": "5", "fetch.wait.max.ms": "10"}, props, map[string]string{
		"group.id": "mkt-scan", "enable.auto.commit": "false", "enable.auto.offset.store": "false",
		"isolation.level": "read_committed", "enable.partition.eof": "true", "auto.offset.reset": "error",
		"group.protocol": "classic", "session.timeout.ms": "6000", "max.poll.interval.ms": "300000", // of a group that it never joins
	}))
	if err != nil {
		return scanner{}, fmt.Errorf("kafka consumer: %w", err)
	}
	return scanner{c}, nil
}

func (s scanner) Close() { s.c.Close() }

// read calls f for every committed record in the spans, in order within a
// partition. It fails when a broker gives nothing for a minute.
func (s scanner) read(ctx context.Context, topic string, spans map[int32]span, f func(*kafka.Message) error) error {
	var assign []kafka.TopicPartition
	open := map[int32]int64{}
	for p, sp := range spans {
		if sp.from < sp.to {
			assign = append(assign, kafka.TopicPartition{Topic: &topic, Partition: p, Offset: kafka.Offset(sp.from)})
			open[p] = sp.to
		}
	}
	if len(open) == 0 {
		return nil
	}
	if err := s.c.Assign(assign); err != nil {
		return err
	}
	defer func() { _ = s.c.Unassign() }() // of a client that goes on to the next partition or ends
	// A partition stays paused from one assignment to the next.
	if err := s.c.Resume(assign); err != nil {
		return err
	}
	heard := time.Now()
	// A partition that is read to its end is paused, or its later records
	// would only be thrown away here.
	finish := func(p int32) error {
		delete(open, p)
		return s.c.Pause([]kafka.TopicPartition{{Topic: &topic, Partition: p}})
	}
	for n := 0; len(open) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch e := s.c.Poll(100).(type) {
		case *kafka.Message:
			heard = time.Now()
			if e.TopicPartition.Error != nil {
				return e.TopicPartition.Error
			}
			p, off := e.TopicPartition.Partition, int64(e.TopicPartition.Offset)
			to, ok := open[p]
			if !ok {
				continue
			}
			if off < to {
				if err := f(e); err != nil {
					return err
				}
			}
			if off >= to-1 {
				if err := finish(p); err != nil {
					return err
				}
			}
		case kafka.PartitionEOF:
			heard = time.Now()
			if to, ok := open[e.Partition]; ok && int64(e.Offset) >= to {
				if err := finish(e.Partition); err != nil {
					return err
				}
			}
		case kafka.Error:
			if !transient(e) {
				return e
			}
		case nil:
			if err := ctx.Err(); err != nil {
				return err
			}
			if time.Since(heard) > rpcLimit {
				return fmt.Errorf("the broker sent nothing for %s", rpcLimit)
			}
		}
	}
	return nil
}

// ReadTopic calls f for every committed record of t within bounds, in order
// within a partition.
func ReadTopic(ctx context.Context, props map[string]string, t Topic, bounds Offsets, f func(*kafka.Message) error) error {
	c, err := newScanner(props)
	if err != nil {
		return err
	}
	defer c.Close()
	spans := map[int32]span{}
	for p, end := range bounds.Committed {
		spans[p] = span{bounds.Start[p], end}
	}
	if err := c.read(ctx, t.Name, spans, f); err != nil {
		return fmt.Errorf("read topic %q: %w", t.Name, err)
	}
	return nil
}

// anyRecord says whether a committed record stands in the span. It reads to the first.
func anyRecord(ctx context.Context, props map[string]string, topic string, partition int32, s span) (bool, error) {
	c, err := newScanner(props)
	if err != nil {
		return false, err
	}
	defer c.Close()
	err = c.read(ctx, topic, map[int32]span{partition: s}, func(*kafka.Message) error { return errARecord })
	if errors.Is(err, errARecord) {
		return true, nil
	}
	return false, err
}

var errARecord = errors.New("a record")

package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/codec"
	"mkt/stream/engine"
)

// handle takes in one event of the client.
func (c *consumer) handle(ctx context.Context, event engine.Event) error {
	switch e := event.(type) {
	case engine.Assigned:
		return c.assigned(ctx, e.Partitions)
	case engine.Revoked:
		return c.revoked(e.Partitions)
	case engine.End:
		p := c.parts[e.Partition]
		if p == nil || e.Offset < p.next {
			return nil
		}
		if p.forced > 0 && e.Offset >= p.forced {
			if err := c.seal(p); err != nil {
				return err
			}
		}
		// Up to here there are control records only: a file may end here.
		p.next = e.Offset
	case error:
		return c.fault(e)
	}
	return nil
}

// fault sorts the client's errors into those that pass and those that end
// the consumer.
func (c *consumer) fault(err error) error {
	var ke kafka.Error
	if !errors.As(err, &ke) || ke.IsFatal() {
		return err
	}
	switch ke.Code() {
	case kafka.ErrAutoOffsetReset, kafka.ErrOffsetOutOfRange:
		return fmt.Errorf("the offset to go on from is not in topic %q any more: records were deleted before they were written,"+
			" or the topic was re-created; nothing is skipped silently: %w", c.cfg.Topic, err)
	case kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic:
		return fmt.Errorf("topic %q: %w", c.cfg.Topic, err)
	case kafka.ErrAuthentication:
		// librdkafka says so as well when a connection breaks during the sign-in, as it does while a broker restarts:
		// only what lasts is a refusal.
		now := time.Now()
		if c.refusal == nil || now.Sub(c.refusedLast) > refusedApart {
			c.refused = now
		}
		c.refusal, c.refusedLast = err, now
		if now.Sub(c.refused) > refusedFor {
			return err
		}
	default:
		if refusal(err) {
			return err
		}
	}
	return nil // the client tries again by itself
}

// message takes in one record.
func (c *consumer) message(ctx context.Context, rec engine.Record) error {
	c.refusal = nil
	p, offset := c.parts[rec.Partition], rec.Offset
	if p == nil || offset < p.next {
		return nil
	}
	if p.forced > 0 && offset >= p.forced {
		if err := c.seal(p); err != nil {
			return err
		}
	}
	id, datum, poison := SchemaID(rec.Value)
	var schema *codec.Schema
	var err error
	if poison == nil {
		if schema, err = c.schemaOf(ctx, id); errors.Is(err, ErrPoison) {
			poison = err
		} else if err != nil {
			return err
		}
	}
	dir := ""
	if c.dirs != nil {
		dir = noValue + "/"
		if poison == nil {
			if dir, poison, err = c.dirs.of(schema, datum, rec.Time); err != nil {
				return err
			}
		}
	}
	f := p.open
	if f != nil && poison == nil && f.dir != dir && p.forced == 0 {
		c.counts.cuts.Add(1)
		if err := c.seal(p); err != nil {
			return err
		}
		f = nil
	}
	if f != nil && poison == nil && f.schema != 0 && f.schema != id && p.forced == 0 {
		if err := c.seal(p); err != nil {
			return err
		}
		f = nil
	}
	if f == nil {
		f = newFile(p.start, c.cfg.letterCompression())
		f.dir = dir
		p.open = f
	}
	if poison == nil {
		if poison, err = f.add(schema, datum, c.cfg.Format, c.cfg.Compression); err != nil {
			return err
		}
	}
	if poison != nil {
		if c.cfg.DeadLetterPrefix == "" {
			return fmt.Errorf("topic %q, partition %d, offset %d: %w; give the consumer a dead_letter prefix to go on without such records",
				c.cfg.Topic, p.id, offset, poison)
		}
		if err := f.addDead(c.cfg.Topic, rec, poison); err != nil {
			return err
		}
	}
	p.next = offset + 1
	c.counts.read.Add(1)
	f.saw(rec.Time)
	if p.forced == 0 && (f.rows+f.dead >= c.cfg.Roll.Rows || f.stored() >= c.cfg.Roll.Bytes) {
		return c.seal(p)
	}
	return nil
}

// schemaOf is the schema of an id, which most often is that of the last row.
func (c *consumer) schemaOf(ctx context.Context, id int) (*codec.Schema, error) {
	if c.schema != nil && c.schema.ID == id {
		return c.schema, nil
	}
	schema, err := c.run.schemas.ByID(ctx, id)
	if err == nil {
		c.schema = schema
	}
	return schema, err
}

// seal closes the open file and lines it up for upload.
func (c *consumer) seal(p *partition) error {
	f := p.open
	if f == nil {
		if p.forced == 0 {
			return nil
		}
		return fmt.Errorf("topic %q, partition %d: the records of [%d, %d) are gone before their file, or its dead letters, was sure to be there;"+
			" mkt audit says what is missing",
			c.cfg.Topic, p.id, p.start, p.forced)
	}
	f.end = p.next
	if p.forced > 0 {
		f.end = p.forced
		p.next, p.forced = p.forced, 0
	}
	if err := f.close(c.cfg.Format, c.cfg.Compression); err != nil {
		return err
	}
	p.open, p.start = nil, f.end
	p.queue = append(p.queue, f)
	c.sealed = true
	return nil
}

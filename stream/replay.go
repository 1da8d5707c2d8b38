package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/codec"
	"mkt/stream/engine"
	"mkt/stream/source"
)

// Replay is what a replay of dead letters did.
type Replay struct {
	Rows   int64 // sent again, or written to a file
	Failed int64 // still dead letters
	Files  int64 // of a consumer: written
	// Examples say why some of Failed are dead letters still.
	Examples []error
}

func (r *Replay) failed(limit int, err error) {
	if r.Failed++; len(r.Examples) < limit {
		r.Examples = append(r.Examples, err)
	}
}

// replayRows and replayBytes bound a transaction of a replay. While it is open,
// readers of committed records wait.
const (
	replayRows  = 1000
	replayBytes = 8 << 20
)

// ReplayProducer types the dead letters of a producer by the newest schema and
// the configuration as it is now, and sends those that fit. What does not fit
// stays a dead letter. examples bounds the reasons that are kept.
//
// A row and the note that its letter is none any more are of one transaction,
// and whoever replays first fences who replayed before (the transactional id
// "mkt-replay-<producer>-<topic>") and then reads the notes. So a row is sent
// once, however often this is called, killed, or called twice at the same
// time. A producer that runs beside it is not disturbed.
func ReplayProducer(ctx context.Context, cfg Config, p Producer, examples int) (Replay, error) {
	return replayWith(ctx, cfg, p, examples, engine.NewSender)
}

// opener opens the client that a replay sends with.
type opener func(props map[string]string, topics ...string) (engine.Sender, error)

func replayWith(ctx context.Context, cfg Config, p Producer, examples int, open opener) (out Replay, err error) {
	if err := p.check(); err != nil {
		return out, err
	}
	admin, err := NewAdmin(cfg.Kafka)
	if err != nil {
		return out, err
	}
	defer admin.Close()
	schemas, err := NewSchemas(cfg.Registry)
	if err != nil {
		return out, err
	}
	r := &replayer{cfg: p, props: cfg.Kafka, admin: admin, out: &out}
	if r.p.schema, err = schemas.Latest(ctx, p.Subject); err != nil {
		return out, err
	}
	r.p.cfg, r.p.header = p, ReplayedHeaderOf(p.Name)
	if r.p.topic, err = DescribeTopic(ctx, admin, p.Topic); err != nil {
		return out, err
	}
	if _, err = DescribeTopic(ctx, admin, p.DeadLetters()); errors.Is(err, ErrNoTopic) {
		return out, nil
	} else if err != nil {
		return out, err
	}
	if err := r.connect(ctx, open); err != nil {
		return out, err
	}
	defer r.client.Close()
	return out, r.run(ctx, examples)
}

// replayer replays the dead letters of one producer.
type replayer struct {
	cfg     Producer
	props   map[string]string
	admin   *kafka.AdminClient
	out     *Replay
	p       producer // to type rows as it does; it sends nothing
	client  engine.Sender
	batch   engine.Batch
	largest int
	lined   int64 // rows of the open transaction
}

// connect begins with the transactional id of replays, which ends what one
// before this has left open.
func (r *replayer) connect(ctx context.Context, open opener) error {
	props := merged(quiet, r.props, r.cfg.Properties, map[string]string{"transactional.id": "mkt-replay-" + r.cfg.Name + "-" + r.cfg.Topic})
	r.largest = largestRecord
	if n, err := strconv.Atoi(props["message.max.bytes"]); err == nil {
		r.largest = n
	}
	var err error
	if r.client, err = open(props, r.cfg.Topic, r.cfg.DeadLetters()); err != nil {
		return fmt.Errorf("kafka producer: %w", err)
	}
	_, err = retry(ctx, rpcLimit, func(ctx context.Context) (struct{}, error) { return struct{}{}, r.client.Init(ctx) })
	if err != nil {
		r.client.Close()
		return fmt.Errorf("begin as transactional producer: %w", r.fenced(err))
	}
	return nil
}

func (r *replayer) run(ctx context.Context, examples int) error {
	dead, err := ReadDeadRows(ctx, r.props, r.admin, r.cfg, r.p.topic)
	if err != nil {
		return err
	}
	if dead.Lost != "" {
		return fmt.Errorf("cannot tell which dead letters were sent again: %s, and what it held may have said so;"+
			" a dead-letter topic of one partition keeps such notes as long as the letters", dead.Lost)
	}
	err = dead.Each(ctx, r.props, func(l Letter) error {
		if !dead.Waiting[l.Row] {
			return nil // a second letter of the row
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		bad, err := r.letter(ctx, l)
		if err != nil {
			return err
		}
		delete(dead.Waiting, l.Row)
		if bad != nil {
			r.out.failed(examples, fmt.Errorf("%s:%d: row %d: %w", l.File, l.Line, l.Row, bad))
			return nil
		}
		if r.lined++; r.lined < replayRows && r.batch.Size() < replayBytes {
			return nil
		}
		return r.commit(ctx)
	})
	if err == nil {
		err = r.commit(ctx)
	}
	if err != nil {
		abort, cancel := context.WithTimeout(context.WithoutCancel(ctx), rpcLimit/4)
		defer cancel()
		if r.lined > 0 {
			_ = r.client.Abort(abort) // or the transaction times out, or the next replay ends it
		}
		return r.fenced(err)
	}
	return nil
}

// letter lines a row and the note about it up, or says what is bad about it.
func (r *replayer) letter(ctx context.Context, l Letter) (bad, err error) {
	value, key, bad := r.value(l)
	if bad != nil {
		return bad, nil
	}
	if n := len(key) + len(value); n > r.largest {
		return fmt.Errorf("%w: key and value have %d bytes, and message.max.bytes is %d", errTooLarge, n, r.largest), nil
	}
	if r.lined == 0 {
		ctx, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		if err := r.client.Begin(ctx); err != nil {
			return nil, fmt.Errorf("begin transaction: %w", err)
		}
	}
	mark := engine.Header{Name: r.p.header, Value: l.Mark.append(nil)}
	note := append([]byte(nil), `{"replayed":`...)
	note = append(strconv.AppendUint(note, l.Row, 10), '}')
	r.batch.Add(toTopic, key, value, mark)
	r.batch.Add(toDeadLetters, nil, note, mark, engine.Header{Name: headerTopicID, Value: []byte(r.p.topic.ID)})
	return nil, nil
}

// value types a letter's row as the producer types it now.
func (r *replayer) value(l Letter) (value, key []byte, bad error) {
	fields, header, bad := r.cfg.fieldsOf(r.p.schema, l)
	if bad != nil {
		return nil, nil, bad
	}
	if !slices.Equal(header, r.p.planFor) || r.p.plan == nil {
		if bad = r.p.compile(l.File, header); bad != nil {
			return nil, nil, bad
		}
	}
	if r.p.clock != nil && r.cfg.outside(r.p.clock.At(fields)) {
		return nil, nil, errors.New("its time lies outside of from and to")
	}
	id := r.p.schema.ID
	value = []byte{0, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
	if value, bad = r.p.plan.Encode(value, fields); bad != nil {
		return nil, nil, bad
	}
	if r.p.key < 0 {
		return value, strconv.AppendUint(nil, l.Row, 10), nil
	}
	return value, append([]byte{}, fields[r.p.key]...), nil
}

// fieldsOf splits the text of a letter as its source is split now.
func (p Producer) fieldsOf(schema *codec.Schema, l Letter) (fields [][]byte, header []string, bad error) {
	cfg := p.Source.config(schema, bytes.NewReader(l.Raw))
	cfg.Paths, cfg.Limit, cfg.Follow, cfg.MaxRow = []string{source.Stdin}, 0, false, max(1<<20, len(l.Raw))
	if p.Format == source.Parquet { // its letters are objects
		cfg.Format = source.NDJSON
	}
	if cfg.Format == source.NDJSON && !utf8.Valid(l.Raw) {
		return nil, nil, errors.New("the row holds text that is no UTF-8")
	}
	if cfg.Header == nil {
		if cfg.Header = l.Columns; len(l.Columns) == 0 {
			return nil, nil, errors.New("the letter does not name the columns of its file, and cannot be read again")
		}
	}
	src, err := source.Open(cfg)
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	row, err := src.Next()
	if errors.Is(err, io.EOF) {
		return nil, nil, errors.New("the letter has no row")
	}
	if err != nil {
		return nil, nil, err
	}
	if row.Err == nil && len(row.Raw) != len(l.Raw) {
		return nil, nil, errors.New("the letter has more than one row: its source is read otherwise than it was")
	}
	return row.Fields, src.Header(), row.Err
}

// commit sends what is lined up and commits it, unless the topic is another.
func (r *replayer) commit(ctx context.Context) error {
	if r.lined == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rpcLimit)
	defer cancel()
	if err := r.client.Send(ctx, &r.batch); err != nil {
		return fmt.Errorf("produce to topic %q: %w", r.cfg.Topic, err)
	}
	if err := r.client.Flush(ctx); err != nil {
		return fmt.Errorf("produce to topic %q: %w", r.cfg.Topic, err)
	}
	t, err := DescribeTopic(ctx, r.admin, r.cfg.Topic)
	if err != nil {
		return err
	}
	if t.ID != r.p.topic.ID {
		return fmt.Errorf("topic %q was re-created while dead letters were sent to it; nothing was committed to the new one", r.cfg.Topic)
	}
	if err := r.client.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w; run it again, which finds out what was committed", err)
	}
	r.out.Rows += r.lined
	r.lined = 0
	return nil
}

func (r *replayer) fenced(err error) error {
	if isFenced(err) {
		return fmt.Errorf("another process replays the dead letters of producer %q and has taken over: %w", r.cfg.Name, err)
	}
	return err
}

package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"mkt/stream/codec"
	"mkt/stream/engine"
	"mkt/stream/source"
)

// producer runs one Producer. Its methods are for one goroutine; counts are
// shared.
type producer struct {
	cfg    Producer
	run    *run
	counts producerCounts
	header string
	schema *codec.Schema
	client engine.Sender
	topic  Topic
	dead   string // the dead-letter topic, if there is one

	prepared bool
	plan     *codec.Plan
	planFor  []string     // the header that plan is for
	key      int          // column of the key, -1: the row number
	clock    *codec.Clock // nil if no row's time is asked for
	extent   *source.Extent
	outside  bool // the row at hand is not to be sent
	pace     pacer

	mu      sync.Mutex // of what follows, and of using client to send
	late    error      // what watchAge met
	open    bool       // a transaction is begun
	began   time.Time
	pending ProducerStatus // rows, bytes, dead letters, skipped since the last commit
	value   []byte
	keyText []byte
	marked  []byte
	batch   engine.Batch // not handed to client yet
	largest int          // bytes of a record
}

// restart is an error after which everything not committed is sent again.
type restart struct{ error }

func (r restart) Unwrap() error { return r.error }

// loop produces until the source is drained. Until then it begins anew when a
// transaction was aborted; five times without a commit in between is enough. It
// also does when a file that is followed is gone, as often as that is so: whether
// its rows are in another, the digest of the last one tells.
func (p *producer) loop(ctx context.Context) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 200*time.Millisecond, 10*time.Second
	for tries := 0; ; {
		before := p.counts.rows.Load()
		err := p.once(ctx)
		var again restart
		gone := errors.Is(err, source.ErrGone)
		if !errors.As(err, &again) && !gone {
			return err
		}
		if p.counts.rows.Load() > before {
			tries = 0
			wait.Reset()
		}
		if !gone {
			tries++
		}
		if tries == 5 || slices.Contains(p.cfg.Paths, source.Stdin) {
			return err
		}
		p.counts.retries.Add(1)
		if sleep(ctx, wait.NextBackOff()) != nil {
			return err
		}
	}
}

// once goes from the last committed row to the end of the source.
func (p *producer) once(ctx context.Context) error {
	p.counts.state.Store(Resuming)
	if !p.prepared {
		if err := p.prepare(ctx); err != nil {
			return err
		}
	}
	p.prepared = false // another try looks again
	if err := p.connect(ctx); err != nil {
		return err
	}
	defer p.client.Close()
	last, err := resumePoint(ctx, p.run.cfg.Kafka, p.run.admin, p.header, p.topic, p.dead)
	if err != nil {
		return err
	}
	reading := p.cfg.Source.config(p.schema, p.stdin(ctx))
	reading.Done = ctx.Done()
	src, err := source.Open(reading)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := p.skipTo(ctx, src, last); err != nil {
		return err
	}
	src.Follow()
	p.extent = src.Extent()
	p.counts.state.Store(Running)
	p.pace = pacer{rate: p.cfg.Rate, speed: p.cfg.Speed}
	return p.send(ctx, src)
}

// stdin is standard input, if the source names it, as a reader that ends with
// ctx: a pipe that is silent must not keep a run from draining.
func (p *producer) stdin(ctx context.Context) io.Reader {
	if !slices.Contains(p.cfg.Paths, source.Stdin) {
		return nil
	}
	in := p.run.cfg.Stdin
	if in == nil {
		in = os.Stdin
	}
	r, w := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, in, make([]byte, 1<<18))
		w.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	return r
}

// prepare fetches the schema and checks every header before anything is sent.
func (p *producer) prepare(ctx context.Context) error {
	p.header = HeaderOf(p.cfg.Name)
	schema, err := p.run.schemas.Latest(ctx, p.cfg.Subject)
	if err != nil {
		return err
	}
	p.schema = schema
	if err := p.cfg.fits(schema, p.run.cfg.Stdin); err != nil {
		return err
	}
	if p.topic, err = DescribeTopic(ctx, p.run.admin, p.cfg.Topic); err != nil {
		return err
	}
	if p.cfg.OnError == DeadLetter {
		if err := ensureTopic(ctx, p.run.admin, p.cfg.DeadLetters()); err != nil {
			return err
		}
	}
	// Rows that were dead letters under an earlier policy count as done.
	p.dead, p.prepared = p.cfg.DeadLetters(), true
	if _, err := DescribeTopic(ctx, p.run.admin, p.dead); errors.Is(err, ErrNoTopic) {
		p.dead = ""
	} else if err != nil {
		return err
	}
	return nil
}

// compile makes the plan for a header and finds the key's column.
func (p *producer) compile(file string, header []string) error {
	plan, err := p.cfg.Compile(p.schema, file, header)
	if err != nil {
		return err
	}
	p.plan, p.planFor = plan, header
	if p.clock, err = p.cfg.clock(plan, file); err != nil {
		return err
	}
	p.key, err = p.cfg.keyColumn(file, header)
	return err
}

// skipTo reads up to the last committed row and checks that the source is
// still the one that row came from.
func (p *producer) skipTo(ctx context.Context, src *source.Reader, last Mark) error {
	p.counts.resumed.Store(last.Row)
	p.counts.row.Store(last.Row)
	if last.Row == 0 {
		return nil
	}
	for {
		row, err := src.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the source changed: topic %q holds its row %d, and the source ends before it;"+
				" bring the source back, or send all of it again under another producer name", p.cfg.Topic, last.Row)
		}
		if err != nil {
			return err
		}
		if row.Number%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if row.Number < last.Row {
			continue
		}
		if row.Digest != last.Digest {
			order := ""
			if files, err := source.Files(p.cfg.Paths); err == nil && len(files) > 1 {
				order = " (its files are read in the order of their names: a new one comes last, and none may go)"
			}
			return fmt.Errorf("the source changed before row %d (%s): it is not what was sent to topic %q before;"+
				" bring the source back%s, or send all of it again under another producer name", last.Row, src.Position(), p.cfg.Topic, order)
		}
		return nil
	}
}

// send produces the rest of the source. When ctx is done it commits what it
// has and returns ctx's error.
//
// A transaction is committed when it is full or a second old. The age is
// watched beside the rows: neither a slow rate nor a pipe that pauses keeps
// rows from being seen. The lock is held while a row is worked on and not
// while the next is waited for.
func (p *producer) send(ctx context.Context, src *source.Reader) error {
	p.pending, p.late = ProducerStatus{}, nil
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { p.watchAge(stop) })
	defer watching.Wait()
	defer close(stop)
	for {
		row, err := src.Next()
		if err == nil {
			err = p.wait(ctx, src, row)
		}
		p.mu.Lock()
		switch {
		case p.late != nil:
			err = p.late
		case errors.Is(err, io.EOF):
			p.counts.part.Store(math.Float64bits(1))
			err = p.commit()
			p.mu.Unlock()
			return err
		case err != nil:
			err = p.finish(err)
		default:
			err = p.step(row)
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// step sends a row and commits when the transaction is full.
func (p *producer) step(row *source.Row) error {
	if p.outside {
		p.pending.Row = row.Number
		return nil
	}
	if err := p.row(row); err != nil {
		return err
	}
	p.pace.sent()
	p.pending.Row = row.Number
	if p.pending.Rows+p.pending.DeadLetters >= txnRows {
		return p.commit()
	}
	return nil
}

// watchAge commits a transaction that is a second old.
func (p *producer) watchAge(stop <-chan struct{}) {
	tick := time.NewTicker(txnAge / 10)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		if p.open && p.late == nil && time.Since(p.began) >= txnAge {
			p.late = p.commit()
		}
		p.mu.Unlock()
	}
}

// finish commits what was sent before err ended the source.
func (p *producer) finish(err error) error {
	if failed := p.commit(); failed != nil {
		if errors.Is(err, context.Canceled) {
			return failed
		}
		return errors.Join(err, failed)
	}
	return err
}

// checkEvery is how many rows go by, where they do not wait, until someone
// looks whether the run is over.
const checkEvery = 64

// paced says whether rows wait.
func (p *producer) paced() bool { return p.cfg.Rate > 0 || p.cfg.Speed > 0 }

// wait waits until the next row is due.
func (p *producer) wait(ctx context.Context, src *source.Reader, row *source.Row) error {
	if row.Number%checkEvery == 0 || p.paced() {
		if row.Number%(16*checkEvery) == 0 || p.paced() {
			p.counts.part.Store(math.Float64bits(p.extent.Part()))
		}
		if p.run.aborted() {
			return context.Canceled
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := p.planned(src, row); err != nil {
		return err
	}
	p.outside = false
	if p.clock != nil {
		at := p.clock.At(row.Fields)
		if p.outside = p.cfg.outside(at); p.outside {
			return ctx.Err()
		}
		p.pace.at(at)
	}
	if !p.paced() {
		return nil
	}
	return sleep(ctx, p.pace.due(time.Now()))
}

// planned makes the plan for a row's file where that is a new one.
func (p *producer) planned(src *source.Reader, row *source.Row) error {
	header := src.Header()
	if len(header) == 0 || len(p.planFor) > 0 && &header[0] == &p.planFor[0] {
		return nil
	}
	return p.compile(row.File, header)
}

// row sends one row, or does with a bad one what the policy says.
func (p *producer) row(row *source.Row) error {
	bad := row.Err
	if bad == nil {
		id := p.schema.ID
		p.value = append(p.value[:0], 0, byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
		p.value, bad = p.plan.Encode(p.value, row.Fields)
	}
	if bad == nil {
		key := p.keyText[:0]
		if p.key >= 0 {
			key = append(key, row.Fields[p.key]...)
		} else {
			key = strconv.AppendUint(key, row.Number, 10)
		}
		p.keyText = key
		// What is too large was not lined up; any other error is not of this row.
		n := int64(len(p.value))
		if bad = p.produce(toTopic, key, p.value, p.mark(row)); !errors.Is(bad, errTooLarge) {
			if bad == nil {
				p.pending.Rows++
				p.pending.Bytes += n
			}
			return bad
		}
	}
	switch p.cfg.OnError {
	case Skip:
		p.pending.Skipped++
		return nil
	case DeadLetter:
		p.pending.DeadLetters++
		return p.produce(toDeadLetters, nil, DeadLetterValue(row, p.planFor, bad),
			p.mark(row), engine.Header{Name: headerTopicID, Value: []byte(p.topic.ID)})
	}
	return p.finish(fmt.Errorf("%s:%d: row %d: %w", row.File, row.Line, row.Number, bad))
}

package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/internal/shell"
	"mkt/stream"
	"mkt/stream/codec"
	"mkt/stream/source"
)

// producer audits a source against the topic and the dead-letter topic.
func (a *auditor) producer(ctx context.Context, p stream.Producer) error {
	of := "producer." + p.Name
	src := Hop{Kind: Source, Name: p.Name, Of: of}
	clear(a.strangers)
	if slices.Contains(p.Paths, source.Stdin) {
		src.Notes = []string{"the source was standard input and cannot be read again"}
		return a.numbered(ctx, p, src)
	}
	schema, err := a.schemas.Latest(ctx, p.Subject)
	if err != nil {
		return err
	}
	home, dead, err := a.deadRows(ctx, p)
	if err != nil {
		return err
	}
	mended := map[uint64]bool{}
	var stops int64
	good, bad := a.sourceSides(ctx, p, schema, dead.Waiting, mended, &stops)
	goodSum, err := sum(good)
	if err != nil {
		return err
	}
	badSum, err := sum(bad)
	if err != nil {
		return err
	}
	src.Expected = int64(goodSum.Rows + badSum.Rows)
	src.Got, src.Bad = src.Expected, int64(badSum.Rows)+stops
	if p.OnError == stream.Skip {
		src.Skipped = src.Bad
	}
	if stops > 0 {
		src.Notes = []string{fmt.Sprintf("%d rows do not fit the schema, and the producer stops at the first of them; `mkt stream -dry-run` says why", stops)}
	}
	a.report.Hops = append(a.report.Hops, src)

	var foreign int64
	if err := a.topicHop(ctx, Topic, p.Topic, of, good, goodSum, func(bounds stream.Offsets, t stream.Topic) side {
		return a.ownRecords(ctx, p, schema, t, bounds, &foreign)
	}, &foreign); err != nil {
		return err
	}
	if err := a.renamed(ctx, p, schema, &a.report.Hops[len(a.report.Hops)-1]); err != nil {
		return err
	}
	if home.ID == "" || p.OnError != stream.DeadLetter && len(dead.Waiting) == 0 {
		return nil
	}
	if err := a.topicHop(ctx, DeadLetters, p.DeadLetters(), of, bad, badSum, func(stream.Offsets, stream.Topic) side {
		return a.deadRecords(ctx, p, dead)
	}, new(int64)); err != nil {
		return err
	}
	h := &a.report.Hops[len(a.report.Hops)-1]
	if dead.Replayed > 0 {
		h.Notes = append(h.Notes, fmt.Sprintf("%d rows were dead letters and have been sent again since", dead.Replayed))
	}
	if len(mended) > 0 {
		h.Notes = append(h.Notes, fmt.Sprintf("%d of the dead letters would be taken now; `mkt dlq replay %s` sends them", len(mended), shell.Word(of)))
	}
	return nil
}

// numbered audits a producer whose source cannot be read again: from its first
// row to the last that was sent, each is in the topic once or a dead letter.
// Where rows are left out on purpose, or the topic has dropped some, nothing
// can be said.
func (a *auditor) numbered(ctx context.Context, p stream.Producer, src Hop) error {
	home, dead, err := a.deadRows(ctx, p)
	if err != nil {
		return err
	}
	var bounds stream.Offsets
	if home.ID != "" {
		if bounds, err = stream.TopicOffsets(ctx, a.admin, home); err != nil {
			return err
		}
	}
	if home.ID == "" || truncated(bounds) || p.OnError == stream.Skip || !p.From.IsZero() || !p.To.IsZero() {
		a.report.Hops = append(a.report.Hops, src)
		return nil
	}
	last := uint64(0)
	for n := range dead.Waiting {
		last = max(last, n)
	}
	err = stream.ReadTopic(ctx, a.cfg.Kafka, home, bounds, func(msg *kafka.Message) error {
		if mark, ok := markOf(msg, p.Name); ok {
			last = max(last, mark.Row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	expected := side(func(yield func(uint64, func() Example) error) error {
		for n := uint64(1); n <= last; n++ {
			if dead.Waiting[n] {
				continue
			}
			if err := yield(rowHash(n, 0), func() Example { return Example{Where: "standard input", Row: n} }); err != nil {
				return err
			}
		}
		return nil
	})
	expectedSum, err := sum(expected)
	if err != nil {
		return err
	}
	src.Expected, src.Got = int64(last), int64(last)
	src.Notes[0] += ": its rows are told by their numbers, not by what they hold"
	a.report.Hops = append(a.report.Hops, src)
	var foreign int64
	return a.topicHop(ctx, Topic, p.Topic, src.Of, expected, expectedSum, func(bounds stream.Offsets, t stream.Topic) side {
		return a.ownRecords(ctx, p, nil, t, bounds, &foreign)
	}, &foreign)
}

// deadRows is the topic of a producer as it is now, without an id if there is
// none, and the rows of it that are dead letters. A row is where the producer
// left it: that the schema would take it now makes it no row of the topic.
func (a *auditor) deadRows(ctx context.Context, p stream.Producer) (stream.Topic, *stream.DeadRows, error) {
	home, err := stream.DescribeTopic(ctx, a.admin, p.Topic)
	if errors.Is(err, stream.ErrNoTopic) {
		return home, &stream.DeadRows{}, nil
	}
	if err != nil {
		return home, nil, err
	}
	dead, err := stream.ReadDeadRows(ctx, a.cfg.Kafka, a.admin, p, home)
	return home, dead, err
}

// topicHop compares source rows with a topic's records. Going through the
// records counts those of others in foreign.
func (a *auditor) topicHop(ctx context.Context, kind Kind, name, of string, expected side, expectedSum codec.Multiset,
	records func(stream.Offsets, stream.Topic) side, foreign *int64) error {
	h := Hop{Kind: kind, Name: name, Of: of, Expected: int64(expectedSum.Rows)}
	t, err := stream.DescribeTopic(ctx, a.admin, name)
	if errors.Is(err, stream.ErrNoTopic) {
		h.Lost = h.Expected
		if kind == Topic || h.Expected > 0 {
			h.Problems = []string{"the topic does not exist"}
		}
		a.report.Hops = append(a.report.Hops, h)
		return nil
	}
	if err != nil {
		return err
	}
	bounds, err := stream.TopicOffsets(ctx, a.admin, t)
	if err != nil {
		return err
	}
	if truncated(bounds) {
		h.Notes = []string{"the topic has dropped its oldest records (retention)"}
		if kind == Topic {
			h.Got = h.Expected
			h.Notes[0] += "; the files are compared with the source instead"
			a.report.Hops = append(a.report.Hops, h)
			return nil
		}
	}
	got := records(bounds, t)
	gotSum, err := sum(got)
	if err != nil {
		return err
	}
	h.Got, h.Foreign = int64(gotSum.Rows), *foreign
	if gotSum != expectedSum {
		if h.Lost, h.Doubled, h.Examples, err = diff(expected, got, max(h.Expected, h.Got), a.cfg.Examples); err != nil {
			return err
		}
	}
	a.report.Hops = append(a.report.Hops, h)
	return nil
}

func truncated(bounds stream.Offsets) bool {
	for _, low := range bounds.Start {
		if low > 0 {
			return true
		}
	}
	return false
}

// sum is the digest of a side.
func sum(s side) (m codec.Multiset, err error) {
	err = s(func(h uint64, _ func() Example) error {
		m.AddHash(h)
		return nil
	})
	return m, err
}

// sourceSides is the rows of a source that the schema takes and those that it
// does not or that are dead letters, by number and content, as the producer
// tells them apart. Those that are dead letters, and that the schema takes, go
// into mended. A row that a producer stops at belongs into the topic: it is
// among the good ones, and counted in stops.
func (a *auditor) sourceSides(ctx context.Context, p stream.Producer, schema *codec.Schema, dead, mended map[uint64]bool, stops *int64) (good, bad side) {
	s := newShape(schema.Row.Fields)
	walk := func(wantGood bool) side {
		return func(yield func(uint64, func() Example) error) error {
			return a.eachSourceRow(ctx, p, schema, s, func(r *source.Row, content uint64, bad error) error {
				if bad == nil && dead[r.Number] {
					mended[r.Number] = true
				}
				if wantGood != inTopic(p, bad, dead[r.Number]) {
					return nil
				}
				if wantGood && bad != nil {
					*stops++
				}
				if !wantGood {
					content = xxhash.Sum64(r.Text())
				}
				return yield(rowHash(r.Number, content), func() Example {
					return Example{Where: fmt.Sprintf("%s:%d", r.File, r.Line), Row: r.Number, Text: string(r.Text())}
				})
			})
		}
	}
	return walk(true), walk(false)
}

// inTopic says whether a row belongs into the topic: one that is no dead
// letter, unless it is bad and the policy has another place for it.
func inTopic(p stream.Producer, bad error, dead bool) bool {
	return !dead && (bad == nil || p.OnError != stream.Skip && p.OnError != stream.DeadLetter)
}

// eachSourceRow encodes every row as the producer does.
func (a *auditor) eachSourceRow(ctx context.Context, p stream.Producer, schema *codec.Schema, s *shape,
	f func(r *source.Row, content uint64, bad error) error) error {
	var scratch []codec.Value
	return p.EachRow(ctx, schema, nil, func(r *source.Row, datum []byte, bad error) error {
		var content uint64
		if bad == nil {
			if err := s.setDatum(schema, datum, &scratch); err != nil {
				return err
			}
			content = s.hash()
		}
		return f(r, content, bad)
	})
}

// ownRecords is the records of a producer, by source row and content, or by
// row alone without a schema. Each pass counts in foreign what no producer sent.
func (a *auditor) ownRecords(ctx context.Context, p stream.Producer, schema *codec.Schema, t stream.Topic, bounds stream.Offsets, foreign *int64) side {
	var s *shape
	var wrong error
	if schema != nil {
		s, wrong = resolved(schema)
	}
	return func(yield func(uint64, func() Example) error) error {
		if wrong != nil {
			return wrong
		}
		var scratch []codec.Value
		*foreign = 0
		clear(a.strangers)
		return stream.ReadTopic(ctx, a.cfg.Kafka, t, bounds, func(msg *kafka.Message) error {
			mark, ok := markOf(msg, p.Name)
			if !ok {
				if a.sentByNone(msg) {
					*foreign++
					a.stranger(msg)
				}
				return nil
			}
			// What does not decode is no row of the source: its hash is of the bytes.
			content := xxhash.Sum64(msg.Value)
			if s == nil {
				content = 0
			} else if writer, datum, err := a.decode(ctx, msg); err == nil && s.setDatum(writer, datum, &scratch) == nil {
				content = s.hash()
			} else if err != nil && !errors.Is(err, stream.ErrPoison) {
				return err
			}
			return yield(rowHash(mark.Row, content), func() Example { return a.recordExample(ctx, msg, mark.Row) })
		})
	}
}

// markOf is the row that a producer, or a replay of its dead letters, sent.
func markOf(msg *kafka.Message, producer string) (stream.Mark, bool) {
	if mark, ok := stream.MarkOf(msg, stream.HeaderOf(producer)); ok {
		return mark, true
	}
	return stream.MarkOf(msg, stream.ReplayedHeaderOf(producer))
}

// deadRecords is the dead letters of a producer that wait, by source row and
// its text.
func (a *auditor) deadRecords(ctx context.Context, p stream.Producer, dead *stream.DeadRows) side {
	return func(yield func(uint64, func() Example) error) error {
		return dead.Each(ctx, a.cfg.Kafka, func(l stream.Letter) error {
			return yield(rowHash(l.Row, xxhash.Sum64(l.Raw)), func() Example {
				return Example{Row: l.Row, Where: fmt.Sprintf("topic %s, partition %d, offset %d", p.DeadLetters(), l.Partition, l.Offset), Text: string(l.Raw)}
			})
		})
	}
}

// sentByNone says whether no producer of the audit sent a record.
func (a *auditor) sentByNone(msg *kafka.Message) bool {
	for _, p := range a.cfg.Producers {
		if _, ok := markOf(msg, p.Name); ok {
			return false
		}
	}
	return true
}

// decode finds the schema and datum of a record. A record that has none, or
// no JSON text, is stream.ErrPoison.
func (a *auditor) decode(ctx context.Context, msg *kafka.Message) (*codec.Schema, []byte, error) {
	id, datum, err := stream.SchemaID(msg.Value)
	if err != nil {
		return nil, nil, err
	}
	schema, err := a.schemas.ByID(ctx, id)
	return schema, datum, err
}

func (a *auditor) recordExample(ctx context.Context, msg *kafka.Message, number uint64) Example {
	e := Example{Row: number, Where: fmt.Sprintf("topic %s, partition %d, offset %d", *msg.TopicPartition.Topic,
		msg.TopicPartition.Partition, msg.TopicPartition.Offset)}
	if schema, datum, err := a.decode(ctx, msg); err == nil {
		text, _ := schema.AppendJSON(nil, datum)
		e.Text = string(text)
	} else {
		e.Text = short(msg.Value)
	}
	return e
}

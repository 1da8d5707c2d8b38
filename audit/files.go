package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/cespare/xxhash/v2"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/row"
	"mkt/stream"
	"mkt/stream/codec"
	"mkt/stream/rowfile"
	"mkt/stream/source"
)

// consumerFiles is the files of one consumer: of its topic as it is now, and
// of topics of that name before.
type consumerFiles struct {
	blobs  *container.Client
	fields []row.Field
	now    []stream.File
	before []stream.File
}

// consumer audits a topic against the files of a consumer.
func (a *auditor) consumer(ctx context.Context, c stream.Consumer) error {
	h := Hop{Kind: Files, Name: c.Name, Of: "consumer." + c.Name}
	c.Format = cmp.Or(c.Format, rowfile.JSON)
	schema, err := a.shapeOf(ctx, c.Topic)
	if err != nil {
		return err
	}
	t, err := stream.DescribeTopic(ctx, a.admin, c.Topic)
	if err != nil {
		return err
	}
	bounds, err := stream.TopicOffsets(ctx, a.admin, t)
	if err != nil {
		return err
	}
	cf := &consumerFiles{fields: schema.Row.Fields}
	if cf.blobs, err = a.cfg.Blob(c.ContainerURL); err != nil {
		return fmt.Errorf("open container: %w", err)
	}
	a.files[c.Name] = cf
	begun := map[int32]int64{}
	if c.From == "latest" {
		if begun, err = stream.GroupOffsets(ctx, a.admin, c.Group, t); err != nil {
			return err
		}
	}
	starts, err := cf.list(ctx, c, t, bounds, begun, &h)
	if err != nil {
		return err
	}
	dead, err := stream.ReadDeadRecords(ctx, cf.blobs, c, t)
	if err != nil {
		return err
	}
	for _, f := range dead.Files {
		if f.TopicID == t.ID {
			cf.now = append(cf.now, f)
		} else {
			cf.before = append(cf.before, f)
		}
	}
	s := newShape(schema.Row.Fields)
	if n := countRows(cf.before); n > 0 {
		h.Notes = append(h.Notes, fmt.Sprintf("%d rows are in files of a topic of this name that is gone", n))
	}
	written := newShape(schema.Row.Fields)
	var unfit int64
	expected, of := a.expectedOf(ctx, c, t, bounds, starts, s, dead.Waiting, &unfit)
	if of == Source {
		if written, err = resolved(schema); err != nil {
			return err
		}
	}
	got := cf.side(ctx, written, cf.now, &h)
	gotSum, err := sum(got)
	if err != nil {
		return err
	}
	h.Got, h.Files = int64(gotSum.Rows), int64(len(cf.now))
	if of == "" {
		h.Expected = h.Got
		h.Notes = append(h.Notes, "the topic has dropped its oldest records and the source cannot be read: rows were not compared")
		a.report.Hops = append(a.report.Hops, h)
		return nil
	}
	expectedSum, err := sum(expected)
	if err != nil {
		return err
	}
	h.Expected = int64(expectedSum.Rows)
	if gotSum != expectedSum {
		var quiet Hop // problems of the files are noted already
		got := cf.side(ctx, written, cf.now, &quiet)
		if h.Lost, h.Doubled, h.Examples, err = diff(expected, got, max(h.Expected, h.Got), a.cfg.Examples); err != nil {
			return err
		}
	}
	a.report.Hops = append(a.report.Hops, h)
	if truncated(bounds) || c.DeadLetterPrefix == "" && unfit == 0 {
		return nil
	}
	return a.deadFiles(ctx, c, t, bounds, starts, cf, dead)
}

func countRows(files []stream.File) (n int64) {
	for _, f := range files {
		n += f.Rows
	}
	return n
}

// list finds the files and checks the chain of each partition. It returns
// where the chains start. A consumer of the latest records that has no file
// starts where its group has committed, begun, and one without offsets at the
// end.
func (cf *consumerFiles) list(ctx context.Context, c stream.Consumer, t stream.Topic, bounds stream.Offsets, begun map[int32]int64, h *Hop) (map[int32]int64, error) {
	all, err := stream.ListTopicFiles(ctx, cf.blobs, c.Prefix, c.Topic)
	if err != nil {
		return nil, err
	}
	starts := map[int32]int64{}
	ends := map[int32]int64{}
	for _, f := range all {
		if f.TopicID != t.ID {
			cf.before = append(cf.before, f)
			continue
		}
		cf.now = append(cf.now, f)
		end, seen := ends[f.Partition]
		if !seen {
			starts[f.Partition] = f.Start
		} else if f.Start != end {
			what := "a gap"
			if f.Start < end {
				what = "an overlap"
			}
			h.Problems = append(h.Problems, fmt.Sprintf("%s before %s: the file before it ends at offset %d", what, f.Name, end))
		}
		ends[f.Partition] = max(end, f.End)
	}
	skipped := false
	for _, p := range t.Partitions {
		first, filed := starts[p]
		at, ok := begun[p]
		switch {
		case c.From != "latest": // what stands before the first file is lost
			if !filed || first > bounds.Start[p] {
				starts[p] = bounds.Start[p]
			}
		case !filed && ok:
			starts[p] = at
		case !filed && len(begun) == 0:
			starts[p] = bounds.Committed[p]
		case !filed: // the topic gained the partition later
			starts[p] = bounds.Start[p]
		}
		skipped = skipped || starts[p] > bounds.Start[p]
	}
	if skipped {
		h.Notes = append(h.Notes, "the consumer is from the latest: what the topic held before it began is not compared")
	}
	return starts, nil
}

// expectedOf is the rows that a consumer's files should hold: the topic's
// records from where its chains start or, where the topic has dropped records
// that were to be read, the good rows of the sources. It says which, and nothing
// when neither is there. Records that are no rows are counted in unfit.
func (a *auditor) expectedOf(ctx context.Context, c stream.Consumer, t stream.Topic, bounds stream.Offsets, starts map[int32]int64, s *shape,
	waiting map[stream.RecordAt]bool, unfit *int64) (side, Kind) {
	whole, dropped := true, false
	from := stream.Offsets{Start: map[int32]int64{}, Committed: bounds.Committed}
	for p, low := range bounds.Start {
		from.Start[p] = max(low, starts[p])
		whole = whole && low <= starts[p]
		dropped = dropped || low > 0 && c.From != "latest"
	}
	var sides []side
	stdin := false
	for _, p := range a.cfg.Producers {
		if p.Topic == c.Topic {
			stdin = stdin || slices.Contains(p.Paths, source.Stdin)
			sides = append(sides, a.sourceContent(ctx, p, s))
		}
	}
	switch readable := len(sides) > 0 && !stdin; {
	case whole && (!dropped || !readable):
		return a.allRecords(ctx, t, c.Format, from, s, waiting, false, unfit), Topic
	case readable:
		return both(sides...), Source
	}
	return nil, ""
}

// sourceContent is the good rows of a source by content alone.
func (a *auditor) sourceContent(ctx context.Context, p stream.Producer, s *shape) side {
	return func(yield func(uint64, func() Example) error) error {
		schema, err := a.schemas.Latest(ctx, p.Subject)
		if err != nil {
			return err
		}
		_, dead, err := a.deadRows(ctx, p)
		if err != nil {
			return err
		}
		return a.eachSourceRow(ctx, p, schema, s, func(r *source.Row, content uint64, bad error) error {
			if !inTopic(p, bad, dead.Waiting[r.Number]) {
				return nil
			}
			return yield(content, func() Example {
				return Example{Where: fmt.Sprintf("%s:%d", r.File, r.Line), Row: r.Number, Text: string(r.Text())}
			})
		})
	}
}

// allRecords is the records of a topic by content: those that a file of the
// format can hold or, if dead is set, the others by their offset and value. Those that
// wait as dead letters are among the others, whatever could hold them now. Each
// pass counts the others in unfit.
func (a *auditor) allRecords(ctx context.Context, t stream.Topic, format string, bounds stream.Offsets, s *shape,
	waiting map[stream.RecordAt]bool, dead bool, unfit *int64) side {
	return func(yield func(uint64, func() Example) error) error {
		var scratch []codec.Value
		var text []byte
		*unfit = 0
		return stream.ReadTopic(ctx, a.cfg.Kafka, t, bounds, func(msg *kafka.Message) error {
			writer, datum, err := a.decode(ctx, msg)
			if err == nil {
				if text, err = rowfile.Unfit(format, writer, datum, text); err != nil {
					err = errors.Join(stream.ErrPoison, err)
				} else {
					err = s.setDatum(writer, datum, &scratch)
				}
			}
			if err != nil && !errors.Is(err, stream.ErrPoison) {
				return err
			}
			at := stream.RecordAt{Partition: msg.TopicPartition.Partition, Offset: int64(msg.TopicPartition.Offset)}
			other := err != nil || waiting[at]
			if other {
				*unfit++
			}
			if dead != other {
				return nil
			}
			var h uint64
			if dead {
				h = recordHash(at.Partition, at.Offset, msg.Value)
			} else {
				h = s.hash()
			}
			return yield(h, func() Example { return a.recordExample(ctx, msg, 0) })
		})
	}
}

// side is the rows of files by content. What is wrong with a file goes into
// h.Problems.
func (cf *consumerFiles) side(ctx context.Context, s *shape, files []stream.File, h *Hop) side {
	return func(yield func(uint64, func() Example) error) error {
		for _, f := range files {
			var rows int64
			err := eachRow(ctx, cf.blobs, f.Name, s, func(text func() string, bad error) error {
				rows++
				if bad != nil {
					h.Problems = append(h.Problems, fmt.Sprintf("%s, row %d: %v", f.Name, rows, bad))
					return nil
				}
				n := rows
				return yield(s.hash(), func() Example {
					return Example{Where: fmt.Sprintf("%s, row %d", f.Name, n), Text: text()}
				})
			})
			if err != nil {
				return err
			}
			if rows != f.Rows {
				h.Problems = append(h.Problems, fmt.Sprintf("%s holds %d rows, its metadata says %d", f.Name, rows, f.Rows))
			}
		}
		return nil
	}
}

// deadFiles compares the records of the topic that are no rows with the dead
// letters of the consumer.
func (a *auditor) deadFiles(ctx context.Context, c stream.Consumer, t stream.Topic, bounds stream.Offsets, starts map[int32]int64, cf *consumerFiles,
	dead *stream.DeadRecords) error {
	h := Hop{Kind: DeadLetters, Name: c.Name, Of: "consumer." + c.Name}
	if c.DeadLetterPrefix == "" {
		h.Notes = []string{"the stack gives the consumer no dead_letter prefix: it stops at a record that no file can hold"}
	}
	files := map[string]bool{}
	got := side(func(yield func(uint64, func() Example) error) error {
		return dead.Each(ctx, func(l stream.RecordLetter) error {
			files[l.File] = true
			return yield(recordHash(l.Partition, l.Offset, l.Value), func() Example {
				return Example{Where: fmt.Sprintf("%s, offset %d", l.File, l.Offset), Text: short(l.Value)}
			})
		})
	})
	from := stream.Offsets{Start: starts, Committed: bounds.Committed}
	expected := a.allRecords(ctx, t, c.Format, from, newShape(cf.fields), dead.Waiting, true, new(int64))
	expectedSum, err := sum(expected)
	if err != nil {
		return err
	}
	gotSum, err := sum(got)
	if err != nil {
		return err
	}
	h.Expected, h.Got, h.Files = int64(expectedSum.Rows), int64(gotSum.Rows), int64(len(files))
	if dead.Replayed > 0 {
		h.Notes = append(h.Notes, fmt.Sprintf("%d records were dead letters and have been written since", dead.Replayed))
	}
	if gotSum != expectedSum {
		if h.Lost, h.Doubled, h.Examples, err = diff(expected, got, max(h.Expected, h.Got), a.cfg.Examples); err != nil {
			return err
		}
	}
	a.report.Hops = append(a.report.Hops, h)
	return nil
}

// recordHash tells a record from every other, by its place and its value.
func recordHash(partition int32, offset int64, value []byte) uint64 {
	return rowHash(rowHash(uint64(partition), uint64(offset)), xxhash.Sum64(value))
}

// short is a value for people, or its beginning.
func short(value []byte) string {
	return strings.ToValidUTF8(string(value[:min(len(value), 200)]), "\uFFFD")
}

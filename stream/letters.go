package stream

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/codec"
	"mkt/stream/source"
)

// Letter is a dead letter of a producer as it stands in its topic.
type Letter struct {
	Partition int32
	Offset    int64
	Time      time.Time
	Mark
	Reason  string
	File    string
	Line    int
	Columns []string // the header of the row's file
	Raw     []byte
}

// letterText is the value of a row's record in the dead-letter topic.
type letterText struct {
	Reason  string   `json:"reason"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Row     uint64   `json:"row"`
	Columns []string `json:"columns"`
	Raw     string   `json:"raw"`
	// Bytes is Raw where that is not UTF-8.
	Bytes string `json:"raw_base64"`
}

// DeadLetterValue is the value of the record in the dead-letter topic of a
// row whose file has that header.
func DeadLetterValue(row *source.Row, header []string, reason error) []byte {
	b := append([]byte(nil), `{"reason":`...)
	b = codec.AppendString(b, reason.Error())
	b = codec.AppendString(append(b, `,"file":`...), row.File)
	b = strconv.AppendInt(append(b, `,"line":`...), int64(row.Line), 10)
	b = strconv.AppendUint(append(b, `,"row":`...), row.Number, 10)
	b = append(b, `,"columns":[`...)
	for i, column := range header {
		if i > 0 {
			b = append(b, ',')
		}
		b = codec.AppendString(b, column)
	}
	raw := row.Text()
	b = codec.AppendString(append(b, `],"raw":`...), string(raw))
	if !utf8.Valid(raw) {
		b = codec.AppendString(append(b, `,"raw_base64":`...), base64.StdEncoding.EncodeToString(raw))
	}
	return append(b, '}')
}

func parseLetter(msg *kafka.Message, mark Mark) (Letter, error) {
	l := Letter{Partition: msg.TopicPartition.Partition, Offset: int64(msg.TopicPartition.Offset), Time: msg.Timestamp, Mark: mark}
	var text letterText
	err := json.Unmarshal(msg.Value, &text)
	l.Reason, l.File, l.Line, l.Columns, l.Raw = text.Reason, text.File, text.Line, text.Columns, []byte(text.Raw)
	if err == nil && text.Bytes != "" {
		l.Raw, err = base64.StdEncoding.DecodeString(text.Bytes)
	}
	if err != nil {
		return l, fmt.Errorf("dead letter at partition %d, offset %d: %w", l.Partition, l.Offset, err)
	}
	return l, nil
}

// ReplayedHeaderOf is the name of the header on what a replay sends: the row
// in the topic, and beside it, in the same transaction, the note in the
// dead-letter topic that the row's letter is none any more. It is not
// HeaderOf: rows sent again come late, and say nothing of where to resume.
func ReplayedHeaderOf(producer string) string { return "mkt-replayed." + producer }

// DeadRows is the rows of a producer that are in its dead-letter topic.
type DeadRows struct {
	Waiting  map[uint64]bool // rows that are dead letters now
	Replayed int64           // rows that were, and were sent again since
	Gone     int64           // letters of topics of the name that were re-created
	// Lost is a partition of the dead-letter topic that has dropped records and
	// may have held notes of replays, "" if there is none.
	Lost string

	dead   Topic
	bounds Offsets
	home   Topic
	header string
}

// ReadDeadRows finds the dead letters of a producer whose topic is home as it
// is now. Without a dead-letter topic there are none.
func ReadDeadRows(ctx context.Context, props map[string]string, admin *kafka.AdminClient, p Producer, home Topic) (*DeadRows, error) {
	out := &DeadRows{Waiting: map[uint64]bool{}, home: home, header: HeaderOf(p.Name)}
	var err error
	if out.dead, err = DescribeTopic(ctx, admin, p.DeadLetters()); errors.Is(err, ErrNoTopic) {
		return out, nil
	} else if err != nil {
		return nil, err
	}
	if out.bounds, err = settledOffsets(ctx, admin, out.dead); err != nil {
		return nil, err
	}
	for _, id := range out.dead.Partitions {
		// In one partition the letter is dropped before the note about it.
		if low := out.bounds.Start[id]; low > 0 && len(out.dead.Partitions) > 1 && out.Lost == "" {
			out.Lost = fmt.Sprintf("topic %q, partition %d starts at offset %d", out.dead.Name, id, low)
		}
	}
	replayed, note := map[uint64]bool{}, ReplayedHeaderOf(p.Name)
	err = ReadTopic(ctx, props, out.dead, out.bounds, func(msg *kafka.Message) error {
		if mark, ok := DeadMarkOf(msg, note, home); ok {
			replayed[mark.Row] = true
		} else if mark, ok := DeadMarkOf(msg, out.header, home); ok {
			out.Waiting[mark.Row] = true
		} else if _, ok := MarkOf(msg, out.header); ok {
			out.Gone++
		}
		return nil
	})
	for row := range replayed {
		delete(out.Waiting, row)
	}
	out.Replayed = int64(len(replayed))
	return out, err
}

// Each goes through the dead letters that wait, in the order of the topic.
func (d *DeadRows) Each(ctx context.Context, props map[string]string, f func(Letter) error) error {
	if len(d.Waiting) == 0 {
		return nil
	}
	return ReadTopic(ctx, props, d.dead, d.bounds, func(msg *kafka.Message) error {
		mark, ok := DeadMarkOf(msg, d.header, d.home)
		if !ok || !d.Waiting[mark.Row] {
			return nil
		}
		l, err := parseLetter(msg, mark)
		if err != nil {
			return err
		}
		return f(l)
	})
}

package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream"
	"mkt/stream/codec"
	"mkt/stream/source"
)

// sender is a producer that has records in a topic and is not in the audit.
type sender struct {
	rows int64
	last stream.Mark
}

// stranger takes down which producer sent a record, if one did.
func (a *auditor) stranger(msg *kafka.Message) {
	for _, h := range msg.Headers {
		name, ok := strings.CutPrefix(h.Key, stream.HeaderOf(""))
		mark, marked := stream.MarkOf(msg, h.Key)
		if !ok || !marked {
			continue
		}
		s := a.strangers[name]
		if s == nil {
			s = &sender{}
			a.strangers[name] = s
		}
		s.rows++
		if mark.Row > s.last.Row {
			s.last = mark
		}
	}
}

// renamed finds the rows that the topic of h has from a producer of another
// name with the same source: a mark holds a digest of the source up to its row.
func (a *auditor) renamed(ctx context.Context, p stream.Producer, schema *codec.Schema, h *Hop) error {
	if len(a.strangers) == 0 {
		return nil
	}
	same := map[string]bool{}
	err := p.EachRow(ctx, schema, nil, func(r *source.Row, _ []byte, _ error) error {
		for name, s := range a.strangers {
			if s.last == (stream.Mark{Row: r.Number, Digest: r.Digest}) {
				same[name] = true
			}
		}
		return nil
	})
	for _, name := range slices.Sorted(maps.Keys(same)) {
		n := a.strangers[name].rows
		h.Got, h.Doubled, h.Foreign = h.Got+n, h.Doubled+n, h.Foreign-n
		h.Problems = append(h.Problems, fmt.Sprintf("a producer %q, which the stack does not have, sent %d rows of this source:"+
			" a producer that gets another name sends everything again", name, n))
	}
	return err
}

package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mkt/stream/codec"
	"mkt/stream/source"
)

// EachRow goes through the rows of a source as the producer does, without
// sending them: datum is the row in Avro, or bad says why it has none. Rows
// outside of From and To are left out. All are valid until the next row. A
// source that is followed ends where it ends now.
func (p Producer) EachRow(ctx context.Context, schema *codec.Schema, stdin io.Reader, f func(row *source.Row, datum []byte, bad error) error) error {
	src, err := p.Source.Reader(schema, stdin)
	if err != nil {
		return err
	}
	defer src.Close()
	var plan *codec.Plan
	var clock *codec.Clock
	var datum []byte
	file := ""
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r, err := src.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if plan == nil || r.File != file {
			file = r.File
			if plan, err = p.Compile(schema, file, src.Header()); err != nil {
				return err
			}
			if clock, err = p.clock(plan, file); err != nil {
				return err
			}
		}
		if clock != nil && p.outside(clock.At(r.Fields)) {
			continue
		}
		bad := r.Err
		if bad == nil {
			datum, bad = plan.Encode(datum[:0], r.Fields)
		}
		if err := f(r, datum, bad); err != nil {
			return err
		}
	}
}

// clock reads the field Time of rows, nil if nothing asks for it.
func (p Producer) clock(plan *codec.Plan, file string) (*codec.Clock, error) {
	if p.Speed <= 0 && p.From.IsZero() && p.To.IsZero() {
		return nil, nil
	}
	field := p.Time
	if to, ok := p.Rename[field]; ok {
		field = to
	}
	clock, err := plan.Clock(field)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return clock, nil
}

// outside says whether a time is before From, or not before To. A row whose
// time cannot be read is not: it is sent, or is a bad row.
func (p Producer) outside(t time.Time) bool {
	return !t.IsZero() && (!p.From.IsZero() && t.Before(p.From) || !p.To.IsZero() && !t.Before(p.To))
}

// fits says what is wrong with the headers of a source, of files without rows too.
func (p Producer) fits(schema *codec.Schema, stdin io.Reader) error {
	headers, err := source.Headers(p.Source.config(schema, stdin))
	if err != nil {
		return err
	}
	for _, h := range headers {
		plan, err := p.Compile(schema, h.File, h.Columns)
		if err != nil {
			return err
		}
		if _, err := p.clock(plan, h.File); err != nil {
			return err
		}
		if _, err := p.keyColumn(h.File, h.Columns); err != nil {
			return err
		}
	}
	return nil
}

// Dry is what a producer would send.
type Dry struct {
	Name, Topic string
	Rows        int64
	Bytes       int64 // of values in the topic
	Bad         int64 // rows that the schema does not take
	Examples    []error
}

// DryRun reads and types the sources of all producers, from their first row,
// and sends nothing. It asks the registry alone. examples bounds the bad rows
// that are named for each producer.
func DryRun(ctx context.Context, cfg Config, examples int) ([]Dry, error) {
	schemas, err := NewSchemas(cfg.Registry)
	if err != nil {
		return nil, err
	}
	var out []Dry
	for _, p := range cfg.Producers {
		if err := p.check(); err != nil {
			return out, err
		}
		d := Dry{Name: p.Name, Topic: p.Topic}
		schema, err := schemas.Latest(ctx, p.Subject)
		if err == nil {
			err = p.fits(schema, cfg.Stdin)
		}
		if err == nil {
			err = p.EachRow(ctx, schema, cfg.Stdin, func(r *source.Row, datum []byte, bad error) error {
				if bad == nil {
					d.Rows++
					d.Bytes += int64(wireHeader + len(datum))
					return nil
				}
				if d.Bad++; len(d.Examples) < examples {
					d.Examples = append(d.Examples, fmt.Errorf("%s:%d: row %d: %w", r.File, r.Line, r.Number, bad))
				}
				return nil
			})
		}
		if err != nil {
			return out, fmt.Errorf("producer %q: %w", p.Name, err)
		}
		out = append(out, d)
	}
	return out, nil
}

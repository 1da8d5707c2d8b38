package stream

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkt/row"
	"mkt/stream/source"
	"mkt/stream/streamtest"
)

// A dry run says of a header what the real run would say, also where no row is under it.
func TestDryRunOfHeaders(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	path := filepath.Join(s.Dir, "data.csv")
	const right = "Index,Date,Close,Adj Close,Volume"
	for _, test := range []struct {
		text   string
		change func(p *Producer)
		want   string
	}{
		{right + "\n", func(*Producer) {}, ""},
		{"Index,Dote\n", func(*Producer) {}, "data.csv:1: the header does not fit"},
		{"", func(*Producer) {}, "a header is needed"},
		{right + "\n", func(p *Producer) { p.Key = "Nope" }, `no column "Nope" to key by`},
		{right + "\nNYA,2020-01-02,1,1,1\n", func(p *Producer) { p.Key = "Nope" }, `no column "Nope" to key by`},
		{right + "\n", func(p *Producer) { p.Speed, p.Time = 1, "Close" }, "neither a date nor a timestamp"},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := s.config(path)
		test.change(&cfg.Producers[0])
		all, err := DryRun(t.Context(), cfg, 1)
		if test.want == "" {
			if err != nil || len(all) != 1 || all[0].Rows+all[0].Bad != 0 {
				t.Errorf("%q: %+v, %v", test.text, all, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %+v, %v, want %q", test.text, all, err, test.want)
		}
		s.fails(cfg, test.want)
	}
}

// Rows outside of a span of time are no rows of the source, here and when it
// goes on; a dry run counts what would be sent, and sends nothing.
func TestSpanAndDryRun(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 2000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, func(i int) bool { return i%500 == 0 }))
	p := &cfg.Producers[0]
	schemas, err := NewSchemas(cfg.Registry)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := schemas.Latest(t.Context(), p.Subject)
	if err != nil {
		t.Fatal(err)
	}
	all, err := DryRun(t.Context(), cfg, 2)
	if err != nil || all[0].Rows != n-4 || all[0].Bad != 4 || len(all[0].Examples) != 2 || all[0].Bytes == 0 ||
		!strings.Contains(all[0].Examples[0].Error(), "row 500: field \"Close\"") {
		t.Fatalf("%+v, %v", all, err)
	}
	p.From = time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC)
	s.fails(cfg, "need the field that tells the time")
	p.Time, p.To = "Date", time.Date(2010, 6, 15, 0, 0, 0, 0, time.UTC)
	day := slices.IndexFunc(schema.Row.Fields, func(f row.Field) bool { return f.Name == "Date" })
	want := int64(0)
	values, err := DryRun(t.Context(), cfg, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = Producer{Name: "x", Source: p.Source}.EachRow(t.Context(), schema, nil, func(_ *source.Row, datum []byte, bad error) error {
		if bad == nil {
			v, err := schema.Values(nil, datum)
			if at := time.Unix(v[day].I*86400, 0).UTC(); err == nil && !at.Before(p.From) && at.Before(p.To) {
				want++
			}
			return err
		}
		return nil
	})
	if err != nil || values[0].Rows != want || want == 0 || want > n/2 {
		t.Fatalf("%+v, want %d rows, %v", values, want, err)
	}
	if got := len(s.topicRows("prices")); got != 0 {
		t.Fatalf("%d rows were sent by a dry run", got)
	}
	rep := s.run(cfg)
	if rep.Producers[0].Rows != want || int64(len(s.fileRows())) != want {
		t.Errorf("%+v, want %d", rep.Producers[0], want)
	}
	if rep := s.run(cfg); rep.Producers[0].Rows != 0 {
		t.Errorf("again %+v", rep.Producers[0])
	}
	p.Time = "Close"
	s.fails(cfg, `the field "Close" is to tell the time, and is neither a date nor a timestamp`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Time = "Date"
	if _, err := DryRun(ctx, cfg, 0); err == nil {
		t.Error("a dry run goes on after it was cancelled")
	}
}

package stream

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/codec"
	"mkt/stream/engine"
	"mkt/stream/source"
	"mkt/stream/streamtest"
)

// mended is the schema that takes the rows which Generate calls bad.
var mended = strings.NewReplacer(`"Close","type":"double"`, `"Close","type":["double","null"]`,
	`"Adj_Close","type":"double"`, `"Adj_Close","type":["double","null"]`).Replace(streamtest.Schema)

// sentRows is how often each row is in the topic or waits as a dead letter.
func (s *stack) sentRows(cfg Config) map[uint64]int {
	s.t.Helper()
	out := map[uint64]int{}
	p := cfg.Producers[0]
	s.eachRecord(p.Topic, func(m *kafka.Message) {
		mark, ok := MarkOf(m, HeaderOf(p.Name))
		if !ok {
			mark, _ = MarkOf(m, ReplayedHeaderOf(p.Name))
		}
		out[mark.Row]++
	})
	for row := range s.deadRows(cfg).Waiting {
		out[row]++
	}
	return out
}

func (s *stack) deadRows(cfg Config) *DeadRows {
	s.t.Helper()
	admin, err := NewAdmin(s.Props)
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	home, err := DescribeTopic(s.t.Context(), admin, cfg.Producers[0].Topic)
	if err != nil {
		s.t.Fatal(err)
	}
	dead, err := ReadDeadRows(s.t.Context(), s.Props, admin, cfg.Producers[0], home)
	if err != nil {
		s.t.Fatal(err)
	}
	return dead
}

func (s *stack) replay(cfg Config) Replay {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	out, err := ReplayProducer(ctx, cfg, cfg.Producers[0], 3)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Dead letters whose cause was mended are sent once, the others stay, and the
// producer goes on as if nothing had been.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 4000
	path := streamtest.Generate(t, s.Dir, n, func(i int) bool { return i%100 == 7 })
	cfg := s.config(path)
	cfg.Consumers = nil
	s.run(cfg)
	if got := s.replay(cfg); got.Rows != 0 || got.Failed != 40 || len(got.Examples) != 3 ||
		!strings.Contains(got.Examples[0].Error(), `:7: row 7: field "Close": "null" is null`) && !strings.Contains(got.Examples[0].Error(), `row 7: field "Close"`) {
		t.Fatalf("%+v", got)
	}
	s.Register(streamtest.Subject, mended)
	if got := s.replay(cfg); got.Rows != 40 || got.Failed != 0 {
		t.Fatalf("%+v", got)
	}
	if got := s.replay(cfg); got.Rows != 0 || got.Failed != 0 {
		t.Fatalf("again: %+v", got)
	}
	exactlyOnce(t, "topic", s.sentRows(cfg), n)
	if d := s.deadRows(cfg); len(d.Waiting) != 0 || d.Replayed != 40 {
		t.Fatalf("%+v", d)
	}
	// The source has grown: the producer still knows where it was.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("A,2020-01-02,1,1,4001\r\nA,2020-01-02,x,1,4002\r\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if rep := s.run(cfg); rep.Producers[0].Rows != 1 || rep.Producers[0].DeadLetters != 1 {
		t.Fatalf("%+v", rep)
	}
	exactlyOnce(t, "topic", s.sentRows(cfg), n+2)
	// A word for null mends the other row, without the source.
	os.Remove(path)
	cfg.Producers[0].Null = []string{"x"}
	if got := s.replay(cfg); got.Rows != 1 || got.Failed != 0 {
		t.Fatalf("%+v", got)
	}
	exactlyOnce(t, "topic", s.sentRows(cfg), n+2)
	// The letters of a topic that is gone are not sent to its successor.
	if err := s.Cluster.DeleteTopic("prices"); err != nil {
		t.Fatal(err)
	}
	if err := s.Cluster.CreateTopic("prices", 2, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.replay(cfg); got.Rows != 0 || got.Failed != 0 {
		t.Fatalf("%+v", got)
	}
	if d := s.deadRows(cfg); d.Gone != 41 {
		t.Fatalf("%+v", d)
	}
}

var errKilled = errors.New("killed")

// mortal is a sender whose process dies before or after its nth act: what it
// has begun is left as it is.
type mortal struct {
	engine.Sender
	left int
}

func (m *mortal) die() bool { m.left--; return m.left < 0 }

func (m *mortal) act(f func() error) error {
	if m.die() {
		return errKilled
	}
	if err := f(); err != nil {
		return err
	}
	if m.die() {
		return errKilled
	}
	return nil
}

func (m *mortal) Begin(ctx context.Context) error {
	return m.act(func() error { return m.Sender.Begin(ctx) })
}
func (m *mortal) Send(ctx context.Context, b *engine.Batch) error {
	return m.act(func() error { return m.Sender.Send(ctx, b) })
}
func (m *mortal) Flush(ctx context.Context) error {
	return m.act(func() error { return m.Sender.Flush(ctx) })
}
func (m *mortal) Commit(ctx context.Context) error {
	return m.act(func() error { return m.Sender.Commit(ctx) })
}
func (m *mortal) Abort(context.Context) error { return errKilled }

// TestReplayKilled kills a replay at every one of its steps and starts it
// again.
func TestReplayKilled(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 1500
	cfg := s.config(streamtest.Generate(t, s.Dir, n, func(i int) bool { return i%5 == 2 }))
	cfg.Consumers = nil
	s.run(cfg)
	s.Register(streamtest.Subject, mended)
	var client *mortal
	died := 0
	for step := range 12 {
		open := func(props map[string]string, topics ...string) (engine.Sender, error) {
			inner, err := engine.NewSender(props, topics...)
			client = &mortal{inner, step}
			return client, err
		}
		_, err := replayWith(t.Context(), cfg, cfg.Producers[0], 0, open)
		if errors.Is(err, errKilled) {
			died++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if died < 8 {
		t.Errorf("died %d times", died)
	}
	s.replay(cfg)
	if got := s.replay(cfg); got.Rows != 0 || got.Failed != 0 {
		t.Errorf("%+v", got)
	}
	if rep := s.run(cfg); rep.Producers[0].Rows != 0 {
		t.Errorf("%+v", rep)
	}
	exactlyOnce(t, "topic", s.sentRows(cfg), n)
}

// Two replays at once: one takes over, and each row is sent once.
func TestReplayTwice(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 6000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, func(i int) bool { return i%2 == 0 }))
	cfg.Consumers = nil
	s.run(cfg)
	s.Register(streamtest.Subject, mended)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := ReplayProducer(t.Context(), cfg, cfg.Producers[0], 0); err != nil && !strings.Contains(err.Error(), "has taken over") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.replay(cfg)
	exactlyOnce(t, "topic", s.sentRows(cfg), n)
}

// What was committed behind another's open transaction is seen by who resumes.
func TestResumeBehindOpenTransaction(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	const n = 5000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Consumers = nil
	cfg.Producers[0].Rate = 1000 // slow enough to begin a transaction beside it on a busy machine
	first := make(chan error, 1)
	go func() {
		_, err := Run(t.Context(), cfg, nil)
		first <- err
	}()
	for len(s.topicRows("prices")) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	other, err := engine.NewSender(merged(quiet, s.Props, map[string]string{"transactional.id": "other"}), "prices")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var b engine.Batch
	b.Add(0, nil, []byte("x"))
	for _, err := range []error{other.Init(t.Context()), other.Begin(t.Context()), other.Send(t.Context(), &b), other.Flush(t.Context()), <-first} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := len(s.topicRows("prices")); got == n {
		t.Fatal("the open transaction hides nothing")
	}
	committed := make(chan error, 1)
	time.AfterFunc(700*time.Millisecond, func() { committed <- other.Commit(context.Background()) })
	rep := s.run(cfg)
	if err := <-committed; err != nil || rep.Producers[0].Rows != 0 {
		t.Errorf("%d rows were sent twice, %v", rep.Producers[0].Rows, err)
	}
}

func TestLetterText(t *testing.T) {
	t.Parallel()
	schema, err := codec.Parse(1, streamtest.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		format, raw string
		columns     []string
		fields      []string
		bad         string
	}{
		{raw: "a,\"b\r\n\"\"\",c", columns: []string{"x", "y", "z"}, fields: []string{"a", "b\r\n\"", "c"}},
		{raw: "\xff\xfe,b", columns: []string{"x", "y"}, bad: "UTF-16"},
		{raw: "a\xff,b", columns: []string{"x", "y"}, fields: []string{"a\xff", "b"}},
		{raw: "a", columns: []string{"x", "y"}, bad: "the row has 1 fields"},
		{raw: "a\nb", columns: []string{"x"}, bad: "more than one row"},
		{raw: "a", bad: "does not name the columns"},
		{raw: "", columns: []string{"x"}, bad: "no row"},
		{format: source.NDJSON, raw: `{"Index":"a","Volume":1}`, fields: []string{"a", "", "", "", "1", ""}},
		{format: source.NDJSON, raw: `{`, bad: "no JSON object"},
	} {
		row := &source.Row{Number: 7, File: "f.csv", Line: 9, Raw: []byte(tt.raw)}
		topic := "t"
		msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Offset: 3}, Value: DeadLetterValue(row, tt.columns, errors.New("why"))}
		l, err := parseLetter(msg, Mark{Row: 7})
		if err != nil || !bytes.Equal(l.Raw, row.Raw) || l.Reason != "why" || l.File != "f.csv" || l.Line != 9 {
			t.Fatalf("%q: %+v, %v", tt.raw, l, err)
		}
		fields, _, bad := Producer{Source: Source{Format: tt.format}}.fieldsOf(schema, l)
		if tt.bad != "" {
			if bad == nil || !strings.Contains(bad.Error(), tt.bad) {
				t.Errorf("%q: %q, %v, want %q", tt.raw, fields, bad, tt.bad)
			}
			continue
		}
		if got := string(bytes.Join(fields, []byte("|"))); bad != nil || got != strings.Join(tt.fields, "|") {
			t.Errorf("%q: %q, %v", tt.raw, got, bad)
		}
	}
	if _, err := parseLetter(&kafka.Message{Value: []byte(`{"raw_base64":"` + base64.StdEncoding.EncodeToString([]byte("a")) + `x"}`)}, Mark{}); err == nil {
		t.Error("a broken letter is read")
	}
}

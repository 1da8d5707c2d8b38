package stream

import (
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mkt/stream/codec"
	"mkt/stream/engine"
	"mkt/stream/streamtest"
)

// sendRaw sends values as they are, in one transaction.
func (s *stack) sendRaw(values ...[]byte) {
	s.t.Helper()
	c, err := engine.NewSender(merged(quiet, s.Props, map[string]string{"transactional.id": "raw"}), "prices")
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	var b engine.Batch
	for i, v := range values {
		b.Add(0, strconv.AppendInt(nil, int64(i), 10), v)
	}
	for _, err := range []error{c.Init(s.t.Context()), c.Begin(s.t.Context()), c.Send(s.t.Context(), &b), c.Commit(s.t.Context())} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// ofUnknownSchemas is a consumer and 60 records of two schemas that its
// registry does not know yet, and 5 that are no record of any. learn tells it.
func ofUnknownSchemas(t *testing.T) (s *stack, cfg Config, learn func()) {
	s = newStack(t, 2)
	cfg = s.config(streamtest.Generate(t, s.Dir, 1, nil))
	cfg.Producers = nil
	cfg.Consumers[0].Roll.Rows = 10
	schema, err := codec.Parse(1, streamtest.Schema)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := codec.Compile(schema, []string{"Index", "Date", "Close", "Adj_Close", "Volume"}, codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	next := s.Register("probe", `{"type":"record","name":"probe","fields":[{"name":"a","type":"int"}]}`) + 1
	var values [][]byte
	for i := range 65 {
		if i%13 == 0 {
			values = append(values, []byte("no record"))
			continue
		}
		v := binary.BigEndian.AppendUint32([]byte{0}, uint32(next+i%2))
		if v, err = plan.Encode(v, [][]byte{[]byte("A"), []byte("2020-01-02"), []byte("1"), []byte("2"), strconv.AppendInt(nil, int64(len(values)+1), 10)}); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	s.sendRaw(values...)
	if rep := s.run(cfg); rep.Consumers[0].DeadLetters != 65 {
		t.Fatalf("%+v", rep)
	}
	return s, cfg, func() {
		for i := range 2 {
			text := strings.Replace(streamtest.Schema, "market_data", "market_data"+strconv.Itoa(i), 1)
			if id := s.Register("other-"+strconv.Itoa(i), text); id != next+i {
				t.Fatalf("id %d", id)
			}
		}
	}
}

// writtenOnce checks that all records but the five are in files.
func (s *stack) writtenOnce() {
	s.t.Helper()
	rows := s.fileRows()
	for i := range 65 {
		if i%13 == 0 {
			rows[uint64(i+1)]++
		}
	}
	exactlyOnce(s.t, "files", rows, 65)
}

func TestReplayFiles(t *testing.T) {
	t.Parallel()
	s, cfg, learn := ofUnknownSchemas(t)
	c := cfg.Consumers[0]
	got, err := ReplayConsumer(t.Context(), cfg, c, 2)
	if err != nil || got.Rows != 0 || got.Failed != 65 || len(got.Examples) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	learn()
	var wg sync.WaitGroup // by several at the same time
	for range 3 {
		wg.Go(func() {
			if _, err := ReplayConsumer(t.Context(), cfg, c, 2); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.writtenOnce()
	if got, err = ReplayConsumer(t.Context(), cfg, c, 2); err != nil || got.Rows != 0 || got.Failed != 5 ||
		!strings.Contains(got.Examples[0].Error(), "wire format") {
		t.Fatalf("%+v, %v", got, err)
	}
	s.writtenOnce()
	// The consumer goes on, and does not take what a replay wrote for its chain.
	if rep := s.run(cfg); rep.Consumers[0].Read != 0 {
		t.Errorf("%+v", rep)
	}
	if d := s.deadRecords(cfg); len(d.Waiting) != 5 || d.Replayed != 60 {
		t.Errorf("%+v", d)
	}
}

func (s *stack) deadRecords(cfg Config) *DeadRecords {
	s.t.Helper()
	admin, err := NewAdmin(s.Props)
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(s.t.Context(), admin, "prices")
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := ReadDeadRecords(s.t.Context(), s.Container(), cfg.Consumers[0], topic)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// TestReplayFilesKilled cuts a replay off before and after each blob that it
// writes, and starts it again with other settings.
func TestReplayFilesKilled(t *testing.T) {
	t.Parallel()
	s, cfg, learn := ofUnknownSchemas(t)
	learn()
	died := 0
	for step := 0; ; step++ {
		puts, gone := 0, false
		s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
			if gone {
				return refusedAnswer(req), nil
			}
			if req.Method != http.MethodPut {
				return next()
			}
			if puts++; puts == 2 { // the first claim or file is done, this one is lost before or after it is there
				gone = true
				if step%2 == 1 {
					if res, err := next(); err != nil {
						return res, err
					}
				}
				return refusedAnswer(req), nil
			}
			return next()
		})
		cfg.Consumers[0].Format = []string{"json", "avro"}[step%2]
		_, err := ReplayConsumer(t.Context(), cfg, cfg.Consumers[0], 0)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "403") {
			t.Fatal(err)
		}
		died++
	}
	s.Fault.Set(nil)
	if died < 5 {
		t.Errorf("died %d times", died)
	}
	s.writtenOnce()
}

// TestReplayedFilesRemoved removes what replays wrote, as a lifecycle rule does once it is loaded: nothing of it is a dead letter again,
// nor written a second time, when the replay before was cut off behind a file either.
func TestReplayedFilesRemoved(t *testing.T) {
	t.Parallel()
	s, cfg, learn := ofUnknownSchemas(t)
	learn()
	cut := false
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		if cut = cut || strings.HasSuffix(req.URL.Path, noteSuffix); cut {
			return refusedAnswer(req), nil
		}
		return next()
	})
	if _, err := ReplayConsumer(t.Context(), cfg, cfg.Consumers[0], 0); err == nil {
		t.Fatal("no note was refused")
	}
	s.Fault.Set(nil)
	var wrote int64
	for range 2 {
		got, err := ReplayConsumer(t.Context(), cfg, cfg.Consumers[0], 0)
		if err != nil {
			t.Fatal(err)
		}
		wrote += got.Rows
		for _, f := range s.deadRecords(cfg).Files {
			if _, err := s.Container().NewBlobClient(f.Name).Delete(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if d := s.deadRecords(cfg); len(d.Files) > 0 || len(d.Waiting) != 5 || d.Replayed != 60 || wrote >= 60 || wrote == 0 {
		t.Errorf("%d files, %d wait, %d replayed; wrote %d", len(d.Files), len(d.Waiting), d.Replayed, wrote)
	}
}

func refusedAnswer(req *http.Request) *http.Response {
	return &http.Response{StatusCode: http.StatusForbidden, Status: "403 Forbidden", Request: req, Header: http.Header{}, Body: http.NoBody}
}

func TestReplayedNames(t *testing.T) {
	t.Parallel()
	want := File{TopicID: "id", Partition: 3, Start: 42}
	for _, name := range []string{"id/3/00000000000000000042-replay-000001.json.gz", "id/3/date=2020-01-02/00000000000000000042-replay-000000.parquet"} {
		if f, ok := parseReplayed(name); !ok || f != want {
			t.Errorf("%s: %+v %v", name, f, ok)
		}
		if _, ok := parseName(name); ok {
			t.Errorf("%s is taken for a file of the chain", name)
		}
	}
	for _, name := range []string{"id/3/00000000000000000042.json.gz", "id/3/42-replay-000001.json", "id/x/00000000000000000042-replay-000001.json", "3/00000000000000000042-replay-000001.json"} {
		if f, ok := parseReplayed(name); ok {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

package stream

import (
	"math/rand/v2"
	"testing"
	"time"

	"mkt/internal/realtest"
	"mkt/stream/streamtest"
)

// A file that is removed after its writer was killed and before its offsets
// were committed is written again as it was: a pipe that has loaded the first
// does not load the second.
func TestRemovedAfterAKill(t *testing.T) {
	t.Parallel()
	if realtest.At(t, realtest.Kafka) != "" {
		t.Skip("the moments are seen by the embedded servers")
	}
	r := rand.New(rand.NewPCG(seeded(t), 0))
	s := newStack(t, 2)
	s.groups("classic", "600", "1000")
	const n = 20_000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Producers[0].Rate = 1500
	poison(t, s, 6)
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(t.Context(), admin, "prices")
	if err != nil {
		t.Fatal(err)
	}
	files := func() map[string]File {
		list, err := ListTopicFiles(t.Context(), s.Container(), cfg.Consumers[0].Prefix, "prices")
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]File{}
		for _, f := range list {
			out[f.Name] = f
		}
		return out
	}
	removed := map[string]File{}
	for range 8 {
		// Each life cuts its files elsewhere.
		cfg.Consumers[0].Roll.Rows = 50 + r.Int64N(300)
		s.dieAt(cfg, killPoint{"after the upload", upload, streamtest.After, 4}, 1+r.IntN(4), 20*time.Second)
		at, err := GroupOffsets(t.Context(), admin, cfg.Consumers[0].Group, topic)
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range files() {
			if f.Start < at[f.Partition] {
				continue
			}
			if _, err := s.Container().NewBlobClient(name).Delete(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			removed[name] = f
		}
	}
	cfg.Producers[0].Rate = 0
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
	if n := s.deadLetterLines(); n != 6 {
		t.Errorf("%d dead letters, want 6", n)
	}
	now := files()
	for name, was := range removed {
		if got := now[name]; got.FileInfo != was.FileInfo {
			t.Errorf("%s is [%d, %d) with %d rows, and was [%d, %d) with %d", name, got.Start, got.End, got.Rows, was.Start, was.End, was.Rows)
		}
	}
	if len(removed) < 4 {
		t.Errorf("%d files were removed", len(removed))
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	by := By{Directory: "date=%Y-%m-%d"}
	for _, tt := range []struct {
		text string
		by   By
		end  int64
		ok   bool
	}{
		{"", By{}, 0, true},
		{"id", By{}, 0, true},
		{"another", By{}, 0, false},
		{"another 5", By{}, 0, false},
		{note("id", By{}, 0), By{}, 0, true},
		{note("id", By{}, 5), By{}, 5, true},
		{note("id", by, 5), by, 5, true},
		{note("id", by, 5), By{}, 0, true}, // its name would be another
		{note("id", By{}, 5), by, 0, true},
		{"id soon", By{}, 0, true},
	} {
		if end, ok := readNote(tt.text, "id", tt.by); end != tt.end || ok != tt.ok {
			t.Errorf("%q: %d, %v", tt.text, end, ok)
		}
	}
	if text := note("AAAAAAAAAAAAAAAAAAAAAA", by, 1<<62); len(text) > 63 {
		t.Errorf("%q has %d bytes, and 63 are read", text, len(text))
	}
}

package snowflake

import (
	"bytes"
	"compress/gzip"
	"testing"
	"time"

	"mkt/providers"
)

// FuzzKept reads notes of any text: an error or a note that can be worked with, never a panic.
func FuzzKept(f *testing.F) {
	for _, text := range []string{``, `{}`, `null`, `{"feeds":null,"loads":null}`, `{"feeds":{"a":null,"b":{"since":"2026-01-02T03:04:05Z","open":true}}}`, `{"loads":[{"file":"azure://a/b","at":"x"}]}`} {
		f.Add([]byte(text), true)
	}
	f.Add([]byte("no gzip"), false)
	table := Name{"M", "R", "T"}
	f.Fuzz(func(t *testing.T, text []byte, packed bool) {
		if packed {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(text)
			_ = z.Close()
			text = b.Bytes()
		}
		notes := &memoryNotes{}
		_ = notes.Keep(t.Context(), noteName(table), text)
		k, err := readKept(t.Context(), notes, table)
		if err != nil {
			return
		}
		k.open("b")
		k.since("b", time.Now())
		p := New(Connection{}, Options{Notes: notes})
		if err := p.writeKept(t.Context(), table, k); err != nil {
			t.Fatal(err)
		}
		if again, err := readKept(t.Context(), notes, table); err != nil || len(again.Feeds) != len(k.Feeds) {
			t.Fatalf("%v %v", again, err)
		}
	})
}

func TestDamagedNoteIsSaid(t *testing.T) {
	notes := &memoryNotes{}
	table := Name{"M", "R", "T_1"}
	if err := notes.Keep(t.Context(), noteName(table), []byte("cut short")); err != nil {
		t.Fatal(err)
	}
	if _, err := readKept(t.Context(), notes, table); err == nil || providers.Detail(err) == nil || noteName(table) != "loads-M.R.T_5f_1.json.gz" {
		t.Errorf("%s: %v", noteName(table), err)
	}
}

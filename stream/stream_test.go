package stream

import (
	"testing"

	"mkt/stream/streamtest"
)

func TestWholePath(t *testing.T) {
	t.Parallel()
	s := newStack(t, 4)
	const n = 50_000
	path := streamtest.Generate(t, s.Dir, n, func(i int) bool { return i%100 == 7 })
	rep := s.run(s.config(path))
	t.Logf("%+v", rep)
	exactlyOnce(t, "topic", s.topicRows("prices", "prices-dead-letter"), n)
	rows := s.fileRows()
	for i := uint64(7); i <= n; i += 100 {
		if rows[i] != 0 {
			t.Fatalf("the bad row %d is in a file", i)
		}
		rows[i]++
	}
	exactlyOnce(t, "files", rows, n)
	p, c := rep.Producers[0], rep.Consumers[0]
	if p.Rows != n-n/100 || p.DeadLetters != n/100 || c.Rows != p.Rows || c.DeadLetters != 0 || p.State != Done || c.State != Done {
		t.Errorf("report %+v", rep)
	}
	again := s.run(s.config(path))
	t.Logf("%+v", again)
	if p, c := again.Producers[0], again.Consumers[0]; p.Rows != 0 || p.ResumedAt != n || c.Rows != 0 || c.Files != 0 {
		t.Errorf("second run %+v", again)
	}
}

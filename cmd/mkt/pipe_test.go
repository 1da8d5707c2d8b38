package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// edit replaces a text of the stack that is there.
func (s *stack) edit(old, now string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "stack.hcl")
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), old) {
		s.t.Fatalf("%q is not in the stack: %v", old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, now, 1)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) prices(rows int) {
	s.t.Helper()
	if err := writePrices(filepath.Join(s.dir, "data", "prices.csv"), rows); err != nil {
		s.t.Fatal(err)
	}
}

// again applies what makes the pipe again.
var again = []string{"apply", "-auto-approve", "-allow-destroy=snowflake_pipe.market"}

// TestPipeUnderAWriter refuses to make a pipe again while a consumer of the stack writes files for it, and does it once that has ended.
func TestPipeUnderAWriter(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.prices(3000)
	s.run(0, "apply", "-auto-approve")
	p := s.start("stream", "-follow", "-json")
	p.says(`"consumers":\[\{[^]]*"rows":[1-9]`)
	s.edit(`"SKIP_FILE"`, `"CONTINUE"`)
	if out := s.run(1, again...); !strings.Contains(out, `consumer.blobs is running: its group "group1" has a member at`) {
		t.Errorf("not refused:\n%s", out)
	}
	s.run(2, "plan", "-detailed-exitcode")
	p.interrupt()
	p.wait(30 * time.Second)
	s.run(0, again...)
	s.run(0, "plan", "-detailed-exitcode")
	s.prices(4000)
	s.run(0, "stream")
	s.exactlyOnce(4000)
	s.run(0, "audit")
}

// TestKillPipe kills `mkt apply` at random moments while it makes a pipe again, and has files written before the next one. Each row
// ends up in the table once.
func TestKillPipe(t *testing.T) {
	t.Parallel()
	r := random(t)
	s := newStack(t)
	rows := 2000
	s.prices(rows)
	s.run(0, "apply", "-auto-approve")
	s.run(0, "stream")
	words := []string{`"SKIP_FILE"`, `"CONTINUE"`}
	s.edit(words[0], words[1])
	start := time.Now()
	s.run(0, again...)
	took := time.Since(start)
	kills := 0
	for round := range 6 {
		s.edit(words[(round+1)%2], words[round%2])
		for range 2 {
			if s.killAfter(took/4+time.Duration(r.Int64N(int64(took*3/4))), again...) {
				kills++
			}
		}
		rows += 500
		s.prices(rows)
		// There may be no pipe now, or one that rests: the files are written, and what is not loaded is waited for in vain.
		var out bytes.Buffer
		_ = s.command(&out, "stream", "-arrival-timeout", "1s").Run()
		s.run(0, again...)
		s.run(0, "plan", "-detailed-exitcode")
		s.run(0, "stream")
		s.exactlyOnce(rows)
	}
	s.run(0, "audit")
	t.Logf("an apply took %s; %d were killed", took.Round(time.Millisecond), kills)
}

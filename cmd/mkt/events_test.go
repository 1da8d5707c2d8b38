package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Files whose events are lost are not in the table: stream says so, audit finds the rows and shows a REFRESH that is bound
// to the files since then, and after it each row is there once. Files whose events came are not loaded again.
func TestLostEvents(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.prices(2000)
	s.run(0, "apply", "-auto-approve")
	s.run(0, "stream")
	// Without a subscription nobody hears of files.
	s.edit(`azure_event_subscription "created" {
  container = azure_container.market
  queue     = azure_queue.events
  prefix    = "kafka-messages/"
}
`, "")
	s.edit("depends_on = [azure_event_subscription.created]", `lifecycle { silence = { "event-missing" = "the test loses events" } }`)
	s.run(0, "apply", "-auto-approve", "-allow-destroy=all")
	s.prices(3000)
	if out := s.run(1, "stream", "-arrival-timeout", "1s"); !strings.Contains(out, "has not loaded") {
		t.Errorf("stream does not say that files are missing:\n%s", out)
	}
	out := strings.Join(strings.Fields(s.run(1, "audit")), " ")
	refresh := regexp.MustCompile(`ALTER PIPE "MARKET"\."RAW"\."MARKET" REFRESH PREFIX = 'prices/' MODIFIED_AFTER = '[^']+'`).FindString(out)
	if refresh == "" || !strings.Contains(out, "1,000") {
		t.Fatalf("audit does not say how to mend it:\n%s", out)
	}
	for range 2 { // twice does no more than once
		s.run(0, "query", refresh)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		var out bytes.Buffer
		if s.command(&out, "audit").Run() == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(out.String())
		}
	}
	s.exactlyOnce(3000)
	s.run(0, "stream")
	s.exactlyOnce(3000)
}

// A file that a pipe refused is never tried again by it: audit shows a statement that loads it once its cause is mended, and just it.
func TestRefusedFile(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.edit("VARCHAR(256)", "VARCHAR(5)")
	s.prices(2000)
	s.run(0, "apply", "-auto-approve")
	s.run(0, "stream")
	path := filepath.Join(s.dir, "data", "prices.csv")
	rows, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(rows, "TOOLONG,2000-01-03,1,2,3,4,5,2001,7\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.run(1, "stream"); !strings.Contains(out, "`mkt audit` shows the statement that loads them") {
		t.Errorf("stream does not say what to do:\n%s", out)
	}
	out := strings.Join(strings.Fields(s.run(1, "audit")), " ")
	load := regexp.MustCompile(`COPY INTO "MARKET"\."RAW"\."PRICES" FROM .* FILES = \('[^']+'\)`).FindString(out)
	if load == "" {
		t.Fatalf("audit does not say how to mend it:\n%s", out)
	}
	s.edit("VARCHAR(5)", "VARCHAR(256)")
	s.run(0, "apply", "-auto-approve")
	for range 2 { // twice does no more than once
		s.run(0, "query", load)
	}
	s.run(0, "audit")
	s.run(0, "stream")
	if got := s.run(0, "query", "-csv", "SELECT COUNT(*), COUNT(DISTINCT Volume) FROM market.raw.prices"); !strings.HasSuffix(got, "\n2001,2001\n") {
		t.Error(got)
	}
}

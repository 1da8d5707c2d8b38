package main

import (
	"bytes"
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

package main

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTerminateStream: as Kubernetes runs it, a stream is ready when it runs, tells what it does, and SIGTERM drains it well
// within the grace period of deploy/.
func TestTerminateStream(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const rows = 6000
	if err := writePrices(filepath.Join(s.dir, "data", "prices.csv"), rows); err != nil {
		t.Fatal(err)
	}
	s.run(0, "apply", "-auto-approve")
	p := s.start("stream", "-follow", "-metrics-addr", "127.0.0.1:0", "-var", "rate=1000/s")
	p.says(`Metrics at http://\S+/metrics`)
	at := regexp.MustCompile(`Metrics at (http://\S+)/metrics`).FindStringSubmatch(p.text())[1]
	get := func(path string) (int, string) {
		res, err := http.Get(at + path)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	if code, body := get("/healthz"); code != 200 {
		t.Errorf("healthz: %d %s", code, body)
	}
	wanted := []string{
		`mkt_stream_rows_total{name="prices",role="producer",topic="prices"} [1-9]`,
		`mkt_stream_lag_records{name="blobs",partition="1",topic="prices"} \d`,
		`mkt_stream_batch_rows_count{name="prices",step="transaction"} [1-9]`,
		`mkt_stream_freshness_seconds{hop="topic",name="prices",quantile="0.99"} [0-9.]+`,
		`mkt_pipe_running{pipe="MARKET.RAW.MARKET"} 1`,
		`mkt_sas_days_left{stage="MARKET.RAW.MARKET"} 89\.9`,
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		ready, _ := get("/readyz")
		_, text := get("/metrics")
		missing := ""
		for _, want := range wanted {
			if !regexp.MustCompile(`(?m)^` + want).MatchString(text) {
				missing += want + "\n"
			}
		}
		if ready == 200 && missing == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("ready: %d, missing:\n%s\n%s\n%s", ready, missing, text, p.text())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(20 * time.Second); code != exitInterrupted {
		t.Errorf("exit code %d\n%s", code, p.text())
	}
	if !strings.Contains(p.text(), "rows to prices") {
		t.Errorf("drained without a report of what was done:\n%s", p.text())
	}
	if code, body := get("/healthz"); code != 0 {
		t.Errorf("it listens after its end: %d %s", code, body)
	}
	s.run(0, "stream")
	s.exactlyOnce(rows)
}

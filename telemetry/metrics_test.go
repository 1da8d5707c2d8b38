package telemetry

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkt/stream"
)

// get asks a running server and returns the status and the body.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func snapshot(state stream.State) stream.Snapshot {
	return stream.Snapshot{
		Producers: []stream.ProducerStatus{{Name: "prices", Topic: "t", State: state, Rows: 700, Bytes: 7000, DeadLetters: 2, Skipped: 1, Retries: 3, Part: 0.5,
			Freshness: stream.Freshness{P50: time.Second, P99: 2 * time.Second, Rows: 700}}},
		Consumers: []stream.ConsumerStatus{{Name: "blobs", Topic: "t", State: state, Read: 710, Rows: 600, Bytes: 900, Files: 4, Adopted: 1, Buffered: 5000,
			Lags: []stream.PartitionLag{{Partition: 0, Lag: 90}, {Partition: 3, Lag: 0}}}},
	}
}

func TestMetrics(t *testing.T) {
	m := NewMetrics("v1.2.3")
	at, stop, err := m.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if _, _, err := m.Serve(at); err == nil {
		t.Error("an address that is taken is no error")
	}
	m.Progress(snapshot(stream.Running))
	m.Took(stream.Step{Kind: stream.StepTransaction, Name: "prices", Took: 1500 * time.Millisecond, Rows: 700, Bytes: 7000})
	m.Took(stream.Step{Kind: stream.StepUpload, Name: "blobs", Took: 20 * time.Millisecond, Rows: 600, Bytes: 900})
	m.Took(stream.Step{Kind: stream.StepUpload, Name: "blobs", Took: time.Minute, Rows: 10, Err: errors.New("refused")})
	m.Took(stream.Step{Kind: stream.StepCommit, Name: "blobs", Took: time.Millisecond})
	m.Outside(Outside{Pipes: []Pipe{{Name: "M.R.P", Running: true, Pending: 2, Fresh: stream.Freshness{P50: 8 * time.Second, P99: 9 * time.Second, Rows: 1}}},
		Tokens: []Token{{"M.R.S", time.Now().Add(49 * time.Hour)}}})
	_, got := get(t, "http://"+at+"/metrics")
	for _, want := range []string{
		`mkt_build_info{version="v1.2.3"} 1`,
		`mkt_stream_rows_total{name="prices",role="producer",topic="t"} 700`,
		`mkt_stream_rows_total{name="blobs",role="consumer",topic="t"} 600`,
		`mkt_stream_bytes_total{name="blobs",role="consumer",topic="t"} 900`,
		`mkt_stream_dead_letters_total{name="prices",role="producer",topic="t"} 2`,
		`mkt_stream_retries_total{name="prices",role="producer",topic="t"} 3`,
		`mkt_stream_skipped_rows_total{name="prices",topic="t"} 1`,
		`mkt_stream_source_read_ratio{name="prices"} 0.5`,
		`mkt_stream_state{name="blobs",role="consumer",state="running"} 1`,
		`mkt_stream_lag_records{name="blobs",partition="0",topic="t"} 90`,
		`mkt_stream_lag_records{name="blobs",partition="3",topic="t"} 0`,
		`mkt_stream_files_total{name="blobs",topic="t"} 4`,
		`mkt_stream_freshness_seconds{hop="topic",name="prices",quantile="0.99"} 2`,
		`mkt_stream_freshness_seconds{hop="table",name="M.R.P",quantile="0.5"} 8`,
		`mkt_stream_batch_rows_sum{name="prices",step="transaction"} 700`,
		`mkt_stream_batch_bytes_sum{name="blobs",step="upload"} 900`,
		`mkt_stream_step_seconds_count{name="blobs",step="upload"} 2`,
		`mkt_stream_step_failures_total{name="blobs",step="upload"} 1`,
		`mkt_pipe_pending_files{pipe="M.R.P"} 2`,
		`mkt_pipe_running{pipe="M.R.P"} 1`,
		`mkt_sas_days_left{stage="M.R.S"} 2.04`,
		`process_resident_memory_bytes`,
	} {
		if !strings.Contains(got, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(got, `hop="file"`) {
		t.Error("rows that never arrived have an age")
	}
	if t.Failed() {
		t.Log(got)
	}
	stop()
	if _, err := http.Get("http://" + at + "/healthz"); err == nil {
		t.Error("it answers after its end")
	}
}

func TestProbes(t *testing.T) {
	m := NewMetrics("dev")
	at, stop, err := m.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	check := func(path string, code int, says string) {
		t.Helper()
		if got, body := get(t, "http://"+at+path); got != code || strings.TrimSpace(body) != says {
			t.Errorf("%s is %d %q, want %d %q", path, got, body, code, says)
		}
	}
	check("/healthz", 200, "ok")
	check("/readyz", 503, "starting")
	m.Progress(snapshot(stream.Resuming))
	check("/readyz", 503, "producer prices is resuming")
	m.Progress(snapshot(stream.Running))
	check("/readyz", 200, "ok")
	s := snapshot(stream.Running)
	s.Producers[0].State = stream.Done
	m.Progress(s)
	check("/readyz", 200, "ok")
	s.Consumers[0].State = stream.Failed
	m.Progress(s)
	check("/readyz", 503, "consumer blobs is failed")
	m.Progress(snapshot(stream.Running))
	m.Drain()
	check("/readyz", 503, "draining")
	check("/healthz", 200, "ok")
	s = snapshot(stream.Running)
	s.Consumers[0].Ticked = time.Now().Add(-time.Hour)
	m.Progress(s)
	check("/healthz", 503, "consumer blobs has not moved for 1h0m0s")
}

package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"mkt/stream"
)

// TestTraces lets a collector have a run.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	spans := map[string]*tracepb.Span{}
	about := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var req collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &req); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range req.ResourceSpans {
			for _, a := range resource.Resource.Attributes {
				about[a.Key] = a.Value.GetStringValue()
			}
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					spans[s.Name] = s
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	traces, err := NewTraces(t.Context(), os.Getenv, "v1")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(-time.Minute)
	traces.Took(stream.Step{Kind: stream.StepTransaction, Name: "prices", Topic: "t", Start: start, Took: 2 * time.Second, Rows: 700})
	traces.Took(stream.Step{Kind: stream.StepUpload, Name: "blobs", Topic: "t", Start: start, Took: time.Second, File: "a/b.json.gz", Err: errors.New("no space")})
	traces.Took(stream.Step{Kind: stream.StepCommit, Name: "blobs", Topic: "t", Start: start})
	if err := traces.End(stream.Report{Producers: []stream.ProducerStatus{{Rows: 700}}}, context.Canceled); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	run, sent, upload := spans["stream"], spans["produce transaction"], spans["upload file"]
	if run == nil || sent == nil || upload == nil || spans["commit offsets"] == nil {
		t.Fatalf("the collector has %v", spans)
	}
	if string(sent.ParentSpanId) != string(run.SpanId) || string(sent.TraceId) != string(run.TraceId) {
		t.Error("a step is not below the run")
	}
	if took := time.Duration(sent.EndTimeUnixNano - sent.StartTimeUnixNano); took != 2*time.Second || int64(sent.StartTimeUnixNano) != start.UnixNano() {
		t.Errorf("the transaction took %s", took)
	}
	attrs := map[string]int64{}
	for _, a := range append(sent.Attributes, run.Attributes...) {
		attrs[a.Key] = a.Value.GetIntValue()
	}
	if attrs["mkt.rows"] != 700 || attrs["mkt.rows_sent"] != 700 {
		t.Errorf("%v", attrs)
	}
	if upload.Status.Code != tracepb.Status_STATUS_CODE_ERROR || upload.Status.Message != "no space" {
		t.Errorf("a failed upload is %v", upload.Status)
	}
	if run.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		t.Errorf("an interrupt is no error: %v", run.Status)
	}
	if about["service.name"] != "mkt" || about["service.version"] != "v1" || about["deployment.environment.name"] != "test" {
		t.Errorf("%v", about)
	}
}

// A collector that is not there costs the run a few seconds at its end, and an error that says so.
func TestNoCollector(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", server.URL+"/v1/traces")
	traces, err := NewTraces(t.Context(), os.Getenv, "v1")
	if err != nil {
		t.Fatal(err)
	}
	traces.Took(stream.Step{Kind: stream.StepCommit, Start: time.Now()})
	if err := traces.End(stream.Report{}, nil); err == nil || !strings.Contains(err.Error(), "send traces") {
		t.Errorf("the answer 404 is no error: %v", err)
	}
}

func TestTracesWanted(t *testing.T) {
	for _, c := range []struct {
		env  string
		want bool
		says string
	}{
		{"", false, ""},
		{"OTEL_TRACES_EXPORTER=otlp", true, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", true, ""},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318", true, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318 OTEL_TRACES_EXPORTER=none", false, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318 OTEL_SDK_DISABLED=true", false, ""},
		{"OTEL_TRACES_EXPORTER=zipkin", false, "OTEL_TRACES_EXPORTER"},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=grpc", false, "4318"},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf", true, ""},
	} {
		env := map[string]string{}
		for pair := range strings.FieldsSeq(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		got, err := wanted(func(name string) string { return env[name] })
		if got != c.want || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", c.env, got, err)
		}
	}
	if traces, err := NewTraces(t.Context(), func(string) string { return "" }, "v1"); traces != nil || err != nil {
		t.Errorf("without the variables: %v, %v", traces, err)
	}
}

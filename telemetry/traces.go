package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"mkt/stream"
)

// Traces sends a run as a trace: a span for the run, and below it one for each
// step. It implements stream.Observer; Progress is nothing to it.
type Traces struct {
	exporter *telling
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	run      trace.Span
	under    context.Context
}

// flushLimit is how long what was not sent yet may take when a run ends.
const flushLimit = 5 * time.Second

// NewTraces begins the trace of a run, or returns nil where the environment
// asks for none: traces are sent when OTEL_TRACES_EXPORTER is otlp, or is not
// set and OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is
// (OpenTelemetry: "Environment Variable Specification"). The exporter takes
// headers, certificates and timeouts from the variables of the same standard.
func NewTraces(ctx context.Context, getenv func(string) string, version string) (*Traces, error) {
	on, err := wanted(getenv)
	if !on || err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the exporter of traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "mkt"), attribute.String("service.version", version)),
		resource.WithFromEnv(), // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
		resource.WithTelemetrySDK())
	if err != nil {
		return nil, fmt.Errorf("describe this process for traces: %w", err)
	}
	t := &Traces{exporter: &telling{SpanExporter: exporter}}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Debug("traces", "error", err) }))
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithBatcher(t.exporter), sdktrace.WithResource(about))
	t.tracer = t.provider.Tracer("mkt/stream")
	t.under, t.run = t.tracer.Start(context.WithoutCancel(ctx), "stream")
	return t, nil
}

// wanted says whether the environment asks for traces.
func wanted(getenv func(string) string) (bool, error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	switch exporter := strings.TrimSpace(getenv("OTEL_TRACES_EXPORTER")); exporter {
	case "otlp":
	case "":
		if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
			return false, nil
		}
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: mkt sends traces by otlp, or none", exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := getenv(name); protocol != "" {
			if protocol != "http/protobuf" {
				return false, fmt.Errorf("%s is %q: mkt sends traces by http/protobuf, which collectors take at port 4318", name, protocol)
			}
			break
		}
	}
	return true, nil
}

// Progress implements stream.Observer.
func (t *Traces) Progress(stream.Snapshot) {}

// Took implements stream.Observer.
func (t *Traces) Took(s stream.Step) {
	kind, name := trace.SpanKindClient, string(s.Kind)
	attrs := []attribute.KeyValue{attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", s.Topic)}
	switch s.Kind {
	case stream.StepTransaction:
		kind, name = trace.SpanKindProducer, "produce transaction"
		attrs = append(attrs, attribute.String("mkt.producer", s.Name))
	case stream.StepUpload:
		name = "upload file"
		attrs = append(attrs, attribute.String("mkt.consumer", s.Name), attribute.String("mkt.file", s.File),
			attribute.Int("messaging.destination.partition.id", int(s.Partition)), attribute.Bool("mkt.adopted", s.Adopted), attribute.Int64("mkt.retries", s.Retries))
	case stream.StepCommit:
		name = "commit offsets"
		attrs = append(attrs, attribute.String("mkt.consumer", s.Name))
	}
	if s.Kind != stream.StepCommit {
		attrs = append(attrs, attribute.Int64("mkt.rows", s.Rows), attribute.Int64("mkt.bytes", s.Bytes), attribute.Int64("mkt.dead_letters", s.DeadLetters))
	}
	_, span := t.tracer.Start(t.under, name, trace.WithTimestamp(s.Start), trace.WithSpanKind(kind), trace.WithAttributes(attrs...))
	if s.Err != nil {
		span.RecordError(s.Err)
		span.SetStatus(codes.Error, s.Err.Error())
	}
	span.End(trace.WithTimestamp(s.Start.Add(s.Took)))
}

// End ends the run's span with what the run did and sends what waits. It
// returns the first error that a collector, or the lack of one, made.
func (t *Traces) End(r stream.Report, err error) error {
	var sent, written int64
	for _, p := range r.Producers {
		sent += p.Rows
	}
	for _, c := range r.Consumers {
		written += c.Rows
	}
	t.run.SetAttributes(attribute.Int64("mkt.rows_sent", sent), attribute.Int64("mkt.rows_written", written))
	if err != nil && !errors.Is(err, context.Canceled) {
		t.run.RecordError(err)
		t.run.SetStatus(codes.Error, err.Error())
	}
	t.run.End()
	ctx, cancel := context.WithTimeout(context.Background(), flushLimit)
	defer cancel()
	err = t.provider.Shutdown(ctx)
	t.exporter.mu.Lock()
	defer t.exporter.mu.Unlock()
	if err = cmp.Or(t.exporter.first, err); err != nil {
		return fmt.Errorf("send traces: %w", err)
	}
	return nil
}

// telling is an exporter that remembers its first error: a batch fails where
// nobody waits for it.
type telling struct {
	sdktrace.SpanExporter
	mu    sync.Mutex
	first error
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *telling) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.first = cmp.Or(e.first, err)
	return err
}

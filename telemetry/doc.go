// Package telemetry shows a run of the stream to monitoring: as metrics that
// Prometheus scrapes, with the probes that Kubernetes asks beside them, and as
// traces that go to an OpenTelemetry collector. Both are stream.Observers.
//
// It knows what package stream tells of a run, and is handed what the stream
// does not know, the state of pipes and tokens. It decides nothing.
package telemetry

package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkt/stream"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mkt_"+name, help, labels, nil)
}

// What a producer and a consumer count is told apart by the label role.
var (
	descRows      = desc("stream_rows_total", "Rows that this process committed to a topic, or wrote to files.", "role", "name", "topic")
	descBytes     = desc("stream_bytes_total", "Bytes of values sent, or of files as they are stored.", "role", "name", "topic")
	descDead      = desc("stream_dead_letters_total", "Rows and records that became dead letters.", "role", "name", "topic")
	descRetries   = desc("stream_retries_total", "Transactions begun anew, and uploads tried again.", "role", "name", "topic")
	descState     = desc("stream_state", "1 for the state that a producer or consumer is in.", "role", "name", "state")
	descSkipped   = desc("stream_skipped_rows_total", "Bad rows that a producer skipped.", "name", "topic")
	descPart      = desc("stream_source_read_ratio", "How much of a producer's source is read, 0 to 1.", "name")
	descRead      = desc("stream_records_read_total", "Records that a consumer read.", "name", "topic")
	descFiles     = desc("stream_files_total", "Files that a consumer wrote.", "name", "topic")
	descAdopted   = desc("stream_files_adopted_total", "Files that a consumer found written already.", "name", "topic")
	descLag       = desc("stream_lag_records", "Records that wait in a partition that this process owns.", "name", "topic", "partition")
	descBuffered  = desc("stream_buffered_bytes", "Memory that rows take up until they are uploaded.", "name")
	descFreshness = desc("stream_freshness_seconds", "How old rows were in the last five minutes when they arrived: in the topic since they were read,"+
		" in a file or a table since they were sent.", "hop", "name", "quantile")
	descPending = desc("pipe_pending_files", "Files that a pipe knows of and has not loaded.", "pipe")
	descRunning = desc("pipe_running", "1 if a pipe runs.", "pipe")
	descToken   = desc("sas_days_left", "Days until the shared access signature of a stage ends.", "stage")
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRows, descBytes, descDead, descRetries, descState, descSkipped, descPart, descRead,
		descFiles, descAdopted, descLag, descBuffered, descFreshness, descPending, descRunning, descToken} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	last, outside := m.last, m.outside
	m.mu.Unlock()
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	fresh := func(hop, name string, f stream.Freshness) {
		if f.Rows > 0 { // nothing arrived: there is nothing that is old or young
			gauge(descFreshness, f.P50.Seconds(), hop, name, "0.5")
			gauge(descFreshness, f.P99.Seconds(), hop, name, "0.99")
		}
	}
	for _, p := range last.Producers {
		labels := []string{"producer", p.Name, p.Topic}
		count(descRows, p.Rows, labels...)
		count(descBytes, p.Bytes, labels...)
		count(descDead, p.DeadLetters, labels...)
		count(descRetries, p.Retries, labels...)
		count(descSkipped, p.Skipped, p.Name, p.Topic)
		gauge(descState, 1, "producer", p.Name, string(p.State))
		gauge(descPart, p.Part, p.Name)
		fresh("topic", p.Name, p.Freshness)
	}
	for _, c := range last.Consumers {
		labels := []string{"consumer", c.Name, c.Topic}
		count(descRows, c.Rows, labels...)
		count(descBytes, c.Bytes, labels...)
		count(descDead, c.DeadLetters, labels...)
		count(descRetries, c.Retries, labels...)
		count(descRead, c.Read, c.Name, c.Topic)
		count(descFiles, c.Files, c.Name, c.Topic)
		count(descAdopted, c.Adopted, c.Name, c.Topic)
		gauge(descState, 1, "consumer", c.Name, string(c.State))
		gauge(descBuffered, float64(c.Buffered), c.Name)
		for _, l := range c.Lags {
			gauge(descLag, float64(l.Lag), c.Name, c.Topic, strconv.Itoa(int(l.Partition)))
		}
		fresh("file", c.Name, c.Freshness)
	}
	for _, p := range outside.Pipes {
		running := 0.0
		if p.Running {
			running = 1
		}
		gauge(descRunning, running, p.Name)
		gauge(descPending, float64(p.Pending), p.Name)
		fresh("table", p.Name, p.Fresh)
	}
	for _, t := range outside.Tokens {
		gauge(descToken, time.Until(t.Expires).Hours()/24, t.Stage)
	}
}

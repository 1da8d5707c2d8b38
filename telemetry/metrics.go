package telemetry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mkt/stream"
)

// Outside is what is known of a run beside what the stream tells.
type Outside struct {
	Pipes  []Pipe
	Tokens []Token
}

// Pipe is a pipe that loads what the stream writes.
type Pipe struct {
	Name    string
	Running bool
	Pending int64            // files that it knows of and has not loaded
	Fresh   stream.Freshness // of rows that arrived in its table, since they were sent
}

// Token is a shared access signature that a stage reads with.
type Token struct {
	Stage   string
	Expires time.Time
}

// Metrics keeps what was last heard of a run, for whoever asks. It implements
// stream.Observer and prometheus.Collector, and may be used by any number of
// goroutines.
type Metrics struct {
	registry *prometheus.Registry
	took     *prometheus.HistogramVec
	rows     *prometheus.HistogramVec
	bytes    *prometheus.HistogramVec
	failed   *prometheus.CounterVec

	mu       sync.Mutex
	last     stream.Snapshot
	outside  Outside
	draining bool
}

// NewMetrics returns the metrics of a run of this version of mkt.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mkt_stream_step_seconds",
			Help:    "How long transactions, uploads of files and commits of offsets took, retries included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 18)}, []string{"step", "name"}),
		rows: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mkt_stream_batch_rows",
			Help: "Rows of a transaction or a file.", Buckets: prometheus.ExponentialBuckets(1, 4, 11)}, []string{"step", "name"}),
		bytes: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mkt_stream_batch_bytes",
			Help: "Bytes of a transaction's values, or of a file as it is stored.", Buckets: prometheus.ExponentialBuckets(256, 4, 11)}, []string{"step", "name"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mkt_stream_step_failures_total",
			Help: "Transactions, uploads and commits that failed after their retries."}, []string{"step", "name"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mkt_build_info", Help: "1, with the version of mkt.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.registry.MustRegister(m, m.took, m.rows, m.bytes, m.failed, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Progress implements stream.Observer.
func (m *Metrics) Progress(s stream.Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = s
}

// Took implements stream.Observer.
func (m *Metrics) Took(s stream.Step) {
	step := string(s.Kind)
	m.took.WithLabelValues(step, s.Name).Observe(s.Took.Seconds())
	switch {
	case s.Err != nil:
		m.failed.WithLabelValues(step, s.Name).Inc()
	case s.Kind != stream.StepCommit && !s.Adopted:
		m.rows.WithLabelValues(step, s.Name).Observe(float64(s.Rows))
		m.bytes.WithLabelValues(step, s.Name).Observe(float64(s.Bytes))
	}
}

// Outside takes down what is known beside the stream.
func (m *Metrics) Outside(o Outside) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outside = o
}

// Drain makes the run not ready any more: it finishes what is under way.
func (m *Metrics) Drain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining = true
}

// Serve answers /metrics, /healthz and /readyz at an address until the
// returned function is called. It returns the address that it listens at.
func (m *Metrics) Serve(addr string) (at string, stop func(), err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("serve metrics: %w", err)
	}
	server := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // it ends with Close
	}()
	return l.Addr().String(), func() { _ = server.Close(); <-done }, nil
}

// Handler is what Serve answers with.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, m.alive(time.Now())) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, m.ready()) })
	return mux
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}

// stuckAfter is longer than a consumer may look for where to go on, which its
// UploadTimeout limits.
const stuckAfter = 5 * time.Minute

// alive fails when the run will not go on by itself.
func (m *Metrics) alive(now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.last.Consumers {
		if c.State == stream.Running && !c.Ticked.IsZero() && now.Sub(c.Ticked) > stuckAfter {
			return fmt.Errorf("consumer %s has not moved for %s", c.Name, now.Sub(c.Ticked).Round(time.Second))
		}
	}
	return nil
}

// ready fails unless everything runs: brokers, registry and containers were
// reached, and nothing drains.
func (m *Metrics) ready() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		return errors.New("draining")
	}
	if len(m.last.Producers)+len(m.last.Consumers) == 0 {
		return errors.New("starting")
	}
	for _, p := range m.last.Producers {
		if p.State != stream.Running && p.State != stream.Done {
			return fmt.Errorf("producer %s is %s", p.Name, p.State)
		}
	}
	for _, c := range m.last.Consumers {
		if c.State != stream.Running && c.State != stream.Done {
			return fmt.Errorf("consumer %s is %s", c.Name, c.State)
		}
	}
	return nil
}

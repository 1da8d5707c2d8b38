package render

import (
	"encoding/json"
	"io"

	"mkt/stream"
)

// StreamJSON writes a run's progress as one JSON object a line.
type StreamJSON struct {
	W     io.Writer
	Pipes func() []PipeStatus // as in StreamProgress

	pace pace
}

// Took implements stream.Observer.
func (p *StreamJSON) Took(stream.Step) {}

// Progress implements stream.Observer.
func (p *StreamJSON) Progress(s stream.Snapshot) {
	p.pace.add(s)
	var pipes []pipeJSON
	if p.Pipes != nil {
		for _, pipe := range p.Pipes() {
			pipes = append(pipes, pipeJSON{pipe.Name, pipe.State, pipe.Pending, pipe.Error})
		}
	}
	_ = streamJSON(p.W, "progress", s, &p.pace, pipes)
}

// StreamReportJSON writes what a run did as one line of JSON.
func StreamReportJSON(w io.Writer, r stream.Report) error {
	return streamJSON(w, "report", r, &pace{}, nil)
}

type producerJSON struct {
	Name        string         `json:"name"`
	Topic       string         `json:"topic"`
	State       string         `json:"state"`
	ResumedAt   uint64         `json:"resumed_at"`
	Row         uint64         `json:"row"`
	Rows        int64          `json:"rows"`
	Bytes       int64          `json:"bytes"`
	DeadLetters int64          `json:"dead_letters"`
	Skipped     int64          `json:"skipped"`
	Retries     int64          `json:"retries"`
	Part        float64        `json:"source_read,omitempty"` // 0 to 1
	RowsPerSec  float64        `json:"rows_per_second,omitempty"`
	ETA         float64        `json:"eta_seconds,omitempty"`
	Freshness   *freshnessJSON `json:"freshness,omitempty"`
}

type consumerJSON struct {
	Name        string         `json:"name"`
	Topic       string         `json:"topic"`
	State       string         `json:"state"`
	Read        int64          `json:"read"`
	Rows        int64          `json:"rows"`
	Bytes       int64          `json:"bytes"`
	Files       int64          `json:"files"`
	Cuts        int64          `json:"files_ended_by_partition_by,omitempty"`
	Adopted     int64          `json:"adopted"`
	DeadLetters int64          `json:"dead_letters"`
	Lag         int64          `json:"lag"`
	Partitions  []LagJSON      `json:"partitions,omitempty"`
	Retries     int64          `json:"retries"`
	RowsPerSec  float64        `json:"rows_per_second,omitempty"` // read
	ETA         float64        `json:"eta_seconds,omitempty"`
	Freshness   *freshnessJSON `json:"freshness,omitempty"`
}

// LagJSON is the records that wait in a partition.
type LagJSON struct {
	Partition int32 `json:"partition"`
	Lag       int64 `json:"lag"`
}

// NewLagJSON returns lags in their JSON form.
func NewLagJSON(lags []stream.PartitionLag) []LagJSON {
	out := make([]LagJSON, len(lags))
	for i, l := range lags {
		out[i] = LagJSON(l)
	}
	return out
}

type pipeJSON struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Pending int64  `json:"pending_files"`
	Error   string `json:"error,omitempty"`
}

// freshnessJSON is how old rows were on arrival in the last five minutes.
type freshnessJSON struct {
	P50 float64 `json:"p50_seconds"`
	P99 float64 `json:"p99_seconds"`
}

func newFreshnessJSON(f stream.Freshness) *freshnessJSON {
	if f.Rows == 0 {
		return nil
	}
	return &freshnessJSON{f.P50.Seconds(), f.P99.Seconds()}
}

func streamJSON(w io.Writer, kind string, r stream.Report, at *pace, pipes []pipeJSON) error {
	out := struct {
		Type      string         `json:"type"`
		Seconds   float64        `json:"seconds"`
		Producers []producerJSON `json:"producers,omitempty"`
		Consumers []consumerJSON `json:"consumers,omitempty"`
		Pipes     []pipeJSON     `json:"pipes,omitempty"`
	}{Type: kind, Seconds: r.Elapsed.Seconds(), Pipes: pipes}
	for i, p := range r.Producers {
		speed := at.producer(i)
		out.Producers = append(out.Producers, producerJSON{p.Name, p.Topic, string(p.State), p.ResumedAt, p.Row, p.Rows, p.Bytes, p.DeadLetters,
			p.Skipped, p.Retries, p.Part, speed.rows, speed.eta.Seconds(), newFreshnessJSON(p.Freshness)})
	}
	for i, c := range r.Consumers {
		speed := at.consumer(i)
		out.Consumers = append(out.Consumers, consumerJSON{c.Name, c.Topic, string(c.State), c.Read, c.Rows, c.Bytes, c.Files, c.Cuts, c.Adopted, c.DeadLetters,
			c.Lag, NewLagJSON(c.Lags), c.Retries, speed.rows, speed.eta.Seconds(), newFreshnessJSON(c.Freshness)})
	}
	return json.NewEncoder(w).Encode(out)
}

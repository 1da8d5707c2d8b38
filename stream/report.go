package stream

import (
	"sync/atomic"
	"time"
)

// Report is what a run did.
type Report struct {
	Elapsed   time.Duration
	Producers []ProducerStatus
	Consumers []ConsumerStatus
}

// Snapshot is a Report of a run that goes on.
type Snapshot = Report

// Observer hears of a run about four times a second and once at its end.
// Calls come one after the other; a slow one delays only the next.
type Observer interface {
	Progress(Snapshot)
}

// State is what a producer or consumer is about.
type State string

// The states in the order they come.
const (
	Starting State = "starting"
	Resuming State = "resuming" // finding the last committed row, reading up to it
	Running  State = "running"
	Draining State = "draining"
	Done     State = "done"
	Stopped  State = "stopped" // drained before it was done
	Failed   State = "failed"
)

// ProducerStatus counts one producer. Rows are counted when committed.
type ProducerStatus struct {
	Name, Topic string
	State       State
	ResumedAt   uint64 // rows that were done before this run
	Row         uint64 // last row committed or, without a commit, skipped
	Rows        int64  // records committed in this run
	Bytes       int64  // their values' bytes
	DeadLetters int64
	Skipped     int64
	Retries     int64 // transactions begun anew
}

// ConsumerStatus counts one consumer. Rows, Bytes and Files are counted when
// uploaded.
type ConsumerStatus struct {
	Name, Topic string
	State       State
	Read        int64 // records read
	Rows        int64 // rows in files written by this run
	Bytes       int64 // of those files, as stored
	Files       int64
	Adopted     int64 // files that someone had written before
	DeadLetters int64
	Lag         int64 // records that wait in the owned partitions
	Partitions  int64
	Retries     int64 // uploads tried again
}

// producerCounts is a ProducerStatus that two goroutines share.
type producerCounts struct {
	state                      atomic.Value
	resumed, row               atomic.Uint64
	rows, bytes, dead, skipped atomic.Int64
	retries                    atomic.Int64
}

func (c *producerCounts) status(p Producer) ProducerStatus {
	return ProducerStatus{Name: p.Name, Topic: p.Topic, State: stateOf(&c.state), ResumedAt: c.resumed.Load(),
		Row: c.row.Load(), Rows: c.rows.Load(), Bytes: c.bytes.Load(), DeadLetters: c.dead.Load(),
		Skipped: c.skipped.Load(), Retries: c.retries.Load()}
}

type consumerCounts struct {
	state                                        atomic.Value
	read, rows, bytes, files, adopted, dead, lag atomic.Int64
	parts, retries                               atomic.Int64
}

func (c *consumerCounts) status(cfg Consumer) ConsumerStatus {
	return ConsumerStatus{Name: cfg.Name, Topic: cfg.Topic, State: stateOf(&c.state), Read: c.read.Load(),
		Rows: c.rows.Load(), Bytes: c.bytes.Load(), Files: c.files.Load(), Adopted: c.adopted.Load(),
		DeadLetters: c.dead.Load(), Lag: c.lag.Load(), Partitions: c.parts.Load(), Retries: c.retries.Load()}
}

func stateOf(v *atomic.Value) State {
	if s, ok := v.Load().(State); ok {
		return s
	}
	return Starting
}

package stream

import (
	"math"
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

// Observer hears of a run.
type Observer interface {
	// Progress is called about four times a second and once at the end, one
	// call after the other; a slow one delays only the next.
	Progress(Snapshot)
	// Took is called when a Step has ended, by whoever took it: several calls
	// may be under way at once, and each holds up the stream.
	Took(Step)
}

// Observers are several as one.
type Observers []Observer

// Progress implements Observer.
func (o Observers) Progress(s Snapshot) {
	for _, each := range o {
		each.Progress(s)
	}
}

// Took implements Observer.
func (o Observers) Took(s Step) {
	for _, each := range o {
		each.Took(s)
	}
}

// StepKind is what a step does.
type StepKind string

// The kinds of steps.
const (
	StepTransaction StepKind = "transaction" // of a producer, from its first record until it is committed
	StepUpload      StepKind = "upload"      // of a file and its dead letters, from the first try
	StepCommit      StepKind = "commit"      // of a consumer's offsets
)

// Step is one of the larger things that a run does: there are some in a
// second, not one for each row.
type Step struct {
	Kind        StepKind
	Name, Topic string // of the producer or consumer
	Start       time.Time
	Took        time.Duration
	Rows        int64
	Bytes       int64 // of values sent, of a file as stored
	DeadLetters int64
	Err         error // why it failed

	// Of an upload:
	File           string // the blob's name
	Partition      int32
	Adopted        bool // someone had written the file before
	Retries        int64
	Oldest, Newest time.Time // of its records
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
	Retries     int64   // transactions begun anew
	Part        float64 // of the source that is read, 0 to 1; 0 also where there is no telling
	Freshness   Freshness
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
	Cuts        int64 // of the files, those that ended since the next record has another directory
	Adopted     int64 // files that someone had written before
	DeadLetters int64
	Lag         int64 // records that wait in the owned partitions
	Partitions  int64
	Retries     int64 // uploads tried again
	Lags        []PartitionLag
	Buffered    int64     // bytes of rows that are not uploaded yet
	Ticked      time.Time // when its loop last went round
	Freshness   Freshness
}

// PartitionLag is how many records wait in a partition that a consumer owns.
type PartitionLag struct {
	Partition int32
	Lag       int64
}

// producerCounts is a ProducerStatus that two goroutines share.
type producerCounts struct {
	state                      atomic.Value
	resumed, row               atomic.Uint64
	rows, bytes, dead, skipped atomic.Int64
	retries                    atomic.Int64
	part                       atomic.Uint64 // bits of a float64
	ages                       Ages
}

func (c *producerCounts) status(p Producer) ProducerStatus {
	return ProducerStatus{Name: p.Name, Topic: p.Topic, State: stateOf(&c.state), ResumedAt: c.resumed.Load(),
		Row: c.row.Load(), Rows: c.rows.Load(), Bytes: c.bytes.Load(), DeadLetters: c.dead.Load(),
		Skipped: c.skipped.Load(), Retries: c.retries.Load(),
		Part: math.Float64frombits(c.part.Load()), Freshness: c.ages.Freshness(time.Now())}
}

type consumerCounts struct {
	state                                        atomic.Value
	read, rows, bytes, files, adopted, dead, lag atomic.Int64
	parts, retries, buffered, ticked, cuts       atomic.Int64
	lags                                         atomic.Pointer[[]PartitionLag]
	ages                                         Ages
}

func (c *consumerCounts) status(cfg Consumer) ConsumerStatus {
	out := ConsumerStatus{Name: cfg.Name, Topic: cfg.Topic, State: stateOf(&c.state), Read: c.read.Load(),
		Rows: c.rows.Load(), Bytes: c.bytes.Load(), Files: c.files.Load(), Cuts: c.cuts.Load(), Adopted: c.adopted.Load(),
		DeadLetters: c.dead.Load(), Lag: c.lag.Load(), Partitions: c.parts.Load(), Retries: c.retries.Load(),
		Buffered: c.buffered.Load(), Freshness: c.ages.Freshness(time.Now())}
	if lags := c.lags.Load(); lags != nil {
		out.Lags = *lags
	}
	if at := c.ticked.Load(); at != 0 {
		out.Ticked = time.Unix(0, at)
	}
	return out
}

func stateOf(v *atomic.Value) State {
	if s, ok := v.Load().(State); ok {
		return s
	}
	return Starting
}

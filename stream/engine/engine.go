// Package engine is what the stream asks of a Kafka client beside
// administration: a Sender that sends records in transactions, and a Receiver
// that reads as a member of a group. Both take many records in one call.
//
// Which client does which half was decided by what a row costs
// (docs/adr/0012): franz-go sends; librdkafka receives, the one that
// confluent-kafka-go links, by its C interface, with one call from Go for each
// batch instead of one for each record.
//
// It knows nothing of rows, files or what a record means.
package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Sender sends records in transactions (KIP-98). Its methods are for one
// goroutine at a time. Their errors are *Error or of a context.
type Sender interface {
	// Init fences whoever has the transactional id, and ends what that one
	// left open.
	Init(ctx context.Context) error
	Begin(ctx context.Context) error
	// Send hands all records of b to the client and empties b. It waits while
	// the client's queue is full, until ctx is done.
	Send(ctx context.Context, b *Batch) error
	// Flush waits until the brokers have all that was sent.
	Flush(ctx context.Context) error
	// Commit flushes, and fails when a record could not be sent.
	Commit(ctx context.Context) error
	Abort(ctx context.Context) error
	// Close throws away what was not sent yet.
	Close()
}

// Receiver reads a topic as a member of a group, committed records alone. Its
// methods are for one goroutine. Their errors are *Error or of a context.
type Receiver interface {
	// Poll waits for a record or an event, takes the records that are there
	// into r and tells of the event that came behind them, nil if none did.
	Poll(wait time.Duration, r *Records) Event
	// Assign answers Assigned: where to read each of its partitions from.
	Assign(starts map[int32]int64) error
	// Unassign answers Revoked.
	Unassign(partitions []int32) error
	// Committed is what the group has committed, offset -1 for nothing.
	Committed(partitions []int32, limit time.Duration) ([]Position, error)
	// Commit commits offsets and returns those that were taken. When ctx ends
	// before the broker answers, they may still be.
	Commit(ctx context.Context, positions []Position) ([]Position, error)
	// Seek reads a partition on from an offset.
	Seek(partition int32, offset int64) error
	Pause(partitions []int32) error
	Resume(partitions []int32) error
	// End is where the client last saw the end of a partition.
	End(partition int32) (offset int64, known bool)
	// Close leaves the group. What a broker does not answer to within a few
	// seconds ends in the background, when the client gives it up.
	Close()
}

// Position is an offset of a partition, and the text that is committed with it.
type Position struct {
	Partition int32
	Offset    int64
	Meta      string // cut at 63 bytes when read
}

// Event is what happened beside records: Assigned, Revoked, End or *Error.
type Event interface{}

// The events of a Receiver.
type (
	Assigned struct{ Partitions []int32 }
	Revoked  struct{ Partitions []int32 }
	// End says that a partition was read to its present end.
	End struct {
		Partition int32
		Offset    int64
	}
)

// Error is an error of the client or of a broker. It unwraps to a kafka.Error
// of the same code.
type Error struct {
	Code      kafka.ErrorCode
	Text      string
	Fatal     bool // the client can do nothing more
	Retriable bool
	Abort     bool // the transaction has to be aborted
}

func (e *Error) Error() string { return e.Text }

// Unwrap is the error as the public client has it.
func (e *Error) Unwrap() error { return kafka.NewError(e.Code, e.Text, e.Fatal) }

// Header is a header of a record.
type Header struct {
	Name  string
	Value []byte
}

// outgoing is a record to send. Its key, its value and then, for each header,
// two lengths, the name and the value follow each other in the block.
type outgoing struct {
	topic, key, value, headers int32 // index, lengths (-1 is none), number
	at                         int64 // where the key begins
}

// Batch is records to send, in one block of memory that is used again.
type Batch struct {
	records []outgoing
	block   []byte
}

// Len is the number of records.
func (b *Batch) Len() int { return len(b.records) }

// Size is the number of bytes of keys, values and headers.
func (b *Batch) Size() int { return len(b.block) }

// Add appends a record for the topic of that index, copying what it is given.
// A nil key or value is none.
func (b *Batch) Add(topic int, key, value []byte, headers ...Header) {
	r := outgoing{topic: int32(topic), key: length(key), value: length(value), headers: int32(len(headers)), at: int64(len(b.block))}
	b.block = append(append(b.block, key...), value...)
	for i := range headers {
		h := &headers[i]
		b.block = binary.NativeEndian.AppendUint32(b.block, uint32(len(h.Name)))
		b.block = binary.NativeEndian.AppendUint32(b.block, uint32(len(h.Value)))
		b.block = append(append(b.block, h.Name...), h.Value...)
	}
	b.records = append(b.records, r)
}

const headerSize = 8

// header is the lengths of a header's name and value.
func header(b []byte) (name, value int32) {
	return int32(binary.NativeEndian.Uint32(b)), int32(binary.NativeEndian.Uint32(b[4:]))
}

// Reset empties the batch.
func (b *Batch) Reset() { b.records, b.block = b.records[:0], b.block[:0] }

func length(b []byte) int32 {
	if b == nil {
		return -1
	}
	return int32(len(b))
}

// Record is a record that was received. Its slices are valid until the next
// Poll.
type Record struct {
	Partition  int32
	Offset     int64
	Time       time.Time
	Key, Value []byte // nil is none
}

// Records is what a Poll took in. The zero value is ready to be used.
type Records struct {
	records []incoming
	n       int
	block   []byte
}

// Len is the number of records.
func (r *Records) Len() int { return r.n }

// At is the record of that index.
func (r *Records) At(i int) Record {
	in := &r.records[i]
	key := in.at + max(0, int64(in.key))
	out := Record{Partition: in.partition, Offset: in.offset, Time: time.UnixMilli(in.time)}
	if in.key >= 0 {
		out.Key = r.block[in.at:key:key]
	}
	if in.value >= 0 {
		end := key + int64(in.value)
		out.Value = r.block[key:end:end]
	}
	return out
}

// Most is how many records a Poll takes, and firstBlock how many bytes of them
// before the block grows to hold a larger record.
const (
	Most       = 2000
	firstBlock = 256 << 10
)

// Supported says whether the linked library is of the version that the
// declarations were taken from.
func Supported() error {
	version, name := kafka.LibraryVersion()
	if version>>24 != 2 {
		return fmt.Errorf("the engine is for librdkafka 2, and %s is linked", name)
	}
	return nil
}

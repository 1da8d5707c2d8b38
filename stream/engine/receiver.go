package engine

/*
#include <stdlib.h>
#include "engine.h"
*/
import "C"

import (
	"context"
	"time"
	"unsafe"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

type receiver struct {
	c     *C.mkt_client
	topic *C.char
}

// NewReceiver opens a client with librdkafka properties, of which group.id is
// one, and joins the group for one topic.
func NewReceiver(props map[string]string, topic string) (Receiver, error) {
	c, err := open(props)
	if err != nil {
		return nil, err
	}
	r := &receiver{c: c, topic: C.CString(topic)}
	var failure C.mkt_error
	if C.mkt_subscribe(c, r.topic, &failure); failure.code != 0 {
		r.Close()
		return nil, problem(&failure)
	}
	return r, nil
}

func (r *receiver) Poll(wait time.Duration, into *Records) Event {
	if into.records == nil {
		into.records, into.block = make([]incoming, Most), make([]byte, firstBlock)
	}
	for {
		var event C.mkt_event
		into.n = int(C.mkt_poll(r.c, C.int(wait/time.Millisecond), (*C.mkt_incoming)(unsafe.Pointer(&into.records[0])), Most,
			(*C.char)(unsafe.Pointer(&into.block[0])), C.int64_t(len(into.block)), &event))
		switch event.kind {
		case C.MKT_FULL:
			if into.n > 0 {
				return nil
			}
			into.block = make([]byte, event.offset)
			continue
		case C.MKT_LOG:
			if logged(r.c, &event); into.n == 0 {
				wait = 0
				continue
			}
		case C.MKT_ASSIGNED:
			return Assigned{partitions(&event)}
		case C.MKT_REVOKED:
			return Revoked{partitions(&event)}
		case C.MKT_END:
			return End{int32(event.partition), int64(event.offset)}
		case C.MKT_FAULT:
			return problem(&event.error)
		}
		return nil
	}
}

// partitions takes over the partitions of an event.
func partitions(e *C.mkt_event) []int32 {
	defer C.free(unsafe.Pointer(e.partitions))
	out := make([]int32, 0, int(e.n))
	for _, id := range unsafe.Slice(e.partitions, int(e.n)) {
		out = append(out, int32(id))
	}
	return out
}

// at does something with partitions and returns what the client says of them.
func (r *receiver) at(what C.int, positions []C.mkt_position, limit C.int) error {
	var failure C.mkt_error
	C.mkt_partitions(r.c, what, r.topic, unsafe.SliceData(positions), C.int(len(positions)), limit, &failure)
	return problem(&failure)
}

func plain(partitions []int32) []C.mkt_position {
	out := make([]C.mkt_position, len(partitions))
	for i, id := range partitions {
		out[i].partition = C.int32_t(id)
	}
	return out
}

func (r *receiver) Assign(starts map[int32]int64) error {
	var list []C.mkt_position
	for id, at := range starts {
		list = append(list, C.mkt_position{partition: C.int32_t(id), offset: C.int64_t(at)})
	}
	return r.at(C.MKT_ASSIGN, list, localLimit)
}

func (r *receiver) Unassign(partitions []int32) error {
	return r.at(C.MKT_UNASSIGN, plain(partitions), localLimit)
}

func (r *receiver) Pause(partitions []int32) error {
	return r.at(C.MKT_PAUSE, plain(partitions), localLimit)
}

func (r *receiver) Resume(partitions []int32) error {
	return r.at(C.MKT_RESUME, plain(partitions), localLimit)
}

func (r *receiver) Seek(partition int32, offset int64) error {
	list := []C.mkt_position{{partition: C.int32_t(partition), offset: C.int64_t(offset)}}
	if err := r.at(C.MKT_SEEK, list, localLimit); err != nil {
		return err
	}
	return refusal(&list[0])
}

// refusal is the error of one partition.
func refusal(p *C.mkt_position) error {
	if p.error == 0 {
		return nil
	}
	code := kafka.ErrorCode(p.error)
	return &Error{Code: code, Text: code.String()}
}

func (r *receiver) Committed(partitions []int32, limit time.Duration) ([]Position, error) {
	list := plain(partitions)
	if err := r.at(C.MKT_COMMITTED, list, C.int(limit/time.Millisecond)); err != nil {
		return nil, err
	}
	out := make([]Position, 0, len(list))
	for i := range list {
		if err := refusal(&list[i]); err != nil {
			return nil, err
		}
		out = append(out, Position{int32(list[i].partition), max(-1, int64(list[i].offset)), C.GoString(&list[i].meta[0])})
	}
	return out, nil
}

const (
	localLimit  = 10_000          // ms, of what the client does by itself
	commitSlice = 50              // ms, after which a commit that waits looks at its context
	closeLimit  = 5 * time.Second // of taking leave of the group
)

func (r *receiver) Commit(ctx context.Context, positions []Position) ([]Position, error) {
	list := make([]C.mkt_position, len(positions))
	for i, p := range positions {
		list[i] = C.mkt_position{partition: C.int32_t(p.Partition), offset: C.int64_t(p.Offset)}
		for j := 0; j < len(p.Meta) && j < len(list[i].meta)-1; j++ {
			list[i].meta[j] = C.char(p.Meta[j])
		}
	}
	var failure C.mkt_error
	answers := C.mkt_commit(r.c, r.topic, unsafe.SliceData(list), C.int(len(list)), &failure)
	defer C.rd_kafka_queue_destroy(answers)
	for failure.code == 0 && C.mkt_answered(answers, commitSlice, unsafe.SliceData(list), C.int(len(list)), &failure) == 0 {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if failure.code != 0 {
		return nil, problem(&failure)
	}
	var out []Position
	for i := range list {
		if list[i].error == 0 {
			out = append(out, Position{Partition: int32(list[i].partition), Offset: int64(list[i].offset)})
		}
	}
	return out, nil
}

func (r *receiver) End(partition int32) (int64, bool) {
	var low, high C.int64_t
	err := C.rd_kafka_get_watermark_offsets(r.c.rk, r.topic, C.int32_t(partition), &low, &high)
	return int64(high), err == 0 && high >= 0
}

func (r *receiver) Close() {
	closed := make(chan struct{})
	go func() {
		C.mkt_close(r.c)
		C.free(unsafe.Pointer(r.topic))
		close(closed)
	}()
	limit := time.NewTimer(closeLimit)
	defer limit.Stop()
	select {
	case <-closed:
	case <-limit.C:
	}
}

package engine

/*
#include <stdlib.h>
#include "engine.h"
*/
import "C"

import (
	"context"
	"unsafe"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

type sender struct {
	c      *C.mkt_client
	topics **C.rd_kafka_topic_t
	n      int
}

// NewSender opens a client with librdkafka properties, of which
// transactional.id is one. Records name their topics by index.
func NewSender(props map[string]string, topics ...string) (Sender, error) {
	c, err := open(false, props)
	if err != nil {
		return nil, err
	}
	s := &sender{c: c, n: len(topics)}
	s.topics = (**C.rd_kafka_topic_t)(C.calloc(C.size_t(len(topics)), C.size_t(unsafe.Sizeof(uintptr(0)))))
	for i, topic := range topics {
		name := C.CString(topic)
		unsafe.Slice(s.topics, s.n)[i] = C.rd_kafka_topic_new(c.rk, name, nil)
		C.free(unsafe.Pointer(name))
	}
	return s, nil
}

func (s *sender) Init(ctx context.Context) error   { return s.step(C.MKT_INIT, ctx) }
func (s *sender) Begin() error                     { return s.step(C.MKT_BEGIN, context.Background()) }
func (s *sender) Commit(ctx context.Context) error { return s.step(C.MKT_COMMIT, ctx) }
func (s *sender) Abort(ctx context.Context) error  { return s.step(C.MKT_ABORT, ctx) }

func (s *sender) step(which C.int, ctx context.Context) error {
	var failure C.mkt_error
	C.mkt_transaction(s.c, which, millis(ctx), &failure)
	drainLog(s.c)
	return problem(&failure)
}

func (s *sender) Send(b *Batch, wait func() error) error {
	for len(b.records) > 0 {
		var failure C.mkt_error
		n := C.mkt_send(s.c, s.topics, (*C.mkt_outgoing)(unsafe.Pointer(&b.records[0])), C.int(len(b.records)),
			(*C.char)(unsafe.Pointer(unsafe.SliceData(b.block))), &failure)
		b.drop(int(n))
		if failure.code == 0 {
			continue
		}
		if kafka.ErrorCode(failure.code) != kafka.ErrQueueFull {
			return problem(&failure)
		}
		if err := wait(); err != nil {
			return err
		}
	}
	b.Reset()
	return nil
}

func (s *sender) Flush(ctx context.Context) error {
	for C.rd_kafka_flush(s.c.rk, 50) != 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) Fatal() error {
	var failure C.mkt_error
	C.mkt_fatal(s.c, &failure)
	return problem(&failure)
}

func (s *sender) Close() {
	const queued, inFlight = 0x1, 0x2
	C.rd_kafka_purge(s.c.rk, queued|inFlight)
	for _, t := range unsafe.Slice(s.topics, s.n) {
		C.rd_kafka_topic_destroy(t)
	}
	C.free(unsafe.Pointer(s.topics))
	C.mkt_close_sender(s.c)
}

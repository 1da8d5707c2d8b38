package engine

/*
#include <stdlib.h>
#include "engine.h"
*/
import "C"

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// outgoing and incoming are mkt_outgoing and mkt_incoming.
type (
	outgoing struct {
		topic, key, value, headers int32
		at                         int64
	}
	incoming struct {
		offset, time, at              int64
		partition, key, value, unused int32
	}
)

// Of a different size one of these is negative, which is no length.
var (
	_ [C.sizeof_mkt_outgoing - unsafe.Sizeof(outgoing{})]byte
	_ [unsafe.Sizeof(outgoing{}) - C.sizeof_mkt_outgoing]byte
	_ [C.sizeof_mkt_incoming - unsafe.Sizeof(incoming{})]byte
	_ [unsafe.Sizeof(incoming{}) - C.sizeof_mkt_incoming]byte
)

// open creates a client with librdkafka properties. Those of the public Go
// client ("go.…") say nothing to it.
func open(consumer bool, props map[string]string) (*C.mkt_client, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	var pairs []*C.char
	defer func() {
		for _, p := range pairs {
			C.free(unsafe.Pointer(p))
		}
	}()
	add := func(name, value string) { pairs = append(pairs, C.CString(name), C.CString(value)) }
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if !strings.HasPrefix(name, "go.") {
			add(name, props[name])
		}
	}
	add("log.queue", "true")
	kind := C.int(0)
	if consumer {
		kind = 1
	}
	var failure C.mkt_error
	// cgo takes no Go memory that holds pointers, those to C included.
	list := (**C.char)(C.malloc(C.size_t(len(pairs)) * C.size_t(unsafe.Sizeof(pairs[0]))))
	defer C.free(unsafe.Pointer(list))
	copy(unsafe.Slice(list, len(pairs)), pairs)
	client := C.mkt_open(kind, list, C.int(len(pairs)/2), &failure)
	return client, problem(&failure)
}

// problem is an error of the C side, nil if there is none.
func problem(e *C.mkt_error) error {
	if e.code == 0 {
		return nil
	}
	return &Error{Code: kafka.ErrorCode(e.code), Text: C.GoString(&e.text[0]), Fatal: e.fatal != 0, Retriable: e.retriable != 0, Abort: e.abort != 0}
}

// drainLog logs what the client of a Sender says.
func drainLog(c *C.mkt_client) {
	for {
		var event C.mkt_event
		C.mkt_poll(c, 0, nil, 1, nil, 0, &event)
		if event.kind != C.MKT_LOG {
			return
		}
		logged(c, &event)
	}
}

func logged(c *C.mkt_client, e *C.mkt_event) {
	slog.Debug("librdkafka", "client", C.GoString(C.rd_kafka_name(c.rk)), "level", int(e.n), "message", C.GoString(&e.error.text[0]))
}

// millis is the time that a context leaves, as librdkafka takes it.
func millis(ctx context.Context) C.int {
	at, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	return C.int(max(0, time.Until(at)/time.Millisecond))
}

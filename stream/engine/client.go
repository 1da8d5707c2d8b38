package engine

/*
#include <stdlib.h>
#include "engine.h"
*/
import "C"

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// incoming is mkt_incoming.
type incoming struct {
	offset, time, at              int64
	partition, key, value, unused int32
}

// Of a different size one of these is negative, which is no length.
var (
	_ [C.sizeof_mkt_incoming - unsafe.Sizeof(incoming{})]byte
	_ [unsafe.Sizeof(incoming{}) - C.sizeof_mkt_incoming]byte
)

// open creates a client with librdkafka properties. Those of the public Go
// client ("go.…") say nothing to it.
func open(props map[string]string) (*C.mkt_client, error) {
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
	var failure C.mkt_error
	// cgo takes no Go memory that holds pointers, those to C included.
	list := (**C.char)(C.malloc(C.size_t(len(pairs)) * C.size_t(unsafe.Sizeof(pairs[0]))))
	defer C.free(unsafe.Pointer(list))
	copy(unsafe.Slice(list, len(pairs)), pairs)
	client := C.mkt_open(list, C.int(len(pairs)/2), &failure)
	return client, problem(&failure)
}

// tryProperty says what librdkafka has against a property. Do not try those by
// which it loads code or reads files.
func tryProperty(name, value string) error {
	n, v := C.CString(name), C.CString(value)
	defer C.free(unsafe.Pointer(n))
	defer C.free(unsafe.Pointer(v))
	var failure C.mkt_error
	C.mkt_try(n, v, &failure)
	return problem(&failure)
}

// problem is an error of the C side, nil if there is none.
func problem(e *C.mkt_error) error {
	if e.code == 0 {
		return nil
	}
	return &Error{Code: kafka.ErrorCode(e.code), Text: C.GoString(&e.text[0]), Fatal: e.fatal != 0, Retriable: e.retriable != 0, Abort: e.abort != 0}
}

// logged logs what the client says.
func logged(c *C.mkt_client, e *C.mkt_event) {
	slog.Debug("librdkafka", "client", C.GoString(C.rd_kafka_name(c.rk)), "level", int(e.n), "message", C.GoString(&e.error.text[0]))
}

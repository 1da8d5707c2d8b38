package main

/*
#include <stdlib.h>
#include "ceiling.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka" // links librdkafka
)

// ceiling sends messages from C.
func ceiling(props map[string]string, topic, header string, m *messages) error {
	list := unsafe.Slice((**C.char)(C.malloc(C.size_t(2*len(props))*C.size_t(unsafe.Sizeof(uintptr(0))))), 2*len(props))
	i := 0
	for name, value := range props {
		list[i], list[i+1] = C.CString(name), C.CString(value)
		i += 2
	}
	text := (*C.char)(C.calloc(1, 512))
	rk := C.bench_open(&list[0], C.int(len(props)), text, 512)
	if rk == nil {
		return fmt.Errorf("librdkafka: %s", C.GoString(text))
	}
	var name *C.char
	if header != "" {
		name = C.CString(header)
	}
	err := C.bench_produce(rk, C.CString(topic), (*C.bench_message)(unsafe.Pointer(&m.list[0])), C.int(len(m.list)),
		(*C.char)(unsafe.Pointer(&m.block[0])), name)
	if err != 0 {
		return kafka.NewError(kafka.ErrorCode(err), "", false)
	}
	return nil
}

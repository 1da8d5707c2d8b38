// A producer in C: what librdkafka can do when nothing of Go is in the way.
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

#include "../../../stream/engine/librdkafka.h"

typedef struct {
	int64_t at; // of the key, which the value and the mark follow
	int32_t key, value;
} bench_message;

// bench_open returns NULL and says why.
rd_kafka_t *bench_open(char **pairs, int n, char *text, size_t size);

// bench_produce sends all messages and waits until the broker has them. header
// is the name of the header with a mark of 16 bytes, or NULL for none.
rd_kafka_resp_err_t bench_produce(rd_kafka_t *rk, const char *topic, const bench_message *messages, int n, const char *block, const char *header);

#endif

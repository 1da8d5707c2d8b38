#include "ceiling.h"

enum { PRODUCER = 0, VTYPE_END = 0, VTYPE_RKT = 2, VTYPE_VALUE = 4, VTYPE_KEY = 5, VTYPE_MSGFLAGS = 7, VTYPE_HEADERS = 10 };
enum { COPY_AND_BLOCK = 0x2 | 0x4, MARK = 16 };

rd_kafka_t *bench_open(char **pairs, int n, char *text, size_t size) {
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	for (int i = 0; i < n; i++)
		if (rd_kafka_conf_set(conf, pairs[2 * i], pairs[2 * i + 1], text, size))
			return NULL;
	return rd_kafka_new(PRODUCER, conf, text, size);
}

rd_kafka_resp_err_t bench_produce(rd_kafka_t *rk, const char *topic, const bench_message *messages, int n, const char *block, const char *header) {
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	rd_kafka_resp_err_t err = 0;
	for (int i = 0; i < n && !err; i++) {
		const bench_message *m = &messages[i];
		const char *key = block + m->at, *value = key + m->key;
		if (!header) {
			err = rd_kafka_producev(rk, VTYPE_RKT, rkt, VTYPE_MSGFLAGS, (int)COPY_AND_BLOCK, VTYPE_KEY, (void *)key, (size_t)m->key,
				VTYPE_VALUE, (void *)value, (size_t)m->value, VTYPE_END);
			continue;
		}
		rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
		rd_kafka_header_add(headers, header, -1, value + m->value, MARK);
		err = rd_kafka_producev(rk, VTYPE_RKT, rkt, VTYPE_MSGFLAGS, (int)COPY_AND_BLOCK, VTYPE_KEY, (void *)key, (size_t)m->key,
			VTYPE_VALUE, (void *)value, (size_t)m->value, VTYPE_HEADERS, headers, VTYPE_END);
	}
	if (!err)
		err = rd_kafka_flush(rk, 60000);
	rd_kafka_topic_destroy(rkt);
	rd_kafka_destroy(rk);
	return err;
}

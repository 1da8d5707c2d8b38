#include "engine.h"

#include <stdlib.h>
#include <string.h>

// Of rdkafka.h: what the calls below name by number.
enum { CONSUMER = 1 };
enum { EVENT_FETCH = 0x2, EVENT_LOG = 0x4, EVENT_ERROR = 0x8, EVENT_REBALANCE = 0x10, EVENT_OFFSET_COMMIT = 0x20 };
enum { DESTROY_F_NO_CONSUMER_CLOSE = 0x8 };
enum { ERR__PARTITION_EOF = -191, ERR__INVALID_ARG = -186, ERR__ASSIGN_PARTITIONS = -175 };

static void fail(mkt_error *to, rd_kafka_resp_err_t code, const char *text) {
	to->code = code;
	if (!text)
		text = rd_kafka_err2str(code);
	strncpy(to->text, text, sizeof to->text - 1);
	to->text[sizeof to->text - 1] = 0;
}

// took moves what an error object says to a mkt_error.
static void took(mkt_error *to, rd_kafka_error_t *from) {
	if (!from)
		return;
	fail(to, rd_kafka_error_code(from), rd_kafka_error_string(from));
	to->fatal = rd_kafka_error_is_fatal(from);
	to->retriable = rd_kafka_error_is_retriable(from);
	to->abort = rd_kafka_error_txn_requires_abort(from);
	rd_kafka_error_destroy(from);
}

void mkt_try(const char *name, const char *value, mkt_error *error) {
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (rd_kafka_conf_set(conf, name, value, error->text, sizeof error->text))
		error->code = ERR__INVALID_ARG;
	rd_kafka_conf_destroy(conf);
}

mkt_client *mkt_open(char **pairs, int n, mkt_error *error) {
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	for (int i = 0; i < n; i++) {
		if (rd_kafka_conf_set(conf, pairs[2 * i], pairs[2 * i + 1], error->text, sizeof error->text)) {
			error->code = ERR__INVALID_ARG;
			rd_kafka_conf_destroy(conf);
			return NULL;
		}
	}
	rd_kafka_conf_set_events(conf, EVENT_LOG | EVENT_ERROR | EVENT_REBALANCE | EVENT_OFFSET_COMMIT);
	rd_kafka_t *rk = rd_kafka_new(CONSUMER, conf, error->text, sizeof error->text);
	if (!rk) {
		error->code = ERR__INVALID_ARG;
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_error_t *none = rd_kafka_sasl_background_callbacks_enable(rk); // tokens are fetched whoever polls
	if (none)
		rd_kafka_error_destroy(none); // there are no tokens
	mkt_client *c = calloc(1, sizeof *c);
	c->rk = rk;
	rd_kafka_poll_set_consumer(rk);
	c->queue = rd_kafka_queue_get_consumer(rk);
	rd_kafka_set_log_queue(rk, c->queue);
	return c;
}

static void release(mkt_client *c) {
	if (c->holds)
		rd_kafka_event_destroy(c->holds);
	c->holds = NULL;
	c->held = NULL;
}

// rebalance answers a rebalance as the group goes about it: all at once, or by
// what comes and goes (KIP-429).
static void rebalance(rd_kafka_t *rk, int assign, rd_kafka_topic_partition_list_t *list, mkt_error *error) {
	const char *protocol = rd_kafka_rebalance_protocol(rk);
	if (protocol && !strcmp(protocol, "COOPERATIVE")) {
		took(error, assign ? rd_kafka_incremental_assign(rk, list) : rd_kafka_incremental_unassign(rk, list));
		return;
	}
	rd_kafka_resp_err_t err = rd_kafka_assign(rk, assign ? list : NULL);
	if (err)
		fail(error, err, NULL);
}

void mkt_close(mkt_client *c) {
	release(c);
	rd_kafka_error_t *refused = rd_kafka_consumer_close_queue(c->rk, c->queue);
	int flags = refused ? DESTROY_F_NO_CONSUMER_CLOSE : 0;
	if (refused)
		rd_kafka_error_destroy(refused);
	while (!refused && !rd_kafka_consumer_closed(c->rk)) {
		rd_kafka_event_t *e = rd_kafka_queue_poll(c->queue, 100);
		if (e && rd_kafka_event_type(e) == EVENT_REBALANCE) {
			mkt_error ignored = {0};
			rebalance(c->rk, 0, rd_kafka_event_topic_partition_list(e), &ignored);
		}
		if (e)
			rd_kafka_event_destroy(e);
	}
	rd_kafka_queue_destroy(c->queue);
	rd_kafka_destroy_flags(c->rk, flags);
	free(c);
}

static void fatal(mkt_client *c, mkt_error *error) {
	error->code = rd_kafka_fatal_error(c->rk, error->text, sizeof error->text);
	error->fatal = error->code != 0;
}

static void take_partitions(mkt_event *event, rd_kafka_topic_partition_list_t *list) {
	event->n = list ? list->cnt : 0;
	event->partitions = malloc((event->n + 1) * sizeof *event->partitions);
	for (int i = 0; i < event->n; i++)
		event->partitions[i] = list->elems[i].partition;
}

// other takes in an event that is no record.
static void other(mkt_client *c, rd_kafka_event_t *e, mkt_event *event) {
	switch (rd_kafka_event_type(e)) {
	case EVENT_REBALANCE:
		event->kind = rd_kafka_event_error(e) == ERR__ASSIGN_PARTITIONS ? MKT_ASSIGNED : MKT_REVOKED;
		take_partitions(event, rd_kafka_event_topic_partition_list(e));
		break;
	case EVENT_ERROR:
		if (rd_kafka_event_error(e) == ERR__PARTITION_EOF) {
			rd_kafka_topic_partition_t *p = rd_kafka_event_topic_partition(e);
			if (!p)
				break;
			event->kind = MKT_END;
			event->partition = p->partition;
			event->offset = p->offset;
			rd_kafka_topic_partition_destroy(p);
			break;
		}
		event->kind = MKT_FAULT;
		if (rd_kafka_event_error_is_fatal(e)) {
			fatal(c, &event->error);
			break;
		}
		fail(&event->error, rd_kafka_event_error(e), rd_kafka_event_error_string(e));
		break;
	case EVENT_LOG: {
		const char *facility, *text;
		event->kind = MKT_LOG;
		if (!rd_kafka_event_log(e, &facility, &text, &event->n))
			fail(&event->error, 0, text);
		break;
	}
	}
}

int mkt_poll(mkt_client *c, int timeout_ms, mkt_incoming *records, int max, char *block, int64_t size, mkt_event *event) {
	int64_t used = 0;
	int n = 0;
	while (n < max) {
		if (!c->held) {
			rd_kafka_event_t *e = rd_kafka_queue_poll(c->queue, n ? 0 : timeout_ms);
			if (!e)
				break;
			if (rd_kafka_event_type(e) != EVENT_FETCH) {
				other(c, e, event);
				rd_kafka_event_destroy(e);
				break;
			}
			c->holds = e;
			c->held = rd_kafka_event_message_next(e);
		}
		const rd_kafka_message_t *m = c->held;
		if (m->err) {
			event->kind = MKT_FAULT;
			fail(&event->error, m->err, m->payload ? m->payload : NULL);
			release(c);
			break;
		}
		int64_t need = (int64_t)m->key_len + (int64_t)m->len;
		if (used + need > size) {
			event->kind = MKT_FULL;
			event->offset = need;
			break;
		}
		mkt_incoming *r = &records[n++];
		int type;
		r->offset = m->offset;
		r->time = rd_kafka_message_timestamp(m, &type);
		r->at = used;
		r->partition = m->partition;
		r->key = m->key ? (int32_t)m->key_len : -1;
		r->value = m->payload ? (int32_t)m->len : -1;
		if (m->key_len)
			memcpy(block + used, m->key, m->key_len);
		if (m->len)
			memcpy(block + used + m->key_len, m->payload, m->len);
		used += need;
		release(c);
	}
	return n;
}

void mkt_subscribe(mkt_client *c, const char *topic, mkt_error *error) {
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, -1);
	rd_kafka_resp_err_t err = rd_kafka_subscribe(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (err)
		fail(error, err, NULL);
}

// fill copies what the client says of each partition.
static void fill(mkt_position *positions, int n, const rd_kafka_topic_partition_list_t *list) {
	for (int i = 0; list && i < n && i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *p = &list->elems[i];
		positions[i].partition = p->partition;
		positions[i].offset = p->offset;
		positions[i].error = p->err;
		size_t size = p->metadata ? p->metadata_size : 0;
		if (size > sizeof positions[i].meta - 1)
			size = sizeof positions[i].meta - 1;
		if (size)
			memcpy(positions[i].meta, p->metadata, size);
		positions[i].meta[size] = 0;
	}
}

static rd_kafka_topic_partition_list_t *list_of(const char *topic, const mkt_position *positions, int n) {
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
	for (int i = 0; i < n; i++) {
		rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, topic, positions[i].partition);
		p->offset = positions[i].offset;
		if (positions[i].meta[0]) {
			p->metadata_size = strlen(positions[i].meta);
			p->metadata = malloc(p->metadata_size); // the list frees it
			memcpy(p->metadata, positions[i].meta, p->metadata_size);
		}
	}
	return list;
}

rd_kafka_queue_t *mkt_commit(mkt_client *c, const char *topic, const mkt_position *positions, int n, mkt_error *error) {
	rd_kafka_queue_t *answers = rd_kafka_queue_new(c->rk);
	rd_kafka_topic_partition_list_t *list = list_of(topic, positions, n);
	rd_kafka_resp_err_t err = rd_kafka_commit_queue(c->rk, list, answers, NULL, NULL);
	rd_kafka_topic_partition_list_destroy(list);
	if (err)
		fail(error, err, NULL);
	return answers;
}

int mkt_answered(rd_kafka_queue_t *answers, int timeout_ms, mkt_position *positions, int n, mkt_error *error) {
	rd_kafka_event_t *e = rd_kafka_queue_poll(answers, timeout_ms);
	if (!e)
		return 0;
	rd_kafka_resp_err_t err = rd_kafka_event_error(e);
	if (err)
		fail(error, err, NULL);
	else
		fill(positions, n, rd_kafka_event_topic_partition_list(e));
	rd_kafka_event_destroy(e);
	return 1;
}

// forget drops a record that was taken from the client's queue when its
// partition is read from elsewhere: the client drops the others itself.
static void forget(mkt_client *c, const mkt_position *positions, int n) {
	for (int i = 0; c->held && i < n; i++)
		if (positions[i].partition == c->held->partition)
			release(c);
}

void mkt_partitions(mkt_client *c, int what, const char *topic, mkt_position *positions, int n, int timeout_ms, mkt_error *error) {
	rd_kafka_topic_partition_list_t *list = list_of(topic, positions, n);
	rd_kafka_resp_err_t err = 0;
	switch (what) {
	case MKT_ASSIGN:
	case MKT_UNASSIGN:
		forget(c, positions, n);
		rebalance(c->rk, what == MKT_ASSIGN, list, error);
		break;
	case MKT_COMMITTED:
		err = rd_kafka_committed(c->rk, list, timeout_ms);
		break;
	case MKT_SEEK:
		forget(c, positions, n);
		took(error, rd_kafka_seek_partitions(c->rk, list, timeout_ms));
		break;
	case MKT_PAUSE:
		err = rd_kafka_pause_partitions(c->rk, list);
		break;
	case MKT_RESUME:
		err = rd_kafka_resume_partitions(c->rk, list);
		break;
	}
	if (err)
		fail(error, err, NULL);
	if (what == MKT_COMMITTED || what == MKT_SEEK)
		fill(positions, n, list);
	rd_kafka_topic_partition_list_destroy(list);
}

// The calls of the engine from Go: each does the work of a batch.
#ifndef MKT_ENGINE_H
#define MKT_ENGINE_H

#include "librdkafka.h"

// mkt_error is an error of the client; code 0 is none.
typedef struct {
	int code, fatal, retriable, abort;
	char text[512];
} mkt_error;

// mkt_client is a client and the queue that its events come from.
typedef struct {
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	const rd_kafka_message_t *held; // taken from the queue, not handed over yet
	rd_kafka_event_t *holds;        // the event that owns it
} mkt_client;

// mkt_try says what is wrong with a property.
void mkt_try(const char *name, const char *value, mkt_error *error);

// mkt_open creates a consumer with n pairs of name and value.
mkt_client *mkt_open(char **pairs, int n, mkt_error *error);
void mkt_close(mkt_client *c);

// mkt_incoming is a record that was received; key and value stand in the
// block.
typedef struct {
	int64_t offset, time; // time in ms since 1970
	int64_t at;           // where the key begins in the block
	int32_t partition;
	int32_t key, value; // lengths, -1 is none
	int32_t unused;
} mkt_incoming;

enum { MKT_NOTHING, MKT_FULL, MKT_ASSIGNED, MKT_REVOKED, MKT_END, MKT_FAULT, MKT_LOG };

// mkt_event is what came behind the records of a poll.
typedef struct {
	int kind;
	int32_t partition;   // MKT_END
	int64_t offset;      // MKT_END; MKT_FULL: how large the block must be
	int32_t *partitions; // MKT_ASSIGNED, MKT_REVOKED: n of them, to be freed
	int n;               // MKT_LOG: the level
	mkt_error error;     // MKT_FAULT, MKT_LOG
} mkt_event;

// mkt_poll waits for the first record or event and then takes what is there:
// up to max records, or an event. It returns the number of records.
int mkt_poll(mkt_client *c, int timeout_ms, mkt_incoming *records, int max, char *block, int64_t size, mkt_event *event);

// mkt_position is a partition with an offset. meta is cut where it is longer.
typedef struct {
	int32_t partition;
	int error;
	int64_t offset;
	char meta[64];
} mkt_position;

enum { MKT_ASSIGN, MKT_UNASSIGN, MKT_COMMITTED, MKT_SEEK, MKT_PAUSE, MKT_RESUME };

void mkt_subscribe(mkt_client *c, const char *topic, mkt_error *error);

// mkt_partitions does something with partitions of a topic, and fills in what
// the client says of each.
void mkt_partitions(mkt_client *c, int what, const char *topic, mkt_position *positions, int n, int timeout_ms, mkt_error *error);

// mkt_commit asks the coordinator to commit offsets. The answer comes to the
// queue that it returns, which is the caller's to destroy.
rd_kafka_queue_t *mkt_commit(mkt_client *c, const char *topic, const mkt_position *positions, int n, mkt_error *error);

// mkt_answered waits for the answer, fills in what it says of each partition
// and returns whether there was one.
int mkt_answered(rd_kafka_queue_t *answers, int timeout_ms, mkt_position *positions, int n, mkt_error *error);

#endif

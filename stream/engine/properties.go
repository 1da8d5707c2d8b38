package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// transactionTimeout is transaction.timeout.ms when nobody sets it. For so
	// long a process that was killed holds readers of committed records back,
	// unless it is started again. A transaction of the stream is a second old.
	transactionTimeout = 15 * time.Second
	mostRecord         = 1_000_000 // message.max.bytes
	mostQueued         = 20_000    // queue.buffering.max.messages
	// beside a record in its batch
	batchOverhead = 1024
)

// setting is what a property of librdkafka is to the sender; nil is what it does anyway.
type setting func(value string) (kgo.Opt, error)

// settings are librdkafka's properties of a producer that franz-go has an equal
// of (librdkafka, CONFIGURATION.md; franz-go, package kgo).
var settings = map[string]setting{
	"transaction.timeout.ms": millis(1000, func(d time.Duration) kgo.Opt { return kgo.TransactionTimeout(d) }),
	"message.max.bytes": number(1000, 1_000_000_000, func(n int) kgo.Opt {
		return kgo.ProducerBatchMaxBytes(int32(n) + batchOverhead)
	}),
	"queue.buffering.max.messages":         number(1, 10_000_000, func(n int) kgo.Opt { return kgo.MaxBufferedRecords(n) }),
	"queue.buffering.max.kbytes":           number(1, 2_000_000, func(n int) kgo.Opt { return kgo.MaxBufferedBytes(n << 10) }),
	"linger.ms":                            millis(0, func(d time.Duration) kgo.Opt { return kgo.ProducerLinger(d) }),
	"queue.buffering.max.ms":               millis(0, func(d time.Duration) kgo.Opt { return kgo.ProducerLinger(d) }),
	"message.timeout.ms":                   millis(0, func(d time.Duration) kgo.Opt { return kgo.RecordDeliveryTimeout(d) }),
	"delivery.timeout.ms":                  millis(0, func(d time.Duration) kgo.Opt { return kgo.RecordDeliveryTimeout(d) }),
	"message.send.max.retries":             number(0, 1<<31-1, func(n int) kgo.Opt { return kgo.RecordRetries(n) }),
	"retries":                              number(0, 1<<31-1, func(n int) kgo.Opt { return kgo.RecordRetries(n) }),
	"request.timeout.ms":                   millis(1, func(d time.Duration) kgo.Opt { return kgo.ProduceRequestTimeout(d) }),
	"socket.timeout.ms":                    millis(1, func(d time.Duration) kgo.Opt { return kgo.RequestTimeoutOverhead(d) }),
	"retry.backoff.ms":                     millis(1, func(d time.Duration) kgo.Opt { return kgo.RetryBackoffFn(func(int) time.Duration { return d }) }),
	"metadata.max.age.ms":                  millis(1, func(d time.Duration) kgo.Opt { return kgo.MetadataMaxAge(d) }),
	"connections.max.idle.ms":              millis(1, func(d time.Duration) kgo.Opt { return kgo.ConnIdleTimeout(d) }),
	"compression.codec":                    compression,
	"compression.type":                     compression,
	"acks":                                 only("all", "-1"),
	"request.required.acks":                only("all", "-1"),
	"enable.idempotence":                   only("true"),
	"enable.gapless.guarantee":             only("false"),
	"partitioner":                          only("murmur2_random", "murmur2"), // that of Java's client, which resuming stands on
	"enable.metrics.push":                  only("false"),
	"allow.auto.create.topics":             only("false"),
	"queuing.strategy":                     only("fifo"),
	"enable.sasl.oauthbearer.unsecure.jwt": only("false"),
}

// connection are the properties that franzOptions reads and librdkafka's about
// the same.
var connection = words(`bootstrap.servers metadata.broker.list client.id security.protocol sasl.mechanism sasl.mechanisms sasl.username sasl.password sasl.oauthbearer.method sasl.oauthbearer.client.id
	sasl.oauthbearer.client.secret sasl.oauthbearer.token.endpoint.url sasl.oauthbearer.scope sasl.oauthbearer.extensions https.ca.location
	ssl.ca.location ssl.certificate.location ssl.key.location ssl.key.password`)

// aside are properties that say nothing to a sender.
var aside = words(`log_level log.queue log.thread.name log.connection.close debug statistics.interval.ms`)

// receiving are the properties that are for a receiver alone, and may be set
// (librdkafka, CONFIGURATION.md, column C/P).
var receiving = words(`group.protocol group.remote.assignor session.timeout.ms heartbeat.interval.ms max.poll.interval.ms coordinator.query.interval.ms
	check.crcs client.rack queued.min.messages queued.max.messages.kbytes fetch.wait.max.ms fetch.queue.backoff.ms fetch.message.max.bytes
	max.partition.fetch.bytes fetch.max.bytes fetch.min.bytes fetch.error.backoff.ms topic.metadata.refresh.interval.ms`)

// both are the properties that a receiver has as well as a sender.
var both = words(`socket.timeout.ms metadata.max.age.ms connections.max.idle.ms retry.backoff.ms`)

// fixed are the properties that the stream sets for a receiver, or that have no
// place in it, and why.
var fixed = map[string]string{
	"group.id": "the consumer's group has an attribute of its own", "transactional.id": "it is made of the producer's name and its topic",
	"group.instance.id":             "one process has it at a time, and the members of a group are of one configuration",
	"partition.assignment.strategy": "partitions move one by one (cooperative-sticky)",
	"enable.auto.commit":            "offsets are committed after the upload", "auto.commit.enable": "offsets are committed after the upload",
	"auto.commit.interval.ms": "offsets are committed after the upload", "enable.auto.offset.store": "offsets are committed after the upload",
	"enable.partition.eof": "the end of a partition has to be seen", "auto.offset.reset": "nothing is skipped silently",
	"isolation.level": "rows of open transactions are no rows yet",
}

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}

// CheckSender says what is wrong with a property that somebody sets for a
// sender, nil if nothing is.
func CheckSender(name, value string) error {
	if err := foreign(name); err != nil {
		return err
	}
	if receiving[name] {
		return errors.New("it is a consumer's")
	}
	_, err := option(name, value)
	return err
}

// option is a property in franz-go's terms, nil for what it does anyway.
func option(name, value string) (kgo.Opt, error) {
	set := settings[name]
	if set == nil {
		return nil, errors.New("the client that sends has no equal of it")
	}
	return set(value)
}

// CheckReceiver says what is wrong with a property that somebody sets for a
// receiver, nil if nothing is.
func CheckReceiver(name, value string) error {
	if err := foreign(name); err != nil {
		return err
	}
	if !receiving[name] && !both[name] {
		if settings[name] != nil {
			return errors.New("it is a producer's")
		}
		return errors.New("mkt knows no such property of a consumer")
	}
	return tryProperty(name, value)
}

// foreign says why a property is none of a producer or consumer to set.
func foreign(name string) error {
	if connection[name] || strings.HasPrefix(name, "sasl.") || strings.HasPrefix(name, "ssl.") {
		return errors.New("it is of the connection, which the provider kafka describes")
	}
	if why := fixed[name]; why != "" {
		return fmt.Errorf("it is not to be set: %s", why)
	}
	return nil
}

// senderOptions are librdkafka's properties of a producer in franz-go's terms,
// over the stream's defaults. What has no equal, and what the protocol does not
// allow, is an error.
func senderOptions(props map[string]string) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.TransactionTimeout(transactionTimeout), kgo.ProducerLinger(20 * time.Millisecond), kgo.ProducerBatchMaxBytes(mostRecord + batchOverhead),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(mostQueued), kgo.RecordDeliveryTimeout(5 * time.Minute),
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if connection[name] || aside[name] || receiving[name] || fixed[name] != "" || strings.HasPrefix(name, "go.") {
			continue
		}
		opt, err := option(name, props[name])
		if err != nil {
			problems = append(problems, fmt.Errorf("property %q: %w", name, err))
		} else if opt != nil {
			opts = append(opts, opt)
		}
	}
	return opts, errors.Join(problems...)
}

// transactionTimeoutOf is the transaction.timeout.ms that holds.
func transactionTimeoutOf(props map[string]string) time.Duration {
	if n, err := strconv.Atoi(props["transaction.timeout.ms"]); err == nil {
		return time.Duration(n) * time.Millisecond
	}
	return transactionTimeout
}

func number(least, most int, opt func(int) kgo.Opt) setting {
	return func(value string) (kgo.Opt, error) {
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("%q is not a number from %d to %d", value, least, most)
		}
		return opt(n), nil
	}
}

// millis is a number of milliseconds, which librdkafka takes with a fraction
// for some.
func millis(least float64, opt func(time.Duration) kgo.Opt) setting {
	return func(value string) (kgo.Opt, error) {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || n < least || n > 1<<31 {
			return nil, fmt.Errorf("%q is not a number of milliseconds from %v", value, least)
		}
		return opt(time.Duration(n * float64(time.Millisecond))), nil
	}
}

func only(values ...string) setting {
	return func(value string) (kgo.Opt, error) {
		if !slices.Contains(values, strings.ToLower(value)) {
			return nil, fmt.Errorf("it is %q, and that nothing is lost or doubled stands on %q", value, values[0])
		}
		return nil, nil
	}
}

func compression(value string) (kgo.Opt, error) {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	codec, ok := codecs[value]
	if !ok {
		return nil, fmt.Errorf("%q is none of gzip, lz4, none, snappy, zstd", value)
	}
	return kgo.ProducerBatchCompression(codec), nil
}

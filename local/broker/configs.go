package broker

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A rule says what values a topic config takes. It returns the message of
// Kafka's ConfigException after "Invalid value V for configuration K: ", or ""
// if the value is good.
type rule func(value string) string

// topicConfigs is every topic config of Apache Kafka 4.1 with its check
// (Kafka documentation, "Topic Configs"; org.apache.kafka.storage.internals.log.LogConfig).
var topicConfigs = map[string]rule{
	"cleanup.policy":                          list("compact", "delete"),
	"compression.gzip.level":                  gzipLevel,
	"compression.lz4.level":                   integer(1, 17),
	"compression.type":                        oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
	"compression.zstd.level":                  integer(-131072, 22),
	"delete.retention.ms":                     long(0),
	"file.delete.delay.ms":                    long(0),
	"flush.messages":                          long(1),
	"flush.ms":                                long(0),
	"follower.replication.throttled.replicas": anything,
	"index.interval.bytes":                    integer(0, math.MaxInt32),
	"leader.replication.throttled.replicas":   anything,
	"local.retention.bytes":                   long(-2),
	"local.retention.ms":                      long(-2),
	"max.compaction.lag.ms":                   long(1),
	"max.message.bytes":                       integer(0, math.MaxInt32),
	"message.timestamp.after.max.ms":          long(0),
	"message.timestamp.before.max.ms":         long(0),
	"message.timestamp.type":                  oneOf("CreateTime", "LogAppendTime"),
	"min.cleanable.dirty.ratio":               ratio,
	"min.compaction.lag.ms":                   long(0),
	"min.insync.replicas":                     integer(1, math.MaxInt32),
	"preallocate":                             boolean,
	"remote.log.copy.disable":                 boolean,
	"remote.log.delete.on.disable":            boolean,
	"remote.storage.enable":                   boolean,
	"retention.bytes":                         long(math.MinInt64),
	"retention.ms":                            long(-1),
	"segment.bytes":                           integer(1<<20, math.MaxInt32),
	"segment.index.bytes":                     integer(4, math.MaxInt32),
	"segment.jitter.ms":                       long(0),
	"segment.ms":                              long(1),
	"unclean.leader.election.enable":          boolean,
}

// checkConfig returns Kafka's message for a config it would refuse, or "".
// A nil value stands for the default.
func checkConfig(name string, value *string) string {
	check, ok := topicConfigs[name]
	switch {
	case !ok:
		return "Unknown topic config name: " + name
	case value == nil:
		return "Null value not supported for topic configs: " + name
	}
	if msg := check(*value); msg != "" {
		return fmt.Sprintf("Invalid value %s for configuration %s: %s", *value, name, msg)
	}
	return ""
}

func anything(string) string { return "" }

func boolean(v string) string {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "true", "false":
		return ""
	}
	return "Expected value to be either true or false"
}

func integer(low, high int64) rule { return number("INT", 32, low, high) }

func long(low int64) rule { return number("LONG", 64, low, math.MaxInt64) }

func number(kind string, bits int, low, high int64) rule {
	return func(v string) string {
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, bits)
		switch {
		case err != nil:
			return "Not a number of type " + kind
		case n < low:
			return fmt.Sprintf("Value must be at least %d", low)
		case n > high:
			return fmt.Sprintf("Value must be no more than %d", high)
		}
		return ""
	}
}

func gzipLevel(v string) string {
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && n != -1 && (n < 1 || n > 9) {
		return "Value must be between 1 and 9 or equal to -1"
	}
	return integer(-1, 9)(v)
}

func ratio(v string) string {
	f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	switch {
	case err != nil:
		return "Not a number of type DOUBLE"
	case !(f >= 0):
		return "Value must be at least 0"
	case f > 1:
		return "Value must be no more than 1"
	}
	return ""
}

func oneOf(values ...string) rule {
	return func(v string) string {
		if slices.Contains(values, v) {
			return ""
		}
		return "String must be one of: " + strings.Join(values, ", ")
	}
}

func list(values ...string) rule {
	one := oneOf(values...)
	return func(v string) string {
		for item := range strings.SplitSeq(v, ",") {
			if msg := one(strings.TrimSpace(item)); msg != "" {
				return msg
			}
		}
		return ""
	}
}

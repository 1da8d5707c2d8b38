package broker

import (
	"encoding/binary"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fills tells whether kfake's answer to a request lacks something that Kafka's has. Java's clients take it for a fault:
//   - CreateTopics tells the new topic's configuration, all of it (KIP-525);
//   - DescribeConfigs tells of every config of a topic, those that have their defaults too;
//   - DescribeTopicPartitions has lists of eligible leader replicas and of those last known (KIP-966), empty and not null.
func fills(a asked) bool {
	switch a.key {
	case kmsg.CreateTopics:
		return a.version >= 5
	case kmsg.DescribeConfigs, kmsg.DescribeTopicPartitions:
		return true
	}
	return false
}

// fill returns an answer, a frame, with what it lacks.
func fill(a asked, frame []byte) []byte {
	resp := kmsg.ResponseForKey(a.key.Int16())
	resp.SetVersion(a.version)
	head := 8
	if resp.IsFlexible() {
		head++ // no tags
	}
	if len(frame) < head {
		return frame
	}
	if err := resp.ReadFrom(frame[head:]); err != nil {
		slog.Warn("an answer of the embedded broker is not what it should be", "request", a.key.Name(), "error", err)
		return frame
	}
	switch resp := resp.(type) {
	case *kmsg.CreateTopicsResponse:
		for i := range resp.Topics {
			fillCreated(&resp.Topics[i])
		}
	case *kmsg.DescribeConfigsResponse:
		for i := range resp.Resources {
			if r := &resp.Resources[i]; r.ResourceType == kmsg.ConfigResourceTypeTopic && r.ErrorCode == 0 {
				fillDescribed(r)
			}
		}
	case *kmsg.DescribeTopicPartitionsResponse:
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				p := &resp.Topics[i].Partitions[j]
				p.EligibleLeaderReplicas, p.LastKnownELR = notNil(p.EligibleLeaderReplicas), notNil(p.LastKnownELR)
				p.OfflineReplicas = notNil(p.OfflineReplicas)
			}
		}
	}
	out := resp.AppendTo(slices.Clone(frame[:head]))
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

func notNil(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

// fillCreated adds the configs that a new topic has by default.
func fillCreated(t *kmsg.CreateTopicsResponseTopic) {
	if t.ErrorCode != 0 {
		return
	}
	set := map[string]bool{}
	for i := range t.Configs {
		set[t.Configs[i].Name] = true
		t.Configs[i].Source = int8(kmsg.ConfigSourceDynamicTopicConfig)
	}
	for _, d := range topicDefaults {
		if !set[d.name] {
			c := kmsg.NewCreateTopicsResponseTopicConfig()
			c.Name, c.Value, c.Source = d.name, &d.value, int8(kmsg.ConfigSourceDefaultConfig)
			t.Configs = append(t.Configs, c)
		}
	}
}

// fillDescribed adds the defaults that kfake does not know to the description of a topic, unless only some configs were
// asked for: then those that it does know are not all there.
func fillDescribed(r *kmsg.DescribeConfigsResponseResource) {
	set := map[string]bool{}
	for _, c := range r.Configs {
		set[c.Name] = true
	}
	for _, known := range []string{"cleanup.policy", "compression.type", "delete.retention.ms", "max.message.bytes", "message.timestamp.type",
		"min.insync.replicas", "retention.bytes", "retention.ms", "segment.bytes", "segment.ms"} {
		if !set[known] {
			return
		}
	}
	for _, d := range topicDefaults {
		if !set[d.name] {
			c := kmsg.NewDescribeConfigsResponseResourceConfig()
			c.Name, c.Value, c.Source, c.IsDefault, c.ConfigType = d.name, &d.value, kmsg.ConfigSourceDefaultConfig, true, d.kind
			r.Configs = append(r.Configs, c)
		}
	}
}

// topicDefault is a config that a topic has unless it says otherwise.
type topicDefault struct {
	name, value string
	kind        kmsg.ConfigType
}

// topicDefaults is what Apache Kafka 4.1.1 answers for a topic without configs of its own, in the order of the names.
var topicDefaults = []topicDefault{
	{"cleanup.policy", "delete", kmsg.ConfigTypeList},
	{"compression.gzip.level", "-1", kmsg.ConfigTypeInt},
	{"compression.lz4.level", "9", kmsg.ConfigTypeInt},
	{"compression.type", "producer", kmsg.ConfigTypeString},
	{"compression.zstd.level", "3", kmsg.ConfigTypeInt},
	{"delete.retention.ms", "86400000", kmsg.ConfigTypeLong},
	{"file.delete.delay.ms", "60000", kmsg.ConfigTypeLong},
	{"flush.messages", "9223372036854775807", kmsg.ConfigTypeLong},
	{"flush.ms", "9223372036854775807", kmsg.ConfigTypeLong},
	{"follower.replication.throttled.replicas", "", kmsg.ConfigTypeList},
	{"index.interval.bytes", "4096", kmsg.ConfigTypeInt},
	{"leader.replication.throttled.replicas", "", kmsg.ConfigTypeList},
	{"local.retention.bytes", "-2", kmsg.ConfigTypeLong},
	{"local.retention.ms", "-2", kmsg.ConfigTypeLong},
	{"max.compaction.lag.ms", "9223372036854775807", kmsg.ConfigTypeLong},
	{"max.message.bytes", "1048588", kmsg.ConfigTypeInt},
	{"message.timestamp.after.max.ms", "3600000", kmsg.ConfigTypeLong},
	{"message.timestamp.before.max.ms", "9223372036854775807", kmsg.ConfigTypeLong},
	{"message.timestamp.type", "CreateTime", kmsg.ConfigTypeString},
	{"min.cleanable.dirty.ratio", "0.5", kmsg.ConfigTypeDouble},
	{"min.compaction.lag.ms", "0", kmsg.ConfigTypeLong},
	{"min.insync.replicas", "1", kmsg.ConfigTypeInt},
	{"preallocate", "false", kmsg.ConfigTypeBoolean},
	{"remote.log.copy.disable", "false", kmsg.ConfigTypeBoolean},
	{"remote.log.delete.on.disable", "false", kmsg.ConfigTypeBoolean},
	{"remote.storage.enable", "false", kmsg.ConfigTypeBoolean},
	{"retention.bytes", "-1", kmsg.ConfigTypeLong},
	{"retention.ms", "604800000", kmsg.ConfigTypeLong},
	{"segment.bytes", "1073741824", kmsg.ConfigTypeInt},
	{"segment.index.bytes", "10485760", kmsg.ConfigTypeInt},
	{"segment.jitter.ms", "0", kmsg.ConfigTypeLong},
	{"segment.ms", "604800000", kmsg.ConfigTypeLong},
	{"unclean.leader.election.enable", "false", kmsg.ConfigTypeBoolean},
}

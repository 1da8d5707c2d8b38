package kafka

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Topic describes kafka_topic.
var Topic = &spec.Kind{
	Name:   "kafka_topic",
	System: "kafka",
	Doc:    "A Kafka topic: its partitions, replicas and settings.",
	Example: `kafka_topic "market_data" {
  partitions         = 6
  replication_factor = 3
  config = {
    "cleanup.policy" = "delete"
    "retention.ms"   = "7d"
  }
}
`,
	Attrs: []spec.Attr{
		{
			Name: "name", Type: cty.String, Label: true,
			Doc:    "The topic's name: letters, digits, `.`, `_` and `-`, at most 249. The block's label by default.",
			Check:  checkTopicName,
			Change: spec.Replaced("a topic cannot be renamed; the records stay behind in the old one"),
		},
		{
			Name: "partitions", Type: cty.Number, Optional: true, Computed: true,
			Doc: "Number of partitions. The cluster's default when absent. It can grow, which moves keys to other partitions for records " +
				"written from then on; it cannot shrink.",
			Check:  atLeast(1),
			Change: changePartitions,
		},
		{
			Name: "replication_factor", Type: cty.Number, Optional: true, Computed: true,
			Doc: "Copies of each partition, each on a broker of its own. The cluster's default when absent. It is changed by reassigning replicas, " +
				"which Kafka can since 2.4: apply waits until they are copied, half an hour at most, and the next one goes on waiting. Managed services " +
				"may refuse it; Confluent Cloud wants 3.",
			Check:  atLeast(1),
			Change: changeFactor,
		},
		{
			Name: "config", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String),
			Doc: "Settings of the topic by the broker's names (Kafka documentation, \"Topic Configs\"). Settings that end in `.ms` also take a " +
				"duration (`\"7d\"`), those that end in `.bytes` a size (`\"1GiB\"`); `\"-1\"` is unlimited retention. A setting that is left out has the " +
				"cluster's default, also if it was set before.",
			Check:  checkSettings,
			Norm:   normSettings,
			Change: changeSettings,
		},
		{Name: "topic_id", Type: cty.String, Computed: true, Doc: "The id that the cluster gave the topic; a topic that is created again gets another one."},
	},
	ID: func(v cty.Value) string {
		if name := v.GetAttr("name"); name.IsKnown() && !name.IsNull() {
			return name.AsString()
		}
		return ""
	},
	Check:     checkTopic,
	HoldsData: true,
}

// maxTopicName is the longest topic name in bytes (org.apache.kafka.common.internals.Topic).
const maxTopicName = 249

func checkTopicName(v cty.Value) error {
	name := v.AsString()
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%q is no topic name", name)
	case len(name) > maxTopicName:
		return fmt.Errorf("a topic name has at most %d characters, this one has %d", maxTopicName, len(name))
	}
	if i := strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}); i >= 0 {
		return fmt.Errorf("a topic name has letters, digits, '.', '_' and '-' only, and %q has %q", name, []rune(name[i:])[0])
	}
	return nil
}

func atLeast(low int64) func(cty.Value) error {
	return func(v cty.Value) error {
		n, exact := v.AsBigFloat().Int64()
		if exact != 0 || n < low || n > 1<<31-1 {
			return fmt.Errorf("must be a whole number of at least %d", low)
		}
		return nil
	}
}

func changePartitions(before, after cty.Value) spec.Verdict {
	if before.IsNull() || after.IsNull() || !after.IsKnown() {
		return spec.Verdict{Act: spec.InPlace}
	}
	if after.LessThan(before).True() {
		return spec.Verdict{Act: spec.Refuse, Why: "a topic's partitions cannot be taken away; make a new topic with fewer, move its consumers, and remove this one"}
	}
	return spec.Verdict{Act: spec.InPlace, Why: "records written from now on may land in another partition than earlier ones with the same key"}
}

func changeFactor(before, after cty.Value) spec.Verdict {
	switch {
	case before.IsNull() || after.IsNull() || !after.IsKnown():
		return spec.Verdict{Act: spec.InPlace}
	case after.LessThan(before).True():
		return spec.Verdict{Act: spec.InPlace, Why: "the topic outlives the loss of fewer brokers"}
	}
	return spec.Verdict{Act: spec.InPlace, Why: "every record is copied to more brokers, which takes its time"}
}

func changeSettings(before, after cty.Value) spec.Verdict {
	const key = "cleanup.policy"
	compacts := func(v cty.Value) bool {
		if v.IsNull() || !v.IsKnown() || v.LengthInt() == 0 || !v.HasIndex(cty.StringVal(key)).True() {
			return false
		}
		policy := v.Index(cty.StringVal(key))
		return policy.IsKnown() && !policy.IsNull() && strings.Contains(policy.AsString(), "compact")
	}
	if compacts(after) && !compacts(before) {
		return spec.Verdict{Act: spec.InPlace, Why: "compaction keeps one record for each key and drops records without one"}
	}
	return spec.Verdict{Act: spec.InPlace}
}

func checkSettings(v cty.Value) error {
	for key, value := range v.AsValueMap() {
		if value.IsNull() {
			return fmt.Errorf("%q is null; leave the setting out for the broker's default", key)
		}
		if value.IsKnown() {
			if err := checkSetting(key, value.AsString()); err != nil {
				return err
			}
		}
	}
	return nil
}

func normSettings(v cty.Value) cty.Value {
	if v.IsNull() || !v.IsKnown() || v.LengthInt() == 0 {
		return v
	}
	settings := v.AsValueMap()
	for key, value := range settings {
		if value.IsKnown() && !value.IsNull() {
			settings[key] = cty.StringVal(normSetting(key, value.AsString()))
		}
	}
	return cty.MapVal(settings)
}

// knownSettings are the topic settings of Apache Kafka 4.1 (Kafka documentation,
// "Topic Configs"), to warn of a mistyped one before the broker refuses it.
var knownSettings = []string{
	"cleanup.policy", "compression.gzip.level", "compression.lz4.level", "compression.type", "compression.zstd.level", "delete.retention.ms",
	"file.delete.delay.ms", "flush.messages", "flush.ms", "follower.replication.throttled.replicas", "index.interval.bytes",
	"leader.replication.throttled.replicas", "local.retention.bytes", "local.retention.ms", "max.compaction.lag.ms", "max.message.bytes",
	"message.downconversion.enable", "message.format.version", "message.timestamp.after.max.ms", "message.timestamp.before.max.ms",
	"message.timestamp.difference.max.ms", "message.timestamp.type", "min.cleanable.dirty.ratio", "min.compaction.lag.ms", "min.insync.replicas",
	"preallocate", "remote.log.copy.disable", "remote.log.delete.on.disable", "remote.storage.enable", "retention.bytes", "retention.ms",
	"segment.bytes", "segment.index.bytes", "segment.jitter.ms", "segment.ms", "unclean.leader.election.enable",
}

func checkTopic(v cty.Value) (problems []spec.Problem) {
	config := v.GetAttr("config")
	if config.IsNull() || !config.IsKnown() {
		return nil
	}
	for key := range config.AsValueMap() {
		if !contains(knownSettings, key) && !strings.HasPrefix(key, "confluent.") {
			problems = append(problems, spec.Problem{Path: cty.GetAttrPath("config").IndexString(key), Warning: true, Summary: "Unknown topic setting",
				Detail: fmt.Sprintf("Apache Kafka 4.1 has no topic setting %q; a broker that does not know it will refuse it.", key)})
		}
	}
	return problems
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

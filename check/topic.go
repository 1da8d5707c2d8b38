package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mkt/spec"
)

var topicRules = []Rule{
	{
		ID: "key-order", Severity: hcl.DiagWarning, Summary: "No order per key",
		Doc: "The records of a producer are keyed by a column, so that all rows of one key are in one partition and stay in order. With `key = row.index` or no key, the row's number is the key: each row goes to any partition, " +
			"and what reads the topic sees the rows of one index, account or device out of order. A topic with one partition keeps the order anyhow.",
		Check: checkKeyOrder,
	},
	{
		ID: "partition-growth", Severity: hcl.DiagWarning, Summary: "Keys move to other partitions",
		Doc: "A topic with keyed records keeps its number of partitions. When it grows, the records of a key that are written from then on may go to another partition than those before, so that their order is lost at that point. " +
			"Let consumers catch up first, or make a new topic. Only `plan` and `apply` know how many partitions there are.",
		Check: checkPartitionGrowth,
	},
	{
		ID: "retention-outage", Severity: hcl.DiagWarning, Summary: "Records end before an outage does",
		Doc:   "A topic that a consumer reads keeps its records longer than the outage one plans for: three days, a long weekend. Records that end before they are read are lost, and the consumer stops rather than skip them.",
		Check: checkRetention,
	},
	{
		ID: "retention-size", Severity: hcl.DiagWarning, Summary: "Records end when there are many",
		Doc: "A topic that a consumer reads has no `retention.bytes`: it deletes the oldest records of a partition by size, however young they are and whether they were read or not, and what is deleted cannot be audited any more. " +
			"Let `retention.ms` alone say how long records live.",
		Check: checkRetentionSize,
	},
	{
		ID: "compaction", Severity: hcl.DiagWarning, Summary: "Compaction drops rows",
		Doc:   "A topic whose every row is to reach the table is not compacted: compaction keeps the last record of each key only, and what the consumer has not read by then is lost.",
		Check: checkCompaction,
	},
	{
		ID: "insync-replicas", Severity: hcl.DiagError, Summary: "Nothing can be written",
		Doc: "A topic's `min.insync.replicas` is no more than its `replication_factor`. Kafka takes such a topic, and then refuses every record that is sent with `acks=all`, as mkt's producers do, with NOT_ENOUGH_REPLICAS. " +
			"It is a warning for a topic that is like that already, and where no cluster is asked, as by `validate`.",
		Check: checkInSyncReplicas,
	},
}

func checkInSyncReplicas(p *Pipeline) (found []Finding) {
	for _, topic := range p.nodes("kafka_topic") {
		value, at, ok := setting(topic, "min.insync.replicas")
		least, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		replicas, known := topic.number("replication_factor")
		if !ok || err != nil || !known || least <= replicas {
			continue
		}
		f := Finding{At: at, Others: []End{topic.End("replication_factor")}, Warning: p.in.Scope == nil,
			Detail: fmt.Sprintf("min.insync.replicas is %d and replication_factor is %d, so every record that a producer sends with acks=all is refused. Lower the one or raise the other.", least, replicas)}
		for _, producer := range p.senders[Ref{Node: topic}.key()] {
			f.Others = append(f.Others, producer.End("topic"))
		}
		if now, exists := p.Facts.Topics[topic.ID()]; exists && now.MinInSync > now.Replicas {
			f.Warning = true
			f.Detail += " The cluster's topic is like that already."
		}
		found = append(found, f)
	}
	return found
}

func checkKeyOrder(p *Pipeline) (found []Finding) {
	for _, producer := range p.Producers {
		key, known := producer.text("key")
		if !known || key != "" && key != rowNumber {
			continue
		}
		at := producer.End()
		how := "It has no key"
		if key == rowNumber {
			at, how = producer.End("key"), "Its key is the row's number"
		}
		if producer.Topic.Node != nil {
			if n, known := producer.Topic.Node.number("partitions"); known && n == 1 {
				continue
			}
		}
		advice := "Choose the column whose rows must stay in order, such as key = row.Index."
		for _, f := range p.headers(producer) {
			for _, column := range f.Header {
				if key == rowNumber && strings.EqualFold(column, key) && column != key {
					advice = fmt.Sprintf("The source has a column %q: key = row.%s, with its own case, keys by that.", column, column)
				}
			}
		}
		found = append(found, Finding{At: at, Others: partitionEnds(producer.Topic),
			Detail: fmt.Sprintf("%s, so the rows go to all partitions in turn and the order of rows that belong together is lost. %s", how, advice)})
	}
	return found
}

func partitionEnds(topic Ref) []End {
	if topic.Node == nil {
		return nil
	}
	return []End{topic.Node.End("partitions")}
}

func checkPartitionGrowth(p *Pipeline) (found []Finding) {
	seen := map[*Node]bool{}
	for _, producer := range p.Producers {
		topic := producer.Topic.Node
		key, known := producer.text("key")
		if topic == nil || seen[topic] || !known || key == "" || key == rowNumber {
			continue
		}
		now, known := p.Facts.Topics[producer.Topic.ID]
		want, known2 := topic.number("partitions")
		if !known || !known2 || int64(now.Partitions) >= want {
			continue
		}
		seen[topic] = true
		found = append(found, Finding{At: topic.End("partitions"), Others: []End{producer.End("key")},
			Detail: fmt.Sprintf("The topic has %d partitions and gets %d, and %s keys its records: those of one key may go to another partition from then on, beside earlier ones that are not read yet. Let the consumers catch up before you apply.", now.Partitions, want, producer.Addr)})
	}
	return found
}

// setting is a topic's setting; ok is false when it is unknown or left to the cluster.
func setting(topic *Node, name string) (value string, at End, ok bool) {
	config, known := topic.textMap("config")
	at = topic.End("config")
	at.Path = at.Path.IndexString(name)
	value, ok = config[name]
	return value, at, known && ok
}

func checkRetention(p *Pipeline) (found []Finding) {
	for topic, reader := range p.read() {
		value, at, ok := setting(topic, "retention.ms")
		ms, err := strconv.ParseInt(value, 10, 64)
		kept := time.Duration(ms) * time.Millisecond
		if !ok || err != nil || ms < 0 || kept >= p.Facts.Outage {
			continue
		}
		found = append(found, Finding{At: at, Others: []End{reader.End("topic")},
			Detail: fmt.Sprintf("The topic keeps records for %s. If %s stands still for longer, as over a long weekend (%s), rows are lost. Keep them longer.", spec.FormatDuration(kept), reader.Addr, spec.FormatDuration(p.Facts.Outage))})
	}
	return sorted(found)
}

func checkRetentionSize(p *Pipeline) (found []Finding) {
	for topic, reader := range p.read() {
		value, at, ok := setting(topic, "retention.bytes")
		n, err := strconv.ParseInt(value, 10, 64)
		if !ok || err != nil || n < 0 {
			continue
		}
		found = append(found, Finding{At: at, Others: []End{reader.End("topic")},
			Detail: fmt.Sprintf("A partition keeps %d bytes, however long that lasts: in a burst, or while %s stands still, rows end before they are read and audited. Leave retention.bytes out.", n, reader.Addr)})
	}
	return sorted(found)
}

func checkCompaction(p *Pipeline) (found []Finding) {
	for topic, reader := range p.read() {
		value, at, ok := setting(topic, "cleanup.policy")
		if !ok || !strings.Contains(value, "compact") {
			continue
		}
		found = append(found, Finding{At: at, Others: []End{reader.End("topic")},
			Detail: fmt.Sprintf("The topic is compacted, so of several records of one key only the last is sure to be read: rows that %s has not read in time are lost. Use cleanup.policy = \"delete\".", reader.Addr)})
	}
	return sorted(found)
}

// read are the stack's topics that a consumer of the stack reads.
func (p *Pipeline) read() map[*Node]*Consumer {
	topics := map[*Node]*Consumer{}
	for _, c := range p.Consumers {
		if n := c.Topic.Node; n != nil && topics[n] == nil {
			topics[n] = c
		}
	}
	return topics
}

func sorted(found []Finding) []Finding {
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.At.Node.Addr.String(), b.At.Node.Addr.String()) })
	return found
}

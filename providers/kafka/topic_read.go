package kafka

import (
	"context"
	"fmt"
	"math"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// topicState is what the brokers say of one topic: value is cty.NilVal and err
// nil when there is none.
type topicState struct {
	value      cty.Value
	id         string
	partitions []int
	err        error
}

// describe asks for topics: one request for all descriptions, and one for the
// settings of all that exist.
func (t *topics) describe(ctx context.Context, names []string) (map[string]topicState, error) {
	if len(names) == 0 {
		return nil, nil
	}
	described, err := ask(ctx, t.cluster, "describe topics", func(ctx context.Context, a *ck.AdminClient) (ck.DescribeTopicsResult, error) {
		return a.DescribeTopics(ctx, ck.NewTopicCollectionOfTopicNames(names), ck.SetAdminRequestTimeout(left(ctx)))
	})
	if err != nil {
		return nil, err
	}
	states := make(map[string]topicState, len(names))
	var found []ck.TopicDescription
	var resources []ck.ConfigResource
	for _, d := range described.TopicDescriptions {
		err := kafkaError(fmt.Sprintf("describe topic %q", d.Name), d.Error)
		switch {
		case providers.Transient(err): // a leader is being elected: ask again
			return nil, err
		case providers.CodeOf(err) == providers.NotFound:
			states[d.Name] = topicState{}
		case err != nil:
			states[d.Name] = topicState{err: err}
		default:
			found = append(found, d)
			resources = append(resources, ck.ConfigResource{Type: ck.ResourceTopic, Name: d.Name})
		}
	}
	if len(found) == 0 {
		return states, nil
	}
	configs, err := ask(ctx, t.cluster, "describe topic settings", func(ctx context.Context, a *ck.AdminClient) ([]ck.ConfigResourceResult, error) {
		return a.DescribeConfigs(ctx, resources, ck.SetAdminRequestTimeout(left(ctx)))
	})
	if err != nil {
		return nil, err
	}
	byName := make(map[string]ck.ConfigResourceResult, len(configs))
	for _, c := range configs {
		byName[c.Name] = c
	}
	arriving := t.arriving(ctx, found)
	for _, d := range found {
		c := byName[d.Name]
		err := kafkaError(fmt.Sprintf("describe the settings of topic %q", d.Name), c.Error)
		switch {
		case providers.Transient(err):
			return nil, err
		case providers.CodeOf(err) == providers.NotFound: // deleted in between
			states[d.Name] = topicState{}
		case err != nil:
			states[d.Name] = topicState{err: err}
		default:
			states[d.Name] = stateOf(d, c, arriving[d.Name])
		}
	}
	return states, nil
}

// stateOf puts a topic's value together. Its replication factor is that of the partition which has the fewest replicas;
// those that are still being copied do not count.
func stateOf(d ck.TopicDescription, c ck.ConfigResourceResult, arriving map[int32]kadm.ListPartitionReassignmentsResponse) topicState {
	s := topicState{}
	if d.TopicID.GetMostSignificantBits() != 0 || d.TopicID.GetLeastSignificantBits() != 0 { // brokers before 2.8 have none
		s.id = d.TopicID.String()
	}
	replicas := math.MaxInt32
	for _, p := range d.Partitions {
		s.partitions = append(s.partitions, p.Partition)
		replicas = min(replicas, len(p.Replicas)-len(arriving[int32(p.Partition)].AddingReplicas))
	}
	config := map[string]cty.Value{}
	for name, entry := range c.Config {
		if entry.Source == ck.ConfigSourceDynamicTopic {
			config[name] = cty.StringVal(normSetting(name, entry.Value))
		}
	}
	settings := cty.MapValEmpty(cty.String)
	if len(config) > 0 {
		settings = cty.MapVal(config)
	}
	s.value = cty.ObjectVal(map[string]cty.Value{
		"name":               cty.StringVal(d.Name),
		"partitions":         cty.NumberIntVal(int64(len(d.Partitions))),
		"replication_factor": cty.NumberIntVal(int64(replicas)),
		"config":             settings,
		"topic_id":           cty.StringVal(s.id),
	})
	return s
}

// records counts the offsets that each topic holds. Markers of transactions and
// records that compaction removed count too, so it is what could be lost at most.
func (t *topics) records(ctx context.Context, names []string) (map[string]int64, error) {
	states, err := t.describe(ctx, names)
	if err != nil {
		return nil, err
	}
	offsets := func(which ck.OffsetSpec) (ck.ListOffsetsResult, error) {
		want := map[ck.TopicPartition]ck.OffsetSpec{}
		for name, s := range states {
			for _, p := range s.partitions {
				want[ck.TopicPartition{Topic: &name, Partition: int32(p)}] = which
			}
		}
		if len(want) == 0 {
			return ck.ListOffsetsResult{}, nil
		}
		return ask(ctx, t.cluster, "list offsets", func(ctx context.Context, a *ck.AdminClient) (ck.ListOffsetsResult, error) {
			return a.ListOffsets(ctx, want, ck.SetAdminRequestTimeout(left(ctx)))
		})
	}
	counts := map[string]int64{}
	for _, end := range []struct {
		which ck.OffsetSpec
		sign  int64
	}{{ck.EarliestOffsetSpec, -1}, {ck.LatestOffsetSpec, 1}} {
		res, err := offsets(end.which)
		if err != nil {
			return nil, err
		}
		for tp, info := range res.ResultInfos {
			if err := kafkaError(fmt.Sprintf("list the offsets of topic %q", *tp.Topic), info.Error); err != nil {
				return nil, err
			}
			counts[*tp.Topic] += end.sign * int64(info.Offset)
		}
	}
	return counts, nil
}

// shows tells whether a topic is what a change makes of it, as far as that was
// known. Settings that the cluster added by itself do not count.
func shows(ch providers.Change, have cty.Value) bool {
	if have == cty.NilVal {
		return false
	}
	for _, name := range []string{"partitions", "replication_factor"} {
		if want := ch.After.GetAttr(name); want.IsKnown() && !want.IsNull() && !want.RawEquals(have.GetAttr(name)) {
			return false
		}
	}
	return showsSettings(ch, settings(have))
}

// showsSettings tells whether a topic's settings are what a change makes of them.
func showsSettings(ch providers.Change, now map[string]string) bool {
	want := settings(ch.After)
	for key, value := range want {
		if now[key] != value {
			return false
		}
	}
	if ch.Before != cty.NilVal {
		for key := range settings(ch.Before) {
			_, kept := want[key]
			if _, there := now[key]; there && !kept {
				return false
			}
		}
	}
	return true
}

// settings returns a topic's config as Go strings.
func settings(v cty.Value) map[string]string {
	out := map[string]string{}
	config := v.GetAttr("config")
	if config.IsNull() || !config.IsKnown() {
		return out
	}
	for key, value := range config.AsValueMap() {
		out[key] = value.AsString()
	}
	return out
}

// number returns a known number, or def.
func number(v cty.Value, def int) int {
	if v.IsNull() || !v.IsKnown() {
		return def
	}
	n, _ := v.AsBigFloat().Int64()
	return int(n)
}

func ids(changes []providers.Change) []string {
	names := make([]string, len(changes))
	for i, ch := range changes {
		names[i] = ch.ID
	}
	return names
}

// topicErrors returns the meaning of each change's result.
func topicErrors(what string, changes []providers.Change, results []ck.TopicResult) []error {
	byName := make(map[string]error, len(results))
	for _, r := range results {
		byName[r.Topic] = kafkaError(fmt.Sprintf("%s %q", what, r.Topic), r.Error)
	}
	errs := make([]error, len(changes))
	for i, ch := range changes {
		errs[i] = byName[ch.ID]
	}
	return errs
}

// oneError is the answer to one item of a request that may have failed as a whole.
func oneError(answers []error, i int, whole error) error {
	if whole != nil {
		return whole
	}
	return answers[i]
}

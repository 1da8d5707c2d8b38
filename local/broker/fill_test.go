package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Java's tools read these answers, and end where something is null or left out that Kafka never leaves out.
func TestAnswersAreWhole(t *testing.T) {
	b := start(t, t.TempDir())
	c := franz(t, b.Addr())
	ctx := within(t, 20*time.Second)
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 3, 1
	retention := "1000"
	topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: &retention}}
	create.Topics, create.TimeoutMillis = append(create.Topics, topic), 10_000
	created, err := create.RequestWith(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	values, sources := map[string]string{}, map[string]int8{}
	for _, c := range created.Topics[0].Configs {
		values[c.Name], sources[c.Name] = *c.Value, c.Source
	}
	const ofTopic, byDefault = 1, 5
	if err := kerr.ErrorForCode(created.Topics[0].ErrorCode); err != nil || len(values) != 33 ||
		values["retention.ms"] != "1000" || sources["retention.ms"] != ofTopic || values["cleanup.policy"] != "delete" || sources["cleanup.policy"] != byDefault {
		t.Errorf("created with %v, of %v: %v", values, sources, err)
	}

	describe := kmsg.NewPtrDescribeConfigsRequest()
	describe.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t"},
		{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t", ConfigNames: []string{"retention.ms"}}}
	described, err := describe.RequestWith(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if all, one := described.Resources[0].Configs, described.Resources[1].Configs; len(all) != 33 || len(one) != 1 {
		t.Errorf("%d configs in all, and %d where one is asked for", len(all), len(one))
	}

	partitions := kmsg.NewPtrDescribeTopicPartitionsRequest()
	partitions.Topics, partitions.ResponsePartitionLimit = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "t"}}, 100
	shown, err := partitions.RequestWith(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(shown.Topics) != 1 || len(shown.Topics[0].Partitions) != 3 {
		t.Fatalf("%+v", shown)
	}
	for _, p := range shown.Topics[0].Partitions {
		if p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil {
			t.Errorf("partition %d: null and not empty", p.Partition)
		}
	}
}

package streamtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/internal/realtest"
)

// Cluster is what a test does to its brokers behind the stream's back.
type Cluster interface {
	CreateTopic(name string, partitions int32, configs map[string]string) error
	DeleteTopic(name string) error
	// DeleteRecords deletes what is before an offset; -1 is the end.
	DeleteRecords(topic string, partition int32, offset int64) error
}

// realCluster is a cluster that was there before the test. One test at a time
// can use it.
type realCluster struct {
	client *kgo.Client
	admin  *kadm.Client
}

const adminTimeout = 2 * time.Minute

// newRealCluster returns the cluster at servers without topics and groups.
func newRealCluster(t testing.TB, servers string) *realCluster {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(servers, ",")...), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c := &realCluster{client, kadm.NewClient(client)}
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	topics, err := c.admin.ListTopics(ctx)
	for err != nil && ctx.Err() == nil { // a broker that the test before has killed may be on its way back
		time.Sleep(200 * time.Millisecond)
		topics, err = c.admin.ListTopics(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range topics.Names() {
		if err := c.DeleteTopic(name); err != nil {
			t.Fatal(err)
		}
	}
	// A member that left by force holds its group until its session ends.
	for {
		groups, err := c.admin.ListGroups(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(groups.Groups()) == 0 {
			return c
		}
		if _, err := c.admin.DeleteGroups(ctx, groups.Groups()...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c *realCluster) CreateTopic(name string, partitions int32, configs map[string]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	settings := map[string]*string{}
	for k, v := range configs {
		settings[k] = &v
	}
	// A topic is gone from what brokers tell before its name is free.
	for {
		_, err := c.admin.CreateTopic(ctx, partitions, -1, settings, name)
		if err == nil {
			return c.shown(ctx, name, int(partitions))
		}
		if !errors.Is(err, kerr.TopicAlreadyExists) || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// shown waits until every broker that answers tells of a topic with so many partitions that have a leader; 0 is none. They
// learn of it from the controller one after the other.
func (c *realCluster) shown(ctx context.Context, name string, partitions int) error {
	brokers, err := c.admin.ListBrokers(ctx)
	if err != nil {
		return err
	}
	ask := kmsg.NewPtrMetadataRequest()
	ask.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
	for _, b := range brokers {
		for {
			resp, err := c.client.Broker(int(b.NodeID)).RetriableRequest(ctx, ask)
			if ctx.Err() != nil {
				return fmt.Errorf("broker %d about topic %q: %w", b.NodeID, name, ctx.Err())
			}
			if err != nil {
				break
			}
			led := 0
			for _, t := range resp.(*kmsg.MetadataResponse).Topics {
				for _, p := range t.Partitions {
					if t.ErrorCode == 0 && p.ErrorCode == 0 {
						led++
					}
				}
			}
			if led == partitions {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

func (c *realCluster) DeleteTopic(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	if _, err := c.admin.DeleteTopic(ctx, name); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return err
	}
	return c.shown(ctx, name, 0)
}

func (c *realCluster) DeleteRecords(topic string, partition int32, offset int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, offset, -1)
	res, err := c.admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return err
	}
	return res.Error()
}

// emptyRegistry deletes every subject for good.
func emptyRegistry(t testing.TB, url string) {
	t.Helper()
	c, err := schemaregistry.NewClient(schemaregistry.NewConfig(url))
	if err != nil {
		t.Fatal(err)
	}
	subjects, err := c.GetAllSubjects()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range subjects {
		for _, permanent := range []bool{false, true} {
			if _, err := c.DeleteSubject(name, permanent); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var containers atomic.Int64

// realContainer is the URL of a container that is nobody else's.
func realContainer(services string) string {
	blobs, _, _ := strings.Cut(services, ",")
	return fmt.Sprintf("%s/mktlocal/market-data-%d-%d", blobs, os.Getpid(), containers.Add(1))
}

// keyOf is the key of the account in a container's URL.
func keyOf(account string) string {
	if account == embeddedAccount {
		return accountKey
	}
	return os.Getenv(realtest.AzuriteKey)
}

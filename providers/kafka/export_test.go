package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Assign is assign; the brokers are 0, 1, … with a rack each.
func Assign(leader int32, replicas, inSync []int32, factor int, racks []string, load map[int32]int) []int32 {
	var brokers []replicaBroker
	for i, rack := range racks {
		brokers = append(brokers, replicaBroker{id: int32(i), rack: rack})
	}
	return assign(replicaSet{leader: leader, replicas: replicas, inSync: inSync}, factor, brokers, load)
}

// SetReassignFor bounds the wait for replicas during a test.
func SetReassignFor(t *testing.T, d time.Duration) {
	before := reassignFor
	reassignFor = d
	t.Cleanup(func() { reassignFor = before })
}

// RegistryConfig is registryConfig.
func (c Connection) RegistryConfig() *schemaregistry.Config { return c.registryConfig() }

// PingSecond signs in with the second client and counts the brokers.
func PingSecond(ctx context.Context, conn Connection) (int, error) {
	s := &second{conn: conn}
	defer s.close()
	return askSecond(ctx, s, "ping", func(ctx context.Context, a *kadm.Client) (int, error) {
		brokers, err := a.ListBrokers(ctx)
		return len(brokers), err
	})
}

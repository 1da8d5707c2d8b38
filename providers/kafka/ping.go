package kafka

import (
	"context"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
)

const pingWait = 500 * time.Millisecond

// Ping signs in to the cluster and counts what it has.
func (c Connection) Ping(ctx context.Context) (brokers, topics int, err error) {
	cl := newCluster(c)
	defer cl.close()
	m, err := ask(ctx, cl, "ask for the cluster's metadata", func(ctx context.Context, admin *ck.AdminClient) (*ck.Metadata, error) {
		for { // it takes no context: many short waits end with ctx
			m, err := admin.GetMetadata(nil, true, int(min(left(ctx), pingWait).Milliseconds()))
			if err == nil || ctx.Err() != nil {
				return m, err
			}
		}
	})
	if err != nil {
		return 0, 0, err
	}
	return len(m.Brokers), len(m.Topics), nil
}

// PingRegistry signs in to the schema registry and counts its subjects.
func (c Connection) PingRegistry(ctx context.Context) (subjects int, err error) {
	r, err := newRegistryClient(c)
	if err != nil {
		return 0, err
	}
	defer r.close()
	names, err := registryAsk(ctx, r, "list the subjects", func(client schemaregistry.Client) ([]string, error) {
		return client.GetAllSubjects()
	})
	return len(names), err
}

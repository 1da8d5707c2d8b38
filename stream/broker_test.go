package stream

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/local/broker"
	"mkt/stream/streamtest"
)

// The embedded broker, with a password, on disk, restarted under way.
func TestBrokerRestart(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	cfg := broker.Config{Dir: filepath.Join(s.Dir, "kafka"), User: "mkt", Password: "secret"}
	b, err := broker.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Addr = b.Addr()
	s.Props = map[string]string{"bootstrap.servers": b.Addr(), "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
		"sasl.username": "mkt", "sasl.password": "secret"}
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	res, err := admin.CreateTopics(context.Background(), []kafka.TopicSpecification{{Topic: "prices", NumPartitions: 3, ReplicationFactor: 3}})
	if err != nil || res[0].Error.Code() != kafka.ErrNoError {
		t.Fatal(err, res)
	}
	const n = 30_000
	stream := s.config(streamtest.Generate(t, s.Dir, n, nil))
	stream.Producers[0].Rate = 10_000
	stream.Consumers[0].Roll = Roll{Rows: 1000, Every: 300 * time.Millisecond}
	restarted := make(chan error, 1)
	time.AfterFunc(1500*time.Millisecond, func() {
		err := b.Close()
		if err == nil {
			b, err = broker.Start(context.Background(), cfg)
		}
		restarted <- err
	})
	rep := s.run(stream)
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	t.Logf("%+v", rep)
	exactlyOnce(t, "topic", s.topicRows("prices"), n)
	exactlyOnce(t, "files", s.fileRows(), n)
}

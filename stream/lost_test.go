package stream

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/internal/realtest"
	"mkt/stream/streamtest"
)

// One of three brokers, or the only one, dies under way and comes back.
func TestBrokerLost(t *testing.T) {
	t.Parallel()
	if realtest.At(t, realtest.Kafka) == "" {
		t.Skip("the embedded broker is one process; TestBrokerRestart restarts it")
	}
	s := newStack(t, 6)
	const n = 60_000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Producers[0].Rate = 15_000
	cfg.Consumers[0].Roll = Roll{Rows: 1500, Every: 300 * time.Millisecond}
	killed := make(chan error, 1)
	time.AfterFunc(1500*time.Millisecond, func() {
		files := strings.Split(os.Getenv(realtest.KafkaPIDs), ",")
		file := files[len(files)/2]
		text, err := os.ReadFile(file)
		if err != nil {
			killed <- err
			return
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		killed <- err
	})
	rep := s.run(cfg)
	t.Logf("%+v", rep)
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	exactlyOnce(t, "topic", s.topicRows("prices"), n)
	exactlyOnce(t, "files", s.fileRows(), n)
	s.awaitReplicas()
}

// awaitReplicas waits until every replica of the topic is in sync again.
func (s *stack) awaitReplicas() {
	s.t.Helper()
	admin, err := NewAdmin(s.Props)
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		res, err := admin.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames([]string{"prices"}))
		inSync := err == nil
		if inSync {
			for _, p := range res.TopicDescriptions[0].Partitions {
				inSync = inSync && len(p.Isr) == len(p.Replicas)
			}
		}
		if inSync {
			return
		}
		if ctx.Err() != nil {
			s.t.Fatal("the broker did not come back")
		}
		time.Sleep(200 * time.Millisecond)
	}
}

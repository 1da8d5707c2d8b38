package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"golang.org/x/sync/errgroup"
)

// fewOffsets may be control records of transactions alone: it is looked.
const fewOffsets = 100

// Lag is how many records wait for a consumer in each partition of its topic,
// whoever runs it, going by what its group has committed. Offsets of control
// records count, unless they are all that waits.
func Lag(ctx context.Context, props map[string]string, admin *kafka.AdminClient, c Consumer) ([]PartitionLag, error) {
	t, err := DescribeTopic(ctx, admin, c.Topic)
	if err != nil {
		return nil, err
	}
	bounds, err := TopicOffsets(ctx, admin, t)
	if err != nil {
		return nil, err
	}
	at, err := GroupOffsets(ctx, admin, c.Group, t)
	if err != nil {
		return nil, err
	}
	var out []PartitionLag
	var mu sync.Mutex
	var few errgroup.Group
	few.SetLimit(4)
	for _, id := range t.Partitions {
		from, end := max(at[id], bounds.Start[id]), bounds.Committed[id]
		few.Go(func() error {
			lag := max(end-from, 0)
			if lag > 0 && lag <= fewOffsets {
				if some, err := anyRecord(ctx, props, t.Name, id, span{from, end}); err != nil {
					return err
				} else if !some {
					lag = 0
				}
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, PartitionLag{id, lag})
			return nil
		})
	}
	err = few.Wait()
	slices.SortFunc(out, func(a, b PartitionLag) int { return cmp.Compare(a.Partition, b.Partition) })
	return out, err
}

// GroupOffsets is what a group has committed of a topic's partitions, for this
// incarnation of the topic: each commit of a consumer carries the topic's id.
func GroupOffsets(ctx context.Context, admin *kafka.AdminClient, group string, t Topic) (map[int32]int64, error) {
	asked := kafka.ConsumerGroupTopicPartitions{Group: group}
	for _, id := range t.Partitions {
		asked.Partitions = append(asked.Partitions, kafka.TopicPartition{Topic: &t.Name, Partition: id})
	}
	res, err := retry(ctx, answerLimit, func(ctx context.Context) (kafka.ListConsumerGroupOffsetsResult, error) {
		return admin.ListConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{asked})
	})
	var ke kafka.Error
	if errors.As(err, &ke) && ke.Code() == kafka.ErrGroupIDNotFound { // a group that nobody has joined yet
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("read committed offsets of group %q: %w", group, err)
	}
	at := map[int32]int64{}
	for _, group := range res.ConsumerGroupsTopicPartitions {
		for _, p := range group.Partitions {
			var text string
			if p.Metadata != nil {
				text = *p.Metadata
			}
			if _, ok := readNote(text, t.ID, By{}); ok && p.Offset >= 0 && p.Error == nil {
				at[p.Partition] = int64(p.Offset)
			}
		}
	}
	return at, nil
}

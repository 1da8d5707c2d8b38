package model

import "testing"

// producerCases are the instances in which every invariant must hold.
var producerCases = []struct {
	name string
	c    ProducerCase
}{
	{"crashes and lost answers", ProducerCase{Faults: 6}},
	{"zombies", ProducerCase{Faults: 4, Zombie: true}},
	{"partitions are added", ProducerCase{Faults: 3, Zombie: true, Grow: true}},
	{"the topic is re-created", ProducerCase{Faults: 3, Zombie: true, Recreate: true}},
	{"retention", ProducerCase{Faults: 4, Grow: true, Truncate: true}},
	{"all of it", ProducerCase{Faults: 3, Zombie: true, Grow: true, Recreate: true, Truncate: true}},
}

func TestProducer(t *testing.T) {
	for _, tt := range producerCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			holds(t, CheckProducer(tt.c, 1<<20))
		})
	}
}

// producerVariants are what the protocol does not do, each with what breaks.
var producerVariants = []struct {
	name string
	c    ProducerCase
	want string
}{
	{"send without a transactional id", ProducerCase{Faults: 1, Zombie: true, Rules: ProducerRules{NoFencing: true}}, RowOnce},
	{"send without idempotence", ProducerCase{Faults: 1, Rules: ProducerRules{NoIdempotence: true}}, RowOnce},
	{"find the resume point, then fence", ProducerCase{Faults: 1, Zombie: true, Rules: ProducerRules{ScanFirst: true}}, RowOnce},
	{"count records of open transactions", ProducerCase{Faults: 3, Zombie: true, Rules: ProducerRules{ReadUncommitted: true, ScanFirst: true}}, Prefix},
	{"resume each partition behind its last row", ProducerCase{Faults: 2, Grow: true, Rules: ProducerRules{LastKey: true}}, RowOnce},
	{"leave the topic's id out of dead letters", ProducerCase{Faults: 1, Recreate: true, Rules: ProducerRules{NoTopicID: true}}, Prefix},
	{"commit whatever became of the topic", ProducerCase{Faults: 1, Recreate: true, Rules: ProducerRules{NoTopicCheck: true}}, Prefix},
	{"trust a topic that has lost records", ProducerCase{Faults: 3, Grow: true, Truncate: true, Rules: ProducerRules{CutTopicOnly: true}}, RowOnce},
}

func TestProducerVariants(t *testing.T) {
	for _, tt := range producerVariants {
		t.Run(tt.name, func(t *testing.T) { breaks(t, CheckProducer(tt.c, 1<<20), tt.want) })
	}
}

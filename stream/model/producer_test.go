package model

import (
	"fmt"
	"testing"
)

// producerCases are the instances that must hold.
var producerCases = []struct {
	name  string
	c     ProducerCase
	limit int
}{
	{"crashes and lost answers", ProducerCase{Faults: 4}, 1 << 20},
	{"zombies", ProducerCase{Faults: 4, Zombie: true}, 1 << 20},
	{"partitions are added", ProducerCase{Faults: 3, Zombie: true, Grow: true}, 1 << 20},
	{"the topic is re-created", ProducerCase{Faults: 3, Zombie: true, Recreate: true}, 1 << 20},
	{"retention", ProducerCase{Faults: 3, Grow: true, Truncate: true}, 1 << 20},
	{"everything", ProducerCase{Faults: 3, Zombie: true, Grow: true, Recreate: true, Truncate: true}, 1 << 20},
}

func TestProducer(t *testing.T) {
	for _, tt := range producerCases {
		t.Run(tt.name, func(t *testing.T) {
			res := CheckProducer(tt.c, tt.limit)
			fmt.Println(res)
			if res.Violated != "" || res.Complete == 0 {
				t.Error(res)
			}
		})
	}
}

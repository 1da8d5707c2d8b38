package broker

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// epochs refuses what a process produces that is not the newest of its transactional id, as Kafka's brokers do: with
// INVALID_PRODUCER_EPOCH and without any other effect. kfake opens a transaction for the newest process before it looks at
// the epoch (a client that leaves that to the first record, KIP-890): one that nobody ends, and that is told to the old
// process as its successor's. All of it runs in kfake's one goroutine.
type epochs map[int64]int16 // the newest that was heard of, by producer id

// Where a record batch says who sent it (Apache Kafka documentation, Message Format, Record Batch).
const (
	batchProducer = 43
	batchEpoch    = 51
)

// watch puts e in front of kfake's handler of records.
func (e epochs) watch(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		produce := req.(*kmsg.ProduceRequest)
		if produce.TransactionID == nil || !e.old(produce) {
			return nil, nil, false
		}
		res := produce.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range produce.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, kerr.InvalidProducerEpoch.Code
				topic.Partitions = append(topic.Partitions, partition)
			}
			res.Topics = append(res.Topics, topic)
		}
		return res, nil, true
	})
}

// old says whether the records are of an epoch before the newest, and notes theirs if it is the newest. The records of one
// request are of one process.
func (e epochs) old(req *kmsg.ProduceRequest) bool {
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if len(p.Records) < batchEpoch+2 {
				continue // kfake says what is wrong with it
			}
			id := int64(binary.BigEndian.Uint64(p.Records[batchProducer:]))
			epoch := int16(binary.BigEndian.Uint16(p.Records[batchEpoch:]))
			newest, heard := e[id]
			if heard && epoch < newest {
				return true
			}
			e[id] = epoch
		}
	}
	return false
}

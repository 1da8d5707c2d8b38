package broker

import (
	"math"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leastShare is what a partition may have of an answer however many they are, in bytes.
const leastShare = 32 << 10

// WholeFetches lets no answer to a Fetch be cut by the bytes of the whole of it: kfake then leaves out which transactions of the
// partition at hand were aborted, and a reader of committed records takes theirs for committed. Each partition's limit is its share instead.
func WholeFetches(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		fetch, n := req.(*kmsg.FetchRequest), 0
		for _, topic := range fetch.Topics {
			n += len(topic.Partitions)
		}
		for _, topic := range fetch.Topics {
			for i := range topic.Partitions {
				most := &topic.Partitions[i].PartitionMaxBytes
				*most = min(*most, max(fetch.MaxBytes/int32(n), leastShare))
			}
		}
		fetch.MaxBytes = math.MaxInt32
		return nil, nil, false
	})
}

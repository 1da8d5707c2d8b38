package broker

import (
	"math"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// WholeFetches lets no answer to a Fetch be cut by the bytes of the whole of it: kfake then leaves out which transactions of the
// partition at hand were aborted, and a reader of committed records takes theirs for committed. Each partition's own limit holds.
func WholeFetches(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req.(*kmsg.FetchRequest).MaxBytes = math.MaxInt32
		return nil, nil, false
	})
}

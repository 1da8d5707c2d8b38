package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/google/renameio/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commitsFile holds the commits that were begun, by producer id.
const commitsFile = "commits.json"

// commits remembers which transactions a client has asked to commit. kfake commits by writing a marker to one partition
// after the other: a process that is killed in between leaves a transaction that is committed in some partitions and open
// in others. Kafka's coordinator writes the decision down first and carries it out after a crash (KIP-98, "PrepareCommit");
// so does this. All of it runs in kfake's one goroutine.
type commits struct {
	path  string
	begun map[int64]int16 // the epoch of each producer's commit that may be unfinished

	written atomic.Pointer[func()] // for tests: called when a commit is on disk and nothing of it is done
}

// loadCommits reads what a process before this one left.
func loadCommits(dir string) (*commits, error) {
	c := &commits{path: filepath.Join(dir, commitsFile), begun: map[int64]int16{}}
	text, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &c.begun)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", commitsFile, err)
	}
	return c, nil
}

func (c *commits) save() error {
	text, err := json.Marshal(c.begun)
	if err == nil {
		err = renameio.WriteFile(c.path, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write down a commit: %w", err)
	}
	return nil
}

// begin writes down that a producer's transaction is to be committed.
func (c *commits) begin(producer int64, epoch int16) error {
	c.begun[producer] = epoch
	if err := c.save(); err != nil {
		return err
	}
	if fn := c.written.Load(); fn != nil {
		(*fn)()
	}
	return nil
}

// over forgets a producer's commit. Its next transaction begins with partitions, an id or, where the client leaves that to
// the first record (KIP-890), with an epoch of its own.
func (c *commits) over(producer int64) error {
	if _, ok := c.begun[producer]; !ok {
		return nil
	}
	delete(c.begun, producer)
	return c.save()
}

// watch puts c in front of kfake's handlers of transactions.
func (c *commits) watch(cluster *kfake.Cluster) {
	before := func(key kmsg.Key, fn func(kmsg.Request) error) {
		cluster.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			err := fn(req)
			return nil, err, err != nil // an error closes the connection; the client asks again
		})
	}
	before(kmsg.EndTxn, func(req kmsg.Request) error {
		end := req.(*kmsg.EndTxnRequest)
		if end.Commit {
			return c.begin(end.ProducerID, end.ProducerEpoch)
		}
		return c.over(end.ProducerID)
	})
	before(kmsg.AddPartitionsToTxn, func(req kmsg.Request) error {
		return c.over(req.(*kmsg.AddPartitionsToTxnRequest).ProducerID) // only brokers send those of several producers
	})
	before(kmsg.InitProducerID, func(req kmsg.Request) error {
		return c.over(req.(*kmsg.InitProducerIDRequest).ProducerID)
	})
}

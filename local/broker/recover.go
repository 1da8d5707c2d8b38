package broker

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// runFile is in the data directory while a process serves it, and after one that was killed.
const runFile = "running"

// recoverLimit bounds the writing of the markers.
const recoverLimit = 30 * time.Second

// recoverData marks the directory as served. After a process that was killed it first ends the transactions that were
// open: those that a client had asked to commit are committed, the others aborted. kfake takes all of them for aborted when
// it loads the logs, but writes no marker of that. Readers would skip what the same producer commits later, and after
// another kill the aborted records would come back with it.
//
// The markers are written through a cluster that nobody else can know, so that no producer is at work meanwhile.
//
// It returns the epochs of transactional producers, by their ids, as they are after this.
func recoverData(ctx context.Context, dir, data string, begun *commits) (epochs, error) {
	path := filepath.Join(dir, runFile)
	known := epochs{}
	if _, err := os.Stat(path); err == nil {
		ctx, cancel := context.WithTimeout(ctx, recoverLimit)
		defer cancel()
		if known, err = endOpen(ctx, data, begun); err != nil {
			return nil, err
		}
		if err := forgetSnapshots(data); err != nil {
			return nil, err
		}
	}
	return known, os.WriteFile(path, nil, 0o600)
}

// endOpen writes a marker of each transactional producer to each partition that holds records.
func endOpen(ctx context.Context, data string, begun *commits) (epochs, error) {
	cluster, err := kfake.NewCluster(kfake.DataDir(data), kfake.ClusterID(clusterID), kfake.NumBrokers(brokers), kfake.WithLogger(logger{}))
	if err != nil {
		return nil, err
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	producers, err := admin.DescribeTransactions(ctx)
	known := epochs{}
	if err != nil || len(producers) == 0 {
		return known, err
	}
	for _, p := range producers {
		known[p.ProducerID] = p.ProducerEpoch
	}
	ends, err := admin.ListEndOffsets(ctx)
	if err != nil {
		return nil, err
	}
	written := kadm.TopicsSet{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			written.Add(o.Topic, o.Partition)
		}
	})
	if len(written) == 0 {
		return known, nil
	}
	var markers []kadm.TxnMarkers
	for _, p := range producers {
		// kfake gives the producer of an open transaction the next epoch when it loads the logs. A commit that was begun two
		// epochs ago is over, and it is the transaction after it that was open.
		epoch, commit := begun.begun[p.ProducerID]
		commit = commit && p.ProducerEpoch-epoch <= 1
		markers = append(markers, kadm.TxnMarkers{
			ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, Commit: commit, Topics: written,
		})
	}
	answers, err := admin.WriteTxnMarkers(ctx, markers...)
	if err != nil {
		return nil, err
	}
	for _, producer := range answers {
		for _, topic := range producer.Topics {
			for _, partition := range topic.Partitions {
				if partition.Err != nil {
					return nil, partition.Err
				}
			}
		}
	}
	return known, nil
}

// forgetSnapshots makes kfake read the logs again: what it wrote down when it closed still holds that every open
// transaction was aborted.
func forgetSnapshots(data string) error {
	return filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && entry.Name() == "snapshot.json":
			return os.Remove(path)
		}
		return err
	})
}

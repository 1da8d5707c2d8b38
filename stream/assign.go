package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/engine"
)

// assigned takes over partitions.
func (c *consumer) assigned(ctx context.Context, ids []int32) error {
	starts, committed, err := c.positions(ctx, ids)
	if err != nil {
		return fmt.Errorf("find where to go on in topic %q: %w", c.cfg.Topic, err)
	}
	for id, at := range starts {
		c.epoch++
		// A start that is not committed is: other members, and whoever comes
		// next, then know it.
		commits := int64(-1)
		if was, ok := committed[id]; ok {
			commits = was
		}
		c.parts[id] = &partition{id: id, epoch: c.epoch, start: at, next: at, commit: at, commits: commits}
	}
	c.paused = false // a new partition is not
	if err := c.client.Assign(starts); err != nil {
		return fmt.Errorf("take over partitions of topic %q: %w", c.cfg.Topic, err)
	}
	return nil
}

// revoked gives partitions up: what is buffered of them is dropped, the next
// owner reads it again from the last commit. An upload that is on its way may
// still land; the next owner then adopts it.
func (c *consumer) revoked(ids []int32) error {
	for _, id := range ids {
		delete(c.parts, id)
	}
	if err := c.client.Unassign(ids); err != nil {
		return fmt.Errorf("give up partitions of topic %q: %w", c.cfg.Topic, err)
	}
	return nil
}

// committed is the group's committed offset of each partition that has one
// for this incarnation of the topic. Each commit carries the topic's id: the
// offsets of a topic that is gone say nothing about its successor.
func (c *consumer) committed(ids []int32) (map[int32]int64, error) {
	got, err := c.client.Committed(ids, answerLimit)
	if err != nil {
		return nil, fmt.Errorf("read committed offsets of group %q: %w", c.cfg.Group, err)
	}
	out := map[int32]int64{}
	for _, at := range got {
		if at.Offset >= 0 && (at.Meta == "" || at.Meta == c.topic.ID) {
			out[at.Partition] = at.Offset
		}
	}
	return out, nil
}

// positions finds where each partition's chain goes on: behind the files that
// follow the committed offset; without one behind the last file of the
// partition; without files at the start of the log, or at its end for a new
// group that wants the latest. It returns what is committed beside it.
func (c *consumer) positions(ctx context.Context, ids []int32) (out, committed map[int32]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.UploadTimeout)
	defer cancel()
	committed, err = retry(ctx, answerLimit, func(context.Context) (map[int32]int64, error) { return c.committed(ids) })
	if err != nil {
		return nil, nil, err
	}
	out = map[int32]int64{}
	for id, at := range committed {
		if out[id], err = c.follow(ctx, id, at); err != nil {
			return nil, nil, err
		}
	}
	if len(out) == len(ids) {
		return out, committed, nil
	}
	topic := c.topic
	topic.Partitions = ids
	bounds, err := TopicOffsets(ctx, c.run.admin, topic)
	if err != nil {
		return nil, nil, err
	}
	latest := false
	if c.cfg.From == "latest" && len(out) == 0 {
		// A partition that the topic gained later is read from its start.
		all, err := retry(ctx, answerLimit, func(context.Context) (map[int32]int64, error) { return c.committed(c.topic.Partitions) })
		if err != nil {
			return nil, nil, err
		}
		latest = len(all) == 0
	}
	var first []engine.Position
	for _, id := range ids {
		if _, ok := out[id]; ok {
			continue
		}
		at, found, err := c.chainEnd(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if !found {
			at = bounds.Start[id]
			if latest {
				at = bounds.Committed[id]
			}
		}
		out[id] = at
		first = append(first, engine.Position{Partition: id, Offset: at, Meta: c.topic.ID})
	}
	if latest {
		// Without this a crash before the first file would move the start.
		_, err := retry(ctx, answerLimit, func(ctx context.Context) ([]engine.Position, error) { return c.client.Commit(ctx, first) })
		if err != nil && !lostOwnership(err) {
			return nil, nil, fmt.Errorf("commit where group %q starts: %w", c.cfg.Group, err)
		}
	}
	return out, committed, nil
}

// chainEnd is where the files of a partition end. The last file may lack its
// dead letters, if its writer died between the two: then the file itself is
// the place to go on, and it will be adopted.
func (c *consumer) chainEnd(ctx context.Context, id int32) (int64, bool, error) {
	files, err := ListFiles(ctx, c.blobs, c.cfg.Prefix, c.topic, id)
	if err != nil || len(files) == 0 {
		return 0, false, err
	}
	last := files[0]
	for _, f := range files[1:] {
		if f.Start >= last.Start {
			last = f
		}
	}
	if whole, err := c.lettersOf(ctx, last); err != nil || whole {
		return last.End, true, err
	}
	if !c.named(last) {
		return 0, false, c.unfinished(last)
	}
	return last.Start, true, nil
}

// follow goes on from a committed offset along the files that are there, of
// whatever format or compression: a file of another format has a name that
// creating ours would not find. It stops at a file whose dead letters are
// missing: that will be adopted.
func (c *consumer) follow(ctx context.Context, id int32, at int64) (int64, error) {
	var inDirs map[int64]File // by their start, nil before they are asked for
	for {
		files, err := listFiles(ctx, c.blobs, c.cfg.Prefix+c.topic.Name+"/", filePath(c.cfg.Prefix, c.topic, id, at))
		if err != nil {
			return at, err
		}
		if len(files) == 0 && inDirs == nil {
			if inDirs, err = c.inDirectories(ctx, id); err != nil {
				return at, err
			}
		}
		f, found := inDirs[at]
		if len(files) > 0 {
			f, found = files[0], true
		}
		if !found {
			return at, nil
		}
		whole, err := c.lettersOf(ctx, f)
		switch {
		case err != nil:
			return at, err
		case !whole && c.named(f):
			return at, nil
		case !whole:
			return at, c.unfinished(f)
		case f.End <= at:
			return at, fmt.Errorf("%s: its metadata says that it ends at %d, before it starts", f.Name, f.End)
		}
		at = f.End
		c.counts.adopted.Add(1)
	}
}

// inDirectories is the files of a partition that are in directories, by their
// start. In which one a file is would only its first record tell.
func (c *consumer) inDirectories(ctx context.Context, id int32) (map[int64]File, error) {
	files, err := listFiles(ctx, c.blobs, c.cfg.Prefix+c.topic.Name+"/", PartitionPrefix(c.cfg.Prefix, c.topic, id)+byDirectory)
	out := map[int64]File{}
	for _, f := range files {
		out[f.Start] = f
	}
	return out, err
}

// named says whether a file has the name that this consumer would give it.
func (c *consumer) named(f File) bool {
	if f.By != c.cfg.By.text() {
		return false
	}
	dir := strings.TrimPrefix(strings.TrimPrefix(f.Name, PartitionPrefix(c.cfg.Prefix, c.topic, f.Partition)), byDirectory)
	dir = dir[:strings.LastIndexByte(dir, '/')+1]
	return f.Name == c.cfg.fileName(c.topic, f.Partition, dir, f.Start)
}

// lettersOf says whether a file has its dead letters beside it, whatever their
// compression.
func (c *consumer) lettersOf(ctx context.Context, f File) (bool, error) {
	if f.Dead == 0 {
		return true, nil
	}
	letters, err := listFiles(ctx, c.blobs, c.cfg.DeadLetterPrefix+c.topic.Name+"/", filePath(c.cfg.DeadLetterPrefix, c.topic, f.Partition, f.Start))
	return len(letters) > 0, err
}

func (c *consumer) unfinished(f File) error {
	return fmt.Errorf("%s was written by a consumer of another format, compression or partition_by that ended before it wrote its dead letters;"+
		" run once as it was before, then change the format", f.Name)
}

// commitAll commits the chain ends that are new. A commit that a rebalance
// refuses is tried again while the partition is still owned.
func (c *consumer) commitAll() error {
	var ends []engine.Position
	for id, p := range c.parts {
		if p.commit > p.commits {
			ends = append(ends, engine.Position{Partition: id, Offset: p.commit, Meta: c.topic.ID})
		}
	}
	if len(ends) == 0 {
		return nil
	}
	start := time.Now()
	done, err := c.commit(ends)
	c.run.took(Step{Kind: StepCommit, Name: c.cfg.Name, Topic: c.cfg.Topic, Start: start, Err: err})
	if err != nil {
		if lostOwnership(err) || transient(err) || c.run.aborted() {
			return nil
		}
		return fmt.Errorf("commit offsets of group %q: %w", c.cfg.Group, err)
	}
	for _, at := range done {
		if p := c.parts[at.Partition]; p != nil {
			p.commits = max(p.commits, at.Offset)
		}
	}
	return nil
}

// commit waits for the broker's answer, whatever becomes of the run: only an
// abort ends that early.
func (c *consumer) commit(ends []engine.Position) (done []engine.Position, err error) {
	err = c.run.untilAbort(answerLimit, func(ctx context.Context) (err error) {
		done, err = c.client.Commit(ctx, ends)
		return err
	})
	return done, err
}

// lostOwnership says whether a commit failed since the group is changing.
func lostOwnership(err error) bool {
	var ke kafka.Error
	if !errors.As(err, &ke) {
		return false
	}
	switch ke.Code() {
	case kafka.ErrIllegalGeneration, kafka.ErrUnknownMemberID, kafka.ErrRebalanceInProgress, kafka.ErrAssignmentLost,
		kafka.ErrFencedMemberEpoch, kafka.ErrStaleMemberEpoch:
		return true
	}
	return false
}

// rewind drops what is buffered of a partition and reads on from an offset.
func (c *consumer) rewind(p *partition, at int64) error {
	c.epoch++
	*p = partition{id: p.id, epoch: c.epoch, start: at, next: at, commit: p.commit, commits: p.commits}
	if err := c.client.Seek(p.id, at); err != nil {
		return fmt.Errorf("go back to offset %d of topic %q, partition %d: %w", at, c.cfg.Topic, p.id, err)
	}
	return nil
}

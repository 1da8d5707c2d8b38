package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
	offsets := map[int32]int64{}
	for id, at := range starts {
		c.epoch++
		// A start that is not committed is: other members, and whoever comes
		// next, then know it.
		p := &partition{id: id, epoch: c.epoch, start: at.offset, next: at.offset, forced: at.end, commit: at.offset, commits: -1}
		if was, ok := committed[id]; ok {
			p.commits, p.told = was.offset, was.end
		}
		c.parts[id], offsets[id] = p, at.offset
	}
	c.paused = false // a new partition is not
	if err := c.client.Assign(offsets); err != nil {
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

// place is where the chain of a partition goes on. end is where the file that
// starts there has to end, 0 for anywhere: somebody may have written it.
type place struct{ offset, end int64 }

// committed is what the group has committed of each partition, if that is of
// this incarnation of the topic.
func (c *consumer) committed(ids []int32) (map[int32]place, error) {
	got, err := c.client.Committed(ids, answerLimit)
	if err != nil {
		return nil, fmt.Errorf("read committed offsets of group %q: %w", c.cfg.Group, err)
	}
	out := map[int32]place{}
	for _, at := range got {
		if end, ok := readNote(at.Meta, c.topic.ID, c.cfg.By); ok && at.Offset >= 0 {
			out[at.Partition] = place{at.Offset, end}
		}
	}
	return out, nil
}

// positions finds where each partition's chain goes on: behind the files that
// follow the committed offset; without one behind the last file of the
// partition; without files at the start of the log, or at its end for a new
// group that wants the latest. It returns what is committed beside it.
func (c *consumer) positions(ctx context.Context, ids []int32) (out, committed map[int32]place, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.UploadTimeout)
	defer cancel()
	committed, err = retry(ctx, answerLimit, func(context.Context) (map[int32]place, error) { return c.committed(ids) })
	if err != nil {
		return nil, nil, err
	}
	out = map[int32]place{}
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
		all, err := retry(ctx, answerLimit, func(context.Context) (map[int32]place, error) { return c.committed(c.topic.Partitions) })
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
			at.offset = bounds.Start[id]
			if latest {
				at.offset = bounds.Committed[id]
			}
		}
		out[id] = at
		first = append(first, engine.Position{Partition: id, Offset: at.offset, Meta: note(c.topic.ID, c.cfg.By, at.end)})
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
func (c *consumer) chainEnd(ctx context.Context, id int32) (place, bool, error) {
	files, err := ListFiles(ctx, c.blobs, c.cfg.Prefix, c.topic, id)
	if err != nil || len(files) == 0 {
		return place{}, false, err
	}
	last := files[0]
	for _, f := range files[1:] {
		if f.Start >= last.Start {
			last = f
		}
	}
	if whole, err := c.lettersOf(ctx, last); err != nil || whole {
		return place{offset: last.End}, true, err
	}
	if !c.named(last) {
		return place{}, false, c.unfinished(last)
	}
	return place{last.Start, last.End}, true, nil
}

// follow goes on from a committed offset along the files that are there, of
// whatever format or compression: a file of another format has a name that
// creating ours would not find. It stops at a file whose dead letters are
// missing: that will be adopted. Where there is none at the committed offset, it
// has to end where the group was told: it may have been loaded and removed.
func (c *consumer) follow(ctx context.Context, id int32, from place) (place, error) {
	at, told := from.offset, from.end
	var inDirs map[int64]File // by their start, nil before they are asked for
	for {
		files, err := listFiles(ctx, c.blobs, c.cfg.Prefix+c.topic.Name+"/", filePath(c.cfg.Prefix, c.topic, id, at))
		if err != nil {
			return place{}, err
		}
		if len(files) == 0 && inDirs == nil {
			if inDirs, err = c.inDirectories(ctx, id); err != nil {
				return place{}, err
			}
		}
		f, found := inDirs[at]
		if len(files) > 0 {
			f, found = files[0], true
		}
		if !found {
			return place{at, told}, nil
		}
		whole, err := c.lettersOf(ctx, f)
		switch {
		case err != nil:
			return place{}, err
		case !whole && c.named(f):
			return place{at, f.End}, nil
		case !whole:
			return place{}, c.unfinished(f)
		case f.End <= at:
			return place{}, fmt.Errorf("%s: its metadata says that it ends at %d, before it starts", f.Name, f.End)
		}
		at, told = f.End, 0
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

// note is the text that is committed with an offset: the topic's id, since the
// offsets of a topic that is gone say nothing about its successor, and where the
// file that starts there will end, if somebody is about to write it. A successor
// with other directories would name that file otherwise.
func note(topicID string, by By, end int64) string {
	if end == 0 {
		return topicID
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d %s", topicID, end, by.text()))
}

// readNote says whether an offset was committed for this incarnation of the
// topic, and where the file that starts there has to end, 0 for anywhere.
func readNote(text, topicID string, by By) (end int64, ok bool) {
	id, rest, _ := strings.Cut(text, " ")
	if id != "" && id != topicID {
		return 0, false
	}
	number, directories, _ := strings.Cut(rest, " ")
	if end, err := strconv.ParseInt(number, 10, 64); err == nil && directories == by.text() {
		return end, true
	}
	return 0, true
}

// commitAll commits the chain ends that are new, and where the next files will
// end; then these are sent. A commit that a rebalance refuses is tried again
// while the partition is still owned.
func (c *consumer) commitAll() error {
	var ends []engine.Position
	for id, p := range c.parts {
		if p.telling = p.willEnd(); p.commit > p.commits || p.telling != 0 && p.telling != p.told {
			ends = append(ends, engine.Position{Partition: id, Offset: p.commit, Meta: note(c.topic.ID, c.cfg.By, p.telling)})
		}
	}
	if err := c.commitThese(ends); err != nil {
		return err
	}
	for _, p := range c.parts {
		c.send(p)
	}
	return nil
}

func (c *consumer) commitThese(ends []engine.Position) error {
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
			p.commits, p.told = max(p.commits, at.Offset), p.telling
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
	*p = partition{id: p.id, epoch: c.epoch, start: at, next: at, commit: p.commit, commits: p.commits, told: p.told}
	if err := c.client.Seek(p.id, at); err != nil {
		return fmt.Errorf("go back to offset %d of topic %q, partition %d: %w", at, c.cfg.Topic, p.id, err)
	}
	return nil
}

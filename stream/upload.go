package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// outcome is how the upload of a file ended.
type outcome struct {
	partition int32
	epoch     int64
	file      *file
	existed   bool      // someone had written the file before
	theirs    *FileInfo // and it ends elsewhere
	repair    bool      // and its dead letters are missing
	err       error
}

// send starts the upload of the next full file of a partition, once it is
// committed where the file starts and will end. There is one at a time: whether
// the next file's start holds is known only afterwards.
func (c *consumer) send(p *partition) {
	if p.sending || len(p.queue) == 0 || p.commits != p.queue[0].start || p.told != p.queue[0].end {
		return
	}
	p.sending = true
	f, id, epoch := p.queue[0], p.id, p.epoch
	c.inflight++
	go func() {
		c.slots <- struct{}{}
		defer func() { <-c.slots }()
		start, tries := time.Now(), new(atomic.Int64)
		out := c.put(id, f, func() { tries.Add(1); c.counts.retries.Add(1) })
		c.run.took(Step{Kind: StepUpload, Name: c.cfg.Name, Topic: c.cfg.Topic, Start: start, Rows: f.rows,
			Bytes: f.body.File().Len(), DeadLetters: f.dead, Err: out.err, File: c.cfg.fileName(c.topic, id, f.dir, f.start),
			Partition: id, Adopted: out.existed, Retries: tries.Load(), Oldest: f.oldest, Newest: f.newest})
		out.partition, out.epoch, out.file = id, epoch, f
		select {
		case c.results <- out:
		case <-c.uploads.Done(): // the consumer has ended
		}
	}()
}

// put writes a file and then its dead letters, create-only. The file's blob
// decides: who creates it says which records the link of the chain holds, and
// everyone else adopts that. Nothing is written once the topic was re-created:
// the records may be of the new one.
func (c *consumer) put(id int32, f *file, retried func()) (out outcome) {
	ctx, cancel := context.WithTimeout(c.uploads, c.cfg.UploadTimeout)
	defer cancel()
	info := FileInfo{End: f.end, Rows: f.rows, Dead: f.dead, Schema: f.schema, Digest: f.digest, By: c.cfg.By.text()}
	name := c.cfg.fileName(c.topic, id, f.dir, f.start)
	letters := c.cfg.letterName(c.topic, id, f.start)
	// All records were read before this, and a topic's id never comes back: if
	// it is the same now, it was so for every record.
	if out.err = c.incarnation(ctx); out.err != nil {
		return out
	}
	err := createBlob(ctx, c.blobs, name, f.body.File(), info.metadata(), retried)
	if errors.Is(err, errExists) {
		out.existed = true
		theirs, err := blobInfo(ctx, c.blobs, name, retried)
		if err != nil {
			out.err = fmt.Errorf("a file that exists cannot be adopted: %w", err)
			return out
		}
		if theirs.End <= f.start {
			out.err = fmt.Errorf("%s: its metadata says that it ends at %d, before it starts", name, theirs.End)
			return out
		}
		if theirs.End != f.end {
			out.theirs = &theirs
			if theirs.Dead > 0 {
				_, err := blobInfo(ctx, c.blobs, letters, retried)
				out.repair = errors.Is(err, errNoBlob)
				if err != nil && !out.repair {
					out.err = err
				}
			}
			return out
		}
		if theirs.Rows != f.rows || theirs.Dead != f.dead || theirs.Digest != f.digest {
			out.err = fmt.Errorf("%s holds other rows than offsets %d to %d of topic %q do", name, f.start, f.end, c.topic.Name)
			return out
		}
	} else if err != nil {
		out.err = err
		return out
	}
	if f.dead > 0 {
		dead := FileInfo{End: f.end, Rows: f.dead, Dead: f.dead}
		if err := createBlob(ctx, c.blobs, letters, f.letters.File(), dead.metadata(), retried); err != nil && !errors.Is(err, errExists) {
			out.err = err
			return out
		}
	}
	if !out.existed {
		out.err = c.stands(ctx, name, f, info, retried)
	}
	return out
}

// stands looks that a file which was just created is still there before its
// offsets are committed, and creates it again where somebody removed it. It has
// the same name and the same bytes: a pipe that has loaded it does not again.
func (c *consumer) stands(ctx context.Context, name string, f *file, info FileInfo, retried func()) error {
	for {
		_, err := blobInfo(ctx, c.blobs, name, retried)
		if !errors.Is(err, errNoBlob) {
			return err
		}
		slog.Warn("a file was removed before its offsets were committed, and is written again", "file", name)
		if err := createBlob(ctx, c.blobs, name, f.body.File(), info.metadata(), retried); err != nil {
			if errors.Is(err, errExists) {
				err = fmt.Errorf("%s was removed before its offsets were committed, and somebody else has written it since; run again to go on from that", name)
			}
			return err
		}
	}
}

// collect settles the uploads that have ended, and commits their offsets and
// where the next files will end.
func (c *consumer) collect() error {
	for {
		select {
		case r := <-c.results:
			c.sealed = true
			if err := c.settle(r); err != nil {
				return err
			}
			continue
		default:
		}
		if !c.sealed {
			return nil
		}
		c.sealed = false
		return c.commitAll()
	}
}

// settle takes in how one upload ended.
func (c *consumer) settle(r outcome) error {
	c.inflight--
	p := c.parts[r.partition]
	if p == nil || p.epoch != r.epoch {
		return nil // no longer ours, or read again since
	}
	if r.err != nil {
		return r.err
	}
	if r.existed {
		c.counts.adopted.Add(1)
	}
	if r.theirs != nil {
		if r.repair {
			if err := c.rewind(p, r.file.start); err != nil {
				return err
			}
			p.forced = r.theirs.End
			return nil
		}
		p.commit = r.theirs.End
		return c.rewind(p, r.theirs.End)
	}
	if !r.existed {
		c.counts.files.Add(1)
		c.counts.rows.Add(r.file.rows)
		c.counts.bytes.Add(r.file.body.File().Len())
		c.counts.dead.Add(r.file.dead)
		now := time.Now()
		c.counts.ages.Add(now, now.Sub(r.file.newest), now.Sub(r.file.oldest), r.file.rows)
	}
	p.commit = r.file.end
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.sending = false
	return nil
}

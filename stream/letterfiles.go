package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// RecordLetter is a dead letter of a consumer: a record that no file of its
// could hold.
type RecordLetter struct {
	File      string    `json:"-"` // the blob that it stands in
	Reason    string    `json:"reason"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Time      time.Time `json:"timestamp"`
	Key       []byte    `json:"key_base64"`
	Value     []byte    `json:"value_base64"`
}

// RecordAt is a record's place in a topic.
type RecordAt struct {
	Partition int32
	Offset    int64
}

// claim is what a replay is about to write: a file, and the records in it. It
// stands beside the dead letters, under their name and a number. Whoever
// creates number n knows what the numbers before it hold; so no record is in
// two of them. A record is written when the claim's file is there, or was: the
// note beside the claim (noteOf) says so, for a lifecycle rule may remove a file
// that was loaded, and a pipe forgets the names that it loaded.
type claim struct {
	File        string  `json:"file"`
	Format      string  `json:"format"`
	Compression string  `json:"compression"`
	Schema      int     `json:"schema"`
	Offsets     []int64 `json:"offsets"`
}

// DeadRecords is the dead letters of a consumer.
type DeadRecords struct {
	Waiting  map[RecordAt]bool // records that are dead letters now
	Replayed int64             // records that were, and are in files since
	Gone     int64             // letters of topics of the name that were re-created
	// Files are those that replays wrote, of topics that are gone as well.
	Files []File

	blobs   *container.Client
	letters []File            // of the topic as it is now
	noted   map[string]bool   // notes of claims
	unnoted map[RecordAt]bool // where files of letters start that have a claim without one
}

// ReadDeadRecords finds the dead letters of a consumer whose topic is t as it
// is now. A consumer that keeps none has none.
func ReadDeadRecords(ctx context.Context, blobs *container.Client, c Consumer, t Topic) (*DeadRecords, error) {
	d := &DeadRecords{Waiting: map[RecordAt]bool{}, blobs: blobs, noted: map[string]bool{}, unnoted: map[RecordAt]bool{}}
	if c.DeadLetterPrefix == "" {
		return d, nil
	}
	written := map[string]bool{}
	dir := c.Prefix + c.Topic + "/"
	err := eachBlob(ctx, blobs, dir, func(item *container.BlobItem) error {
		f, ok := parseReplayed(strings.TrimPrefix(*item.Name, dir))
		if !ok {
			return nil
		}
		f, err := f.of(item)
		d.Files = append(d.Files, f)
		written[f.Name] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	var claims []File
	dir = c.DeadLetterPrefix + c.Topic + "/"
	err = eachBlob(ctx, blobs, dir, func(item *container.BlobItem) error {
		name := strings.TrimPrefix(*item.Name, dir)
		if f, ok := parseName(name); ok {
			f, err := f.of(item)
			if f.TopicID == t.ID {
				d.letters = append(d.letters, f)
			} else {
				d.Gone += f.Dead
			}
			return err
		}
		if f, ok := parseReplayed(name); ok && f.TopicID == t.ID {
			if f.Name = *item.Name; strings.HasSuffix(name, noteSuffix) {
				d.noted[f.Name] = true
			} else {
				claims = append(claims, f)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range d.letters {
		if err := d.eachOf(ctx, f, func(l RecordLetter) error {
			d.Waiting[RecordAt{l.Partition, l.Offset}] = true
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, f := range claims {
		told, err := readClaim(ctx, blobs, f.Name)
		if err != nil {
			return nil, err
		}
		if !d.noted[noteOf(f.Name)] {
			d.unnoted[RecordAt{f.Partition, f.Start}] = true
			if !written[told.File] {
				continue
			}
		}
		for _, offset := range told.Offsets {
			delete(d.Waiting, RecordAt{f.Partition, offset})
		}
		d.Replayed += int64(len(told.Offsets))
	}
	return d, nil
}

// Each goes through the dead letters that wait, by partition and offset.
func (d *DeadRecords) Each(ctx context.Context, f func(RecordLetter) error) error {
	for _, file := range d.letters {
		if err := d.eachOf(ctx, file, func(l RecordLetter) error {
			if !d.Waiting[RecordAt{l.Partition, l.Offset}] {
				return nil
			}
			return f(l)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (d *DeadRecords) eachOf(ctx context.Context, file File, f func(RecordLetter) error) error {
	return eachLine(ctx, d.blobs, file.Name, func(line []byte) error {
		l := RecordLetter{File: file.Name}
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("a dead letter is no JSON: %w", err)
		}
		l.Partition = file.Partition
		return f(l)
	})
}

func readClaim(ctx context.Context, blobs *container.Client, name string) (c claim, err error) {
	err = eachLine(ctx, blobs, name, func(line []byte) error { return json.Unmarshal(line, &c) })
	if err == nil && c.File == "" {
		err = fmt.Errorf("%s names no file", name)
	}
	return c, err
}

// replayed is the end of the names of what replays write.
func replayed(n int) string { return fmt.Sprintf("-replay-%06d", n) }

const noteSuffix = ".written"

// noteOf is the name of the note, an empty blob, that the file of a claim was
// written.
func noteOf(claim string) string { return strings.TrimSuffix(claim, ".json") + noteSuffix }

var replayedName = regexp.MustCompile(`^([^/]+)/([0-9]+)/(?:.+/)?([0-9]{20})-replay-[0-9]{6}\.[a-z.]+$`)

// parseReplayed is parseName for what replays write: the start is that of the
// file of dead letters.
func parseReplayed(name string) (File, bool) {
	m := replayedName.FindStringSubmatch(name)
	if m == nil {
		return File{}, false
	}
	partition, err1 := strconv.ParseInt(m[2], 10, 32)
	start, err2 := strconv.ParseInt(m[3], 10, 64)
	return File{TopicID: m[1], Partition: int32(partition), Start: start}, err1 == nil && err2 == nil
}

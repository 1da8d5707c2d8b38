package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/codec"
	"mkt/stream/rowfile"
)

// ReplayConsumer decodes the dead letters of a consumer by the schemas that the
// registry has now and writes those that fit to files beside the consumer's,
// which the pipe loads like them. What does not fit stays a dead letter.
// examples bounds the reasons that are kept.
//
// A file is claimed before it is written (claim) and noted after, all are
// created only if they are not there, and the claim says all that the file
// holds. A file that was noted may be removed once it is loaded. So each
// record is written once, however often this is called, killed, or called
// twice at the same time. The consumer may run beside it.
func ReplayConsumer(ctx context.Context, cfg Config, c Consumer, examples int) (out Replay, err error) {
	if c, err = c.withDefaults(); err != nil {
		return out, err
	}
	if c.DeadLetterPrefix == "" {
		return out, nil
	}
	r := &fileReplayer{cfg: c, out: &out, dirs: newDirectories(c.By)}
	if r.admin, err = NewAdmin(cfg.Kafka); err != nil {
		return out, err
	}
	defer r.admin.Close()
	if r.schemas, err = NewSchemas(cfg.Registry); err != nil {
		return out, err
	}
	if r.blobs, err = cfg.Blob(c.ContainerURL); err != nil {
		return out, fmt.Errorf("open container: %w", err)
	}
	if r.topic, err = DescribeTopic(ctx, r.admin, c.Topic); err != nil {
		return out, err
	}
	dead, err := ReadDeadRecords(ctx, r.blobs, c, r.topic)
	if err != nil {
		return out, err
	}
	for _, f := range dead.letters {
		if err := r.file(ctx, dead, f, examples); err != nil {
			return out, err
		}
	}
	return out, nil
}

type fileReplayer struct {
	cfg     Consumer
	out     *Replay
	admin   *kafka.AdminClient
	schemas *Schemas
	blobs   *container.Client
	topic   Topic
	dirs    *directories
}

// file replays one file of dead letters: it goes through the claims that are
// there, and makes new ones for what they do not hold.
func (r *fileReplayer) file(ctx context.Context, dead *DeadRecords, f File, examples int) error {
	left, waits := map[int64]RecordLetter{}, dead.unnoted[RecordAt{f.Partition, f.Start}]
	var order []int64
	err := dead.eachOf(ctx, f, func(l RecordLetter) error {
		left[l.Offset] = l
		order = append(order, l.Offset)
		waits = waits || dead.Waiting[RecordAt{l.Partition, l.Offset}]
		return nil
	})
	if err != nil || !waits {
		return err
	}
	for n := 0; ; n++ {
		name := filePath(r.cfg.DeadLetterPrefix, r.topic, f.Partition, f.Start) + replayed(n) + ".json"
		told, err := r.told(ctx, name)
		if errors.Is(err, errNoBlob) {
			told, err = r.claim(ctx, f, n, order, left)
			if err == nil && len(told.Offsets) == 0 {
				break
			}
			if err == nil {
				err = r.make(ctx, name, told)
			}
			if errors.Is(err, errExists) { // someone else was first
				told, err = readClaim(ctx, r.blobs, name)
			}
		}
		if err != nil {
			return err
		}
		if note := noteOf(name); !dead.noted[note] {
			if err = r.write(ctx, told, left); err == nil {
				err = r.note(ctx, note)
			}
		}
		if err != nil {
			return err
		}
		for _, offset := range told.Offsets {
			delete(left, offset)
		}
	}
	for _, offset := range order {
		if l, ok := left[offset]; ok {
			_, _, bad := r.decode(ctx, l)
			r.out.failed(examples, fmt.Errorf("partition %d, offset %d: %w", l.Partition, l.Offset, bad))
		}
	}
	return nil
}

// told is the claim of that name, errNoBlob if there is none.
func (r *fileReplayer) told(ctx context.Context, name string) (claim, error) {
	err := retryBlob(ctx, nil, func(ctx context.Context) error {
		_, err := r.blobs.NewBlobClient(name).GetProperties(ctx, nil)
		return err
	})
	if status(err) == 404 {
		return claim{}, errNoBlob
	}
	if err != nil {
		return claim{}, fmt.Errorf("look for %s: %w", name, err)
	}
	return readClaim(ctx, r.blobs, name)
}

// claim is what the next file is to hold: of the letters that are left and fit,
// those with the schema and the directory of the first.
func (r *fileReplayer) claim(ctx context.Context, f File, n int, order []int64, left map[int64]RecordLetter) (claim, error) {
	out, dir := claim{Format: r.cfg.Format, Compression: r.cfg.Compression}, ""
	for _, offset := range order {
		l, ok := left[offset]
		if !ok {
			continue
		}
		schema, datum, bad := r.decode(ctx, l)
		if bad != nil && !errors.Is(bad, ErrPoison) {
			return out, bad
		}
		if bad != nil {
			continue
		}
		in := ""
		if r.dirs != nil {
			var err error
			if in, _, err = r.dirs.of(schema, datum, l.Time); err != nil {
				return out, err
			}
		}
		if len(out.Offsets) > 0 && (schema.ID != out.Schema || in != dir) {
			continue
		}
		if len(out.Offsets) == 0 {
			dir, out.Schema = in, schema.ID
			out.File = dirPath(r.cfg.Prefix, r.topic, f.Partition, dir, f.Start) + replayed(n) + rowfile.Suffix(r.cfg.Format, r.cfg.Compression)
		}
		out.Offsets = append(out.Offsets, offset)
	}
	return out, nil
}

// decode is the datum of a letter, if a file of the consumer's format can hold
// it. It cannot where the error is ErrPoison.
func (r *fileReplayer) decode(ctx context.Context, l RecordLetter) (*codec.Schema, []byte, error) {
	id, datum, err := SchemaID(l.Value)
	if err != nil {
		return nil, nil, err
	}
	schema, err := r.schemas.ByID(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if _, err := rowfile.Unfit(r.cfg.Format, schema, datum, nil); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPoison, err)
	}
	return schema, datum, nil
}

// make creates a claim, unless the topic is another by now. It fails with
// errExists where there is one of that number.
func (r *fileReplayer) make(ctx context.Context, name string, c claim) error {
	t, err := DescribeTopic(ctx, r.admin, r.topic.Name)
	if err != nil {
		return err
	}
	if t.ID != r.topic.ID {
		return fmt.Errorf("topic %q was re-created while its dead letters were read; start again", t.Name)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var body rowfile.Output
	_, _ = body.Write(text) // never fails
	ctx, cancel := context.WithTimeout(ctx, r.cfg.UploadTimeout)
	defer cancel()
	return createBlob(ctx, r.blobs, name, &body, nil, nil)
}

// note writes down that a claim's file was written.
func (r *fileReplayer) note(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.UploadTimeout)
	defer cancel()
	err := createBlob(ctx, r.blobs, name, new(rowfile.Output), nil, nil)
	if errors.Is(err, errExists) {
		return nil
	}
	return err
}

// write writes a claim's file, if it is not there.
func (r *fileReplayer) write(ctx context.Context, c claim, letters map[int64]RecordLetter) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.UploadTimeout)
	defer cancel()
	if _, err := blobInfo(ctx, r.blobs, c.File, nil); !errors.Is(err, errNoBlob) {
		return err
	}
	schema, err := r.schemas.ByID(ctx, c.Schema)
	if err != nil {
		return err
	}
	out := &file{opened: time.Now()}
	for _, offset := range c.Offsets {
		l, ok := letters[offset]
		if !ok {
			return fmt.Errorf("%s is to hold offset %d, which is no dead letter", c.File, offset)
		}
		_, datum, err := SchemaID(l.Value)
		if err != nil {
			return err
		}
		poison, err := out.add(schema, datum, c.Format, c.Compression)
		if err = errors.Join(err, poison); err != nil {
			return fmt.Errorf("%s is to hold offset %d: %w", c.File, offset, err)
		}
		out.end = offset + 1
	}
	if err := out.close(c.Format, c.Compression); err != nil {
		return err
	}
	info := FileInfo{End: out.end, Rows: out.rows, Schema: out.schema, Digest: out.digest}
	err = createBlob(ctx, r.blobs, c.File, out.body.File(), info.metadata(), nil)
	if errors.Is(err, errExists) {
		return nil // by someone who read the same claim
	}
	if err == nil {
		r.out.Rows += out.rows
		r.out.Files++
	}
	return err
}

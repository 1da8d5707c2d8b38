package stream

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"mkt/stream/codec"
)

// file is one link of a partition's chain while it is being filled or
// uploaded: the records of [start, end).
type file struct {
	start, end int64
	rows, dead int64
	schema     int // id of every row's schema, 0 without rows
	digest     codec.Multiset
	opened     time.Time

	body    packed // rows
	letters packed // undecodable records
}

// packed is compressed text that grows.
type packed struct {
	raw bytes.Buffer // not compressed yet
	buf bytes.Buffer
	z   io.WriteCloser
}

// chunk is how much text is compressed at a time.
const chunk = 32 << 10

// compressorMemory is about what a compressor holds beside its output.
const compressorMemory = 1 << 20

func (p *packed) memory() int64 {
	n := int64(p.raw.Cap() + p.buf.Cap())
	if p.z != nil {
		n += compressorMemory
	}
	return n
}

// flush compresses the text that has come together.
func (p *packed) flush(compression string) error {
	if p.z == nil {
		switch compression {
		case "none":
			p.z = nopCloser{&p.buf}
		case "zstd":
			z, err := zstd.NewWriter(&p.buf, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<18))
			if err != nil {
				return err
			}
			p.z = z
		default:
			z, err := gzip.NewWriterLevel(&p.buf, gzip.BestSpeed)
			if err != nil {
				return err
			}
			p.z = z
		}
	}
	_, err := p.z.Write(p.raw.Bytes())
	p.raw.Reset()
	return err
}

// close ends the text. Afterwards buf holds all of it.
func (p *packed) close(compression string) error {
	if err := p.flush(compression); err != nil {
		return err
	}
	err := p.z.Close()
	p.z, p.raw = nil, bytes.Buffer{}
	return err
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// suffix is what a file's name ends with.
func suffix(compression string) string {
	switch compression {
	case "gzip":
		return ".json.gz"
	case "zstd":
		return ".json.zst"
	}
	return ".json"
}

// add appends a record: its row, or, when it is no datum of its schema, its
// dead letter.
func (f *file) add(msg *kafka.Message, schema *codec.Schema, datum []byte, compression string) (poison error, err error) {
	buf := f.body.raw.AvailableBuffer()
	line, poison := schema.AppendJSON(buf, datum)
	if poison != nil {
		return poison, nil
	}
	f.body.raw.Write(append(line, '\n'))
	f.rows++
	f.schema = schema.ID
	f.digest.Add(datum)
	if f.body.raw.Len() >= chunk {
		err = f.body.flush(compression)
	}
	return nil, err
}

// addDead appends a record that is no row.
func (f *file) addDead(msg *kafka.Message, reason error, compression string) error {
	b := append(f.letters.raw.AvailableBuffer(), `{"reason":`...)
	b = codec.AppendString(b, strings.TrimPrefix(reason.Error(), ErrPoison.Error()+": "))
	b = codec.AppendString(append(b, `,"topic":`...), *msg.TopicPartition.Topic)
	b = strconv.AppendInt(append(b, `,"partition":`...), int64(msg.TopicPartition.Partition), 10)
	b = strconv.AppendInt(append(b, `,"offset":`...), int64(msg.TopicPartition.Offset), 10)
	b = codec.AppendString(append(b, `,"timestamp":`...), msg.Timestamp.UTC().Format(time.RFC3339Nano))
	b = appendBase64(append(b, `,"key_base64":`...), msg.Key)
	b = appendBase64(append(b, `,"value_base64":`...), msg.Value)
	f.letters.raw.Write(append(b, "}\n"...))
	f.dead++
	if f.letters.raw.Len() >= chunk {
		return f.letters.flush(compression)
	}
	return nil
}

func appendBase64(dst, b []byte) []byte {
	if b == nil {
		return append(dst, "null"...)
	}
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// memory is about what the file holds.
func (f *file) memory() int64 { return f.body.memory() + f.letters.memory() }

// FileInfo is what a file's blob says about itself in its metadata. Together
// with the name, which holds the start offset, it makes the chain of a
// partition.
type FileInfo struct {
	End    int64 // exclusive; the next file starts here
	Rows   int64
	Dead   int64 // records of the range that are in the dead-letter file of the same name
	Schema int   // id of every row's schema
	Digest codec.Multiset
}

// The names have no punctuation: services and clients do not agree on how to
// sort it when a request is signed, and change the case of what they return.
const (
	metaEnd    = "mktend"
	metaRows   = "mktrows"
	metaDead   = "mktdead"
	metaSchema = "mktschema"
	metaDigest = "mktdigest"
)

func (i FileInfo) metadata() map[string]*string {
	out := map[string]*string{}
	set := func(k, v string) { out[k] = &v }
	set(metaEnd, strconv.FormatInt(i.End, 10))
	set(metaRows, strconv.FormatInt(i.Rows, 10))
	set(metaDead, strconv.FormatInt(i.Dead, 10))
	set(metaSchema, strconv.Itoa(i.Schema))
	set(metaDigest, i.Digest.Text())
	return out
}

// ParseFileInfo reads a blob's metadata, whatever case its keys came in.
func ParseFileInfo(meta map[string]*string) (FileInfo, error) {
	low := map[string]string{}
	for k, v := range meta {
		if v != nil {
			low[strings.ToLower(k)] = *v
		}
	}
	var out FileInfo
	var err1, err2, err3, err4, err5 error
	out.End, err1 = strconv.ParseInt(low[metaEnd], 10, 64)
	out.Rows, err2 = strconv.ParseInt(low[metaRows], 10, 64)
	out.Dead, err3 = strconv.ParseInt(low[metaDead], 10, 64)
	out.Schema, err4 = strconv.Atoi(low[metaSchema])
	out.Digest, err5 = codec.ParseMultiset(low[metaDigest])
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return out, fmt.Errorf("the blob's metadata is not of a file that mkt wrote: %w", err)
	}
	return out, nil
}

// PartitionPrefix is where the files of one partition of a topic stand.
func PartitionPrefix(prefix string, t Topic, partition int32) string {
	return fmt.Sprintf("%s%s/%s/%d/", prefix, t.Name, t.ID, partition)
}

// fileName is the name of the file that starts at an offset.
func fileName(prefix string, t Topic, partition int32, start int64, compression string) string {
	return fmt.Sprintf("%s%020d%s", PartitionPrefix(prefix, t, partition), start, suffix(compression))
}

// parseName reads what stands below the topic's directory: topic id,
// partition, start offset.
func parseName(name string) (File, bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return File{}, false
	}
	digits, _, ok := strings.Cut(parts[2], ".json")
	start, err1 := strconv.ParseInt(digits, 10, 64)
	partition, err2 := strconv.ParseInt(parts[1], 10, 32)
	return File{TopicID: parts[0], Partition: int32(partition), Start: start}, ok && len(digits) == 20 && err1 == nil && err2 == nil
}

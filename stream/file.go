package stream

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mkt/stream/codec"
	"mkt/stream/engine"
	"mkt/stream/rowfile"
)

// file is one link of a partition's chain while it is being filled or
// uploaded: the records of [start, end).
type file struct {
	start, end int64
	rows, dead int64
	schema     int // id of every row's schema, 0 without rows
	digest     codec.Multiset
	opened     time.Time
	dir        string    // of its first record, with a slash behind it, "" for none
	oldest     time.Time // its first record's
	newest     time.Time // its last record's

	of      *codec.Schema  // that body was made for
	body    rowfile.Writer // rows, nil before the first
	letters rowfile.Text   // undecodable records
}

func newFile(start int64, compression string) *file {
	return &file{start: start, opened: time.Now(), letters: rowfile.Text{Compression: compression}}
}

// add appends a record's row. poison says why it has none.
func (f *file) add(schema *codec.Schema, datum []byte, format, compression string) (poison error, err error) {
	switch {
	case f.rows == 0 && f.of != schema:
		if f.body, err = rowfile.New(format, compression, schema); err != nil {
			return nil, err
		}
		f.of = schema
	case f.of != schema:
		return nil, fmt.Errorf("a file of rows of schema %d cannot take a row of schema %d", f.of.ID, schema.ID)
	}
	if poison, err = f.body.Add(datum); poison != nil || err != nil {
		return poison, err
	}
	f.rows++
	f.schema = schema.ID
	f.digest.Add(datum)
	return nil, nil
}

// saw takes down when a record of the file was sent.
func (f *file) saw(at time.Time) {
	if f.oldest.IsZero() {
		f.oldest = at
	}
	f.newest = at
}

// addDead appends a record that is no row.
func (f *file) addDead(topic string, rec engine.Record, reason error) error {
	b := append(f.letters.Line(), `{"reason":`...)
	b = codec.AppendString(b, strings.TrimPrefix(reason.Error(), ErrPoison.Error()+": "))
	b = codec.AppendString(append(b, `,"topic":`...), topic)
	b = strconv.AppendInt(append(b, `,"partition":`...), int64(rec.Partition), 10)
	b = strconv.AppendInt(append(b, `,"offset":`...), rec.Offset, 10)
	b = codec.AppendString(append(b, `,"timestamp":`...), rec.Time.UTC().Format(time.RFC3339Nano))
	b = appendBase64(append(b, `,"key_base64":`...), rec.Key)
	b = appendBase64(append(b, `,"value_base64":`...), rec.Value)
	f.dead++
	return f.letters.Append(append(b, '}'))
}

// close ends the file, whose rows are in the format given.
func (f *file) close(format, compression string) (err error) {
	if f.body == nil {
		if f.body, err = rowfile.New(format, compression, nil); err != nil {
			return err
		}
	}
	if err := f.body.Close(); err != nil || f.dead == 0 {
		return err
	}
	return f.letters.Close()
}

// stored is how many bytes the file has so far.
func (f *file) stored() int64 {
	n := f.letters.Stored()
	if f.body != nil {
		n += f.body.Stored()
	}
	return n
}

func appendBase64(dst, b []byte) []byte {
	if b == nil {
		return append(dst, "null"...)
	}
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// memory is about what the file holds.
func (f *file) memory() int64 {
	n := f.letters.Memory()
	if f.body != nil {
		n += f.body.Memory()
	}
	return n
}

// FileInfo is what a file's blob says about itself in its metadata. Together
// with the name, which holds the start offset, it makes the chain of a
// partition.
type FileInfo struct {
	End    int64 // exclusive; the next file starts here
	Rows   int64
	Dead   int64 // records of the range that are in the dead-letter file of the same name
	Schema int   // id of every row's schema
	Digest codec.Multiset
	By     string // what its directory went by (By), "" for none
}

// The names have no punctuation: services and clients do not agree on how to
// sort it when a request is signed, and change the case of what they return.
const (
	metaEnd    = "mktend"
	metaRows   = "mktrows"
	metaDead   = "mktdead"
	metaSchema = "mktschema"
	metaDigest = "mktdigest"
	metaBy     = "mktby"
)

func (i FileInfo) metadata() map[string]*string {
	out := map[string]*string{}
	set := func(k, v string) { out[k] = &v }
	set(metaEnd, strconv.FormatInt(i.End, 10))
	set(metaRows, strconv.FormatInt(i.Rows, 10))
	set(metaDead, strconv.FormatInt(i.Dead, 10))
	set(metaSchema, strconv.Itoa(i.Schema))
	set(metaDigest, i.Digest.Text())
	if i.By != "" {
		set(metaBy, i.By)
	}
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
	out := FileInfo{By: low[metaBy]}
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

// fileName is the name of the file of a directory that starts at an offset.
func (c Consumer) fileName(t Topic, partition int32, dir string, start int64) string {
	return dirPath(c.Prefix, t, partition, dir, start) + rowfile.Suffix(c.Format, c.Compression)
}

// letterName is the name of its dead letters, which are JSON lines.
func (c Consumer) letterName(t Topic, partition int32, start int64) string {
	return filePath(c.DeadLetterPrefix, t, partition, start) + rowfile.Suffix(rowfile.JSON, c.letterCompression())
}

func (c Consumer) letterCompression() string {
	if rowfile.Check(rowfile.JSON, c.Compression) != nil {
		return "gzip"
	}
	return c.Compression
}

// filePath is the name of a file that is in no directory without its suffix.
func filePath(prefix string, t Topic, partition int32, start int64) string {
	return dirPath(prefix, t, partition, "", start)
}

func dirPath(prefix string, t Topic, partition int32, dir string, start int64) string {
	if dir != "" {
		dir = byDirectory + dir
	}
	return fmt.Sprintf("%s%s%020d", PartitionPrefix(prefix, t, partition), dir, start)
}

// parseName reads what stands below the topic's directory: topic id,
// partition, start offset.
func parseName(name string) (File, bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 && (len(parts) < 5 || parts[2] != strings.TrimSuffix(byDirectory, "/")) {
		return File{}, false
	}
	digits, rest, _ := strings.Cut(parts[len(parts)-1], ".")
	suffix, _, _ := strings.Cut(rest, ".")
	start, err1 := strconv.ParseInt(digits, 10, 64)
	partition, err2 := strconv.ParseInt(parts[1], 10, 32)
	return File{TopicID: parts[0], Partition: int32(partition), Start: start}, slices.Contains(rowfile.Formats, suffix) && len(digits) == 20 && err1 == nil && err2 == nil
}

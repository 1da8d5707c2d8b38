package rowfile

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"mkt/stream/codec"
)

// Text is compressed text that grows.
type Text struct {
	Compression string // "none", "zstd", otherwise gzip

	raw bytes.Buffer // not compressed yet
	buf Output
	z   io.WriteCloser
}

const (
	// chunk is how much text is compressed at a time.
	chunk = 32 << 10
	// compressorMemory is about what a compressor holds beside its output.
	compressorMemory = 1 << 20
)

// Line is an empty slice to append a line to and to hand to Append.
func (t *Text) Line() []byte { return t.raw.AvailableBuffer() }

// Append takes in a line without its end.
func (t *Text) Append(line []byte) error {
	t.raw.Write(append(line, '\n'))
	if t.raw.Len() < chunk {
		return nil
	}
	return t.flush()
}

// flush compresses the text that has come together.
func (t *Text) flush() error {
	if t.z == nil {
		switch t.Compression {
		case "none":
			t.z = nopCloser{&t.buf}
		case "zstd":
			z, err := zstd.NewWriter(&t.buf, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<18))
			if err != nil {
				return err
			}
			t.z = z
		default:
			z, err := gzip.NewWriterLevel(&t.buf, gzip.BestSpeed)
			if err != nil {
				return err
			}
			t.z = z
		}
	}
	_, err := t.z.Write(t.raw.Bytes())
	t.raw.Reset()
	return err
}

// Stored is how many bytes came out so far.
func (t *Text) Stored() int64 { return t.buf.Len() }

// Memory is about how many bytes the text holds.
func (t *Text) Memory() int64 {
	n := int64(t.raw.Cap()) + t.buf.Memory()
	if t.z != nil {
		n += compressorMemory
	}
	return n
}

// Close ends the text.
func (t *Text) Close() error {
	if err := t.flush(); err != nil {
		return err
	}
	err := t.z.Close()
	t.z, t.raw = nil, bytes.Buffer{}
	return err
}

// File is all of the text once it is closed.
func (t *Text) File() *Output { return &t.buf }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// lines is an NDJSON file.
type lines struct {
	text   Text
	schema *codec.Schema
}

func (l *lines) Add(datum []byte) (unfit, err error) {
	line, unfit := l.schema.AppendJSON(l.text.Line(), datum)
	if unfit != nil {
		return unfit, nil
	}
	return nil, l.text.Append(line)
}

func (l *lines) Stored() int64 { return l.text.Stored() }
func (l *lines) Memory() int64 { return l.text.Memory() }
func (l *lines) Close() error  { return l.text.Close() }
func (l *lines) File() *Output { return l.text.File() }

package rowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/avro/ocf"

	"mkt/stream/codec"
)

// avroFile is an Avro object container file. The data go in as they are.
type avroFile struct {
	schema *codec.Schema
	buf    Output
	w      *ocf.Writer
}

// avroBlock is how many bytes of data a block has, before compression.
const avroBlock = 64 << 10

func newAvro(compression string, schema *codec.Schema) (Writer, error) {
	shape, err := schema.Avro()
	if err != nil {
		return nil, fmt.Errorf("the schema of an avro file: %w", err)
	}
	opts := []ocf.WriterOpt{ocf.WithBlockBytes(avroBlock)}
	switch compression {
	case "gzip":
		opts = append(opts, ocf.WithCodec(&deflate{}))
	case "zstd":
		opts = append(opts, ocf.WithCodec(&zstdBlocks{}))
	case "snappy":
		opts = append(opts, ocf.WithCodec(ocf.SnappyCodec()))
	}
	f := &avroFile{schema: schema}
	if f.w, err = ocf.NewWriter(&f.buf, shape, opts...); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *avroFile) Add(datum []byte) (unfit, err error) {
	if unfit := f.schema.Valid(datum); unfit != nil {
		return unfit, nil
	}
	_, err = f.w.Write(datum)
	return nil, err
}

func (f *avroFile) Stored() int64 { return f.buf.Len() }
func (f *avroFile) Memory() int64 { return f.buf.Memory() + 2*avroBlock + compressorMemory }
func (f *avroFile) File() *Output { return &f.buf }

func (f *avroFile) Close() error {
	err := f.w.Close()
	f.w = nil
	return err
}

// deflate is the codec of the Avro specification at the fastest level, with
// one compressor for all blocks of a file.
type deflate struct {
	z   *flate.Writer
	out bytes.Buffer
}

func (*deflate) Name() string { return "deflate" }
func (*deflate) Close() error { return nil }

func (d *deflate) Compress(block []byte) (_ []byte, err error) {
	d.out.Reset()
	if d.z == nil {
		if d.z, err = flate.NewWriter(&d.out, flate.BestSpeed); err != nil {
			return nil, err
		}
	} else {
		d.z.Reset(&d.out)
	}
	if _, err := d.z.Write(block); err != nil {
		return nil, err
	}
	err = d.z.Close()
	return d.out.Bytes(), err
}

func (*deflate) Decompress([]byte) ([]byte, error) { return nil, errForWriting }

var errForWriting = errors.New("the codec is for writing")

// zstdBlocks is the library's codec of that name, with one buffer for all
// blocks of a file.
type zstdBlocks struct{ out []byte }

// blockEncoder serves all files at once.
var blockEncoder, errBlockEncoder = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<18), zstd.WithEncoderConcurrency(1))

func (*zstdBlocks) Name() string                      { return "zstandard" }
func (*zstdBlocks) Close() error                      { return nil }
func (*zstdBlocks) Decompress([]byte) ([]byte, error) { return nil, errForWriting }

func (z *zstdBlocks) Compress(block []byte) ([]byte, error) {
	if errBlockEncoder != nil {
		return nil, errBlockEncoder
	}
	z.out = blockEncoder.EncodeAll(block, z.out[:0])
	return z.out, nil
}

// EachAvro goes through the data of an Avro object container file. schema is
// that of the file; datum is valid until the next.
func EachAvro(in io.Reader, f func(schema *codec.Schema, datum []byte) error) error {
	r, err := ocf.NewReader(in)
	if err != nil {
		return err
	}
	defer r.Close()
	shape := r.Schema()
	schema, err := codec.Parse(0, shape.String())
	if err != nil {
		return err
	}
	var datum []byte
	for {
		var v any
		if err := r.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if datum, err = shape.AppendEncode(datum[:0], v); err != nil {
			return err
		}
		if err := f(schema, datum); err != nil {
			return err
		}
	}
}

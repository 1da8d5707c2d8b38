package warehouse

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// localFile is a blob on this machine, uncompressed; JSON and Avro as one object per line.
type localFile struct {
	name   string // of the blob in its container
	path   string
	size   int64           // of the blob
	keys   map[string]bool // JSON and Avro: the keys of all objects
	header []string        // CSV: the names in the header
	bad    error           // the file is no file of its format at all
}

func (f *localFile) remove() { os.Remove(f.path) }

// fetch downloads a blob and brings it into the form that DuckDB reads.
func (w *Warehouse) fetch(ctx context.Context, b *boundCopy, name string) (*localFile, error) {
	body, size, err := w.download(ctx, b.stage, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	out, err := os.CreateTemp(w.tmpDir(), "load-*")
	if err != nil {
		return nil, err
	}
	f := &localFile{name: name, path: out.Name(), size: size}
	err = f.fill(ctx, b, body, out)
	if e := out.Close(); err == nil {
		err = e
	}
	if err != nil {
		f.remove()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return f, nil
}

// transportReader remembers the error of the transport, to tell it from one in the file.
type transportReader struct {
	io.Reader
	err error
}

func (t *transportReader) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

func (f *localFile) fill(ctx context.Context, b *boundCopy, body io.Reader, out *os.File) error {
	tr := &transportReader{Reader: body}
	buf := bufio.NewWriterSize(out, 1<<18)
	in, err := decompress(tr, b.format.get("COMPRESSION"), b.format.Type)
	if err == nil {
		switch b.format.Type {
		case "JSON":
			l := newJSONLines(buf, b.format.flag("STRIP_OUTER_ARRAY"))
			err = l.copy(in)
			f.keys = l.keys
		case "AVRO":
			f.keys, err = avroLines(buf, in)
		case "CSV":
			f.header, err = csvLines(buf, in, b.format)
		default:
			_, err = io.Copy(buf, in)
		}
	}
	if tr.err != nil {
		return azureError(b.stage, tr.err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e := buf.Flush(); e != nil {
		return e
	}
	f.bad = err
	return nil
}

// decompress unpacks a file by its COMPRESSION; AUTO looks at the first bytes.
func decompress(in io.Reader, compression, typ string) (io.Reader, error) {
	r := bufio.NewReaderSize(in, 1<<16)
	if typ == "PARQUET" || typ == "AVRO" {
		return r, nil // these compress inside
	}
	head, _ := r.Peek(4)
	gz, zs := bytes.HasPrefix(head, []byte{0x1f, 0x8b}), bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd})
	switch {
	case compression == "GZIP" || compression == "AUTO" && gz:
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("file is no gzip: %w", err)
		}
		return z, nil
	case compression == "ZSTD" || compression == "AUTO" && zs:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("file is no zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	}
	return r, nil
}

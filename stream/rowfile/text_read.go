package rowfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// EachLine goes through the lines of a file of text that are not blank, with
// their ends. The end of its name says how it is compressed (Suffix). A line is
// valid until the next.
func EachLine(name string, in io.Reader, f func(line []byte) error) error {
	switch {
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in = z
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
		defer z.Close()
		in = z
	}
	lines := bufio.NewReaderSize(in, 1<<18)
	var long []byte
	for {
		part, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, part...)
			continue
		}
		if err != nil && err != io.EOF {
			return err
		}
		line := part
		if len(long) > 0 {
			long = append(long, part...)
			line = long
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if err := f(line); err != nil {
				return err
			}
		}
		long = long[:0]
		if err == io.EOF {
			return nil
		}
	}
}

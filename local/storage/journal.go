package storage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"sync"
)

// journal is an append-only file of lines `crc32c json\n`, synced in groups:
// the first goroutine that waits writes and syncs for all that appended before
// it, the others wait for that one sync. Safe for concurrent use.
type journal struct {
	mu      sync.Mutex
	synced  *sync.Cond
	file    *os.File
	dir     *os.File // directory of the blob files, synced before each line
	buf     []byte   // appended, not yet written
	last    uint64   // number of the last appended line
	durable uint64   // number of the last line on disk
	writing bool
	size    int64 // bytes written and pending
	err     error // first failure; sticky, since memory is ahead of the disk then
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged says that a journal line other than the last one does not check.
var errDamaged = errors.New("journal is damaged")

func newJournal(file, dir *os.File, size int64) *journal {
	j := &journal{file: file, dir: dir, size: size}
	j.synced = sync.NewCond(&j.mu)
	return j
}

// encodeLine frames one JSON document, which must not hold a raw line feed.
func encodeLine(doc []byte) []byte {
	line := make([]byte, 0, len(doc)+10)
	line = fmt.Appendf(line, "%08x ", crc32.Checksum(doc, castagnoli))
	line = append(line, doc...)
	return append(line, '\n')
}

// decodeLine returns the document of one line without its line feed.
func decodeLine(line []byte) ([]byte, error) {
	if len(line) < 9 || line[8] != ' ' {
		return nil, errDamaged
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(line[9:], castagnoli) {
		return nil, errDamaged
	}
	return line[9:], nil
}

// readJournal calls fn for each document and returns the length in bytes of
// the valid part. A last line that is cut short or does not check was never
// acknowledged and is left out; anything wrong before it is an error.
func readJournal(r io.Reader, fn func(doc []byte) error) (valid int64, err error) {
	br := bufio.NewReaderSize(r, 1<<20)
	for number := 1; ; number++ {
		line, err := br.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return valid, nil
		}
		if err != nil {
			return valid, err
		}
		doc, err := decodeLine(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			if _, eof := br.Peek(1); errors.Is(eof, io.EOF) {
				return valid, nil
			}
			return valid, fmt.Errorf("line %d: %w", number, err)
		}
		if err := fn(doc); err != nil {
			return valid, fmt.Errorf("line %d: %w", number, err)
		}
		valid += int64(len(line))
	}
}

// append queues one document and returns its number for wait.
func (j *journal) append(doc []byte) uint64 {
	line := encodeLine(doc)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = append(j.buf, line...)
	j.size += int64(len(line))
	j.last++
	return j.last
}

// mark returns the number of the last appended line and the journal's size.
func (j *journal) mark() (last uint64, size int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last, j.size
}

// wait returns when line n and all before it are on disk.
func (j *journal) wait(n uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.durable < n && j.err == nil {
		if j.writing {
			j.synced.Wait()
			continue
		}
		j.flush()
	}
	return j.err
}

// flush writes and syncs what is pending. Called with mu held, which it lets
// go while the disk works.
func (j *journal) flush() {
	buf, upTo := j.buf, j.last
	j.buf, j.writing = nil, true
	j.mu.Unlock()
	err := j.dir.Sync()
	if err == nil {
		_, err = j.file.Write(buf)
	}
	if err == nil {
		err = j.file.Sync()
	}
	j.mu.Lock()
	j.writing = false
	if err != nil && j.err == nil {
		j.err = fmt.Errorf("write journal: %w", err)
	}
	if err == nil {
		j.durable = upTo
	}
	j.synced.Broadcast()
}

// replace puts file, which holds everything appended so far, in the place of
// the journal's file; err is what making that durable said. The caller makes
// sure that nothing is appended meanwhile.
func (j *journal) replace(file *os.File, size int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.writing {
		j.synced.Wait()
	}
	j.file.Close()
	j.file, j.size, j.buf, j.durable = file, size, nil, j.last
	if j.err == nil {
		j.err = err
	}
	j.synced.Broadcast()
}

func (j *journal) close() error {
	last, _ := j.mark()
	err := j.wait(last)
	return errors.Join(err, j.file.Close(), j.dir.Close())
}

package source

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrGone is the error of a source that is followed where it cannot tell which
// file comes next. Opened again and read up to the last row, the source is
// either the same, by that row's digest, or has changed.
var ErrGone = errors.New("start again, and what was read is found there or missed")

var errCut = errors.New("the file was cut or written anew while it was followed: which rows are gone cannot be told; rotate by renaming instead")

// followed reads a file that may still grow. It ends where another file comes
// after it: the file was rotated, or one of a later name is there. Until then
// it waits at the end, or, while the reader does not wait, ends there with
// grows set.
type followed struct {
	r     *Reader
	f     *os.File
	read  int64
	tail  []byte // the last bytes read
	grows bool
}

const (
	followPoll = 200 * time.Millisecond
	followTail = 64 // bytes that tell whether a file is still the one that was read
)

func (t *followed) Read(b []byte) (int, error) {
	last := false
	for {
		n, err := t.f.Read(b)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if err := t.whole(); err != nil {
			return 0, err
		}
		if n > 0 {
			t.read += int64(n)
			t.tail = append(t.tail, b[:n]...)
			t.tail = append(t.tail[:0], t.tail[max(0, len(t.tail)-followTail):]...)
			return n, nil
		}
		if last {
			t.grows = false
			return 0, io.EOF
		}
		// What was written before the file was left is read in one more turn.
		if last, err = t.r.successor(); err != nil {
			return 0, err
		}
		if last {
			continue
		}
		if !t.r.waiting {
			t.grows = true
			return 0, io.EOF
		}
		select {
		case <-t.r.cfg.Done:
			return 0, context.Canceled
		case <-time.After(followPoll):
		}
	}
}

// whole says whether what was read last is still in its place: in a file that
// was cut and has grown again it is not.
func (t *followed) whole() error {
	now := make([]byte, len(t.tail))
	_, err := t.f.ReadAt(now, t.read-int64(len(now)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(now, t.tail) {
		return errCut
	}
	return nil
}

// successor says whether a file that holds something comes after the present
// one, and puts it in line. A file without anything may be one that its writer
// has not turned to yet.
func (r *Reader) successor() (bool, error) {
	files, err := list(r.cfg.Paths)
	if err != nil {
		return false, nil //nolint:nilerr // it was moved away and its successor is not there yet
	}
	for i, f := range files {
		if info, err := os.Stat(f); err == nil && os.SameFile(info, r.own) {
			return r.line(files, i+1), nil
		}
	}
	// It is under none of the names any more.
	alone := len(files) == 1 && files[0] == r.name
	files = slices.DeleteFunc(files, func(f string) bool { return age(f, r.name) < 0 })
	switch {
	case !r.line(files, 0):
		return false, nil // it is looked for again
	case alone && !r.replaced():
		return true, nil // its successor has the one that it had
	}
	return false, fmt.Errorf("the file, which was followed, is gone: compressed, replaced or removed; %w", ErrGone)
}

// line puts the first of the files from i on that holds something in line, and
// says whether there is one. A list that was read while files were renamed may
// be older than the renaming, its successor not there yet, and may have a file
// under both names.
func (r *Reader) line(files []string, i int) bool {
	for ; i < len(files); i++ {
		if info, err := os.Stat(files[i]); err == nil && info.Size() > 0 && !os.SameFile(info, r.own) {
			r.files, r.next, r.due = files, i, info
			return true
		}
	}
	return false
}

// replaced says whether the file that has the present one's name now begins
// with the rows of the present one: it is no successor, but took its place.
func (r *Reader) replaced() bool {
	old, ok := r.in.(*followed)
	if !ok || r.number == r.before {
		return !ok
	}
	now, err := os.Open(r.name)
	if err != nil {
		return false
	}
	defer now.Close()
	a, b := make([]byte, 1<<16), make([]byte, 1<<16)
	for at := int64(0); at < old.read; at += int64(len(a)) {
		n := min(int64(len(a)), old.read-at)
		if _, err := old.f.ReadAt(a[:n], at); err != nil {
			return false
		}
		if _, err := now.ReadAt(b[:n], at); err != nil || !bytes.Equal(a[:n], b[:n]) {
			return false
		}
	}
	return true
}

// Follow makes Next wait at the end for rows to come, if the source is one
// that is followed. Until then it reads what is there.
func (r *Reader) Follow() { r.waiting = r.cfg.Follow }

// another waits for the file that comes after the present one.
func (r *Reader) another() error {
	for {
		switch there, err := r.successor(); {
		case err != nil:
			return fmt.Errorf("read %s: %w", r.name, err)
		case there:
			return nil
		case !r.waiting:
			r.next = len(r.files)
			return io.EOF
		}
		select {
		case <-r.cfg.Done:
			return context.Canceled
		case <-time.After(followPoll):
		}
	}
}

// list is the files of a source that is followed, in the order of their age. A
// rotated file that is being compressed is there twice for a while, and counts
// once.
func list(paths []string) ([]string, error) {
	files, err := Files(paths)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(files)
	files = slices.DeleteFunc(files, func(f string) bool {
		m := rotation.FindStringSubmatch(f)
		return m[2]+m[3] != "" && m[4] != "" && slices.Contains(all, strings.TrimSuffix(f, m[4]))
	})
	slices.SortStableFunc(files, age)
	return files, nil
}

var rotation = regexp.MustCompile(`^(.*?)(?:\.([0-9]{1,9})|-([0-9]{8,10}))?(\.gz|\.zst)?$`)

// age compares files by name, those that were rotated (x-20240131, x.2, x.1.gz)
// before the one they were rotated from, the highest number or the earliest
// date first.
func age(a, b string) int {
	key := func(name string) (string, int64) {
		if name == Stdin {
			return name, 0
		}
		m := rotation.FindStringSubmatch(name)
		n, _ := strconv.ParseInt(m[2]+m[3], 10, 64)
		switch {
		case m[2] != "":
			return m[1], -n
		case m[3] != "":
			return m[1], n - 1<<40
		}
		return strings.TrimSuffix(name, m[4]), 0
	}
	x, i := key(a)
	y, j := key(b)
	return cmp.Or(cmp.Compare(x, y), cmp.Compare(i, j))
}

// checkFollow refuses what cannot be followed.
func checkFollow(files []string) error {
	if slices.Contains(files, Stdin) {
		return fmt.Errorf("standard input cannot be followed: it is read until it ends as it is")
	}
	return nil
}

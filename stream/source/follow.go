package source

import (
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

// followed reads a file that may still grow. It ends where another file comes
// after it: the file was rotated, or one of a later name is there. Until then
// it waits at the end, or, while the reader does not wait, ends there with
// grows set.
type followed struct {
	r     *Reader
	f     *os.File
	read  int64
	grows bool
}

const followPoll = 200 * time.Millisecond

func (t *followed) Read(b []byte) (int, error) {
	last := false
	for {
		n, err := t.f.Read(b)
		t.read += int64(n)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if last {
			t.grows = false
			return 0, io.EOF
		}
		// What was written before the file was left is read in one more turn.
		if last, err = t.left(); err != nil {
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

// left says whether a file comes after this one, and puts it in line.
func (t *followed) left() (bool, error) {
	own, err := t.f.Stat()
	if err != nil {
		return false, err
	}
	if own.Size() < t.read {
		return false, errors.New("the file was cut while it was followed: which rows are gone cannot be told; rotate by renaming instead")
	}
	files, err := Files(t.r.cfg.Paths)
	if err != nil {
		return false, nil //nolint:nilerr // it was moved away and its successor is not there yet
	}
	inAge(files)
	name := t.f.Name()
	for i, f := range files {
		info, err := os.Stat(f)
		if err == nil && os.SameFile(info, own) {
			t.r.files, t.r.next = files, i+1
			return i+1 < len(files) && there(files[i+1], own), nil
		}
	}
	// It is under none of the names any more: its successor has the one it had.
	i := slices.Index(files, name)
	if i < 0 || !there(name, own) {
		return false, nil // it is looked for again
	}
	t.r.files, t.r.next = files, i
	return true, nil
}

// there says whether a name that was listed is that of another file than own. A list that was read while files were renamed may be older
// than the renaming, its successor not there yet, and may have a file under both names.
func there(name string, own os.FileInfo) bool {
	info, err := os.Stat(name)
	return err == nil && !os.SameFile(info, own)
}

// Follow makes Next wait at the end for rows to come, if the source is one
// that is followed. Until then it reads what is there.
func (r *Reader) Follow() { r.waiting = r.cfg.Follow }

// another waits for a file that comes after the last, which was read to its
// end and cannot grow: one that is compressed.
func (r *Reader) another() error {
	for r.waiting {
		files, err := Files(r.cfg.Paths)
		if err == nil {
			inAge(files)
			if i := slices.Index(files, r.files[len(r.files)-1]); i >= 0 && i+1 < len(files) && there(files[i+1], nil) {
				r.files, r.next = files, i+1
				return nil
			}
		}
		select {
		case <-r.cfg.Done:
			return context.Canceled
		case <-time.After(followPoll):
		}
	}
	return io.EOF
}

var rotation = regexp.MustCompile(`^(.*?)(?:\.([0-9]{1,9}))?(\.gz|\.zst)?$`)

// inAge sorts files by name, those that were rotated (x.2, x.1.gz) before the
// one they were rotated from, the highest number first.
func inAge(files []string) {
	key := func(name string) (string, int) {
		if name == Stdin {
			return name, 0
		}
		m := rotation.FindStringSubmatch(name)
		if m[2] == "" {
			return strings.TrimSuffix(name, m[3]), 0
		}
		n, _ := strconv.Atoi(m[2])
		return m[1], n
	}
	slices.SortStableFunc(files, func(a, b string) int {
		x, i := key(a)
		y, j := key(b)
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(j, i))
	})
}

// checkFollow refuses what cannot be followed.
func checkFollow(files []string) error {
	if slices.Contains(files, Stdin) {
		return fmt.Errorf("standard input cannot be followed: it is read until it ends as it is")
	}
	return nil
}

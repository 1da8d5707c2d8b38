package ledger

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// File is a ledger in a file. Beside it live PATH.prev, the generation before, PATH.before, the one from before the last process that
// saved, and PATH.lock; and where it was damaged, PATH.rescue, what the apply knew that came upon it, and PATH.damaged, what was found. It is safe for
// concurrent use by several processes as long as each that saves holds the lock.
type File struct {
	path  string
	saved atomic.Bool // by this process
}

var _ Store = (*File)(nil)

// NewFile returns the store of the ledger at path, which need not exist yet. Its directory is made by the first Save or Lock.
func NewFile(path string) *File { return &File{path: path} }

// Path returns where the ledger is.
func (f *File) Path() string { return f.path }

func (f *File) previous() string { return f.path + ".prev" }

func (f *File) before() string { return f.path + ".before" }

func (f *File) rescue() string { return f.path + ".rescue" }

// Load implements Store.
func (f *File) Load(context.Context) (*Ledger, error) {
	text, err := os.ReadFile(f.path)
	prev, prevErr := headOf(f.previous())
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(prevErr, fs.ErrNotExist):
		return New(), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, f.damaged(nil, ErrGone)
	case err != nil:
		return nil, f.damaged(nil, err)
	}
	l, err := Decode(text)
	if err != nil {
		return nil, f.damaged(text, err)
	}
	if doubt := prevErr == nil && prev.lineage == l.Lineage && prev.serial >= l.Serial && !f.saving(); !doubt {
		return l, nil
	}
	if prev.serial > l.Serial {
		if d := f.damaged(text, Outdated(l.Serial, prev.serial)); d.Previous != "" {
			return nil, d
		}
	}
	l.Recover(time.Now())
	return l, nil
}

// saving reports whether a save was cut off after it had given the present generation its second name. Otherwise one generation in both
// places means that the previous one was put back by hand.
func (f *File) saving() bool {
	now, err := os.Stat(f.path)
	prev, prevErr := os.Stat(f.previous())
	return err == nil && prevErr == nil && os.SameFile(now, prev)
}

// headOf reads the head of the ledger in a file.
func headOf(path string) (g generation, err error) {
	file, err := os.Open(path)
	if err != nil {
		return g, err
	}
	defer func() { _ = file.Close() }()
	g.lineage, g.serial, err = readHead(file)
	return g, err
}

// damaged says what is wrong with the ledger, and looks for another generation.
func (f *File) damaged(text []byte, err error) *DamagedError {
	d := Damaged(f.path, text, err)
	if text, err := os.ReadFile(f.previous()); err == nil {
		d.ConsiderPrevious(f.previous(), text)
	}
	if text, err := os.ReadFile(f.before()); err == nil {
		d.ConsiderOlder(f.before(), text)
	}
	if text, err := os.ReadFile(f.rescue()); err == nil {
		d.ConsiderRescued(text)
	}
	return d
}

func readLedger(path string) (*Ledger, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Decode(text)
}

// Save implements Store.
func (f *File) Save(_ context.Context, l *Ledger) error {
	if err := f.save(l); err != nil {
		return fmt.Errorf("save ledger: %w", err)
	}
	return nil
}

func (f *File) save(l *Ledger) error {
	err := f.checkGeneration(l)
	var damaged *DamagedError
	switch {
	case err == nil:
	case errors.As(err, &damaged) && damaged.Replaces(l):
		if err := f.putAside(); err != nil {
			return err
		}
	case errors.As(err, &damaged) && damaged.Rescues(l, false):
		return errors.Join(err, f.keepRescue(l))
	default:
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	next := *l
	next.Serial++
	text, err := next.Encode()
	if err != nil {
		return err
	}
	pending, err := renameio.NewPendingFile(f.path, renameio.WithPermissions(0o600), renameio.WithTempDir(filepath.Dir(f.path)))
	if err != nil {
		return err
	}
	defer func() { _ = pending.Cleanup() }()
	if _, err := pending.Write(text); err != nil {
		return err
	}
	if damaged == nil { // else the previous generation is the one that is whole
		if !f.saved.Load() {
			if err := f.keepAs(f.before()); err != nil {
				return fmt.Errorf("keep the generation before: %w", err)
			}
		}
		if err := f.keepAs(f.previous()); err != nil {
			return fmt.Errorf("keep the previous generation: %w", err)
		}
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return err
	}
	l.Serial = next.Serial
	l.Saved()
	f.saved.Store(true)
	return syncDir(filepath.Dir(f.path))
}

// keepRescue writes what can not be saved, since what is stored is damaged, to where the next Load finds it.
func (f *File) keepRescue(l *Ledger) error {
	next := *l
	next.Serial++
	text, err := next.Encode()
	if err == nil {
		err = renameio.WriteFile(f.rescue(), text, 0o600, renameio.WithTempDir(filepath.Dir(f.path)))
	}
	if err != nil {
		return fmt.Errorf("put aside what was not saved: %w", err)
	}
	return nil
}

// putAside keeps a damaged ledger for whoever wants to know what happened to it.
func (f *File) putAside() error {
	if err := f.keepAs(f.path + ".damaged"); err != nil {
		return fmt.Errorf("put the damaged ledger aside: %w", err)
	}
	return nil
}

// checkGeneration refuses to overwrite what l did not come from, and what is not whole. It reads head and tail of the file,
// and all of it only where the tail is not one that Encode writes.
func (f *File) checkGeneration(l *Ledger) error {
	if l.over != nil {
		if _, err := f.Load(context.Background()); err != nil {
			return err
		}
		return &StaleError{Where: f.path, Loaded: l.over.serial}
	}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		if l.Serial == 0 {
			return nil
		}
		err := error(&StaleError{Where: f.path, Loaded: l.Serial})
		if d := f.damaged(nil, ErrGone); d.Rescues(l, false) {
			err = errors.Join(err, f.keepRescue(l))
		}
		return err
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lineage, serial, err := readHead(file)
	if err == nil {
		var whole bool
		if whole, err = hasTail(file); err == nil && !whole {
			_, err = readLedger(f.path)
		}
	}
	if err != nil {
		text, readErr := os.ReadFile(f.path)
		if readErr == nil {
			_, readErr = Decode(text)
		}
		return f.damaged(text, cmp.Or(readErr, err))
	}
	if lineage != l.Lineage || serial != l.Serial {
		return &StaleError{Where: f.path, Stored: serial, Loaded: l.Serial, ForeignLineage: lineage != l.Lineage}
	}
	return nil
}

// tail is the end of what Encode writes. No part of it ends so: a line with nothing but the brace is the last one.
const tail = "\n}\n"

func hasTail(file *os.File) (bool, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size < int64(len(tail)) {
		return false, err
	}
	end := make([]byte, len(tail))
	if _, err := file.ReadAt(end, size-int64(len(tail))); err != nil {
		return false, err
	}
	return string(end) == tail, nil
}

// Head reads lineage and serial from the beginning of a ledger, which need not be whole.
func Head(text []byte) (lineage string, serial uint64, err error) {
	return readHead(bytes.NewReader(text))
}

func readHead(r io.Reader) (lineage string, serial uint64, err error) {
	dec := json.NewDecoder(r)
	if _, err := dec.Token(); err != nil {
		return "", 0, err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return "", 0, err
		}
		switch name {
		case "lineage":
			err = dec.Decode(&lineage)
		case "serial":
			err = dec.Decode(&serial)
			return lineage, serial, err
		default:
			var skip json.RawMessage
			err = dec.Decode(&skip)
		}
		if err != nil {
			return "", 0, err
		}
	}
	return "", 0, errors.New("no serial in it")
}

// keepAs gives the present generation a second name. The first name stays, so there is no moment without a ledger.
func (f *File) keepAs(path string) error {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := os.Link(f.path, temp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the first generation, or one that is gone
	}
	if err != nil { // a file system without hard links
		text, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		return renameio.WriteFile(path, text, 0o600)
	}
	return os.Rename(temp, path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

const lockPoll = 100 * time.Millisecond

// Lock implements Store by flock(2), which the kernel releases when the process dies however it dies. The lock
// file's text only says who holds it.
func (f *File) Lock(ctx context.Context, holder Holder, wait time.Duration) (Lock, error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, fmt.Errorf("lock ledger: %w", err)
	}
	path := f.path + ".lock"
	fl := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR))
	waitCtx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	locked, err := fl.TryLock()
	if err == nil && !locked && wait > 0 {
		locked, err = fl.TryLockContext(waitCtx, lockPoll)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lock ledger: %w", err)
	}
	if !locked {
		held := &HeldError{Where: f.path}
		if text, err := os.ReadFile(path); err == nil {
			_ = json.Unmarshal(text, &held.Holder) // a holder between lock and write is "another process"
		}
		return nil, held
	}
	text, err := json.Marshal(holder)
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o600) // in place: a new file would be another lock
	}
	if err != nil {
		_ = fl.Close()
		return nil, fmt.Errorf("lock ledger: %w", err)
	}
	return fileLock{fl}, nil
}

type fileLock struct{ fl *flock.Flock }

func (fileLock) Lost() <-chan struct{} { return nil }

// Unlock leaves the file: removing it would let two processes lock two files of one name.
func (l fileLock) Unlock() error {
	err := os.Truncate(l.fl.Path(), 0)
	return errors.Join(err, l.fl.Close())
}

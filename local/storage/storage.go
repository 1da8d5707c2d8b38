package storage

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Config says where the account lives and which credentials it accepts.
type Config struct {
	Dir string // made if missing; one process at a time
	// Account is the storage account served. Empty serves every account name,
	// each with its own containers and queues, all with the same key.
	Account string
	Key     string // account key, base64
	Token   string // bearer token accepted by the resource manager and the data planes; "" accepts none
	Logger  *slog.Logger
	// DeleteDelay is how long the name of a deleted container or queue answers
	// ContainerBeingDeleted or QueueBeingDeleted. Azure takes about 30 s; zero
	// frees the name at once.
	DeleteDelay time.Duration
	// Queue tells whether another server has a queue, for event subscriptions that send there; nil: no other server has any.
	Queue func(ctx context.Context, account, name string) bool
}

// Storage is an open account. Its handlers are safe for concurrent use.
type Storage struct {
	cfg      Config
	key      []byte
	log      *slog.Logger
	lock     *flock.Flock
	now      func() time.Time
	journal  *journal
	compact  int64 // journal size in bytes at which it is rewritten
	mu       sync.RWMutex
	state    *state
	deleting map[string]time.Time // container/… or queue/… until when the name is taken
}

const (
	journalName   = "journal"
	blobsName     = "blobs"
	compactFloor  = 64 << 20
	compactFactor = 4
)

// Open reads the journal in cfg.Dir, drops blob files that nothing refers to,
// and takes the directory for this process. It fails if another process has it
// or if the journal is damaged before its last line.
func Open(cfg Config) (*Storage, error) {
	key, err := base64.StdEncoding.DecodeString(cfg.Key)
	if err != nil || len(key) == 0 {
		return nil, errors.New("open storage: the account key must be non-empty base64")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, blobsName), 0o700); err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	lock := flock.New(filepath.Join(cfg.Dir, "lock"))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("open storage: %w", err)
	case !held:
		return nil, fmt.Errorf("open storage: %s is in use by another process", cfg.Dir)
	}
	s := &Storage{
		cfg: cfg, key: key, log: cfg.Logger, lock: lock, now: time.Now,
		state: newState(), deleting: map[string]time.Time{},
	}
	if err := s.load(); err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("open storage %s: %w", cfg.Dir, err)
	}
	return s, nil
}

func (s *Storage) load() error {
	path := filepath.Join(s.cfg.Dir, journalName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	valid, err := readJournal(file, s.state.replay)
	if err == nil {
		err = file.Truncate(valid)
	}
	if err == nil {
		_, err = file.Seek(valid, io.SeekStart)
	}
	if err == nil {
		err = syncDir(s.cfg.Dir)
	}
	if err != nil {
		file.Close()
		return err
	}
	dir, err := os.Open(filepath.Join(s.cfg.Dir, blobsName))
	if err != nil {
		file.Close()
		return err
	}
	s.journal = newJournal(file, dir, valid)
	s.compact = max(compactFloor, valid)
	return s.sweep()
}

// sweep removes files whose upload was never acknowledged or whose blob is gone.
func (s *Storage) sweep() error {
	live := map[string]bool{}
	s.state.files(func(name string) { live[name] = true })
	entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, blobsName))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !live[e.Name()] {
			if err := os.Remove(s.path(e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close writes what is pending and lets the directory go. Handlers must not be
// called any more.
func (s *Storage) Close() error {
	return errors.Join(s.journal.close(), s.lock.Unlock())
}

func (s *Storage) path(file string) string { return filepath.Join(s.cfg.Dir, blobsName, file) }

// tx collects the operations of one atomic journal line. Each is applied to
// the state at once, so a function must check everything before it changes
// anything.
type tx struct {
	s    *Storage
	ops  []op
	drop []string // files to remove once the line is on disk
}

func (t *tx) put(kind string, key []string, value any) {
	t.ops = append(t.ops, encodeOp(kind, key, value))
	t.s.state.apply(kind, key, value)
}

func (t *tx) del(kind string, key ...string) {
	t.ops = append(t.ops, op{Kind: kind, Key: key})
	t.s.state.apply(kind, key, nil)
}

func (t *tx) remove(file string) { t.drop = append(t.drop, file) }

// tick returns a number higher than any before, also across restarts: the
// wall clock in nanoseconds where that is possible. ETags and sequencers are
// made of it.
func (t *tx) tick() int64 {
	t.s.state.clock = max(t.s.state.clock+1, t.s.now().UnixNano())
	return t.s.state.clock
}

func encodeOp(kind string, key []string, value any) op {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("storage: encode %s: %v", kind, err)) // plain data: cannot fail
	}
	return op{Kind: kind, Key: key, Value: raw}
}

// update runs fn with the state locked for writing and returns when what it
// put, and all that it could have seen, is on disk.
func (s *Storage) update(fn func(*tx) error) error {
	t := &tx{s: s}
	line, err := s.locked(t, fn)
	if werr := s.journal.wait(line); werr != nil {
		return s.internal(werr)
	}
	for _, file := range t.drop {
		_ = os.Remove(s.path(file)) // left over on failure: swept at the next Open
	}
	return err
}

func (s *Storage) locked(t *tx, fn func(*tx) error) (line uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = fn(t)
	line, size := s.journal.mark()
	if len(t.ops) == 0 {
		return line, err
	}
	if size > s.compact {
		if cerr := s.rewrite(); cerr != nil {
			s.log.Warn("journal not compacted", "err", cerr)
			s.compact *= 2
		} else {
			return line, err // the new journal holds this transaction
		}
	}
	t.ops = append(t.ops, encodeOp(kindClock, nil, &s.state.clock))
	doc, merr := json.Marshal(t.ops)
	if merr != nil {
		panic(fmt.Sprintf("storage: encode line: %v", merr))
	}
	return s.journal.append(doc), err
}

// view runs fn with the state locked for reading and returns when all that it
// could have seen is on disk: no answer is ahead of what survives a crash.
func (s *Storage) view(fn func(*state) error) error {
	s.mu.RLock()
	err := func() error { defer s.mu.RUnlock(); return fn(s.state) }()
	line, _ := s.journal.mark()
	if werr := s.journal.wait(line); werr != nil {
		return s.internal(werr)
	}
	return err
}

func (s *Storage) internal(err error) error {
	s.log.Error("storage failed", "err", err)
	return fail(500, "InternalError", "The server encountered an internal error: %v", err)
}

// rewrite puts a journal of only what is live in place of the old one. Called
// with the state locked for writing.
func (s *Storage) rewrite() error {
	path := filepath.Join(s.cfg.Dir, journalName)
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	var size int64
	w := bufio.NewWriterSize(file, 1<<20)
	s.state.dump(func(kind string, key []string, value any) {
		doc, merr := json.Marshal([]op{encodeOp(kind, key, value)})
		if merr != nil {
			panic(fmt.Sprintf("storage: encode line: %v", merr))
		}
		n, _ := w.Write(encodeLine(doc)) // the error comes again from Flush
		size += int64(n)
	})
	err = w.Flush()
	if err == nil {
		err = s.journal.dir.Sync() // the files of blobs that only this journal names
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		file.Close()
		return err
	}
	s.journal.replace(file, size, syncDir(s.cfg.Dir))
	s.compact = max(compactFloor, compactFactor*size)
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

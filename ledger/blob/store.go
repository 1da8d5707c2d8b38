package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/ledger"
)

// Store is a ledger in a blob. It is safe for concurrent use, by goroutines and by machines.
type Store struct {
	client *container.Client
	key    string
	timing timing
	now    func() time.Time

	mu       sync.Mutex
	known    *generation // what is stored, as far as this process knows; nil: not read yet
	prevTag  azcore.ETag // of the previous generation, as it was before known was read; "" for none
	wroteTag azcore.ETag // of the previous generation, as this process wrote it
	saved    bool        // by this process
	badTag   azcore.ETag // of what is stored, where that is damaged; "" where it is gone
	doubt    string      // the id of a failed write, which may have come through all the same
}

var _ ledger.Store = (*Store)(nil)

// timing is how long things take and last.
type timing struct {
	lease  time.Duration // of the lock; the service allows 15 to 60 s
	renew  time.Duration // after this part of a lease it is renewed
	margin time.Duration // a lock counts as lost this long before its lease ends
	poll   time.Duration // between two tries for a held lock: this, and up to as much again
	delay  time.Duration // before the first retry of a call; it doubles

	state, lock limit
}

// limit bounds one try of a call, and the call with all its retries.
type limit struct{ try, call time.Duration }

var usual = timing{
	lease: 60 * time.Second, renew: 20 * time.Second, margin: 10 * time.Second,
	poll: 500 * time.Millisecond, delay: 400 * time.Millisecond,
	state: limit{try: 30 * time.Second, call: 2 * time.Minute},
	lock:  limit{try: 5 * time.Second, call: 15 * time.Second},
}

// generation is what is stored under the key; the zero value is nothing.
type generation struct {
	lineage string
	serial  uint64
	etag    azcore.ETag
	write   string // the id of the write that made it
	text    []byte
}

// New returns the store of the ledger with this key, a blob's name, in a container. Neither need exist yet.
func New(client *container.Client, key string) *Store {
	return &Store{client: client, key: key, timing: usual, now: time.Now}
}

func (s *Store) previous() string { return s.key + ".prev" }

// before is the generation from before the last process that saved.
func (s *Store) before() string { return s.key + ".before" }

// rescue is where an apply that came upon a damaged ledger puts what it knew, and aside where what was damaged is kept.
func (s *Store) rescue() string { return s.key + ".rescue" }
func (s *Store) aside() string  { return s.key + ".damaged" }

// Load implements ledger.Store.
func (s *Store) Load(ctx context.Context) (*ledger.Ledger, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = nil
	l, err := s.load(ctx)
	var damaged *ledger.DamagedError
	if err != nil && !errors.As(err, &damaged) {
		err = fmt.Errorf("load ledger: %w", err)
	}
	return l, err
}

func (s *Store) load(ctx context.Context) (*ledger.Ledger, error) {
	l, err := s.read(ctx)
	switch {
	case err != nil || l != nil:
		return l, err
	case s.prevTag != "": // a save never leaves the name empty
		s.badTag = ""
		return nil, s.damaged(ctx, nil, ledger.ErrGone)
	}
	return ledger.New(), nil
}

// read learns what is stored. The ledger is nil where there is none. The previous generation is looked at first: it
// changes with each save, so one that is as it was then was not overtaken by a save since.
func (s *Store) read(ctx context.Context) (*ledger.Ledger, error) {
	prev, err := s.head(ctx, s.previous())
	if err != nil {
		return nil, err
	}
	s.prevTag = ""
	if prev != nil {
		s.prevTag = prev.etag
	}
	o, err := s.get(ctx, s.key)
	if err != nil {
		return nil, err
	}
	if o == nil {
		s.known = &generation{}
		return nil, nil
	}
	l, err := ledger.Decode(o.text)
	outdated := err == nil && prev != nil && prev.lineage == l.Lineage && prev.serial > l.Serial
	if outdated {
		err = ledger.Outdated(l.Serial, prev.serial)
	}
	if err != nil {
		s.badTag = o.etag
		err = s.damaged(ctx, o.text, err)
		var d *ledger.DamagedError
		if !outdated || !errors.As(err, &d) || d.Previous != "" {
			return nil, err
		}
		l.Recover(s.now()) // the newer one is no good
	}
	s.known = &generation{lineage: l.Lineage, serial: l.Serial, etag: o.etag, write: o.write, text: o.text}
	return l, nil
}

// damaged says why the ledger cannot be read, and looks for the way out.
func (s *Store) damaged(ctx context.Context, text []byte, why error) error {
	d := ledger.Damaged(s.where(s.key), text, why)
	prev, err := s.get(ctx, s.previous())
	if err != nil {
		return fmt.Errorf("the ledger %s cannot be read: %w; neither can the previous generation: %w", d.Where, why, err)
	}
	if prev != nil {
		d.ConsiderPrevious(s.where(s.previous()), prev.text)
	}
	if d.Previous == "" {
		if before, err := s.get(ctx, s.before()); err == nil && before != nil {
			d.ConsiderOlder(s.where(s.before()), before.text)
		}
	}
	if d.Previous != "" {
		d.Restore = "`mkt ledger restore` puts " + d.Previous + " in its place"
	}
	rescued, err := s.get(ctx, s.rescue())
	if err != nil {
		return fmt.Errorf("the ledger %s cannot be read: %w; neither can what was put aside of it: %w", d.Where, why, err)
	}
	if rescued != nil {
		d.ConsiderRescued(rescued.text)
	}
	return d
}

// Save implements ledger.Store.
func (s *Store) Save(ctx context.Context, l *ledger.Ledger) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.save(ctx, l); err != nil {
		return fmt.Errorf("save ledger: %w", err)
	}
	return nil
}

func (s *Store) save(ctx context.Context, l *ledger.Ledger) error {
	for tries := 10; ; tries-- {
		check := s.checkGeneration(ctx, l)
		next := *l
		next.Serial++
		text, err := next.Encode()
		if err != nil {
			return err
		}
		err = check
		var damaged *ledger.DamagedError
		switch {
		case err == nil:
			err = s.replace(ctx, text)
		case errors.As(err, &damaged) && damaged.Replaces(l):
			err = s.replaceDamaged(ctx, text)
		case errors.As(err, &damaged) && damaged.Rescues(l, s.wroteTag != "" && s.wroteTag == s.prevTag):
			if _, rescueErr := s.upload(ctx, s.timing.state, s.rescue(), rand.Text(), text, nil); rescueErr != nil {
				err = fmt.Errorf("%w; put aside what was not saved: %w", err, rescueErr)
			}
			return err
		default:
			return err
		}
		if err == nil {
			s.known.lineage, s.known.serial = next.Lineage, next.Serial
			s.saved = true
			*l = next
			l.Saved()
			return nil
		}
		s.known = nil
		if !conflict(err) || tries == 1 { // with a conflict the next look says who was first
			return err
		}
	}
}

// checkGeneration refuses to overwrite what l did not come from. What this process knows is enough to go on, as the
// write is conditional, but not to refuse.
func (s *Store) checkGeneration(ctx context.Context, l *ledger.Ledger) error {
	if s.known != nil && s.known.precedes(l) && !l.Unsaved() {
		return nil
	}
	if l.Unsaved() {
		_, err := s.load(ctx)
		if err != nil {
			return err
		}
		return &ledger.StaleError{Where: s.where(s.key), Stored: s.known.serial, Loaded: l.Serial}
	}
	if _, err := s.read(ctx); err != nil {
		return err
	}
	if s.doubt != "" && s.known.write == s.doubt && s.known.lineage == l.Lineage && s.known.serial == l.Serial+1 {
		l.Serial = s.known.serial // an earlier save of l came through after all
	}
	if s.known.precedes(l) {
		return nil
	}
	return &ledger.StaleError{
		Where: s.where(s.key), Stored: s.known.serial, Loaded: l.Serial,
		ForeignLineage: s.known.etag != "" && s.known.lineage != l.Lineage,
	}
}

// precedes tells whether l came from the generation.
func (g *generation) precedes(l *ledger.Ledger) bool {
	return g.serial == l.Serial && (g.etag == "" || g.lineage == l.Lineage)
}

// replace writes a text in place of the known generation, which becomes the previous one. Killed in between, both
// names have the same generation. Writing the previous one is conditional too: a late process that lost its lock
// must not put an old generation there.
func (s *Store) replace(ctx context.Context, text []byte) error {
	if s.known.etag != "" {
		if !s.saved {
			if _, err := s.upload(ctx, s.timing.state, s.before(), rand.Text(), s.known.text, nil); err != nil {
				return err
			}
		}
		etag, err := s.put(ctx, s.previous(), rand.Text(), s.known.text, s.prevTag)
		if err != nil {
			return err
		}
		s.prevTag, s.wroteTag = etag, etag
	}
	s.doubt = rand.Text()
	etag, err := s.put(ctx, s.key, s.doubt, text, s.known.etag)
	if err != nil {
		return err
	}
	s.known = &generation{etag: etag, write: s.doubt, text: text}
	s.doubt = ""
	return nil
}

// replaceDamaged writes a text in place of a damaged ledger, which is put aside. The previous generation stays.
func (s *Store) replaceDamaged(ctx context.Context, text []byte) error {
	if s.badTag != "" {
		bad, err := s.get(ctx, s.key)
		if err != nil {
			return err
		}
		if bad != nil {
			if _, err := s.upload(ctx, s.timing.state, s.aside(), rand.Text(), bad.text, nil); err != nil {
				return err
			}
		}
	}
	etag, err := s.put(ctx, s.key, rand.Text(), text, s.badTag)
	if err != nil {
		return err
	}
	s.known = &generation{etag: etag, text: text}
	return nil
}

// Restore puts the previous generation in place of a ledger that cannot be read, and returns its serial. A ledger that
// can be read is left alone. The caller holds the lock.
func (s *Store) Restore(ctx context.Context) (serial uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = nil
	serial, err = s.restore(ctx)
	if err != nil {
		return 0, fmt.Errorf("restore ledger: %w", err)
	}
	return serial, nil
}

func (s *Store) restore(ctx context.Context) (uint64, error) {
	o, err := s.get(ctx, s.key)
	if err != nil {
		return 0, err
	}
	var old azcore.ETag
	if o != nil {
		if l, err := ledger.Decode(o.text); err == nil {
			return 0, fmt.Errorf("%s is whole (serial %d); there is nothing to restore", s.where(s.key), l.Serial)
		} else if ledger.Newer(err) {
			return 0, fmt.Errorf("%s is not damaged: %w", s.where(s.key), err)
		}
		old = o.etag
	}
	var l *ledger.Ledger
	unread := fmt.Errorf("there is no previous generation %s", s.where(s.previous()))
	for _, name := range []string{s.previous(), s.before()} {
		prev, err := s.get(ctx, name)
		if err != nil {
			return 0, err
		}
		if prev == nil {
			continue
		}
		if l, err = ledger.Decode(prev.text); err == nil {
			break
		}
		l, unread = nil, fmt.Errorf("the previous generation %s cannot be read either: %w", s.where(name), err)
	}
	if l == nil {
		return 0, unread
	}
	l.Recover(s.now()) // the next apply looks for what it lacks
	text, err := l.Encode()
	if err != nil {
		return 0, err
	}
	if _, err := s.put(ctx, s.key, rand.Text(), text, old); err != nil {
		return 0, err
	}
	return l.Serial, nil
}

package blob

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"mkt/ledger"
)

func (s *Store) lockName() string { return s.key + ".lock" }

// Lock implements ledger.Store. The lock lives on after ctx, until Unlock.
func (s *Store) Lock(ctx context.Context, holder ledger.Holder, wait time.Duration) (ledger.Lock, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		l, err := s.tryLock(ctx, holder)
		if err == nil {
			return l, nil
		}
		if !taken(err) {
			return nil, fmt.Errorf("lock ledger: %w", err)
		}
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return nil, fmt.Errorf("lock ledger: %w", ctx.Err())
			}
			return nil, s.heldError(ctx)
		case <-time.After(s.timing.poll + rand.N(s.timing.poll)):
		}
	}
}

func (s *Store) heldError(ctx context.Context) error {
	held := &ledger.HeldError{
		Where: s.where(s.key),
		Note:  fmt.Sprintf("the lock of a process that died is free after %.0f s, and `mkt unlock` breaks it at once", s.timing.lease.Seconds()),
	}
	if h, err := s.Held(ctx); err == nil && h != nil { // a holder between lease and signature is "another process"
		held.Holder = h.Holder
	}
	return held
}

// lock is a held lease.
type lock struct {
	store  *Store
	lease  *lease.BlobClient
	lost   chan struct{}
	unlock func() error
}

func (s *Store) tryLock(ctx context.Context, holder ledger.Holder) (*lock, error) {
	text, err := json.Marshal(holder)
	if err != nil {
		return nil, err
	}
	client, err := lease.NewBlobClient(s.client.NewBlobClient(s.lockName()), nil)
	if err != nil {
		return nil, err
	}
	since, err := s.acquire(ctx, client)
	if err != nil && answered(err) {
		return nil, err
	}
	if err == nil {
		err = s.sign(ctx, client, append(text, '\n'))
	}
	if err != nil { // a lease that nobody knows of would keep all waiting
		_ = s.release(context.WithoutCancel(ctx), client)
		return nil, err
	}
	l := &lock{store: s, lease: client, lost: make(chan struct{})}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.keep(renewing, since)
	}()
	l.unlock = sync.OnceValue(func() error {
		stop()
		<-done
		return l.end(context.WithoutCancel(ctx))
	})
	return l, nil
}

// keep renews the lease until ctx ends. since is from before the lease began: whatever the network did to the answer,
// the lease lasts at least from there.
func (l *lock) keep(ctx context.Context, since time.Time) {
	s := l.store
	trusted := s.timing.lease - s.timing.margin
	for wait := s.timing.renew; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		asked := s.now()
		left := trusted - passed(since, asked)
		if left <= 0 {
			close(l.lost)
			return
		}
		bounded, cancel := context.WithTimeout(ctx, left)
		err := s.renew(bounded, l.lease)
		cancel()
		switch {
		case err == nil:
			since, wait = asked, s.timing.renew
		case ctx.Err() != nil:
			return
		case notOurs(err):
			close(l.lost)
			return
		default:
			wait = min(s.timing.poll+rand.N(s.timing.poll), max(0, trusted-passed(since, s.now())))
		}
	}
}

// passed is the time between two moments by the clock that saw more of it: the monotonic one stands still while the
// machine sleeps.
func passed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// end lets the lock go. The signature is taken off first, so that the next holder is never mistaken for this one.
func (l *lock) end(ctx context.Context) error {
	select {
	case <-l.lost:
	default:
		_ = l.store.sign(ctx, l.lease, nil) // only for people; a lock is free without
	}
	if err := l.store.release(ctx, l.lease); err != nil {
		return fmt.Errorf("unlock ledger: %w", err)
	}
	return nil
}

// Lost implements ledger.Lock.
func (l *lock) Lost() <-chan struct{} { return l.lost }

// Unlock implements ledger.Lock. A lock that was lost has nothing to let go, which is no error.
func (l *lock) Unlock() error { return l.unlock() }

// Held is a lock as others see it.
type Held struct {
	Holder  ledger.Holder // zero where nobody has signed
	version azcore.ETag
}

// Held returns who holds the lock, nil for nobody.
func (s *Store) Held(ctx context.Context) (*Held, error) {
	o, err := s.get(ctx, s.lockName())
	if err != nil || o == nil || !o.leased {
		return nil, err
	}
	h := &Held{version: o.etag}
	_ = json.Unmarshal(o.text, &h.Holder) // what nobody can read is nobody's name
	return h, nil
}

// Break ends a lock that Held returned, whose holder is told within 20 s if it lives. It fails when another holds the
// lock by now.
func (s *Store) Break(ctx context.Context, h *Held) error {
	err := s.breakLease(ctx, h.version)
	if conflict(err) {
		return fmt.Errorf("the lock of %s changed hands meanwhile; look again", s.where(s.key))
	}
	return err
}

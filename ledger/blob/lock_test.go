package blob

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"

	"mkt/ledger"
)

// These tests have a clock that runs ahead whenever all wait, the account's leases with it: minutes take no time.

func isHeld(err error) bool {
	var held *ledger.HeldError
	return errors.As(err, &held)
}

func isLost(l ledger.Lock) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

func TestLockIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var renewed atomic.Int32
		lock := mustLock(t, w.open(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if r.Header.Get("x-ms-lease-action") == "renew" {
				renewed.Add(1)
			}
			return send()
		}), "apply")
		other := w.open(nil)
		for range 10 {
			time.Sleep(59 * time.Second)
			if _, err := other.Lock(t.Context(), ledger.Me("destroy"), 0); !isHeld(err) {
				t.Fatalf("locked twice: %v", err)
			}
		}
		if n := renewed.Load(); n != 29 || isLost(lock) {
			t.Errorf("renewed %d times in 590 s, lost: %t", n, isLost(lock))
		}
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
		if err := lock.Unlock(); err != nil {
			t.Errorf("unlocked twice: %v", err)
		}
		if err := mustLock(t, other, "destroy").Unlock(); err != nil {
			t.Fatal(err)
		}
		if o, err := other.get(t.Context(), other.lockName()); err != nil || len(o.text) != 0 {
			t.Errorf("a free lock says %q, %v", o.text, err)
		}
		time.Sleep(time.Hour)
		if n := renewed.Load(); n != 29 {
			t.Errorf("renewed after Unlock: %d times", n)
		}
	})
}

// abandon takes the lock as a process does that is killed then: nobody renews or releases it.
func abandon(t testing.TB, s *Store, operation string) {
	t.Helper()
	l, err := lease.NewBlobClient(s.client.NewBlobClient(s.lockName()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.acquire(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if err := s.sign(t.Context(), l, fmt.Appendf(nil, `{"who":"gone@host","pid":7,"operation":%q}`, operation)); err != nil {
		t.Fatal(err)
	}
}

func TestLockOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		abandon(t, w.open(nil), "apply")
		start := time.Now()
		s := w.open(nil)
		var held *ledger.HeldError
		if _, err := s.Lock(t.Context(), ledger.Me("apply"), 30*time.Second); !errors.As(err, &held) || held.Holder.Who != "gone@host" {
			t.Fatalf("got the lock of another: %v", err)
		}
		if took := time.Since(start); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("waited %s instead of 30s", took)
		}
		if !strings.Contains(held.Error(), "free after 60 s") || !strings.Contains(held.Error(), "mkt unlock") {
			t.Errorf("no advice: %v", held)
		}
		lock, err := s.Lock(t.Context(), ledger.Me("apply"), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lock.Unlock() }()
		if took := time.Since(start); took < 60*time.Second || took > 62*time.Second {
			t.Errorf("the lock of the dead was free after %s", took)
		}
	})
}

// TestLockLost cuts the holder off. It must know before another can have the lock.
func TestLockLost(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault faulty
	}{
		{"no route", func(*http.Request, func() (*http.Response, error)) (*http.Response, error) { return nil, errCut }},
		{"no answer", func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}},
		{"throttled", func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return answer(r, http.StatusServiceUnavailable, "ServerBusy", "Retry-After", "7"), nil
		}},
		{"refused", func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return answer(r, http.StatusForbidden, "AuthorizationFailure"), nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var cut atomic.Bool
				lock := mustLock(t, w.open(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
					if cut.Load() {
						return test.fault(r, send)
					}
					return send()
				}), "apply")
				time.Sleep(45 * time.Second) // the last renewal was at 40 s
				cut.Store(true)
				start := time.Now()
				<-lock.Lost()
				if took := time.Since(start) + 5*time.Second; took < 40*time.Second || took > 51*time.Second {
					t.Errorf("lost %s after the last renewal", took)
				}
				other := w.open(nil)
				if _, err := other.Lock(t.Context(), ledger.Me("destroy"), 0); !isHeld(err) {
					t.Errorf("another had the lock before the holder knew: %v", err)
				}
				next, err := other.Lock(t.Context(), ledger.Me("destroy"), 15*time.Second)
				if err != nil {
					t.Fatalf("the lost lock is not free: %v", err)
				}
				cut.Store(false)
				if err := lock.Unlock(); err != nil {
					t.Errorf("unlock after the loss: %v", err)
				}
				if _, err := w.open(nil).Lock(t.Context(), ledger.Me("apply"), 0); !isHeld(err) {
					t.Errorf("who had lost the lock let go that of another: %v", err)
				}
				if err := next.Unlock(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestLockSurvivesAnOutage has one that ends in time.
func TestLockSurvivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var cut atomic.Bool
		lock := mustLock(t, w.open(func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if cut.Load() {
				return nil, errCut
			}
			return send()
		}), "apply")
		for range 5 {
			time.Sleep(30 * time.Second)
			cut.Store(true)
			time.Sleep(25 * time.Second)
			cut.Store(false)
		}
		if isLost(lock) {
			t.Error("lost by an outage of 25 s")
		}
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.open(nil)
		if h, err := s.Held(t.Context()); h != nil || err != nil {
			t.Errorf("held before there is anything: %+v %v", h, err)
		}
		lock := mustLock(t, s, "apply")
		other := w.open(nil)
		held, err := other.Held(t.Context())
		if err != nil || held == nil || held.Holder.Operation != "apply" {
			t.Fatalf("held by %+v, %v", held, err)
		}
		start := time.Now()
		if err := other.Break(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		next := mustLock(t, other, "destroy") // at once
		<-lock.Lost()
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("the holder was told after %s", took)
		}
		if err := lock.Unlock(); err != nil {
			t.Errorf("unlock of a broken lock: %v", err)
		}
		if err := s.Break(t.Context(), held); err == nil || !strings.Contains(err.Error(), "changed hands") {
			t.Errorf("broke a lock that nobody was shown: %v", err)
		}
		held, err = s.Held(t.Context())
		if err != nil || held == nil || held.Holder.Operation != "destroy" {
			t.Fatalf("held by %+v, %v", held, err)
		}
		if err := next.Unlock(); err != nil {
			t.Fatal(err)
		}
		if h, err := s.Held(t.Context()); h != nil || err != nil {
			t.Errorf("held after unlock: %+v %v", h, err)
		}
	})
}

// TestBreakOfTheDead breaks a lock that nobody renews, and once more where it is free already.
func TestBreakOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.open(nil)
		abandon(t, s, "apply")
		held, err := s.Held(t.Context())
		if err != nil || held == nil || held.Holder.Who != "gone@host" {
			t.Fatalf("held by %+v, %v", held, err)
		}
		for range 2 {
			if err := s.Break(t.Context(), held); err != nil {
				t.Fatal(err)
			}
		}
		if err := mustLock(t, s, "apply").Unlock(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLockAfterSleep has a machine that slept: the lease ended while its clock for waiting stood still.
func TestLockAfterSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWorld(t).open(nil)
		var slept atomic.Int64
		s.now = func() time.Time { return time.Now().Round(0).Add(time.Duration(slept.Load())) }
		lock := mustLock(t, s, "apply")
		slept.Store(int64(time.Hour))
		<-lock.Lost()
		if err := lock.Unlock(); err != nil {
			t.Error(err)
		}
	})
}

func TestPassed(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		from, to time.Time
		want     time.Duration
	}{
		{now, now.Add(time.Second), time.Second},
		{now.Round(0), now.Add(time.Minute), time.Minute},
		{now, now.Add(-time.Second), -time.Second},
	} {
		if got := passed(test.from, test.to); got != test.want {
			t.Errorf("from %s to %s: %s", test.from, test.to, got)
		}
	}
}

package blob

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/ledger"
	"mkt/ledger/ledgertest"
)

// round is a whole use of the store: two saves under the lock.
func round(ctx context.Context, s *Store) error {
	lock, err := s.Lock(ctx, ledger.Me("apply"), 0)
	if err != nil {
		return err
	}
	l, err := s.Load(ctx)
	if err == nil {
		err = s.Save(ctx, l)
	}
	if err == nil {
		err = s.Save(ctx, l)
	}
	return errors.Join(err, lock.Unlock())
}

// TestOneFaultAnywhere does a thing to each request of a round in turn, once. Nothing of it is to be seen.
func TestOneFaultAnywhere(t *testing.T) {
	for name, fault := range map[string]faulty{
		"lost on the way":    func(*http.Request, func() (*http.Response, error)) (*http.Response, error) { return nil, errCut },
		"answer lost":        func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) { return lose(send) },
		"503 with an advice": busy("3"),
		"500": func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return answer(r, http.StatusInternalServerError, "InternalError"), nil
		},
		"500 after the deed": func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			_, _ = lose(send)
			return answer(r, http.StatusInternalServerError, "OperationTimedOut"), nil
		},
		"no answer": func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"no answer to a deed": func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			_, _ = lose(send)
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for the disk
			synctest.Test(t, func(t *testing.T) {
				for at := 1; ; at++ {
					w := newWorld(t)
					var n atomic.Int32 // a lock is renewed meanwhile
					fault := func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
						if int(n.Add(1)) == at {
							return fault(r, send)
						}
						return send()
					}
					if err := round(t.Context(), w.open(fault)); err != nil {
						t.Fatalf("request %d: %v", at, err)
					}
					s := w.open(nil)
					if l := mustLoad(t, s); l.Serial != 2 {
						t.Fatalf("request %d: serial %d", at, l.Serial)
					}
					if o, err := s.get(t.Context(), s.previous()); err != nil || o == nil || !strings.Contains(string(o.text), `"serial": 1`) {
						t.Fatalf("request %d: the previous generation is %+v, %v", at, o, err)
					}
					if int(n.Load()) < at {
						if at < 12 {
							t.Errorf("only %d requests", n.Load())
						}
						return
					}
				}
			})
		})
	}
}

// lose sends a request and drops the answer.
func lose(send func() (*http.Response, error)) (*http.Response, error) {
	if resp, err := send(); err == nil {
		_ = resp.Body.Close()
	}
	return nil, errCut
}

func busy(seconds string) faulty {
	return func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
		return answer(r, http.StatusServiceUnavailable, "ServerBusy", "Retry-After", seconds), nil
	}
}

// TestSaveInDoubt has saves that came through although nothing after them did. The store knows its own again.
func TestSaveInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		armed, cut := false, false
		s := w.open(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if armed && !cut && r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, stackKey) {
				cut = true
				return lose(send)
			}
			if cut {
				return nil, errCut
			}
			return send()
		})
		l := ledgertest.Full()
		doubtful := func() {
			t.Helper()
			serial := l.Serial
			armed = true
			err := s.Save(t.Context(), l)
			armed, cut = false, false
			if err == nil || l.Serial != serial {
				t.Fatalf("saved without an answer: serial %d, %v", l.Serial, err)
			}
			if stored := mustLoad(t, w.open(nil)); stored.Serial != serial+1 {
				t.Fatalf("stored serial %d; the test is of nothing", stored.Serial)
			}
		}
		mustSave(t, s, l)
		for serial := uint64(1); serial < 6; serial += 2 {
			doubtful()
			mustSave(t, s, l)
			if l.Serial != serial+2 {
				t.Errorf("saved as serial %d, not %d", l.Serial, serial+2)
			}
		}
		doubtful()
		other := w.open(nil)
		mustSave(t, other, mustLoad(t, other))
		var stale *ledger.StaleError
		if err := s.Save(t.Context(), l); !errors.As(err, &stale) {
			t.Errorf("what another wrote since was overwritten: %v", err)
		}
	})
}

// TestRaceWithoutLock saves from one generation many times at once: one wins.
func TestRaceWithoutLock(t *testing.T) {
	w := newWorld(t)
	for round := uint64(1); round <= 5; round++ {
		var won atomic.Int32
		var wg sync.WaitGroup
		var stores [4]*Store
		var loaded [4]*ledger.Ledger
		for i := range stores {
			stores[i] = w.open(nil)
			loaded[i] = mustLoad(t, stores[i])
		}
		for i := range stores {
			wg.Go(func() {
				var stale *ledger.StaleError
				if err := stores[i].Save(t.Context(), loaded[i]); err == nil {
					won.Add(1)
				} else if !errors.As(err, &stale) {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		if l := mustLoad(t, w.open(nil)); won.Load() != 1 || l.Serial != round {
			t.Fatalf("round %d: %d won, serial %d", round, won.Load(), l.Serial)
		}
	}
}

// TestOvertaken lets another save between each two requests of a save. Whoever is late changes nothing.
func TestOvertaken(t *testing.T) {
	for at := 1; ; at++ {
		w := newWorld(t)
		mustSave(t, w.open(nil), ledgertest.Full())
		other := w.open(nil)
		theirs := mustLoad(t, other)
		n, armed := 0, false
		s := w.open(func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if armed {
				if n++; n == at {
					mustSave(t, other, theirs)
					mustSave(t, other, theirs)
				}
			}
			return send()
		})
		l := mustLoad(t, s)
		armed = true
		err := s.Save(t.Context(), l)
		if n < at {
			if at != 4 || err != nil {
				t.Errorf("%d requests, %v", n, err)
			}
			return
		}
		var stale *ledger.StaleError
		if !errors.As(err, &stale) || stale.Stored != 3 || stale.Loaded != 1 {
			t.Fatalf("request %d: overtaken, and %v", at, err)
		}
		read := w.open(nil)
		if l := mustLoad(t, read); l.Serial != 3 {
			t.Errorf("request %d: serial %d", at, l.Serial)
		}
		if o, err := read.get(t.Context(), read.previous()); err != nil || !strings.Contains(string(o.text), `"serial": 2`) {
			t.Errorf("request %d: the previous generation is %s, %v", at, o.text, err)
		}
	}
}

// TestRefused has answers that end it, and says what helps.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault faulty
		want  string
	}{
		{"denied", func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return answer(r, http.StatusForbidden, "AuthorizationPermissionMismatch"), nil
		}, "403 AuthorizationPermissionMismatch; the ledger needs the right to read and write blobs"},
		{"throttled without end", busy("2"), "503 ServerBusy; the storage account is overloaded"},
		{"throttled for an hour", busy("3600"), "503 ServerBusy; the storage account is overloaded"},
		{"network", func(*http.Request, func() (*http.Response, error)) (*http.Response, error) { return nil, errCut }, "connection reset"},
		{"no answer", func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, "no answer in time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := w.open(test.fault)
				for what, call := range map[string]func() error{
					"load ledger: read":  func() error { _, err := s.Load(t.Context()); return err },
					"save ledger: read":  func() error { return s.Save(t.Context(), ledger.New()) },
					"lock ledger: lease": func() error { _, err := s.Lock(t.Context(), ledger.Me("apply"), 0); return err },
					"restore ledger":     func() error { _, err := s.Restore(t.Context()); return err },
					"read":               func() error { _, err := s.Held(t.Context()); return err },
					"break":              func() error { return s.Break(t.Context(), &Held{version: "x"}) },
				} {
					start := time.Now()
					err := call()
					if err == nil || !strings.HasPrefix(err.Error(), what) || !strings.Contains(err.Error(), test.want) {
						t.Errorf("%s: %v", what, err)
						continue
					}
					if took := time.Since(start); took > 2*usual.state.call {
						t.Errorf("%s: it took %s", what, took)
					}
					if strings.Contains(err.Error(), "topsecret") || strings.ContainsAny(err.Error(), "\n?") {
						t.Errorf("%s: the error shows more than it should: %v", what, err)
					}
				}
				if err := mustLock(t, w.open(nil), "apply").Unlock(); err != nil { // nobody who was refused has it
					t.Error(err)
				}
			})
		})
	}
}

// TestRetryAfter waits as long as the service says.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		s := newWorld(t).open(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if first {
				first = false
				return busy("7")(r, send)
			}
			return send()
		})
		start := time.Now()
		mustLoad(t, s)
		if took := time.Since(start); took < 7*time.Second || took > 8*time.Second {
			t.Errorf("asked again after %s", took)
		}
	})
}

// TestDeniedPrevious has a ledger that is not there and one before that nobody may read: not a first run.
func TestDeniedPrevious(t *testing.T) {
	s := newWorld(t).open(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, ".prev") {
			return answer(r, http.StatusForbidden, "AuthorizationFailure"), nil
		}
		return send()
	})
	if _, err := s.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("what nobody may read counts as not there: %v", err)
	}
}

// TestContainerDenied has a credential that may write blobs, and make no container.
func TestContainerDenied(t *testing.T) {
	s := newWorld(t).open(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if r.URL.Query().Get("restype") == "container" {
			return answer(r, http.StatusForbidden, "AuthorizationPermissionMismatch"), nil
		}
		return send()
	})
	_, err := s.Lock(t.Context(), ledger.Me("apply"), 0)
	if err == nil || !strings.Contains(err.Error(), "create the container http://127.0.0.1:10000/mktlocal/ledgers: 403") {
		t.Errorf("%v", err)
	}
}

// TestSASStaysSecret signs in with a SAS, which is in every URL.
func TestSASStaysSecret(t *testing.T) {
	client, err := container.NewClientWithNoCredential("http://127.0.0.1:1/mktlocal/ledgers?sv=2024-11-04&sig=topsecret",
		&container.ClientOptions{ClientOptions: policy.ClientOptions{InsecureAllowCredentialWithHTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	s := quick(client)
	_, err = s.Load(t.Context())
	if err == nil || strings.Contains(err.Error(), "topsecret") || !strings.Contains(err.Error(), "/mktlocal/ledgers/"+stackKey) {
		t.Errorf("%v", err)
	}
}

// TestCancelled ends a call with its context, and a lease that was got meanwhile.
func TestCancelled(t *testing.T) {
	w := newWorld(t)
	mustSave(t, w.open(nil), ledgertest.Full())
	for at := 1; at <= 4; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		s := w.open(func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			if n++; n == at {
				defer cancel()
			}
			return send()
		})
		if lock, err := s.Lock(ctx, ledger.Me("apply"), 0); err == nil {
			_ = lock.Unlock()
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("request %d: %v", at, err)
		}
		if err := mustLock(t, w.open(nil), "destroy").Unlock(); err != nil {
			t.Errorf("request %d: %v", at, err)
		}
	}
}

func TestWithoutQueries(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"plain":                             "plain",
		`Get "http://h/p?sig=1": refused`:   `Get "http://h/p": refused`,
		"http://h/p?sig=1":                  "http://h/p",
		"http://h/?a http://g/?b and so on": "http://h/ http://g/ and so on",
	} {
		if got := withoutQueries(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

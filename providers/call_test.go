package providers

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v5"
)

func TestRetry(t *testing.T) {
	throttled := Errorf(Throttled, "too many")
	nobody := Errorf(Unavailable, "connect: %w", syscall.ECONNREFUSED)
	for _, tc := range []struct {
		name  string
		errs  []error // of each try; the last one repeats
		limit time.Duration
		tries int // 0: more than one
		want  error
	}{
		{"at once", []error{nil}, time.Minute, 1, nil},
		{"after two failures", []error{throttled, throttled, nil}, time.Minute, 3, nil},
		{"for good", []error{Errorf(Denied, "no")}, time.Minute, 1, Errorf(Denied, "no")},
		{"given up", []error{throttled}, time.Hour, 0, throttled},
		{"nobody there", []error{nobody}, time.Hour, 0, nobody},
		{"context ends between tries", []error{throttled}, time.Second, 0, throttled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.limit)
				defer cancel()
				tries := 0
				start := time.Now()
				_, err := Retry(ctx, func(context.Context) (struct{}, error) {
					err := tc.errs[min(tries, len(tc.errs)-1)]
					tries++
					return struct{}{}, err
				})
				if tc.tries != 0 && tries != tc.tries || tc.tries == 0 && tries < 2 {
					t.Errorf("%d tries, want %d", tries, tc.tries)
				}
				if (err == nil) != (tc.want == nil) || err != nil && err.Error() != tc.want.Error() {
					t.Errorf("error %v, want %v", err, tc.want)
				}
				if CodeOf(err) != CodeOf(tc.want) {
					t.Errorf("code %q, want %q", CodeOf(err), CodeOf(tc.want))
				}
				if took := time.Since(start); took > RetryFor+CallTimeout || errors.Is(tc.want, nobody) && took > 2*ConnectFor {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestRetryObeysTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, tries := time.Now(), 0
		_, err := Retry(t.Context(), func(context.Context) (struct{}, error) {
			if tries++; tries == 1 {
				return struct{}{}, &Error{Code: Throttled, Err: backoff.RetryAfter(7)}
			}
			return struct{}{}, nil
		})
		if took := time.Since(start); err != nil || took != 7*time.Second {
			t.Errorf("took %s, error %v; want 7s and none", took, err)
		}
	})
}

func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got := Each(t.Context(), 2, []int{1, 2, 3, 4}, func(_ context.Context, n int) int {
			time.Sleep(time.Second)
			return n * n
		})
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("four items with two at a time took %s, want 2s", took)
		}
		for i, n := range got {
			if n != (i+1)*(i+1) {
				t.Errorf("result %d is %d: not in the items' order", i, n)
			}
		}
	})
}

func TestErrors(t *testing.T) {
	inner := errors.New("connection refused")
	err := Errorf(Unavailable, "read topic %q: %w", "t", inner)
	if !Transient(err) || CodeOf(err) != Unavailable || !errors.Is(err, inner) || err.Error() != `read topic "t": connection refused` {
		t.Errorf("%v, code %q", err, CodeOf(err))
	}
	if Transient(inner) || CodeOf(inner) != Unknown || Detail(inner) != nil || Detail(err) != err {
		t.Error("a plain error has no code")
	}
}

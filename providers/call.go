package providers

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"
)

// The limits of one remote operation, retries included.
const (
	CallTimeout = 20 * time.Second // one request
	RetryFor    = 30 * time.Second // all tries of one operation
	ConnectFor  = 5 * time.Second  // all tries of one where nobody listens
)

// Limits replace those of one remote operation.
type Limits struct {
	Call, Retry, Connect time.Duration // see CallTimeout, RetryFor and ConnectFor
}

type limitsKey struct{}

// WithLimits returns a context in which Retry works within other limits, such as shorter ones for tests of what is
// broken for good.
func WithLimits(ctx context.Context, l Limits) context.Context {
	return context.WithValue(ctx, limitsKey{}, l)
}

// LimitsOf returns the limits of operations in ctx.
func LimitsOf(ctx context.Context) Limits {
	if limits, ok := ctx.Value(limitsKey{}).(Limits); ok {
		return limits
	}
	return Limits{Call: CallTimeout, Retry: RetryFor, Connect: ConnectFor}
}

// Each calls fn for every item with at most limit calls under way, and returns the results in the items' order.
func Each[T, R any](ctx context.Context, limit int, items []T, fn func(context.Context, T) R) []R {
	results := make([]R, len(items))
	var g errgroup.Group
	g.SetLimit(limit)
	for i, item := range items {
		g.Go(func() error {
			results[i] = fn(ctx, item)
			return nil
		})
	}
	_ = g.Wait()
	return results
}

// Retry calls fn until it succeeds, fails for good (not Transient) or RetryFor is over. Each try has CallTimeout, and all
// limits are those of WithLimits where the context has some. Where nobody listens at the address, or there is no such
// host, it gives up after ConnectFor. Waits grow from 200 ms to 10 s with jitter; an error of After, or one made by
// backoff.RetryAfter, is obeyed. The error is that of the last
// try, also when ctx ended while waiting for the next one: why it failed says more than that the time was over.
func Retry[R any](ctx context.Context, fn func(context.Context) (R, error)) (R, error) {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval = 200 * time.Millisecond
	policy.MaxInterval = 10 * time.Second
	limits := LimitsOf(ctx)
	var last error
	start := time.Now()
	try := func() (R, error) {
		callCtx, cancel := context.WithTimeout(ctx, limits.Call)
		defer cancel()
		r, err := fn(callCtx)
		last = err
		if err != nil && (!Transient(err) || nobodyThere(err) && time.Since(start) >= limits.Connect) {
			return r, backoff.Permanent(err)
		}
		return r, err
	}
	r, err := backoff.Retry(ctx, try, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(limits.Retry))
	if err != nil && last != nil {
		err = last
	}
	return r, err
}

// ParseRetryAfter reads the value of a header Retry-After: seconds, or a date; 0 where it is neither.
func ParseRetryAfter(value string) (seconds int) {
	if n, err := strconv.Atoi(value); err == nil {
		return max(n, 0)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(int(time.Until(at).Seconds()+1), 0)
	}
	return 0
}

// After gives a transient error what the server said about when to try again; Retry obeys. The text stays as it is.
func After(err error, seconds int) error {
	if seconds <= 0 || !Transient(err) {
		return err
	}
	return &later{err, backoff.RetryAfter(seconds)}
}

type later struct{ err, wait error }

func (l *later) Error() string   { return l.err.Error() }
func (l *later) Unwrap() []error { return []error{l.err, l.wait} }

// nobodyThere reports whether err says that the address is wrong, or its server not up.
func nobodyThere(err error) bool {
	var dns *net.DNSError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) && dns.IsNotFound
}

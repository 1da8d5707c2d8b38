package providers

import (
	"context"
	"errors"
	"net"
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

// Retry calls fn until it succeeds, fails for good (not Transient) or RetryFor is over. Each try has CallTimeout.
// Where nobody listens at the address, or there is no such host, it gives up after ConnectFor.
// Waits grow from 200 ms to 10 s with jitter; an error made by backoff.RetryAfter is obeyed. The error is that of the last
// try, also when ctx ended while waiting for the next one: why it failed says more than that the time was over.
func Retry[R any](ctx context.Context, fn func(context.Context) (R, error)) (R, error) {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval = 200 * time.Millisecond
	policy.MaxInterval = 10 * time.Second
	var last error
	start := time.Now()
	try := func() (R, error) {
		callCtx, cancel := context.WithTimeout(ctx, CallTimeout)
		defer cancel()
		r, err := fn(callCtx)
		last = err
		if err != nil && (!Transient(err) || nobodyThere(err) && time.Since(start) >= ConnectFor) {
			return r, backoff.Permanent(err)
		}
		return r, err
	}
	r, err := backoff.Retry(ctx, try, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(RetryFor))
	if err != nil && last != nil {
		err = last
	}
	return r, err
}

// nobodyThere reports whether err says that the address is wrong, or its server not up.
func nobodyThere(err error) bool {
	var dns *net.DNSError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) && dns.IsNotFound
}

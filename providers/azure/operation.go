package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mkt/providers"
)

// pollEvery is how often a long-running operation is asked about where the
// resource manager does not say.
const pollEvery = 2 * time.Second

// finish polls a long-running operation until it ends, at most for operation.
// The poller keeps its place, so a failed poll is repeated like any call.
func finish[R any](ctx context.Context, p *Provider, what string, poller *runtime.Poller[R]) error {
	ctx, cancel := context.WithTimeout(ctx, operation)
	defer cancel()
	for !poller.Done() {
		resp, _, err := call(ctx, p, what, managementHint, poller.Poll) //nolint:bodyclose // the poller has read it
		if err != nil {
			return err
		}
		if poller.Done() {
			break
		}
		wait := pollEvery
		if n := retryAfter(resp); n > 0 {
			wait = time.Duration(n) * time.Second
		}
		select {
		case <-ctx.Done():
			return &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("%s: it is not finished after %s", what, operation)}
		case <-time.After(wait):
		}
	}
	_, _, err := call(ctx, p, what, managementHint, poller.Result)
	var answer *azcore.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return nil // the operation has ended well, and a replica does not show what it made yet
	}
	return err
}

package azure

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Kinds returns the kinds of resources that the provider manages.
func Kinds() []*spec.Kind {
	return []*spec.Kind{Container, Queue, EventSubscription, LifecyclePolicy, RoleAssignment}
}

// Provider manages the storage accounts that one connection reaches.
type Provider struct {
	conn     Connection
	client   policy.ClientOptions // of every SDK client: retries are this package's
	retryFor time.Duration        // all tries of one operation
}

const (
	parallel  = 16              // requests under way at once for a batch
	listFrom  = 4               // objects of one account from which a read lists them
	freedIn   = 2 * time.Minute // bound on waiting for the name of a deleted object
	operation = 5 * time.Minute // bound on a long-running operation
)

// New returns a provider that connects when it is first used.
func New(conn Connection) (*Provider, error) {
	return &Provider{
		conn: conn, retryFor: providers.RetryFor,
		client: policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}},
	}, nil
}

// Resource implements providers.Provider.
func (p *Provider) Resource(kind string) providers.Resource {
	switch kind {
	case Container.Name:
		return &containers{p}
	case Queue.Name:
		return &queues{p}
	case EventSubscription.Name:
		return &subscriptions{p}
	case LifecyclePolicy.Name:
		return &policies{p}
	case RoleAssignment.Name:
		return &assignments{p}
	}
	return nil
}

// Close implements providers.Provider. The connections are shared by all
// clients of the process and end by themselves.
func (p *Provider) Close() error { return nil }

// call retries one operation and gives its error a meaning. tries says how
// often it was tried, so that a caller can tell an answer that was lost.
func call[R any](ctx context.Context, p *Provider, what, hint string, fn func(context.Context) (R, error)) (r R, tries int, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.retryFor)
	defer cancel()
	var last error
	r, err = providers.Retry(ctx, func(ctx context.Context) (R, error) {
		tries++
		r, err := fn(ctx)
		last = failure(what, hint, err)
		return r, last
	})
	if err != nil && last != nil {
		err = last // not that the time is over, but why
	}
	return r, tries, err
}

// do is call for an operation without an answer.
func do(ctx context.Context, p *Provider, what, hint string, fn func(context.Context) error) (tries int, err error) {
	_, tries, err = call(ctx, p, what, hint, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return tries, err
}

// account fills in an absent account from the connection.
func (p *Provider) account(v cty.Value) (cty.Value, error) {
	if v.IsKnown() && !v.IsNull() {
		return v, nil
	}
	if p.conn.Account == "" {
		return v, &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("account"), Err: fmt.Errorf("no storage account is named"),
			Hint: "Set account here or in the provider \"azure\", or AZURE_STORAGE_ACCOUNT."}
	}
	return cty.StringVal(p.conn.Account), nil
}

// with returns an object with some attributes set.
func with(v cty.Value, attrs map[string]cty.Value) cty.Value {
	parts := v.AsValueMap()
	for name, value := range attrs {
		parts[name] = value
	}
	return cty.ObjectVal(parts)
}

// completeStorage fills in account and url of a container or queue.
func (p *Provider) completeStorage(v cty.Value, service string) (cty.Value, error) {
	account, err := p.account(v.GetAttr("account"))
	if err != nil {
		return v, err
	}
	id, name := cty.UnknownVal(cty.String), v.GetAttr("name")
	if name.IsKnown() && !name.IsNull() {
		id = cty.StringVal(storageID(account.AsString(), service, p.conn.suffix(), name.AsString()))
	}
	return with(v, map[string]cty.Value{"account": account, "url": id}), nil
}

package azure

import (
	"context"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// What containers and queues have in common.

// readStorage reads objects that are named by URL: with one listing for each
// account that has several of them, else each by itself. An account whose
// listing is refused is read object by object, since a narrower right may be
// enough for that.
func (p *Provider) readStorage(ctx context.Context, refs []providers.Ref, service string,
	list func(ctx context.Context, account, prefix string) (map[string]cty.Value, error),
	one func(ctx context.Context, id string) (cty.Value, error),
) []providers.Reading {
	byAccount := map[string][]string{}
	for _, ref := range refs {
		if account, name, err := parseStorageID(ref.ID, service); err == nil {
			byAccount[account] = append(byAccount[account], name)
		}
	}
	type listing struct {
		found map[string]cty.Value
		err   error
	}
	listed := map[string]listing{}
	for account, names := range byAccount {
		if len(names) >= listFrom {
			found, err := list(ctx, account, commonPrefix(names))
			if providers.CodeOf(err) != providers.Denied {
				listed[account] = listing{found, err}
			}
		}
	}
	return providers.Each(ctx, parallel, refs, func(ctx context.Context, ref providers.Ref) providers.Reading {
		account, _, err := parseStorageID(ref.ID, service)
		if err != nil {
			return providers.Reading{Err: &providers.Error{Code: providers.Invalid, Err: err}}
		}
		if l, ok := listed[account]; ok {
			return providers.Reading{State: l.found[ref.ID], Err: l.err}
		}
		state, err := one(ctx, ref.ID)
		switch azureCode(err) { // another 404 may come from whoever stands in between
		case "ContainerNotFound", "QueueNotFound", "ContainerBeingDeleted", "QueueBeingDeleted": // what is going is gone: Create waits for its name
			return providers.Reading{}
		}
		return providers.Reading{State: state, Err: err}
	})
}

func commonPrefix(names []string) string {
	prefix := names[0]
	for _, name := range names[1:] {
		n := 0
		for n < len(prefix) && n < len(name) && prefix[n] == name[n] {
			n++
		}
		prefix = prefix[:n]
	}
	return prefix
}

// whenFree repeats a create while the service answers that the object of that
// name is still being deleted, up to freedIn.
func (p *Provider) whenFree(ctx context.Context, deleting string, create func() (int, error)) (tries int, err error) {
	ctx, cancel := context.WithTimeout(ctx, freedIn)
	defer cancel()
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		n, err := create()
		tries += n
		if providers.CodeOf(err) != providers.Conflict || azureCode(err) != deleting {
			return tries, err
		}
		tries = 0 // it was not there, so nothing was made
		select {
		case <-ctx.Done():
			return tries, &providers.Error{Code: providers.Conflict, Err: err, Hint: "Azure still deletes the old one; apply again in a minute."}
		case <-time.After(wait):
		}
	}
}

// created answers a create. One that found the object there, but only in a
// second try, may have made it in the first, the answer of which was lost: then
// the object is as it was asked for.
func (p *Provider) created(ctx context.Context, c providers.Change, tries int, err error, read func(context.Context, string) (cty.Value, error)) providers.Result {
	lost := tries > 1 && providers.CodeOf(err) == providers.Exists
	if err != nil && !lost {
		return providers.Result{Err: err}
	}
	state, readErr := read(ctx, c.ID)
	switch {
	case lost && readErr != nil:
		return providers.Result{Err: unsettled(fmt.Errorf("%w; whose it is could not be read: %w", err, readErr))}
	case lost && !state.RawEquals(c.After):
		return providers.Result{Err: err}
	case readErr != nil: // it is there, and ours
		state = c.After
	}
	return providers.Result{State: state, Err: readErr}
}

// await asks until it is answered with true, for as long as an operation is tried: what the resource manager took shows a little later
// where it asks a replica. What does not show by then is left to it.
func (p *Provider) await(ctx context.Context, shown func(context.Context) bool) {
	ctx, cancel := context.WithTimeout(ctx, p.retryFor)
	defer cancel()
	for wait := 250 * time.Millisecond; !shown(ctx); wait = min(2*wait, 5*time.Second) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// gone waits after a delete that was taken until the object does not show any more.
func (p *Provider) gone(ctx context.Context, res providers.Result, gone func(context.Context) bool) providers.Result {
	if res.Err == nil {
		p.await(ctx, gone)
	}
	return res
}

// deleted answers a delete: what is gone, or going, is a success. deleting is the service's code for what is going, "" if
// it has none.
func deleted(err error, deleting string) providers.Result {
	if providers.CodeOf(err) == providers.NotFound || deleting != "" && azureCode(err) == deleting {
		err = nil
	}
	return providers.Result{Err: err}
}

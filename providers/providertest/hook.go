package providertest

import (
	"context"

	"mkt/providers"
)

// Call is one call of a provider's method as a hook sees it.
type Call struct {
	Op   string // "read", "create", "update", "delete", "refine", "holds", "dry run"
	Kind string
	IDs  []string
}

// Hook wraps a provider. Before is asked ahead of each call: an error keeps the call from being made and is the
// result of each item. After is asked when it has been made: an error replaces each answer, as when it was lost.
// Either may be nil; both must be safe for concurrent use.
type Hook struct {
	providers.Provider
	Before, After func(Call) error
}

// Resource implements providers.Provider.
func (h *Hook) Resource(kind string) providers.Resource {
	r := h.Provider.Resource(kind)
	if r == nil {
		return nil
	}
	hooked := &hookedResource{Resource: r, hook: h, kind: kind}
	refiner, refines := r.(providers.Refiner)
	holder, holds := r.(providers.Holder)
	dependent, depends := r.(providers.Dependent)
	ref, hold := hookedRefiner{hooked, refiner}, hookedHolder{hooked, holder}
	// A wrapper must be no more and no less than what it wraps: the planner asks by type assertion.
	switch [3]bool{refines, holds, depends} {
	case [3]bool{true, false, false}:
		return struct {
			*hookedResource
			hookedRefiner
		}{hooked, ref}
	case [3]bool{false, true, false}:
		return struct {
			*hookedResource
			hookedHolder
		}{hooked, hold}
	case [3]bool{true, true, false}:
		return struct {
			*hookedResource
			hookedRefiner
			hookedHolder
		}{hooked, ref, hold}
	case [3]bool{false, false, true}:
		return struct {
			*hookedResource
			providers.Dependent
		}{hooked, dependent}
	case [3]bool{true, false, true}:
		return struct {
			*hookedResource
			hookedRefiner
			providers.Dependent
		}{hooked, ref, dependent}
	case [3]bool{false, true, true}:
		return struct {
			*hookedResource
			hookedHolder
			providers.Dependent
		}{hooked, hold, dependent}
	case [3]bool{true, true, true}:
		return struct {
			*hookedResource
			hookedRefiner
			hookedHolder
			providers.Dependent
		}{hooked, ref, hold, dependent}
	}
	return hooked
}

type hookedResource struct {
	providers.Resource
	hook *Hook
	kind string
}

type hookedRefiner struct {
	hooked  *hookedResource
	refiner providers.Refiner
}

type hookedHolder struct {
	hooked *hookedResource
	holder providers.Holder
}

func (r *hookedResource) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	return guard(r, "read", refs, func() []providers.Reading { return r.Resource.Read(ctx, refs) },
		func(err error) providers.Reading { return providers.Reading{Err: err} })
}

func (r *hookedResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return guard(r, "create", changes, func() []providers.Result { return r.Resource.Create(ctx, changes) }, failed)
}

func (r *hookedResource) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return guard(r, "update", changes, func() []providers.Result { return r.Resource.Update(ctx, changes) }, failed)
}

func (r *hookedResource) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return guard(r, "delete", changes, func() []providers.Result { return r.Resource.Delete(ctx, changes) }, failed)
}

func (h hookedRefiner) Refine(ctx context.Context, changes []providers.Change) []providers.Result {
	return guard(h.hooked, "refine", changes, func() []providers.Result { return h.refiner.Refine(ctx, changes) }, failed)
}

func (h hookedHolder) Holds(ctx context.Context, refs []providers.Ref) []providers.Holding {
	return guard(h.hooked, "holds", refs, func() []providers.Holding { return h.holder.Holds(ctx, refs) },
		func(err error) providers.Holding { return providers.Holding{Err: err} })
}

// DryRun implements providers.DryRunner, also around a resource that does not: it says nothing then.
func (r *hookedResource) DryRun(ctx context.Context, changes []providers.Change) []error {
	runner, ok := r.Resource.(providers.DryRunner)
	if !ok {
		return nil
	}
	return guard(r, "dry run", changes, func() []error { return runner.DryRun(ctx, changes) }, func(err error) error { return err })
}

func failed(err error) providers.Result { return providers.Result{Err: err} }

// guard makes a call between the hooks.
func guard[Item providers.Ref | providers.Change, Answer any](r *hookedResource, op string, items []Item, call func() []Answer, fail func(error) Answer) []Answer {
	info := Call{Op: op, Kind: r.kind}
	for _, item := range items {
		switch it := any(item).(type) {
		case providers.Ref:
			info.IDs = append(info.IDs, it.ID)
		case providers.Change:
			info.IDs = append(info.IDs, it.ID)
		}
	}
	all := func(err error) []Answer {
		answers := make([]Answer, len(items))
		for i := range answers {
			answers[i] = fail(err)
		}
		return answers
	}
	if r.hook.Before != nil {
		if err := r.hook.Before(info); err != nil {
			return all(err)
		}
	}
	answers := call()
	if r.hook.After != nil {
		if err := r.hook.After(info); err != nil {
			return all(err)
		}
	}
	return answers
}

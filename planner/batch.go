package planner

import (
	"context"
	"slices"
	"strings"
	"time"

	"mkt/ledger"
	"mkt/providers"
	"mkt/spec"
)

// perSystem bounds the batches under way at one system.
const perSystem = 4

// batchKey is what may go out as one call.
type batchKey struct {
	kind string
	op   string // of the ledger's intents
}

// task is one remote operation on one object.
type task struct {
	node    *node
	change  *Change
	request providers.Change
	// announced: an apply that was interrupted was about to create or alter the object.
	announced bool
}

// batch is one call.
type batch struct {
	key      batchKey
	kind     *spec.Kind
	resource providers.Resource
	tasks    []*task
	results  []providers.Result
	doubtful []bool // creates that failed and may have left something behind all the same
	// recovered: the ledger goes on from an older generation, so that what exists may be ours.
	recovered bool
	took      time.Duration
}

func (t *task) op() string {
	switch {
	case t.node.phase != putting:
		return ledger.OpDelete
	case t.change.Action == Update:
		return ledger.OpUpdate
	}
	return ledger.OpCreate
}

// batches takes what is pending, as far as the limits allow.
func (a *applying) batches() (list []*batch) {
	keys := make([]batchKey, 0, len(a.pending))
	for key := range a.pending {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y batchKey) int {
		return strings.Compare(x.kind+" "+x.op, y.kind+" "+y.op)
	})
	taken := map[string]int{}
	for _, key := range keys {
		kind := a.pending[key][0].change.Kind
		if a.flying+len(list) >= a.opts.Parallelism {
			break
		}
		if a.bySys[kind.System]+taken[kind.System] >= perSystem {
			continue
		}
		taken[kind.System]++
		list = append(list, &batch{key: key, kind: kind, resource: a.systems.resource(kind), tasks: a.pending[key], recovered: a.recovered})
		delete(a.pending, key)
	}
	return list
}

// call sends the batch; whatever happens there is one result for each task.
func (b *batch) call(ctx context.Context) {
	if b.resource == nil {
		b.results = sameError(len(b.tasks), errNoProvider)
		return
	}
	requests := make([]providers.Change, len(b.tasks))
	for i, t := range b.tasks {
		requests[i] = t.request
	}
	switch b.key.op {
	case ledger.OpCreate:
		b.results = b.resource.Create(ctx, requests)
		b.doubtful = make([]bool, len(b.tasks))
		b.meetExisting(ctx)
		b.lookBehind(ctx)
	case ledger.OpUpdate:
		b.results = b.resource.Update(ctx, requests)
		b.meetLate(ctx)
	case ledger.OpDelete:
		b.results = b.resource.Delete(ctx, requests)
	}
	if len(b.results) != len(b.tasks) {
		b.results = sameError(len(b.tasks), errShort)
	}
}

func sameError(n int, err error) []providers.Result {
	results := make([]providers.Result, n)
	for i := range results {
		results[i].Err = err
	}
	return results
}

package planner

import (
	"context"

	"mkt/providers"
)

// heard takes note of whether a system answers.
func (a *applying) heard(b *batch) {
	silent := true
	for _, r := range b.results {
		silent = silent && providers.CodeOf(r.Err) == providers.Unavailable
	}
	a.silent[b.kind.System] = silent
}

// patience is the context of calls to a system. One that did not answer for as long as calls are tried is not waited for as long by each batch that
// is still to go there, until it answers one of them: else an apply that lost its network would go on for minutes.
func (a *applying) patience(system string) context.Context {
	if !a.silent[system] {
		return a.hard
	}
	l := providers.LimitsOf(a.hard)
	l.Call, l.Retry = min(l.Call, l.Connect), l.Connect
	return providers.WithLimits(a.hard, l)
}

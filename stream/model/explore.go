package model

import (
	"fmt"
	"strings"
)

// Step is what happens between two states.
type Step struct {
	Who   string // "" is the world
	What  string
	Arg   int8 // a row, an offset; -1 is none
	Fault bool
}

func (s Step) String() string {
	out := s.What
	if s.Who != "" {
		out = s.Who + ": " + out
	}
	if s.Arg >= 0 {
		out = fmt.Sprintf("%s %d", out, s.Arg)
	}
	if s.Fault {
		out = "! " + out
	}
	return out
}

// system is a protocol as a graph of states. States are equal when == says so.
type system[S comparable] struct {
	start S
	// next calls emit for every step that is possible in s.
	next func(s S, emit func(Step, S))
	// broken is the name of an invariant that s violates, or "".
	broken func(s S) string
	// done says whether everything is delivered in s.
	done func(s S) bool
}

// Invariant names that explore itself gives out.
const (
	// Progress: from every reachable state a complete state can be reached
	// without a further fault.
	Progress = "Progress"
	// Bounded: the state space is as small as the model promises.
	Bounded = "Bounded"
)

// Result is what an exploration found.
type Result struct {
	States, Steps int
	Complete      int    // states in which everything is delivered
	Depth         int    // steps to the farthest state
	Violated      string // name of an invariant, "" if all hold
	Trace         []Step // a shortest way to a state that violates it
}

func (r Result) String() string {
	if r.Violated == "" {
		return fmt.Sprintf("%d states, %d steps, %d complete, depth %d: all invariants hold", r.States, r.Steps, r.Complete, r.Depth)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s violated after %d steps (%d states seen)", r.Violated, len(r.Trace), r.States)
	for i, s := range r.Trace {
		fmt.Fprintf(&b, "\n  %2d. %s", i+1, s)
	}
	return b.String()
}

// explore visits every reachable state, breadth first, and ends at the first
// that violates an invariant. When none does it walks the steps that are no
// faults backwards from the complete states: what that does not reach is
// stuck.
func explore[S comparable](sys system[S], limit int) Result {
	type origin struct {
		from int32
		step Step
	}
	index := map[S]int32{sys.start: 0}
	states, origins := []S{sys.start}, []origin{{from: -1}}
	var edges [][2]int32 // steps that are no faults
	var res Result
	fail := func(name string, at int32) Result {
		res.Violated, res.States = name, len(states)
		for ; origins[at].from >= 0; at = origins[at].from {
			res.Trace = append([]Step{origins[at].step}, res.Trace...)
		}
		return res
	}
	if name := sys.broken(sys.start); name != "" {
		return fail(name, 0)
	}
	levelEnd := 1
	for at := int32(0); int(at) < len(states); at++ {
		if int(at) == levelEnd {
			res.Depth++
			levelEnd = len(states)
		}
		bad, badAt := "", int32(0)
		sys.next(states[at], func(step Step, to S) {
			res.Steps++
			id, seen := index[to]
			if !seen {
				id = int32(len(states))
				index[to] = id
				states, origins = append(states, to), append(origins, origin{at, step})
				if name := sys.broken(to); name != "" && bad == "" {
					bad, badAt = name, id
				}
			}
			if !step.Fault && id != at {
				edges = append(edges, [2]int32{at, id})
			}
		})
		if bad != "" {
			return fail(bad, badAt)
		}
		if len(states) > limit {
			return fail(Bounded, at)
		}
	}
	res.States = len(states)

	// A counting sort by target makes the steps walkable backwards.
	first := make([]int32, len(states)+1)
	for _, e := range edges {
		first[e[1]+1]++
	}
	for i := range states {
		first[i+1] += first[i]
	}
	sources, fill := make([]int32, len(edges)), append([]int32(nil), first...)
	for _, e := range edges {
		sources[fill[e[1]]] = e[0]
		fill[e[1]]++
	}
	finishes := make([]bool, len(states))
	var queue []int32
	for i := range states {
		if sys.done(states[i]) {
			finishes[i] = true
			queue = append(queue, int32(i))
		}
	}
	res.Complete = len(queue)
	for len(queue) > 0 {
		at := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, from := range sources[first[at]:first[at+1]] {
			if !finishes[from] {
				finishes[from] = true
				queue = append(queue, from)
			}
		}
	}
	for i, ok := range finishes {
		if !ok {
			return fail(Progress, int32(i))
		}
	}
	return res
}

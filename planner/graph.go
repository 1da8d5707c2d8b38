package planner

import (
	"cmp"
	"slices"

	"mkt/spec"
)

// phase of a block in an apply. A replacement is in two: removed, then put.
type phase int

const (
	putting  phase = iota // creates, updates, and the second half of replacements
	removing              // the first half of replacements
	dropping              // deletes
)

// node is one phase of one block: the unit of dependency. All its changes are ready together.
type node struct {
	addr    spec.Addr
	block   *spec.Block // nil for what left the stack
	phase   phase
	changes []*Change

	after   []*edge // what it waits for
	before  []*edge // what waits for it
	waiting int     // for so many
	left    int     // changes not finished
	blocked string  // why it must not start
	waits   bool    // and that is no failure: something it depends on waits for a person
	ended   bool
}

// edge says that to waits for from. Where strict is false it is order alone: to starts even though from failed.
// Soft edges are given up where they would make a cycle, the softest first.
type edge struct {
	from, to *node
	strict   bool
	soft     int
}

type nodeKey struct {
	addr  spec.Addr
	phase phase
}

// graph is what an apply walks.
type graph struct {
	nodes []*node
	byKey map[nodeKey]*node
}

// newGraph orders the phases:
//   - a block is put after the blocks it depends on, and after its own replaced objects are removed;
//   - an object is removed or dropped after everything that depended on it when it was applied, also through
//     objects that stay;
//   - an object is changed in place after the replaced ones that depended on it are removed: they may have to come to
//     rest on what they know;
//   - an object is dropped after the blocks that depended on it have been changed not to. This is given up where
//     it contradicts the rest, and so are dependencies recorded at different times that contradict each other.
func newGraph(p *Plan) *graph {
	g := &graph{byKey: map[nodeKey]*node{}}
	if !p.Destroy {
		for _, b := range p.in.Stack.Order() {
			g.node(b.Addr, putting).block = b
		}
	}
	for _, c := range p.Changes {
		addr := c.Addr.Block()
		switch c.Action {
		case Delete:
			g.node(addr, dropping).add(c)
		case Replace:
			g.node(addr, removing).add(c)
			g.node(addr, putting).add(c)
		case Create, Update:
			g.node(addr, putting).add(c)
		}
	}
	for _, n := range g.nodes {
		if n.phase != putting || n.block == nil {
			continue
		}
		for _, dep := range n.block.Deps {
			g.connect(g.byKey[nodeKey{dep, putting}], n, true, 0)
		}
		g.connect(g.byKey[nodeKey{n.addr, removing}], n, false, 0)
	}
	renamed := map[spec.Addr]spec.Addr{} // blocks that the ledger knows by an old address
	for _, c := range p.Changes {
		if c.Moved.Kind != "" {
			renamed[c.Moved.Block()] = c.Addr.Block()
		}
	}
	now := func(addr spec.Addr) spec.Addr {
		if to, ok := renamed[addr.Block()]; ok {
			return to
		}
		return addr.Block()
	}
	recorded := map[[2]spec.Addr]bool{}
	for addr, e := range p.in.Ledger.Entries {
		for _, text := range e.Deps {
			if dep, ok := spec.ParseAddr(text); ok {
				recorded[[2]spec.Addr{now(addr), now(dep)}] = true
			}
		}
	}
	pairs := make([][2]spec.Addr, 0, len(recorded))
	for pair := range recorded {
		pairs = append(pairs, pair)
	}
	slices.SortFunc(pairs, func(a, b [2]spec.Addr) int {
		return cmp.Or(a[0].Compare(b[0]), a[1].Compare(b[1]))
	})
	uses := map[spec.Addr][]spec.Addr{}
	for _, pair := range pairs {
		user, used := pair[0], pair[1]
		uses[user] = append(uses[user], used)
		for _, gone := range []phase{removing, dropping} {
			for _, first := range []phase{removing, dropping} {
				g.connect(g.byKey[nodeKey{user, first}], g.byKey[nodeKey{used, gone}], true, 1)
			}
		}
		g.connect(g.byKey[nodeKey{user, putting}], g.byKey[nodeKey{used, dropping}], true, 2)
	}
	g.removeFirst(uses)
	for soft := 2; soft > 0 && g.relax(soft); soft-- {
	}
	for _, n := range g.nodes {
		n.waiting, n.left = len(n.after), len(n.changes)
	}
	return g
}

// removeFirst has the first half of each replacement come before the changes of what the object used, directly or through
// objects that stay as they are.
func (g *graph) removeFirst(uses map[spec.Addr][]spec.Addr) {
	for _, user := range g.nodes {
		if user.phase != removing {
			continue
		}
		seen := map[spec.Addr]bool{user.addr: true}
		var visit func(addr spec.Addr, direct bool)
		visit = func(addr spec.Addr, direct bool) {
			for _, used := range uses[addr] {
				if seen[used] {
					continue
				}
				seen[used] = true
				gone := g.byKey[nodeKey{used, removing}]
				put := g.byKey[nodeKey{used, putting}]
				if put != nil && len(put.changes) > 0 && !put.makesOnly() {
					g.connect(user, put, true, 1)
				}
				if gone != nil && !direct {
					g.connect(user, gone, true, 1)
				}
				if gone == nil && g.byKey[nodeKey{used, dropping}] == nil {
					visit(used, false)
				}
			}
		}
		visit(user.addr, true)
	}
}

// makesOnly reports whether nothing that exists is changed in place.
func (n *node) makesOnly() bool {
	return !slices.ContainsFunc(n.changes, func(c *Change) bool { return c.Action == Update })
}

func (n *node) add(c *Change) { n.changes = append(n.changes, c) }

func (g *graph) node(addr spec.Addr, ph phase) *node {
	key := nodeKey{addr, ph}
	if g.byKey[key] == nil {
		g.byKey[key] = &node{addr: addr, phase: ph}
		g.nodes = append(g.nodes, g.byKey[key])
	}
	return g.byKey[key]
}

func (g *graph) connect(from, to *node, strict bool, soft int) {
	if from == nil || to == nil || from == to {
		return
	}
	e := &edge{from: from, to: to, strict: strict, soft: soft}
	from.before = append(from.before, e)
	to.after = append(to.after, e)
}

// relax removes the edges of a softness among the nodes that no order reaches. It reports whether there were such nodes.
func (g *graph) relax(soft int) bool {
	waits := make(map[*node]int, len(g.nodes))
	var ready []*node
	for _, n := range g.nodes {
		waits[n] = len(n.after)
		if len(n.after) == 0 {
			ready = append(ready, n)
		}
	}
	for len(ready) > 0 {
		n := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		delete(waits, n)
		for _, e := range n.before {
			if waits[e.to]--; waits[e.to] == 0 {
				ready = append(ready, e.to)
			}
		}
	}
	if len(waits) == 0 {
		return false
	}
	stuck := func(e *edge) bool {
		_, from := waits[e.from]
		_, to := waits[e.to]
		return from && to && e.soft >= soft
	}
	for n := range waits {
		n.after = slices.DeleteFunc(n.after, stuck)
		n.before = slices.DeleteFunc(n.before, stuck)
	}
	return true
}

package spec

import (
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// node is a vertex of the dependency graph: a block or a local value.
type node struct {
	addr  Addr   // of a block
	local string // or a local value's name
}

func (n node) String() string {
	if n.local != "" {
		return "local." + n.local
	}
	return n.addr.String()
}

// sortBlocks sets the order and every block's Deps, and reports each cycle once, as a whole.
func (s *Stack) sortBlocks() (diags hcl.Diagnostics) {
	const (
		onPath = 1
		done   = 2
	)
	state := map[node]int{}
	var path []node
	var visit func(n node)
	visit = func(n node) {
		switch state[n] {
		case done:
			return
		case onPath:
			diags = append(diags, s.cycle(path, n))
			return
		}
		state[n] = onPath
		path = append(path, n)
		for _, next := range s.next(n) {
			visit(next)
		}
		path = path[:len(path)-1]
		state[n] = done
		if n.local == "" {
			s.order = append(s.order, s.byAddr[n.addr])
		}
	}
	for _, b := range s.blocks {
		visit(node{addr: b.Addr})
	}
	for _, name := range sortedKeys(s.locals) {
		visit(node{local: name})
	}
	if diags.HasErrors() {
		return diags
	}
	through := map[string][]Addr{} // the blocks behind a local value
	for _, b := range s.order {
		set := map[Addr]bool{}
		for _, addr := range b.after {
			if s.byAddr[addr] != nil {
				set[addr] = true
			}
		}
		s.behind(b.refs, set, through)
		b.Deps = sortedAddrs(set)
	}
	return nil
}

// next returns what a node refers to directly.
func (s *Stack) next(n node) []node {
	var r refs
	var after []Addr
	if n.local != "" {
		r = s.locals[n.local].refs
	} else {
		b := s.byAddr[n.addr]
		r, after = b.refs, b.after
	}
	var nodes []node
	for _, addr := range append(append([]Addr(nil), r.blocks...), after...) {
		if s.byAddr[addr] != nil {
			nodes = append(nodes, node{addr: addr})
		}
	}
	for _, name := range r.locals {
		nodes = append(nodes, node{local: name})
	}
	return nodes
}

// behind adds the blocks that r refers to, through local values too. The graph has no cycle.
func (s *Stack) behind(r refs, set map[Addr]bool, through map[string][]Addr) {
	for _, addr := range r.blocks {
		set[addr] = true
	}
	for _, name := range r.locals {
		found, known := through[name]
		if !known {
			inner := map[Addr]bool{}
			s.behind(s.locals[name].refs, inner, through)
			found = sortedAddrs(inner)
			through[name] = found
		}
		for _, addr := range found {
			set[addr] = true
		}
	}
}

// cycle describes the part of the path that leads back to n.
func (s *Stack) cycle(path []node, n node) *hcl.Diagnostic {
	start := len(path) - 1
	for path[start] != n {
		start--
	}
	ring := path[start:]
	names := make([]string, 0, len(ring)+1)
	for _, step := range ring {
		names = append(names, step.String())
	}
	names = append(names, n.String())
	var rng hcl.Range
	if n.local != "" {
		rng = s.locals[n.local].rng
	} else {
		rng = s.byAddr[n.addr].Range
	}
	if len(ring) == 1 {
		return errorAt(rng, "Cycle", "%s refers to itself, so its value cannot be told.", n)
	}
	return errorAt(rng, "Cycle",
		"These refer to each other in a circle, so none of them can come first: %s. Take one of the references out.", strings.Join(names, " → "))
}

func sortedAddrs(set map[Addr]bool) []Addr {
	if len(set) == 0 {
		return nil
	}
	addrs := make([]Addr, 0, len(set))
	for addr := range set {
		addrs = append(addrs, addr)
	}
	sort.Slice(addrs, func(i, j int) bool { return addrs[i].Less(addrs[j]) })
	return addrs
}

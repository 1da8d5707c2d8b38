package spec

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// node is a vertex of the dependency graph: a block, all blocks of a module, or what an instance of a module names.
type node struct {
	addr Addr // of a block or, without a kind, of a module
	// Else one of these names, of an instance of a module.
	in                      *moduleInstance
	local, variable, output string
}

func (n node) String() string {
	switch {
	case n.local != "":
		return n.in.prefix() + "local." + n.local
	case n.variable != "":
		return n.in.prefix() + "var." + n.variable
	case n.output != "":
		return n.in.prefix() + "output." + n.output
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
		if n.addr.Kind != "" {
			s.order = append(s.order, s.byAddr[n.addr])
		}
	}
	for _, b := range s.blocks {
		visit(node{addr: b.Addr})
	}
	for _, in := range s.instances {
		for _, name := range sortedKeys(in.module.locals) {
			visit(node{in: in, local: name})
		}
		for _, o := range in.module.outputs {
			visit(node{in: in, output: o.name})
		}
		if in.call != nil {
			for _, name := range sortedKeys(in.module.variables) {
				visit(node{in: in, variable: name})
			}
		}
	}
	if diags.HasErrors() {
		return unique(diags)
	}
	d := &dependencies{stack: s, through: map[node][]Addr{}, last: map[Addr][]Addr{}}
	for _, b := range s.order {
		b.Deps = d.of(b)
	}
	return nil
}

// next returns what a node refers to directly.
func (s *Stack) next(n node) (nodes []node) {
	switch {
	case n.addr.Kind != "":
		b := s.byAddr[n.addr]
		nodes = s.referred(b.in, b.refs)
		for _, addr := range b.after {
			nodes = s.named(addr.in(b.in.path), nodes)
		}
		for _, addr := range b.in.after {
			nodes = s.named(addr, nodes)
		}
		return nodes
	case n.in == nil:
		for _, b := range s.inModule(n.addr) {
			nodes = append(nodes, node{addr: b.Addr})
		}
		return nodes
	case n.local != "":
		return s.referred(n.in, n.in.module.locals[n.local].refs)
	case n.output != "":
		return s.referred(n.in, n.in.module.output(n.output).refs)
	}
	arg := n.in.call.args[n.variable]
	if arg == nil {
		return nil
	}
	nodes = s.referred(n.in.parent, arg.refs)
	if arg.refs.each {
		nodes = append(nodes, s.referred(n.in.parent, n.in.call.keys)...)
	}
	return nodes
}

// named adds the node of what depends_on or replace_triggered_by names: a block, or all blocks of a module.
func (s *Stack) named(addr Addr, nodes []node) []node {
	if addr.Kind == "" || s.byAddr[addr] != nil {
		nodes = append(nodes, node{addr: addr})
	}
	return nodes
}

// inModule returns the blocks of a module, of the modules in it too.
func (s *Stack) inModule(addr Addr) (blocks []*Block) {
	for _, in := range s.instances[1:] {
		if addr.Covers(Addr{Module: in.path}) {
			for _, b := range in.module.blocks {
				blocks = append(blocks, s.byAddr[b.Addr.in(in.path)])
			}
		}
	}
	return blocks
}

// referred returns the nodes of references in an instance of a module.
func (s *Stack) referred(in *moduleInstance, r refs) (nodes []node) {
	for _, addr := range r.blocks {
		if addr = addr.in(in.path); s.byAddr[addr] != nil {
			nodes = append(nodes, node{addr: addr})
		}
	}
	for _, name := range r.locals {
		nodes = append(nodes, node{in: in, local: name})
	}
	if in.call != nil {
		for _, name := range r.vars {
			nodes = append(nodes, node{in: in, variable: name})
		}
	}
	for _, o := range r.outputs {
		if o.name == "" {
			continue
		}
		for _, one := range in.inner[o.call] {
			if !o.keyed || one.key == o.key {
				nodes = append(nodes, node{in: one, output: o.name})
			}
		}
	}
	return nodes
}

// dependencies finds the blocks behind blocks. The graph has no cycle.
type dependencies struct {
	stack   *Stack
	through map[node][]Addr // behind what has a name
	last    map[Addr][]Addr // the blocks of a module that nothing else in it needs
}

// of returns the blocks that a block refers to, through local values and modules too. The blocks before it have theirs.
func (d *dependencies) of(b *Block) []Addr {
	set := map[Addr]bool{}
	d.add(d.stack.referred(b.in, b.refs), set)
	for _, addr := range b.after {
		d.after(addr.in(b.in.path), set)
	}
	if len(b.in.after) > 0 && !d.follows(b, set) {
		for _, addr := range b.in.after {
			d.after(addr, set)
		}
	}
	return sortedAddrs(set)
}

func (d *dependencies) add(nodes []node, set map[Addr]bool) {
	for _, n := range nodes {
		if n.in == nil {
			set[n.addr] = true
			continue
		}
		found, known := d.through[n]
		if !known {
			inner := map[Addr]bool{}
			d.add(d.stack.next(n), inner)
			found = sortedAddrs(inner)
			d.through[n] = found
		}
		for _, addr := range found {
			set[addr] = true
		}
	}
}

// follows reports whether a block comes after another one of its module anyway, which waits for what the module waits for. Only
// a block that is sure to have an object counts, so that the order holds for deletes too.
func (d *dependencies) follows(b *Block, deps map[Addr]bool) bool {
	for addr := range deps {
		if dep := d.stack.byAddr[addr]; dep.in == b.in && !dep.ForEach && dep.Managed() {
			return true
		}
	}
	return false
}

// after adds what depends_on names: a block, or the blocks of a module that no other one in it comes after.
func (d *dependencies) after(addr Addr, set map[Addr]bool) {
	if addr.Kind != "" {
		if d.stack.byAddr[addr] != nil {
			set[addr] = true
		}
		return
	}
	last, known := d.last[addr]
	if !known {
		needed := map[Addr]bool{}
		blocks := d.stack.inModule(addr)
		for _, b := range blocks {
			if !b.ForEach && b.Managed() {
				for _, dep := range b.Deps {
					needed[dep] = true
				}
			}
		}
		for _, b := range blocks {
			if !needed[b.Addr] {
				last = append(last, b.Addr)
			}
		}
		d.last[addr] = last
	}
	for _, dep := range last {
		set[dep] = true
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
	switch {
	case n.local != "":
		rng = n.in.module.locals[n.local].rng
	case n.output != "":
		rng = n.in.module.output(n.output).rng
	case n.variable != "":
		rng = n.in.module.variables[n.variable].rng
	case n.addr.Kind != "":
		rng = s.byAddr[n.addr].Range
	default:
		rng = s.inModule(n.addr)[0].in.call.rng
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
	slices.SortFunc(addrs, Addr.Compare)
	return addrs
}

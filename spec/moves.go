package spec

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Moved says that what one address owned belongs to another from now on. Addresses without a key stand for the block
// and all its instances; without a kind, for all that is in a module.
type Moved struct {
	From, To Addr
	Range    hcl.Range // of the header
}

// Removed says what becomes of the object of a block that was taken out of the stack.
type Removed struct {
	From    Addr // without a key: the block and all its instances; without a kind: all that is in a module
	Destroy bool // false: the object stays and is owned no more
	Range   hcl.Range
}

// Import says that the object that a block describes exists already and is to be owned.
type Import struct {
	To    Addr
	ID    string // the natural name that it must have; "" for whatever the block says
	Range hcl.Range
	// IDRange is that of the id, or the header where there is none.
	IDRange hcl.Range
	id      hclsyntax.Expression
	refs    refs
}

// Moved returns the moved blocks in source order.
func (s *Stack) Moved() []Moved { return s.moved }

// Removed returns the removed blocks in source order.
func (s *Stack) Removed() []Removed { return s.removed }

// Imports returns the import blocks in source order.
func (s *Stack) Imports() []Import { return s.imports }

// MovedTo follows the moved blocks from an address to the one that it has now; the address itself when nothing moved.
func (s *Stack) MovedTo(addr Addr) Addr {
	for range s.moved { // each at most once: moves of keys may lead back
		next, moved := s.movedOnce(addr)
		if !moved {
			return addr
		}
		addr = next
	}
	return addr
}

func (s *Stack) movedOnce(addr Addr) (Addr, bool) {
	for _, m := range s.moved { // the exact address before its block
		if m.From == addr {
			return m.To, true
		}
	}
	for _, m := range s.moved {
		if addr.Keyed && m.From == addr.Block() && !m.To.Keyed {
			to := m.To
			to.Key, to.Keyed = addr.Key, true
			return to, true
		}
	}
	if addr.Module == "" {
		return addr, false
	}
	steps := moduleSteps(addr.Module)
	for _, m := range s.moved {
		if path, moves := m.path(steps); moves {
			addr.Module = path
			return addr, true
		}
	}
	return addr, false
}

// path is where the moved block of a module puts what is in the module instance at steps. A module without a key stands
// for all its instances, unless the other one has a key.
func (m *Moved) path(steps []moduleStep) (path string, moves bool) {
	if m.From.Kind != "" {
		return "", false
	}
	from, to := moduleSteps(m.From.Module), moduleSteps(m.To.Module)
	last := len(from) - 1
	if len(steps) <= last || steps[last].name != from[last].name {
		return "", false
	}
	for i := range last {
		if steps[i] != from[i] {
			return "", false
		}
	}
	here, end := steps[last], len(to)-1
	switch {
	case here == from[last]:
	case !from[last].keyed && !to[end].keyed:
		to[end].key, to[end].keyed = here.key, true
	default:
		return "", false
	}
	return modulePath(append(to, steps[last+1:]...)), true
}

// RemovedBy returns the removed block that speaks of an address, or nil.
func (s *Stack) RemovedBy(addr Addr) *Removed {
	for i := range s.removed {
		if s.removed[i].From.Covers(addr) {
			return &s.removed[i]
		}
	}
	return nil
}

// addMoves takes one moved, removed or import block.
func (m *module) addMoves(b *hclsyntax.Block) hcl.Diagnostics {
	diags := noLabels(b)
	switch b.Type {
	case "moved":
		move := Moved{Range: b.DefRange()}
		diags = append(diags, m.addresses(b, map[string]*Addr{"from": &move.From, "to": &move.To}, nil)...)
		diags = append(diags, onlyBlocks(b)...)
		if !diags.HasErrors() {
			m.moved = append(m.moved, move)
		}
	case "removed":
		r := Removed{Range: b.DefRange()}
		diags = append(diags, m.addresses(b, map[string]*Addr{"from": &r.From}, nil)...)
		diags = append(diags, r.setLifecycle(b)...)
		if !diags.HasErrors() {
			m.removed = append(m.removed, r)
		}
	case "import":
		i := Import{Range: b.DefRange(), IDRange: b.DefRange()}
		diags = append(diags, m.addresses(b, map[string]*Addr{"to": &i.To}, []string{"id"})...)
		diags = append(diags, onlyBlocks(b)...)
		if a := b.Body.Attributes["id"]; a != nil {
			i.id, i.IDRange = a.Expr, a.Expr.Range()
		}
		if !diags.HasErrors() {
			m.stack.imports = append(m.stack.imports, i)
		}
	}
	return diags
}

func noLabels(b *hclsyntax.Block) hcl.Diagnostics {
	if len(b.Labels) == 0 {
		return nil
	}
	return hcl.Diagnostics{errorAt(b.LabelRanges[0], "Wrong number of labels", "Write %s { … } without a label.", b.Type)}
}

func onlyBlocks(b *hclsyntax.Block, allowed ...string) (diags hcl.Diagnostics) {
	for _, inner := range b.Body.Blocks {
		if !contains(allowed, inner.Type) {
			diags = append(diags, errorAt(inner.TypeRange, "Unknown block", "%s block has no block %q.%s", article(b.Type), inner.Type, DidYouMean(inner.Type, allowed)))
		}
	}
	return diags
}

// addresses reads the attributes of a block that are addresses of resources, all of them required.
func (m *module) addresses(b *hclsyntax.Block, set map[string]*Addr, others []string) (diags hcl.Diagnostics) {
	known := append(sortedKeys(set), others...)
	for _, a := range sortedAttributes(b.Body) {
		if !contains(known, a.Name) {
			diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "%s block has no attribute %q.%s", article(b.Type), a.Name, DidYouMean(a.Name, known)))
			continue
		}
		addr := set[a.Name]
		if addr == nil {
			continue
		}
		t, more := target(a.Expr, false)
		diags = append(diags, more...)
		if more.HasErrors() {
			continue
		}
		switch kind := m.stack.kinds[t.Addr.Kind]; {
		case t.Addr.Kind == "" && b.Type == "import":
			diags = append(diags, errorAt(a.Expr.Range(), "Invalid reference", "A module is no object. Name a block in it, as in %s.kafka_topic.prices.", t.Addr))
		case t.Addr.Kind == "":
		case strings.HasPrefix(t.Addr.Kind, dataPrefix):
			diags = append(diags, errorAt(a.Expr.Range(), "Nothing to own", "A data block only reads: mkt owns nothing of it, so there is nothing to say about it here."))
		case kind == nil:
			diags = append(diags, errorAt(a.Expr.Range(), "Unknown kind of block", "No kind is called %q.%s", t.Addr.Kind, DidYouMean(t.Addr.Kind, m.stack.kindNames())))
		case kind.System == "":
			diags = append(diags, errorAt(a.Expr.Range(), "Nothing to own", "%s is a part of the app: it is nothing that mkt owns, so there is nothing to say about it here.", article(kind.Name)))
		}
		*addr = t.Addr
	}
	for _, name := range sortedKeys(set) {
		if b.Body.Attributes[name] == nil {
			diags = append(diags, errorAt(b.DefRange(), "Missing attribute", "%s block needs %s, an address such as kafka_topic.prices.", article(b.Type), name))
		}
	}
	return diags
}

// setLifecycle reads lifecycle { destroy = … }, which has no default: what happens to the object is to be read in the block.
func (r *Removed) setLifecycle(b *hclsyntax.Block) hcl.Diagnostics {
	diags := onlyBlocks(b, "lifecycle")
	said := false
	for _, inner := range b.Body.Blocks {
		if inner.Type != "lifecycle" {
			continue
		}
		for _, a := range sortedAttributes(inner.Body) {
			if a.Name != "destroy" {
				diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "The lifecycle block of a removed block has one attribute, destroy."))
				continue
			}
			said = true
			diags = append(diags, literal(a, cty.Bool, func(v cty.Value) { r.Destroy = v.True() })...)
		}
		diags = append(diags, onlyBlocks(inner)...)
	}
	if !said && !diags.HasErrors() {
		diags = append(diags, errorAt(b.DefRange(), "Missing lifecycle",
			"Say what becomes of the object: lifecycle { destroy = false } leaves it as it is and forgets it, lifecycle { destroy = true } deletes it."))
	}
	return diags
}

// checkMoves holds the moved, removed and import blocks against the rest of the stack and against each other.
func (s *Stack) checkMoves() (diags hcl.Diagnostics) {
	from := map[Addr]Moved{}
	to := map[Addr]Moved{}
	for _, m := range s.moved {
		switch other, twice := from[m.From]; {
		case m.From == m.To:
			diags = append(diags, errorAt(m.Range, "Moved to itself", "from and to are both %s. Remove the block.", m.From))
			continue
		case (m.From.Kind == "") != (m.To.Kind == ""):
			diags = append(diags, errorAt(m.Range, "Moved to another kind", "One of %s and %s is a module and the other a block. Move a module to a module, or a block to a block.", m.From, m.To))
			continue
		case m.From.Kind != m.To.Kind:
			diags = append(diags, errorAt(m.Range, "Moved to another kind", "%s cannot become %s: an object keeps its kind.", m.From, m.To))
			continue
		case twice:
			diags = append(diags, errorAt(m.Range, "Moved twice", "%s is moved already, to %s at %s. Keep one of the two.", m.From, other.To, place(other.Range)))
			continue
		}
		if other, twice := to[m.To]; twice {
			diags = append(diags, errorAt(m.Range, "Two moved to one", "%s is moved to %s already, at %s. An address has one object.", other.From, m.To, place(other.Range)))
			continue
		}
		from[m.From], to[m.To] = m, m
		if call := s.stillCalled(m); call != nil {
			diags = append(diags, errorAt(m.Range, "Moved module still in the stack",
				"%s is still in the stack, at %s, so it needs its objects itself. Rename that block, or remove this one.", m.From, place(call.rng)))
		}
		if block := s.byAddr[m.From.Block()]; block != nil && !m.From.Keyed && !(block.ForEach && m.To.Keyed) {
			diags = append(diags, errorAt(m.Range, "Moved block still in the stack",
				"%s is still in the stack, at %s, so it needs its object itself. Rename that block to %s, or remove this one.", m.From, place(block.Range), m.To))
		}
	}
	circular := map[Addr]bool{} // reported once each
	for _, m := range s.moved {
		if from[m.From] != m {
			continue
		}
		last := m.To
		visited := map[Addr]bool{}
		for next, more := from[last]; more && !visited[last]; next, more = from[last] {
			visited[last] = true
			last = next.To
		}
		if visited[last] {
			if visited[m.From] && !circular[m.From] {
				circular = visited
				diags = append(diags, errorAt(m.Range, "Cycle", "The moved blocks lead from %s back to itself. Remove one of them.", m.From))
			}
			continue
		}
		if s.RemovedBy(last) == nil {
			diags = append(diags, s.checkInstance(last, m.Range, "Moved to nothing")...)
		}
	}
	seen := map[Addr]Removed{}
	for _, r := range s.removed {
		if other, twice := seen[r.From]; twice {
			diags = append(diags, errorAt(r.Range, "Removed twice", "There is another removed block for %s at %s. Keep one of the two.", r.From, place(other.Range)))
			continue
		}
		seen[r.From] = r
		for _, block := range s.covered(r.From) {
			diags = append(diags, errorAt(r.Range, "Removed block still in the stack",
				"%s is still in the stack, at %s. Remove that block, or this one.", block.Addr, place(block.Range)))
			break
		}
		if _, moved := from[r.From]; moved {
			diags = append(diags, errorAt(r.Range, "Moved and removed", "%s is moved as well, at %s. Keep one of the two.", r.From, place(from[r.From].Range)))
		}
	}
	return append(diags, s.checkImports()...)
}

func (s *Stack) checkImports() (diags hcl.Diagnostics) {
	seen := map[Addr]Import{}
	for n := range s.imports {
		i := &s.imports[n]
		if other, twice := seen[i.To]; twice {
			diags = append(diags, errorAt(i.Range, "Imported twice", "There is another import block for %s at %s. Keep one of the two.", i.To, place(other.Range)))
			continue
		}
		seen[i.To] = *i
		diags = append(diags, s.checkInstance(i.To, i.Range, "Import of nothing")...)
		if i.id == nil {
			continue
		}
		c := &collector{module: s.top.module, within: within{owner: "an import block"}}
		c.expr(i.id, nil)
		i.refs, diags = c.refs(), append(diags, c.diags...)
		if c.diags.HasErrors() {
			continue
		}
		v, more := s.NewScope().eval(s.top, i.id, i.refs)
		diags = append(diags, more...)
		if more.HasErrors() {
			continue
		}
		v, err := convert.Convert(v, cty.String)
		if err != nil || v.IsMarked() || !v.IsKnown() || v.IsNull() || v.AsString() == "" {
			diags = append(diags, errorAt(i.IDRange, "Invalid import",
				"id is the object's name as its system knows it: a text that is not empty, not sensitive and depends on no resource."))
			continue
		}
		i.ID = v.AsString()
	}
	return diags
}

// checkInstance reports an address that stands for nothing in the stack. Whether a key exists is known at plan.
func (s *Stack) checkInstance(addr Addr, rng hcl.Range, summary string) hcl.Diagnostics {
	block := s.byAddr[addr.Block()]
	in := s.byPath[addr.Module]
	switch {
	case addr.Kind == "" && (in != nil || s.covers(addr.Module)):
		return nil
	case in == nil && s.covers(addr.Module):
		return hcl.Diagnostics{errorAt(rng, summary, "%s has for_each, so one of its instances must be named, as in %s[\"key\"].", addr.Module, addr.Module)}
	case in == nil:
		var paths []string
		for _, other := range s.instances[1:] {
			paths = append(paths, other.path)
		}
		hint := DidYouMean(addr.Module, paths)
		if hint == "" && len(paths) > 0 {
			hint = " It has " + list(paths) + "."
		}
		return hcl.Diagnostics{errorAt(rng, summary, "The stack has no %s.%s", addr.Module, hint)}
	case block == nil:
		names := in.module.namesOf(addr.Kind)
		hint := DidYouMean(addr.Name, names)
		if hint == "" && len(names) > 0 {
			hint = " It has " + list(names) + "."
		}
		return hcl.Diagnostics{errorAt(rng, summary, "The stack has no %s.%s", addr.Block(), hint)}
	case addr.Keyed && !block.ForEach:
		return hcl.Diagnostics{errorAt(rng, summary, "%s has no for_each, so it has no instance %s.", block.Addr, strconv.Quote(addr.Key))}
	case summary == "Import of nothing" && block.ForEach && !addr.Keyed:
		return hcl.Diagnostics{errorAt(rng, summary, "%s has for_each, so one of its instances must be named, as in %s[\"key\"].", block.Addr, block.Addr)}
	}
	return nil
}

// covered are the blocks of the stack that addr speaks of as a whole.
func (s *Stack) covered(addr Addr) (list []*Block) {
	if addr.Kind != "" && (addr.Module == "" || s.byPath[addr.Module] != nil) {
		if b := s.byAddr[addr.Block()]; b != nil && (!addr.Keyed || !b.ForEach) {
			list = append(list, b)
		}
		return list
	}
	for _, b := range s.blocks {
		if addr.Covers(b.Addr) {
			list = append(list, b)
		}
	}
	return list
}

// covers reports whether a module without a key stands for instances that have one.
func (s *Stack) covers(path string) bool {
	for _, in := range s.instances {
		if in.path != "" && (Addr{Module: path}).Covers(Addr{Module: in.path}) {
			return true
		}
	}
	return false
}

// stillCalled returns the module block that still makes what a moved block takes away, or nil.
func (s *Stack) stillCalled(m Moved) *call {
	if m.From.Kind != "" {
		return nil
	}
	for _, in := range s.instances[1:] {
		steps := moduleSteps(in.path)
		if _, moves := m.path(steps); moves && len(steps) == len(moduleSteps(m.From.Module)) {
			return in.call
		}
	}
	return nil
}

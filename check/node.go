package check

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Node is one evaluated block of the stack, or one instance of it.
type Node struct {
	Addr  spec.Addr
	Block *spec.Block
	// Value is of the kind's Type: as the stack says where it does, else as planned. What is sensitive is unknown.
	Value cty.Value

	inst *spec.Instance
}

func newNode(inst *spec.Instance, object cty.Value, planned bool) *Node {
	n := &Node{Addr: inst.Addr, Block: inst.Block, Value: inst.Value, inst: inst}
	attrs := inst.Value.AsValueMap()
	for name, v := range attrs {
		if planned && (!v.IsWhollyKnown() || inst.Block.Lifecycle.Ignores(name)) && object.Type().HasAttribute(name) {
			attrs[name] = object.GetAttr(name)
		}
	}
	for _, path := range inst.Sensitive {
		if step, ok := path[0].(cty.GetAttrStep); ok {
			attrs[step.Name] = cty.UnknownVal(attrs[step.Name].Type())
		}
	}
	if len(attrs) > 0 {
		n.Value = cty.ObjectVal(attrs)
	}
	return n
}

// Range is where the part of the block at path is written.
func (n *Node) Range(path cty.Path) hcl.Range { return n.inst.Range(path) }

// ID is the object's natural name, "" while it is unknown.
func (n *Node) ID() string {
	if n.Block.Kind.ID == nil {
		return ""
	}
	return n.Block.Kind.ID(n.Value)
}

// End is the part of the block that the names lead to.
func (n *Node) End(names ...string) End { return End{Node: n, Path: path(names...)} }

func path(names ...string) cty.Path {
	var p cty.Path
	for _, name := range names {
		p = p.GetAttr(name)
	}
	return p
}

// get follows names through objects; what is not there or not known is unknown, and null stays null.
func (n *Node) get(names ...string) cty.Value {
	v := n.Value
	for _, name := range names {
		if v.IsNull() {
			return v
		}
		if !v.IsKnown() || !v.Type().IsObjectType() || !v.Type().HasAttribute(name) {
			return cty.DynamicVal
		}
		v = v.GetAttr(name)
	}
	return v
}

// text is a text; ok is false when it is unknown. Null is "".
func (n *Node) text(names ...string) (s string, ok bool) {
	v := n.get(names...)
	switch {
	case !v.IsKnown():
		return "", false
	case v.IsNull():
		return "", true
	case v.Type() != cty.String:
		return "", false
	}
	return v.AsString(), true
}

// number is a whole number; ok is false when it is unknown or null.
func (n *Node) number(names ...string) (i int64, ok bool) {
	v := n.get(names...)
	if !v.IsKnown() || v.IsNull() || v.Type() != cty.Number {
		return 0, false
	}
	i, _ = v.AsBigFloat().Int64()
	return i, true
}

// is reports whether an attribute is known to be true.
func (n *Node) is(names ...string) bool {
	v := n.get(names...)
	return v.IsKnown() && !v.IsNull() && v.Type() == cty.Bool && v.True()
}

// absent reports whether an attribute or a block is known to be null.
func (n *Node) absent(names ...string) bool {
	v := n.get(names...)
	return v.IsKnown() && v.IsNull()
}

// texts is a list or set of texts; ok is false when some are unknown. Null is none.
func (n *Node) texts(names ...string) (list []string, ok bool) {
	v := n.get(names...)
	if !v.IsWhollyKnown() {
		return nil, false
	}
	if v.IsNull() {
		return nil, true
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || e.Type() != cty.String {
			return nil, false
		}
		list = append(list, e.AsString())
	}
	return list, true
}

// textMap is a map of texts; ok is false when some are unknown. Null is empty.
func (n *Node) textMap(names ...string) (m map[string]string, ok bool) {
	v := n.get(names...)
	if !v.IsWhollyKnown() {
		return nil, false
	}
	m = map[string]string{}
	if v.IsNull() {
		return m, true
	}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if e.IsNull() || e.Type() != cty.String {
			return nil, false
		}
		m[k.AsString()] = e.AsString()
	}
	return m, true
}

// Ref is what an attribute refers to: a block of the stack, or by its id something that the stack does not describe.
type Ref struct {
	Node *Node  // nil for what the stack does not describe
	ID   string // "" while it is unknown or where nothing is referred to
}

// none reports whether nothing is known of the reference.
func (r Ref) none() bool { return r.Node == nil && r.ID == "" }

// String names what is referred to.
func (r Ref) String() string {
	if r.Node != nil {
		return r.Node.Addr.String()
	}
	return r.ID
}

// key is equal for references that are known to lead to one object, and "" where nothing is known.
func (r Ref) key() string {
	if r.Node != nil {
		return r.Node.Addr.String()
	}
	return strings.TrimRight(r.ID, "/")
}

// answer is what is known of a question.
type answer int

const (
	maybe answer = iota
	no
	yes
)

// same tells whether two references of one kind lead to one object.
func same(a, b Ref) answer {
	switch {
	case a.none() || b.none():
		return maybe
	case a.Node != nil && b.Node != nil:
		if a.Node == b.Node {
			return yes
		}
		return no
	case a.ID == "" || b.ID == "":
		return maybe
	case strings.TrimRight(a.ID, "/") == strings.TrimRight(b.ID, "/"):
		return yes
	}
	return no
}

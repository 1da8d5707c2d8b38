package spec

import (
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Scope holds the values of one pass over the stack, a plan or an apply: the objects set so far and what follows from
// them. A block is evaluated once the objects of its Deps are set; what is not set counts as unknown. A local value
// and a for_each are evaluated when first needed and then kept, so a second pass needs a scope of its own.
// It is safe for concurrent use.
type Scope struct {
	stack *Stack

	mu      sync.Mutex
	static  bool // instances of modules are being made: what modules give is unknown
	locals  map[named]cty.Value
	inputs  map[named]cty.Value // what modules are given
	results map[named]cty.Value // what modules give
	keys    map[named]*each     // of modules with for_each, by module block
	wholes  map[wholeKey]cty.Value
	objects map[Addr]*object
	blocks  map[Addr]*blockValues
	unset   map[Addr]cty.Value // what stands for blocks without objects
	last    map[Addr]*Instance
	failed  bool // something went wrong, so that what is unknown may be unknown because of that
}

// object is one set object.
type object struct {
	ref   cty.Value // what references see: with address, marked
	plain cty.Value // as set
	kind  *Kind
}

// blockValues is what a scope knows of one block.
type blockValues struct {
	keys      []cty.Value           // of the set objects of a block with for_each
	whole     cty.Value             // the map of all of them; NilVal when it must be built anew
	each      *each                 // the evaluated for_each
	sensitive map[string][]cty.Path // by key
}

// each is an evaluated for_each.
type each struct {
	keys   []string
	values map[string]cty.Value
	ok     bool
}

// NewScope returns a scope without objects.
func (s *Stack) NewScope() *Scope {
	return &Scope{
		stack:   s,
		locals:  map[named]cty.Value{},
		inputs:  map[named]cty.Value{},
		results: map[named]cty.Value{},
		keys:    map[named]*each{},
		wholes:  map[wholeKey]cty.Value{},
		objects: map[Addr]*object{},
		blocks:  map[Addr]*blockValues{},
		unset:   map[Addr]cty.Value{},
		last:    map[Addr]*Instance{},
	}
}

func (sc *Scope) of(addr Addr) *blockValues {
	b := sc.blocks[addr]
	if b == nil {
		b = &blockValues{sensitive: map[string][]cty.Path{}}
		sc.blocks[addr] = b
	}
	return b
}

// Set stores the object that references to addr see from now on: v, an unmarked object of the kind's Type, with one
// more attribute, address. What was sensitive when the instance was evaluated in this scope, and the kind's secrets,
// stay sensitive. Setting an address again replaces its object. It panics on an address that is not in the stack.
func (sc *Scope) Set(addr Addr, v cty.Value) {
	block := sc.stack.Block(addr)
	if block == nil {
		panic("spec: Set of an unknown address " + addr.String())
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	values := sc.of(addr.Block())
	attrs := v.AsValueMap()
	attrs["address"] = cty.StringVal(addr.String())
	ref := cty.ObjectVal(attrs)
	paths := append(secretPaths(block.Kind.Attrs, block.Kind.Blocks, v, nil), values.sensitive[addr.Key]...)
	if len(paths) > 0 {
		marks := make([]cty.PathValueMarks, 0, len(paths))
		for _, p := range paths {
			marks = append(marks, cty.PathValueMarks{Path: p, Marks: cty.NewValueMarks(sensitive)})
		}
		ref = ref.MarkWithPaths(marks)
	}
	if addr.Keyed && sc.objects[addr] == nil {
		values.keys = append(values.keys, cty.StringVal(addr.Key))
	}
	values.whole = cty.NilVal
	sc.objects[addr] = &object{ref: ref, plain: v, kind: block.Kind}
}

// Object returns the object that was set for addr, unmarked and of its kind's Type; ok is false while there is none.
func (sc *Scope) Object(addr Addr) (v cty.Value, ok bool) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if o := sc.objects[addr]; o != nil {
		return o.plain, true
	}
	return cty.NilVal, false
}

// Evaluated returns the instance as this scope evaluated it last, or nil where it never did. It spares those who come after
// the evaluation to do it again.
func (sc *Scope) Evaluated(addr Addr) *Instance {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.last[addr]
}

// Instances evaluates the block: one instance, or with for_each one for each key, sorted by key. The diagnostics are
// complete; instances whose evaluation failed are left out.
func (sc *Scope) Instances(b *Block) ([]*Instance, hcl.Diagnostics) {
	ctx, diags := sc.context(b.in, b.refs)
	if !b.ForEach {
		inst, more := sc.instance(b, b.Addr, ctx)
		diags = append(diags, more...)
		if inst == nil || diags.HasErrors() {
			return nil, unique(diags)
		}
		return []*Instance{inst}, diags
	}
	fe, more := sc.forEach(b, ctx)
	diags = append(diags, b.in.say(more)...)
	if !fe.ok {
		return nil, diags
	}
	instances := make([]*Instance, 0, len(fe.keys))
	for _, key := range fe.keys {
		addr := b.Addr
		addr.Key, addr.Keyed = key, true
		inst, more := sc.instance(b, addr, fe.context(ctx, key))
		diags = append(diags, more...)
		if !more.HasErrors() {
			instances = append(instances, inst)
		}
	}
	return instances, unique(diags)
}

// Instance evaluates one instance with the objects that are set now, as apply does just before it acts. It returns
// nil when the address is not, or no longer, in the stack.
func (sc *Scope) Instance(addr Addr) (*Instance, hcl.Diagnostics) {
	b := sc.stack.Block(addr)
	if b == nil || b.ForEach != addr.Keyed {
		return nil, nil
	}
	ctx, diags := sc.context(b.in, b.refs)
	if b.ForEach {
		fe, more := sc.forEach(b, ctx)
		diags = append(diags, b.in.say(more)...)
		if _, exists := fe.values[addr.Key]; !fe.ok || !exists {
			return nil, diags
		}
		ctx = fe.context(ctx, addr.Key)
	}
	inst, more := sc.instance(b, addr, ctx)
	return inst, append(diags, more...)
}

func (e *each) context(parent *hcl.EvalContext, key string) *hcl.EvalContext {
	ctx := parent.NewChild()
	ctx.Variables = map[string]cty.Value{
		"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": e.values[key]}),
	}
	return ctx
}

// forEach evaluates a block's for_each, once in a scope.
func (sc *Scope) forEach(b *Block, ctx *hcl.EvalContext) (*each, hcl.Diagnostics) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	values := sc.of(b.Addr)
	if values.each != nil {
		return values.each, nil
	}
	fe, diags := sc.keysOf(b.forEach, ctx)
	values.each = fe
	return fe, diags
}

// keysOf evaluates the for_each of a block or a module.
func (sc *Scope) keysOf(expr hclsyntax.Expression, ctx *hcl.EvalContext) (*each, hcl.Diagnostics) {
	fe := &each{values: map[string]cty.Value{}}
	v, diags := expr.Value(ctx)
	diags = evaluated(diags)
	if diags.HasErrors() {
		return fe, diags
	}
	rng := expr.Range()
	invalid := func(format string, args ...any) (*each, hcl.Diagnostics) {
		return fe, append(diags, errorAt(rng, "Invalid for_each", format, args...))
	}
	ty := v.Type()
	switch {
	case v.IsMarked():
		return invalid("The value is sensitive. Its keys name the instances in every plan, so it cannot be used; use nonsensitive() on the keys if they are no secret.")
	case v.IsNull():
		return invalid("The value is null. Use an empty map for no instances.")
	case !v.IsKnown() && sc.failed, ty.IsSetType() && !v.IsWhollyKnown() && sc.failed:
		return fe, diags
	case sc.static && (!v.IsKnown() || ty.IsSetType() && !v.IsWhollyKnown()):
		return invalid("The value depends on a resource or on another module. What instances a module has must follow from variables and local values alone, so use keys that are written in the stack.")
	case !v.IsKnown():
		return invalid("The value depends on something that is known only after apply, so the instances cannot be planned. Use keys that are written in the stack.")
	case ty.IsListType() || ty.IsTupleType():
		return invalid("A list has no keys to name the instances. Make it a set with toset(…), or a map.")
	case !ty.IsMapType() && !ty.IsObjectType() && !ty.IsSetType():
		return invalid("A map or a set of strings is needed, not %s.", ty.FriendlyName())
	case ty.IsSetType() && ty.ElementType() != cty.String && !(ty.ElementType() == cty.DynamicPseudoType && v.LengthInt() == 0):
		return invalid("A set for for_each holds strings, not %s.", ty.ElementType().FriendlyName())
	case ty.IsSetType() && !v.IsWhollyKnown():
		return invalid("The set holds values that are known only after apply, so the instances cannot be named. Use a map whose keys are written in the stack.")
	}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if ty.IsSetType() {
			if value.IsNull() {
				return invalid("The set holds a null.")
			}
			key = value
		}
		fe.keys = append(fe.keys, key.AsString())
		fe.values[key.AsString()] = value
	}
	fe.ok = true
	return fe, diags
}

// instance evaluates one body.
func (sc *Scope) instance(b *Block, addr Addr, ctx *hcl.EvalContext) (*Instance, hcl.Diagnostics) {
	d := &decoder{scope: sc, block: b, kind: b.Kind, addr: addr, quiet: b.broken}
	inst := d.instance(expanded(b.body, b.dynamic, ctx), ctx, b.Range, b.labelRange, sc.stack.shapes[b.Kind])
	inst.Block = b
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.last[addr] = inst
	if len(inst.Sensitive) > 0 || d.diags.HasErrors() {
		sc.of(addr.Block()).sensitive[addr.Key] = inst.Sensitive
		sc.failed = sc.failed || d.diags.HasErrors()
	}
	return inst, b.in.say(d.diags)
}

// provider evaluates a provider's block.
func (sc *Scope) provider(p *providerBlock) (*Instance, hcl.Diagnostics) {
	body := p.body
	rng := p.rng
	if body == nil {
		body = &hclsyntax.Body{}
	}
	ctx, diags := sc.context(sc.stack.top, p.refs)
	d := &decoder{scope: sc, kind: p.kind, quiet: p.broken}
	inst := d.instance(expanded(body, p.dynamic, ctx), ctx, rng, rng, sc.stack.shapes[p.kind])
	return inst, unique(append(diags, d.diags...))
}

// context returns what r refers to in a module and nothing else.
func (sc *Scope) context(in *moduleInstance, r refs) (*hcl.EvalContext, hcl.Diagnostics) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.contextLocked(in, r)
}

func (sc *Scope) contextLocked(in *moduleInstance, r refs) (*hcl.EvalContext, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	ctx := sc.stack.functions.NewChild()
	if in.call == nil {
		ctx.Variables = in.module.constants(r)
	} else {
		ctx.Variables, diags = sc.given(in, r)
	}
	if len(r.locals) > 0 {
		locals := make(map[string]cty.Value, len(r.locals))
		for _, name := range r.locals {
			v, more := sc.local(in, name)
			diags = append(diags, more...)
			locals[name] = v
		}
		ctx.Variables["local"] = cty.ObjectVal(locals)
	}
	data := map[string]cty.Value{}
	for i := 0; i < len(r.blocks); { // sorted by kind
		kind := r.blocks[i].Kind
		byName := map[string]cty.Value{}
		for ; i < len(r.blocks) && r.blocks[i].Kind == kind; i++ {
			byName[r.blocks[i].Name] = sc.value(r.blocks[i].in(in.path))
		}
		if of, isData := strings.CutPrefix(kind, dataPrefix); isData {
			data[of] = cty.ObjectVal(byName)
		} else {
			ctx.Variables[kind] = cty.ObjectVal(byName)
		}
	}
	if len(data) > 0 {
		ctx.Variables["data"] = cty.ObjectVal(data)
	}
	if len(r.outputs) > 0 {
		v, more := sc.modules(in, r.outputs)
		ctx.Variables["module"] = v
		diags = append(diags, more...)
	}
	return ctx, diags
}

// local evaluates a local value, once in a scope; its diagnostics go to who asks first.
func (sc *Scope) local(in *moduleInstance, name string) (cty.Value, hcl.Diagnostics) {
	if v, known := sc.locals[named{in, name}]; known {
		return v, nil
	}
	l := in.module.locals[name]
	if l == nil {
		return cty.DynamicVal, nil
	}
	sc.locals[named{in, name}] = cty.DynamicVal // while it leads back to itself, which is reported as a cycle
	ctx, diags := sc.contextLocked(in, l.refs)
	v, more := l.expr.Value(ctx)
	diags = append(diags, in.say(evaluated(more))...)
	if more.HasErrors() {
		v, sc.failed = cty.DynamicVal, true
	}
	sc.locals[named{in, name}] = v
	return v, diags
}

// value is what a reference to a block gives: its object, or the map of its instances' objects.
func (sc *Scope) value(addr Addr) cty.Value {
	b := sc.stack.byAddr[addr]
	if b == nil {
		return cty.DynamicVal
	}
	if !b.ForEach {
		if o := sc.objects[addr]; o != nil {
			return o.ref
		}
		return sc.unsetValue(b)
	}
	values := sc.of(addr)
	if values.whole != cty.NilVal {
		return values.whole
	}
	if len(values.keys) == 0 && (values.each == nil || !values.each.ok || len(values.each.keys) > 0) {
		return sc.unsetValue(b)
	}
	object := sc.stack.shapes[b.Kind].object
	same := true
	objects := make(map[string]cty.Value, len(values.keys))
	for _, key := range values.keys {
		k := key.AsString()
		one := addr
		one.Key, one.Keyed = k, true
		objects[k] = sc.objects[one].ref
		same = same && objects[k].Type().Equals(object)
	}
	switch {
	case len(objects) == 0:
		values.whole = cty.MapValEmpty(object)
	case same:
		values.whole = cty.MapVal(objects)
	default: // a kind with attributes of any type
		values.whole = cty.ObjectVal(objects)
	}
	return values.whole
}

// unsetValue stands for a block without objects: everything but the address is unknown.
func (sc *Scope) unsetValue(b *Block) cty.Value {
	if v, known := sc.unset[b.Addr]; known {
		return v
	}
	object := sc.stack.shapes[b.Kind].object
	v := cty.UnknownVal(cty.Map(object))
	if !b.ForEach {
		attrs := map[string]cty.Value{}
		for name, ty := range object.AttributeTypes() {
			attrs[name] = cty.UnknownVal(ty)
		}
		attrs["address"] = cty.StringVal(b.Addr.String())
		v = cty.ObjectVal(attrs)
	}
	sc.unset[b.Addr] = v
	return v
}

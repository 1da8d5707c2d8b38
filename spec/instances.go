package spec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// moduleInstance is one use of a module: the stack itself, or what a module block makes, with for_each one for each key. It
// has variables and local values of its own; its blocks stand in the one graph of the stack, under addresses with its path.
type moduleInstance struct {
	path   string // `module.eu`, "" for the stack itself
	module *module

	call   *call           // nil for the stack itself
	parent *moduleInstance // nil for the stack itself
	key    string          // of the call's for_each
	inner  map[string][]*moduleInstance
	// after are the blocks and modules that the depends_on of the call, and of the calls around it, name.
	after []Addr
}

// prefix is what names of the instance are written with.
func (in *moduleInstance) prefix() string {
	if in.path == "" {
		return ""
	}
	return in.path + "."
}

// expand makes the instances of the stack and, from the outside in, of its modules, and gives each its blocks. Which instances
// there are follows from variables and local values alone. failed is true when something is known to be wrong already.
func (s *Stack) expand(root *module, failed bool) (diags hcl.Diagnostics) {
	sc := s.NewScope()
	sc.static, sc.failed = true, failed
	s.top = s.addInstance(&moduleInstance{module: root})
	for i := 0; i < len(s.instances); i++ {
		in := s.instances[i]
		for _, name := range sortedKeys(in.module.calls) {
			c := in.module.calls[name]
			if c.module == nil || c.module.broken {
				continue
			}
			after := append([]Addr(nil), in.after...)
			for _, addr := range c.after {
				after = append(after, addr.in(in.path))
			}
			inner := moduleInstance{module: c.module, call: c, parent: in, after: after}
			if c.forEach == nil {
				inner.path = in.prefix() + moduleStep{name: name}.String()
				in.add(s.addInstance(&inner))
				continue
			}
			sc.mu.Lock()
			keys, more := sc.moduleKeys(in, c)
			sc.mu.Unlock()
			diags = append(diags, more...)
			for _, key := range keys.keys {
				one := inner
				one.key = key
				one.path = in.prefix() + moduleStep{name, key, true}.String()
				in.add(s.addInstance(&one))
			}
		}
	}
	return diags
}

func (in *moduleInstance) add(inner *moduleInstance) {
	in.inner[inner.call.name] = append(in.inner[inner.call.name], inner)
}

// addInstance enters an instance and its blocks into the stack.
func (s *Stack) addInstance(in *moduleInstance) *moduleInstance {
	in.inner = map[string][]*moduleInstance{}
	s.instances = append(s.instances, in)
	s.byPath[in.path] = in
	for _, declared := range in.module.blocks {
		b := declared
		if in.path != "" {
			one := *declared
			b = &one
			b.Addr = declared.Addr.in(in.path)
			b.Lifecycle.ReplaceTriggeredBy = append([]Trigger(nil), b.Lifecycle.ReplaceTriggeredBy...)
			for i := range b.Lifecycle.ReplaceTriggeredBy {
				t := &b.Lifecycle.ReplaceTriggeredBy[i]
				t.Addr = t.Addr.in(in.path)
			}
		}
		b.in = in
		s.blocks = append(s.blocks, b)
		s.byAddr[b.Addr] = b
	}
	for _, m := range in.module.moved {
		s.moved = append(s.moved, Moved{From: m.From.in(in.path), To: m.To.in(in.path), Range: m.Range})
	}
	for _, r := range in.module.removed {
		s.removed = append(s.removed, Removed{From: r.From.in(in.path), Destroy: r.Destroy, Range: r.Range})
	}
	return in
}

// inModule is the Extra of diagnostics about an instance of a module: the same may be true of others.
type inModule struct {
	detail string // without the instances
	paths  []string
}

// say adds to diagnostics which instance of the module they are about.
func (in *moduleInstance) say(diags hcl.Diagnostics) hcl.Diagnostics {
	if in.path == "" {
		return diags
	}
	said := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		said[i] = d
		if _, already := d.Extra.(inModule); !already {
			said[i] = inModule{d.Detail, []string{in.path}}.of(d)
		}
	}
	return said
}

func (m inModule) of(d *hcl.Diagnostic) *hcl.Diagnostic {
	c := *d
	c.Extra = m
	c.Detail = m.detail + "\n\nIn " + list(m.paths) + "."
	return &c
}

// joined is a diagnostic that another one repeats about more instances of the module.
func joined(d, other *hcl.Diagnostic) *hcl.Diagnostic {
	a, ok1 := d.Extra.(inModule)
	b, ok2 := other.Extra.(inModule)
	if !ok1 || !ok2 {
		return d
	}
	for _, path := range b.paths {
		if !contains(a.paths, path) {
			a.paths = append(a.paths[:len(a.paths):len(a.paths)], path)
		}
	}
	return a.of(d)
}

// named is a named thing of one instance of a module.
type named struct {
	in   *moduleInstance
	name string
}

// wholeKey says which outputs of all instances of a module a value holds.
type wholeKey struct {
	call  named
	names string
}

// given is what expressions of a module's instance see of its variables and paths.
func (sc *Scope) given(in *moduleInstance, r refs) (map[string]cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	values := map[string]cty.Value{}
	if len(r.vars) > 0 {
		vars := make(map[string]cty.Value, len(r.vars))
		for _, name := range r.vars {
			v, more := sc.input(in, name)
			vars[name] = v
			diags = append(diags, more...)
		}
		values["var"] = cty.ObjectVal(vars)
	}
	if r.path {
		values["path"] = in.module.paths()
	}
	return values, diags
}

// input evaluates what an instance of a module is given for a variable, once in a scope.
func (sc *Scope) input(in *moduleInstance, name string) (cty.Value, hcl.Diagnostics) {
	if v, known := sc.inputs[named{in, name}]; known {
		return v, nil
	}
	v := in.module.variables[name]
	if v == nil {
		return cty.DynamicVal, nil
	}
	unknown := cty.UnknownVal(v.typ.WithoutOptionalAttributesDeep())
	sc.inputs[named{in, name}] = unknown // while it leads back to itself, which is reported as a cycle
	value, rng := v.fallback, in.call.rng
	var diags hcl.Diagnostics
	if arg := in.call.args[name]; arg != nil {
		rng = arg.expr.Range()
		value, diags = sc.argument(in, v, arg)
	}
	if value == cty.NilVal { // reported
		value = unknown
	}
	if v.sensitive {
		value = value.Mark(sensitive)
	}
	sc.inputs[named{in, name}] = value
	return value, append(diags, sc.validations(in, name, rng)...)
}

// argument evaluates what a module block says; NilVal when it is not usable, which is reported.
func (sc *Scope) argument(in *moduleInstance, v *variable, arg *argument) (cty.Value, hcl.Diagnostics) {
	ctx, diags := sc.contextLocked(in.parent, arg.refs)
	if arg.refs.each {
		keys, more := sc.moduleKeys(in.parent, in.call)
		diags = append(diags, more...)
		if !keys.ok {
			return cty.NilVal, diags
		}
		ctx = keys.context(ctx, in.key)
	}
	about := in.parent
	if in.call.forEach != nil {
		about = in // the other instances may be in order
	}
	value, more := arg.expr.Value(ctx)
	failed := more.HasErrors()
	diags = append(diags, about.say(evaluated(more))...)
	if failed {
		sc.failed = true
		return cty.NilVal, diags
	}
	set, err := v.convert(value)
	if err != nil {
		sc.failed = true
		detail := err.Error()
		if value.ContainsMarked() {
			detail = "the value is sensitive, so the details are withheld"
		}
		return cty.NilVal, append(diags, about.say(hcl.Diagnostics{errorAt(arg.expr.Range(), "Invalid argument",
			"The value does not fit the variable %q, which is %s, declared at %s: %s.",
			v.name, typeName(v.typ.WithoutOptionalAttributesDeep()), place(v.rng), detail)})...)
	}
	return set, diags
}

// validations asks the validations about a variable whose other variables have their values too, so that each is asked once.
func (sc *Scope) validations(in *moduleInstance, name string, rng hcl.Range) (diags hcl.Diagnostics) {
	for _, other := range sortedKeys(in.module.variables) {
		v := in.module.variables[other]
	next:
		for i := range v.validations {
			check := &v.validations[i]
			if other != name && !contains(check.refs.vars, name) {
				continue
			}
			for _, needed := range append([]string{other}, check.refs.vars...) {
				if _, known := sc.inputs[named{in, needed}]; !known {
					continue next
				}
			}
			at := rng
			if arg := in.call.args[other]; arg != nil {
				at = arg.expr.Range()
			}
			values, _ := sc.given(in, check.refs)
			ctx := sc.stack.functions.NewChild()
			ctx.Variables = values
			found := check.hold(ctx, at, "The variable "+other+" says so at "+place(check.rng)+".")
			sc.failed = sc.failed || found.HasErrors()
			diags = append(diags, in.say(found)...)
		}
	}
	return diags
}

// moduleKeys evaluates the for_each of a module block, once in a scope.
func (sc *Scope) moduleKeys(in *moduleInstance, c *call) (*each, hcl.Diagnostics) {
	if keys := sc.keys[named{in, c.name}]; keys != nil {
		return keys, nil
	}
	ctx, diags := sc.contextLocked(in, c.keys)
	keys, more := sc.keysOf(c.forEach, ctx)
	sc.keys[named{in, c.name}] = keys
	sc.failed = sc.failed || more.HasErrors()
	return keys, append(diags, in.say(more)...)
}

// result evaluates an output of an instance of a module, once in a scope.
func (sc *Scope) result(in *moduleInstance, o *output) (cty.Value, hcl.Diagnostics) {
	if v, known := sc.results[named{in, o.name}]; known {
		return v, nil
	}
	if o.expr == nil || sc.static {
		return cty.DynamicVal, nil
	}
	sc.results[named{in, o.name}] = cty.DynamicVal // while it leads back to itself, which is reported as a cycle
	ctx, diags := sc.contextLocked(in, o.refs)
	v, more := o.expr.Value(ctx)
	diags = append(diags, in.say(evaluated(more))...)
	if more.HasErrors() {
		v, sc.failed = cty.DynamicVal, true
	}
	if o.sensitive {
		v = v.Mark(sensitive)
	}
	sc.results[named{in, o.name}] = v
	return v, diags
}

// modules is what expressions of a module see of the modules that it calls: the outputs that they refer to.
func (sc *Scope) modules(in *moduleInstance, outputs []outputRef) (cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	calls := map[string]cty.Value{}
	for i := 0; i < len(outputs); {
		name := outputs[i].call
		first := i
		for i < len(outputs) && outputs[i].call == name {
			i++
		}
		v, more := sc.moduleValue(in, in.module.calls[name], outputs[first:i])
		calls[name] = v
		diags = append(diags, more...)
	}
	return cty.ObjectVal(calls), diags
}

// moduleValue is what a reference to a module gives: an object of outputs, or one of these for each key. Only what is referred
// to is evaluated: other outputs may wait for blocks that come later.
func (sc *Scope) moduleValue(in *moduleInstance, c *call, outputs []outputRef) (cty.Value, hcl.Diagnostics) {
	instances := in.inner[c.name]
	if sc.static || c.module == nil || len(instances) == 0 && (c.forEach == nil || sc.failed) {
		return cty.DynamicVal, nil
	}
	var diags hcl.Diagnostics
	var names []string // asked of all instances
	all := false
	ofOne := map[string][]string{}
	for _, ref := range outputs {
		switch {
		case ref.keyed:
			ofOne[ref.key] = append(ofOne[ref.key], ref.name)
		case ref.name == "":
			all = true
		default:
			all, names = true, append(names, ref.name)
		}
	}
	key := wholeKey{named{in, c.name}, strings.Join(names, " ")}
	if v, known := sc.wholes[key]; known && len(ofOne) == 0 {
		return v, nil
	}
	missing := len(ofOne)
	for _, one := range instances {
		if ofOne[one.key] != nil {
			missing--
		}
	}
	byKey := make(map[string]cty.Value, len(instances))
	for _, one := range instances {
		asked := append(names[:len(names):len(names)], ofOne[one.key]...)
		values := make(map[string]cty.Value, len(asked))
		for _, name := range asked {
			if name != "" {
				v, more := sc.result(one, c.module.output(name))
				values[name] = v
				diags = append(diags, more...)
			}
		}
		if all || ofOne[one.key] != nil || missing > 0 { // what there is instead is named
			byKey[one.key] = cty.ObjectVal(values)
		}
	}
	v := cty.ObjectVal(byKey)
	if c.forEach == nil {
		v = byKey[""]
	}
	if len(ofOne) == 0 {
		sc.wholes[key] = v
	}
	return v, diags
}

// interfaces evaluates all that modules are given and give.
func (sc *Scope) interfaces() (diags hcl.Diagnostics) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, in := range sc.stack.instances[1:] {
		for _, name := range sortedKeys(in.module.variables) {
			_, more := sc.input(in, name)
			diags = append(diags, more...)
		}
		for _, o := range in.module.outputs {
			_, more := sc.result(in, o)
			diags = append(diags, more...)
		}
	}
	return diags
}

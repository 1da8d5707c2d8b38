package spec

import (
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// refs is what expressions refer to, each once and sorted, so that they can be evaluated with nothing else at hand. It is
// relative to the module that holds the expressions.
type refs struct {
	vars, locals []string
	blocks       []Addr      // without keys
	outputs      []outputRef // by call
	path, each   bool
}

// outputRef is a reference to an output of a module, of one of its instances or of all.
type outputRef struct {
	call  string
	key   string // of one instance, when keyed
	keyed bool
	name  string // "" for the instances as such, whatever they give
}

// within says which references an expression may hold.
type within struct {
	each   bool   // each.key and each.value
	blocks bool   // resources, app blocks and modules
	owner  string // for messages: "variable validation"
}

// checkReferences collects and checks the references in the stack's own files and in its modules.
func (s *Stack) checkReferences(root *module) (diags hcl.Diagnostics) {
	diags = root.checkReferences()
	for _, dir := range sortedKeys(s.modules) {
		if m := s.modules[dir]; m != root && !m.broken {
			diags = append(diags, m.checkReferences()...)
			diags = append(diags, m.checkValidations()...)
		}
	}
	for _, name := range sortedKeys(s.providers) {
		p := s.providers[name]
		if p.body == nil {
			continue
		}
		c := &collector{module: root, within: within{owner: "a provider block"}}
		c.body(p.body, s.shapes[p.kind], nil, nil)
		p.dynamic = c.dynamic
		p.refs, diags = c.refs(), append(diags, c.diags...)
		diags = append(diags, root.checkProviderLocals(p)...)
	}
	return diags
}

// checkReferences collects and checks the references of every block, local, output and argument of a module.
func (m *module) checkReferences() (diags hcl.Diagnostics) {
	for _, b := range m.blocks {
		c := &collector{module: m, within: within{each: b.ForEach, blocks: true}}
		if b.ForEach {
			c.within.each = false
			c.expr(b.forEach, nil)
			c.within.each = true
		}
		c.body(b.body, m.stack.shapes[b.Kind], map[string]bool{"for_each": true, "depends_on": true, "count": true, "lifecycle": true}, nil)
		b.dynamic = c.dynamic
		b.refs, diags = c.refs(), append(diags, c.diags...)
		for _, t := range b.Lifecycle.ReplaceTriggeredBy {
			diags = append(diags, m.checkTrigger(t)...)
		}
		diags = append(diags, m.checkDependsOn(b.body.Attributes["depends_on"])...)
	}
	for _, name := range sortedKeys(m.locals) {
		l := m.locals[name]
		l.refs, diags = m.collect(l.expr, false, diags)
	}
	for _, o := range m.outputs {
		if o.expr != nil {
			o.refs, diags = m.collect(o.expr, false, diags)
		}
	}
	for _, check := range m.checks {
		for i := range check.asserts {
			c := &collector{module: m, within: within{blocks: true}}
			c.expr(check.asserts[i].condition, nil)
			c.expr(check.asserts[i].message, nil)
			check.asserts[i].refs, diags = c.refs(), append(diags, c.diags...)
		}
	}
	for _, name := range sortedKeys(m.calls) {
		call := m.calls[name]
		if call.forEach != nil {
			call.keys, diags = m.collect(call.forEach, false, diags)
		}
		for _, arg := range sortedKeys(call.args) {
			a := call.args[arg]
			a.refs, diags = m.collect(a.expr, call.forEach != nil, diags)
		}
		diags = append(diags, m.checkDependsOn(call.waits)...)
	}
	return diags
}

// collect gathers the references of one expression.
func (m *module) collect(expr hclsyntax.Expression, each bool, diags hcl.Diagnostics) (refs, hcl.Diagnostics) {
	c := &collector{module: m, within: within{each: each, blocks: true}}
	c.expr(expr, nil)
	return c.refs(), append(diags, c.diags...)
}

func (m *module) checkDependsOn(a *hclsyntax.Attribute) (diags hcl.Diagnostics) {
	if a == nil {
		return nil
	}
	var reported hcl.Diagnostics
	for _, expr := range items(a.Expr, &reported) {
		if t, more := target(expr, false); !more.HasErrors() {
			t.Range = expr.Range()
			diags = append(diags, m.checkTrigger(t)...)
		}
	}
	return diags
}

// checkTrigger reports a block or a module that is named and does not exist.
func (m *module) checkTrigger(t Trigger) hcl.Diagnostics {
	if t.Addr.Module != "" {
		if t.Addr.Kind != "" {
			return nil // reported
		}
		if name := moduleSteps(t.Addr.Module)[0].name; m.calls[name] == nil {
			return hcl.Diagnostics{m.unknownModule(name, t.Range)}
		}
		return nil
	}
	block := m.byAddr[t.Addr.Block()]
	if block == nil {
		if m.unknown[t.Addr.Kind] {
			return nil
		}
		return hcl.Diagnostics{m.unknownBlockRef(t.Addr.Kind, t.Addr.Name, t.Range)}
	}
	if sh := m.stack.shapes[block.Kind]; t.Attr != "" && sh.attr(t.Attr) == nil {
		if nested, _ := sh.block(t.Attr); nested == nil {
			return hcl.Diagnostics{unknownAttributeRef(block, sh, t.Attr, t.Range)}
		}
	}
	return nil
}

// collector gathers the references of expressions and reports those that lead nowhere.
type collector struct {
	module  *module
	within  within
	diags   hcl.Diagnostics
	dynamic bool

	vars, locals map[string]bool
	blocks       map[Addr]bool
	outputs      map[outputRef]bool
	path, each   bool
}

func (c *collector) refs() refs {
	r := refs{vars: sortedKeys(c.vars), locals: sortedKeys(c.locals), path: c.path, each: c.each}
	for addr := range c.blocks {
		r.blocks = append(r.blocks, addr)
	}
	slices.SortFunc(r.blocks, Addr.Compare)
	for o := range c.outputs {
		r.outputs = append(r.outputs, o)
	}
	sort.Slice(r.outputs, func(i, j int) bool {
		a, b := r.outputs[i], r.outputs[j]
		switch {
		case a.call != b.call:
			return a.call < b.call
		case a.key != b.key:
			return a.key < b.key
		case a.keyed != b.keyed:
			return b.keyed
		}
		return a.name < b.name
	})
	return r
}

// body walks a body; hidden are the iterators of the dynamic blocks around it.
func (c *collector) body(body *hclsyntax.Body, sh *shape, skip map[string]bool, hidden []string) {
	for _, a := range sortedAttributes(body) {
		if skip[a.Name] {
			continue
		}
		if sh != nil {
			if attr := sh.attr(a.Name); attr != nil && attr.Row {
				continue
			}
		}
		c.expr(a.Expr, hidden)
	}
	for _, b := range body.Blocks {
		if skip[b.Type] {
			continue
		}
		if b.Type != "dynamic" || len(b.Labels) != 1 {
			c.body(b.Body, nestedShape(sh, b.Type), nil, hidden)
			continue
		}
		c.dynamic = true
		iterator := b.Labels[0]
		if a := b.Body.Attributes["iterator"]; a != nil {
			iterator = hcl.ExprAsKeyword(a.Expr)
			if iterator == "" {
				c.diags = append(c.diags, errorAt(a.Expr.Range(), "Invalid iterator", "Write the iterator's name as a single word without quotes."))
			}
		}
		inner := append(hidden[:len(hidden):len(hidden)], iterator)
		if a := b.Body.Attributes["for_each"]; a != nil {
			c.expr(a.Expr, hidden)
		}
		if a := b.Body.Attributes["labels"]; a != nil {
			c.expr(a.Expr, inner)
		}
		for _, content := range b.Body.Blocks {
			c.body(content.Body, nestedShape(sh, b.Labels[0]), nil, inner)
		}
	}
}

func nestedShape(sh *shape, name string) *shape {
	if sh == nil {
		return nil
	}
	_, inner := sh.block(name)
	return inner
}

func (c *collector) expr(expr hclsyntax.Expression, hidden []string) {
	c.diags = append(c.diags, checkCalls(expr, c.module.stack.functions.Functions)...)
next:
	for _, t := range hclsyntax.Variables(expr) {
		for _, name := range hidden {
			if t.RootName() == name {
				continue next
			}
		}
		if d := c.reference(t); d != nil {
			c.diags = append(c.diags, d)
		}
	}
}

// reference takes one reference; it returns what is wrong with it.
func (c *collector) reference(t hcl.Traversal) *hcl.Diagnostic {
	m, root, rng := c.module, t.RootName(), t.SourceRange()
	name, second := "", rng
	if len(t) > 1 {
		if attr, ok := t[1].(hcl.TraverseAttr); ok {
			name, second = attr.Name, attr.SrcRange
		}
	}
	if name == "" && (root == "var" || root == "local") {
		return errorAt(rng, "Incomplete reference", "%s stands for no value: write %s.NAME.", root, root)
	}
	switch root {
	case "var":
		if m.variables[name] == nil {
			return errorAt(rng, "Unknown variable", "%s declares no variable %q.%s", m.name(), name, DidYouMean(name, sortedKeys(m.variables)))
		}
		note(&c.vars, name)
	case "local":
		if m.locals[name] == nil {
			return errorAt(rng, "Unknown local value", "%s declares no local value %q.%s", m.name(), name, DidYouMean(name, sortedKeys(m.locals)))
		}
		note(&c.locals, name)
	case "path":
		if name != "stack" && name != "module" {
			return errorAt(rng, "Unknown path", "The paths are path.stack, the directory of the stack, and path.module, that of the module.%s", DidYouMean(name, []string{"stack", "module"}))
		}
		c.path = true
	case "each":
		if !c.within.each {
			return errorAt(rng, "No each here", "each.key and each.value exist only in blocks with for_each, outside of for_each itself.")
		}
		if name != "key" && name != "value" {
			return errorAt(second, "Unknown attribute", "each has two attributes, each.key and each.value.")
		}
		c.each = true
	case "module":
		return c.outputReference(t, name, rng)
	case "data":
		return c.dataReference(t, name, rng)
	case "row":
		return errorAt(rng, "No row here",
			"row.Column names a column of the source and is possible only where an attribute asks for one, as a producer's key does; it has no value at plan.")
	default:
		return c.blockReference(t, root, name, rng)
	}
	return nil
}

func (c *collector) blockReference(t hcl.Traversal, root, name string, rng hcl.Range) *hcl.Diagnostic {
	m, s := c.module, c.module.stack
	if s.kind(root) == nil {
		if m.unknown[root] {
			return nil
		}
		known := append(s.kindNames(), "var", "local", "path", "each", "module", "data")
		hint := DidYouMean(root, known)
		if hint == "" && len(t) == 1 {
			hint = " If it is meant as text, put it in quotes."
		}
		return errorAt(rng, "Unknown reference", "There is nothing called %q to refer to.%s", root, hint)
	}
	if !c.within.blocks {
		return errorAt(rng, "Reference not possible here",
			"%s can refer to variables and local values only: it is needed before any resource is looked at.", capital(c.within.owner))
	}
	if name == "" {
		return errorAt(rng, "Incomplete reference", "A reference to a %s needs its name, as in %s.", root, m.exampleOf(root))
	}
	addr := Addr{Kind: root, Name: name}
	block := m.byAddr[addr]
	if block == nil {
		return m.unknownBlockRef(root, name, rng)
	}
	if c.blocks == nil {
		c.blocks = map[Addr]bool{}
	}
	c.blocks[addr] = true

	rest := t[2:]
	if len(rest) == 0 {
		return nil
	}
	switch step := rest[0].(type) {
	case hcl.TraverseIndex:
		if !block.ForEach {
			return errorAt(step.SrcRange, "Unexpected key", "%s has no for_each, so it has no instances to choose from. Remove the key.", addr)
		}
		if step.Key.Type() != cty.String {
			return errorAt(step.SrcRange, "Invalid key", "The instances of %s are named by strings, as in %s[\"key\"].", addr, addr)
		}
		rest = rest[1:]
	case hcl.TraverseAttr:
		if block.ForEach {
			return errorAt(rng, "Missing key", "%s has for_each, so one of its instances must be chosen, as in %s[\"key\"].%s.", addr, addr, step.Name)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	if step, ok := rest[0].(hcl.TraverseAttr); ok && step.Name != "address" {
		sh := s.shapes[block.Kind]
		if nested, _ := sh.block(step.Name); sh.attr(step.Name) == nil && nested == nil {
			return unknownAttributeRef(block, sh, step.Name, step.SrcRange)
		}
	}
	return nil
}

func unknownAttributeRef(b *Block, sh *shape, name string, rng hcl.Range) *hcl.Diagnostic {
	return errorAt(rng, "Unknown attribute", "%s has no attribute %q.%s", article(b.Kind.Name), name, suggest(name, sh, nil))
}

func (m *module) unknownBlockRef(kind, name string, rng hcl.Range) *hcl.Diagnostic {
	if m.stack.kind(kind) == nil {
		return errorAt(rng, "Unknown reference", "There is nothing called %q to refer to.%s", kind, DidYouMean(kind, m.stack.kindNames()))
	}
	names := m.namesOf(kind)
	hint := DidYouMean(name, names)
	switch {
	case hint != "":
	case len(names) == 0:
		hint = " " + m.name() + " has no " + kind + " at all."
	default:
		hint = " " + m.name() + " has " + list(names) + "."
	}
	return errorAt(rng, "Reference to nothing", "%s declares no %s %q.%s", m.name(), kind, name, hint)
}

// name is what messages call the module.
func (m *module) name() string {
	if m.root {
		return "The stack"
	}
	return "The module"
}

func (m *module) namesOf(kind string) []string {
	var names []string
	for _, b := range m.blocks {
		if b.Kind.Name == kind {
			names = append(names, b.Addr.Name)
		}
	}
	sort.Strings(names)
	return names
}

func (m *module) exampleOf(kind string) string {
	if names := m.namesOf(kind); len(names) > 0 {
		return kind + "." + names[0]
	}
	return kind + ".name"
}

func note(set *map[string]bool, name string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[name] = true
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

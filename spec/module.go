package spec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// module is what the files of one directory declare: the stack itself, or what module blocks name as their source. It is read
// and checked once, however often it is called. Addresses and references in it are relative to it.
type module struct {
	stack *Stack
	dir   string // absolute; path.module in the language
	shown string // as messages name it
	root  bool   // the stack itself
	// broken: its files do not parse, so nothing is held against what is not known of it.
	broken bool

	blocks    []*Block
	byAddr    map[Addr]*Block
	variables map[string]*variable
	locals    map[string]*local
	outputs   []*output
	calls     map[string]*call
	checks    []*assertions
	moved     []Moved
	removed   []Removed
	unknown   map[string]bool // types of blocks that no kind describes; reported once each
}

// call is one module block.
type call struct {
	name    string
	rng     hcl.Range // of the header
	module  *module   // nil when its source cannot be used
	args    map[string]*argument
	forEach hclsyntax.Expression // nil for one instance
	keys    refs                 // of forEach
	after   []Addr               // of depends_on: blocks and modules
	waits   *hclsyntax.Attribute // depends_on, nil without
}

// argument is what a module block gives to one variable.
type argument struct {
	name *hclsyntax.Attribute
	expr hclsyntax.Expression
	refs refs
}

// place is what messages call where the module is.
func (m *module) place() string {
	if m.root {
		return "the stack"
	}
	return m.shown
}

func (s *Stack) newModule(dir, shown string) *module {
	return &module{
		stack: s, dir: dir, shown: shown,
		byAddr: map[Addr]*Block{}, variables: map[string]*variable{}, locals: map[string]*local{}, calls: map[string]*call{},
		unknown: map[string]bool{},
	}
}

// declare takes the blocks of a module's files and returns the mkt blocks among them.
func (m *module) declare(bodies []*hclsyntax.Body) (settings []*hclsyntax.Block, diags hcl.Diagnostics) {
	for _, body := range bodies {
		for _, attr := range sortedAttributes(body) {
			diags = append(diags, errorAt(attr.NameRange, "Attribute outside of a block",
				"A stack file holds blocks only. Put %s into a locals block, or into the block it belongs to.", attr.Name))
		}
		for _, b := range body.Blocks {
			if b.Type == "mkt" && m.root {
				settings = append(settings, b)
				continue
			}
			diags = append(diags, m.add(b)...)
		}
	}
	return settings, diags
}

// rootOnly says why some blocks are possible in the stack's own files alone.
var rootOnly = map[string]string{
	"mkt":      "Which mkt and which ledger are the stack's to say. Put the block into the stack's own files.",
	"provider": "A module works with the providers of the stack that calls it. Put the block into the stack's own files, and what differs between two uses into variables.",
	"import":   "Which objects exist already depends on where the module is used. Put the block into the stack's own files, as in import { to = module.name.kafka_topic.prices }.",
}

// add takes one top-level block.
func (m *module) add(b *hclsyntax.Block) hcl.Diagnostics {
	if why := rootOnly[b.Type]; why != "" && !m.root {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Not possible in a module", "%s", why)}
	}
	switch b.Type {
	case "variable":
		return m.addVariable(b)
	case "locals":
		return m.addLocals(b)
	case "output":
		return m.addOutput(b)
	case "provider":
		return m.stack.addProvider(b)
	case "moved", "removed", "import":
		return m.addMoves(b)
	case "check":
		return m.addCheck(b)
	case "module":
		return m.addCall(b)
	case "data":
		return m.addData(b)
	case "resource":
		return hcl.Diagnostics{errorAt(b.DefRange(), "Unknown kind of block",
			"Blocks are bare in this language: write kafka_topic \"name\" { … } without %q before it.", b.Type)}
	}
	if kind := m.stack.kinds[b.Type]; kind != nil {
		return m.addBlock(b, kind)
	}
	first := !m.unknown[b.Type]
	m.unknown[b.Type] = true
	known := append(m.stack.kindNames(), "mkt", "variable", "locals", "output", "provider", "module", "moved", "removed", "import", "check", "data")
	detail := "No kind is called %q.%s"
	suggestion := DidYouMean(b.Type, known)
	if suggestion == "" && first {
		suggestion = " The kinds are " + list(m.stack.kindNames()) + "."
	}
	return hcl.Diagnostics{errorAt(b.TypeRange, "Unknown kind of block", detail, b.Type, suggestion)}
}

// argumentsReserved are attributes of a module block that are no arguments, so no variable of a module can have these names.
var argumentsReserved = []string{"source", "for_each", "depends_on", "count", "version", "providers", "lifecycle", "locals"}

// addCall takes a module block, and with it the module that it names.
func (m *module) addCall(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	if len(b.Labels) != 1 || !hclsyntax.ValidIdentifier(b.Labels[0]) {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Wrong number of labels", "A module block has one label, its name: module \"prices\" { … }.")}
	}
	c := &call{name: b.Labels[0], rng: b.DefRange(), args: map[string]*argument{}}
	if other := m.calls[c.name]; other != nil {
		return hcl.Diagnostics{errorAt(c.rng, "Duplicate module", "The module %q is declared already, at %s.", c.name, place(other.rng))}
	}
	m.calls[c.name] = c
	var source *hclsyntax.Attribute
	for _, a := range sortedAttributes(b.Body) {
		switch a.Name {
		case "source":
			source = a
		case "for_each":
			c.forEach = a.Expr
		case "depends_on":
			c.waits = a
			c.after, diags = m.dependsOn(a, diags)
		case "count":
			diags = append(diags, noCount(a))
		case "version":
			diags = append(diags, errorAt(a.NameRange, "No versions of modules",
				"A module is a directory beside the stack, so it has the version that is checked out. Remove version."))
		case "providers":
			diags = append(diags, errorAt(a.NameRange, "No providers here",
				"A module works with the providers of the stack. Remove providers; a stack has one configuration of each."))
		default:
			c.args[a.Name] = &argument{name: a, expr: a.Expr}
		}
	}
	for _, inner := range b.Body.Blocks {
		diags = append(diags, errorAt(inner.TypeRange, "Unknown block", "A module block holds attributes only: source, for_each, depends_on and the module's variables."))
	}
	if source == nil {
		return append(diags, errorAt(c.rng, "Missing attribute", "A module block needs source, the module's directory, as in source = \"./topic\"."))
	}
	var more hcl.Diagnostics
	c.module, more = m.source(b, source)
	diags = append(diags, more...)
	if c.module != nil {
		diags = append(diags, c.checkArguments()...)
	}
	return diags
}

// dependsOn reads a depends_on attribute: addresses of blocks, without keys, and of modules.
func (m *module) dependsOn(a *hclsyntax.Attribute, diags hcl.Diagnostics) ([]Addr, hcl.Diagnostics) {
	var after []Addr
	for _, expr := range items(a.Expr, &diags) {
		t, more := target(expr, false)
		diags = append(diags, more...)
		switch {
		case more.HasErrors():
		case t.Addr.Module != "" && t.Addr.Kind != "":
			diags = append(diags, errorAt(expr.Range(), "Invalid reference",
				"What is in a module is not seen from outside. Depend on the module as a whole, %s, or refer to one of its outputs.", t.Addr.Module))
		default:
			after = append(after, t.Addr.Block())
		}
	}
	return after, diags
}

// source loads the module that a module block names.
func (m *module) source(b *hclsyntax.Block, a *hclsyntax.Attribute) (*module, hcl.Diagnostics) {
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return nil, hcl.Diagnostics{errorAt(a.Expr.Range(), "Constant expected", "source is written as a constant text: it says which files to read, before anything has a value.")}
	}
	source := v.AsString()
	if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") && source != "." && source != ".." {
		return nil, hcl.Diagnostics{errorAt(a.Expr.Range(), "Source not local",
			"A module's source is a directory relative to this file, which begins with ./ or ../; %q does not. Modules are not fetched from elsewhere: put a copy, or a git submodule, beside the stack.%s",
			source, localHint(filepath.Dir(a.SrcRange.Filename), source))}
	}
	shown := filepath.Join(filepath.Dir(b.TypeRange.Filename), filepath.FromSlash(source))
	return m.stack.loadModule(shown, a.Expr.Range())
}

// localHint suggests the local spelling of a source that is a directory.
func localHint(dir, source string) string {
	if info, err := os.Stat(filepath.Join(dir, source)); err != nil || !info.IsDir() || source == "" || filepath.IsAbs(source) {
		return ""
	}
	return " Did you mean \"./" + filepath.ToSlash(source) + "\"?"
}

// loadModule reads the module in a directory, unless it has been read. A module that leads back to itself is refused.
func (s *Stack) loadModule(shown string, rng hcl.Range) (*module, hcl.Diagnostics) {
	dir, err := filepath.Abs(shown)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, hcl.Diagnostics{errorAt(rng, "No module found", "There is no module at %q: %s.", shown, reason(err))}
	}
	if at := slices.Index(s.loading, dir); at >= 0 {
		ring := make([]string, 0, len(s.loading)-at+1)
		for _, step := range append(append([]string(nil), s.loading[at:]...), dir) {
			ring = append(ring, s.modules[step].place())
		}
		return nil, hcl.Diagnostics{errorAt(rng, "Cycle",
			"This module leads back to itself, so there is no end to it: %s. Take one of the module blocks out.", strings.Join(ring, " → "))}
	}
	if m := s.modules[dir]; m != nil && !m.broken {
		return m, nil
	} else if m != nil {
		return nil, nil
	}
	names, err := Files(shown)
	if err != nil || len(names) == 0 {
		return nil, hcl.Diagnostics{errorAt(rng, "No module found", "There is no module at %q: it is no directory that holds .hcl files.", shown)}
	}
	m := s.newModule(dir, shown)
	s.modules[dir] = m
	bodies, diags := s.parseFiles(names)
	if diags.HasErrors() {
		m.broken = true
		return nil, diags
	}
	s.loading = append(s.loading, dir)
	_, more := m.declare(bodies)
	s.loading = s.loading[:len(s.loading)-1]
	for _, name := range argumentsReserved {
		if v := m.variables[name]; v != nil {
			more = append(more, errorAt(v.rng, "Reserved name", "A module block has an attribute %s of its own, so a variable of this name can never be set. Choose another name.", name))
		}
	}
	return m, append(diags, more...)
}

// checkArguments holds what a module block gives against what the module's variables ask for.
func (c *call) checkArguments() (diags hcl.Diagnostics) {
	for _, name := range sortedKeys(c.args) {
		if c.module.variables[name] != nil {
			continue
		}
		known := append(sortedKeys(c.module.variables), "source", "for_each", "depends_on")
		hint := DidYouMean(name, known)
		if hint == "" {
			hint = " It has " + list(sortedKeys(c.module.variables)) + "."
		}
		diags = append(diags, errorAt(c.args[name].name.NameRange, "Unknown argument", "The module at %s has no variable %q.%s", c.module.shown, name, hint))
	}
	for _, name := range sortedKeys(c.module.variables) {
		v := c.module.variables[name]
		if v.fallback != cty.NilVal || c.args[name] != nil || slices.Contains(argumentsReserved, name) {
			continue
		}
		what := ""
		if v.description != "" {
			what = " " + sentence(v.description)
		}
		diags = append(diags, errorAt(c.rng, "Missing argument", "The module needs %s, %s: it is declared without a default at %s.%s", name, typeName(v.typ.WithoutOptionalAttributesDeep()), place(v.rng), what))
	}
	return diags
}

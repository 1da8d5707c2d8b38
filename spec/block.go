package spec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Block is one resource or app block as written; with for_each it stands for several instances.
type Block struct {
	Addr  Addr
	Kind  *Kind
	Range hcl.Range // of the header: kafka_topic "prices"
	// Deps are the blocks that this one refers to, directly, through locals or by depends_on and
	// replace_triggered_by; sorted, each once, without keys.
	Deps      []Addr
	Lifecycle Lifecycle
	ForEach   bool // has for_each

	in         *moduleInstance // nil in a module that is only declared
	body       *hclsyntax.Body
	forEach    hclsyntax.Expression
	labelRange hcl.Range
	refs       refs   // relative to the module
	after      []Addr // of depends_on and replace_triggered_by: blocks and modules, relative to the module
	broken     bool   // the body does not fit the kind; reported by Load
	dynamic    bool   // holds dynamic blocks
}

// App reports whether the block is a part of the app rather than a resource.
func (b *Block) App() bool { return b.Kind.System == "" }

// Lifecycle is how a resource's changes are restrained.
type Lifecycle struct {
	PreventDestroy     bool
	PreventRange       hcl.Range // of prevent_destroy, when it is set
	IgnoreAll          bool      // ignore_changes = all
	IgnoreChanges      []string  // top-level attributes and nested blocks
	ReplaceTriggeredBy []Trigger
	Silence            []Silence // as written
}

// Silence says that a check is not to speak about a block, and why. What checks there are is not for this package to know.
type Silence struct {
	Check  string
	Reason string
	Range  hcl.Range // of the item
}

// Ignores reports whether changes of the top-level attribute are to be ignored.
func (l *Lifecycle) Ignores(attr string) bool {
	for _, name := range l.IgnoreChanges {
		if name == attr {
			return true
		}
	}
	return l.IgnoreAll
}

// Trigger is a block, or one attribute of it, whose change replaces another resource.
type Trigger struct {
	Addr  Addr   // may have a key
	Attr  string // "" for any change of the object
	Range hcl.Range
}

func (m *module) addBlock(b *hclsyntax.Block, kind *Kind) hcl.Diagnostics {
	label := len(b.Labels) - 1
	if kind.Data == nil && label != 0 {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Wrong number of labels",
			"%s block has one label, its name: %s \"name\" { … }.", article(b.Type), b.Type)}
	}
	if !hclsyntax.ValidIdentifier(b.Labels[label]) {
		return hcl.Diagnostics{errorAt(b.LabelRanges[label], "Invalid name",
			"A block's name starts with a letter and holds only letters, digits, underscores and dashes, so that others can refer to it.")}
	}
	block := &Block{
		Addr:       Addr{Kind: kind.Name, Name: b.Labels[label]},
		Kind:       kind,
		Range:      b.DefRange(),
		body:       b.Body,
		labelRange: b.LabelRanges[label],
	}
	if other := m.byAddr[block.Addr]; other != nil {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Duplicate block",
			"%s is declared already, at %s. Addresses must be unique: rename one of the two.", block.Addr, place(other.Range))}
	}
	m.blocks = append(m.blocks, block)
	m.byAddr[block.Addr] = block

	diags := m.setMeta(block)
	fit := checkBody(b.Body, m.stack.shapes[kind], block.meta(), kind.Name)
	block.broken = fit.HasErrors()
	return append(diags, fit...)
}

// meta names what a block may hold besides its kind's attributes.
func (b *Block) meta() map[string]bool {
	return map[string]bool{"depends_on": true, "for_each": true, "count": true, "lifecycle": true}
}

func (m *module) setMeta(b *Block) (diags hcl.Diagnostics) {
	if a := b.body.Attributes["for_each"]; a != nil {
		if b.Kind.Name == "query" {
			diags = append(diags, errorAt(a.SrcRange, "No for_each here", "A query is asked by its name, so there is one for each block. Write one block for each."))
		} else {
			b.ForEach, b.forEach = true, a.Expr
		}
	}
	if a := b.body.Attributes["count"]; a != nil {
		diags = append(diags, noCount(a))
	}
	if a := b.body.Attributes["depends_on"]; a != nil && b.Kind.Data != nil {
		diags = append(diags, errorAt(a.SrcRange, "No depends_on here", "What a data block reads is read at plan, before anything changes. Remove depends_on."))
	} else if a != nil {
		b.after, diags = m.dependsOn(a, diags)
	}
	seen := false
	for _, nested := range b.body.Blocks {
		if nested.Type != "lifecycle" {
			continue
		}
		if seen {
			diags = append(diags, errorAt(nested.DefRange(), "Duplicate lifecycle block", "A block has at most one lifecycle block."))
			continue
		}
		seen = true
		diags = append(diags, m.setLifecycle(b, nested)...)
	}
	return diags
}

func (m *module) setLifecycle(b *Block, nested *hclsyntax.Block) (diags hcl.Diagnostics) {
	known := []string{"prevent_destroy", "ignore_changes", "replace_triggered_by", "silence"}
	if !b.Managed() {
		known = []string{"silence"}
	}
	for _, attr := range sortedAttributes(nested.Body) {
		if !contains(known, attr.Name) {
			hint := DidYouMean(attr.Name, known)
			if !b.Managed() {
				hint = " It is nothing that is made or deleted: only silence has a meaning here."
			}
			diags = append(diags, errorAt(attr.NameRange, "Unknown attribute",
				"The lifecycle block of a %s has no attribute %q.%s", b.Kind.Name, attr.Name, hint))
			continue
		}
		switch attr.Name {
		case "prevent_destroy":
			v, more := attr.Expr.Value(nil)
			switch {
			case more.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.Bool:
				diags = append(diags, errorAt(attr.Expr.Range(), "Invalid prevent_destroy",
					"prevent_destroy is written as true or false; it cannot depend on other values, since it must hold when they fail."))
			default:
				b.Lifecycle.PreventDestroy, b.Lifecycle.PreventRange = v.True(), attr.SrcRange
			}
		case "ignore_changes":
			diags = append(diags, m.setIgnore(b, attr)...)
		case "replace_triggered_by":
			for _, expr := range items(attr.Expr, &diags) {
				t, more := target(expr, true)
				diags = append(diags, more...)
				if !more.HasErrors() && t.Addr.Module != "" {
					diags = append(diags, errorAt(expr.Range(), "Invalid reference",
						"What is in a module is not seen from outside: replace_triggered_by names blocks beside this one."))
				} else if !more.HasErrors() {
					b.Lifecycle.ReplaceTriggeredBy = append(b.Lifecycle.ReplaceTriggeredBy, t)
					b.after = append(b.after, t.Addr.Block())
				}
			}
		case "silence":
			silence, more := silences(attr)
			b.Lifecycle.Silence, diags = silence, append(diags, more...)
		}
	}
	for _, inner := range nested.Body.Blocks {
		diags = append(diags, errorAt(inner.TypeRange, "Unknown block", "A lifecycle block holds no blocks."))
	}
	return diags
}

// silences reads silence = { "check" = "reason" }; a check without a reason is not silenced.
func silences(attr *hclsyntax.Attribute) (list []Silence, diags hcl.Diagnostics) {
	const write = "Write the check's name and the reason why it does not matter here: silence = { \"key-order\" = \"rows of one key need no order\" }."
	pairs, more := hcl.ExprMap(attr.Expr)
	if more.HasErrors() {
		return nil, hcl.Diagnostics{errorAt(attr.Expr.Range(), "Invalid silence", write)}
	}
	for _, pair := range pairs {
		rng := hcl.RangeBetween(pair.Key.Range(), pair.Value.Range())
		check, more := pair.Key.Value(nil)
		reason, more2 := pair.Value.Value(nil)
		if more.HasErrors() || more2.HasErrors() || check.IsNull() || reason.IsNull() || check.Type() != cty.String || reason.Type() != cty.String ||
			strings.TrimSpace(reason.AsString()) == "" {
			diags = append(diags, errorAt(rng, "Invalid silence", write))
			continue
		}
		list = append(list, Silence{Check: check.AsString(), Reason: reason.AsString(), Range: rng})
	}
	return list, diags
}

func (m *module) setIgnore(b *Block, attr *hclsyntax.Attribute) (diags hcl.Diagnostics) {
	if hcl.ExprAsKeyword(attr.Expr) == "all" {
		b.Lifecycle.IgnoreAll = true
		return nil
	}
	known := m.stack.shapes[b.Kind].names()
	for _, expr := range items(attr.Expr, &diags) {
		t, more := hcl.RelTraversalForExpr(expr)
		if more.HasErrors() || len(t) != 1 {
			diags = append(diags, errorAt(expr.Range(), "Invalid ignore_changes",
				"ignore_changes is a list of this block's attributes, written without quotes, as in [%s], or the word all.", known[0]))
			continue
		}
		name := t[0].(hcl.TraverseAttr).Name
		if b.Kind.Attr(name) == nil && b.Kind.Block(name) == nil {
			diags = append(diags, errorAt(expr.Range(), "Unknown attribute",
				"%s has no attribute %q.%s", article(b.Kind.Name), name, DidYouMean(name, known)))
			continue
		}
		b.Lifecycle.IgnoreChanges = append(b.Lifecycle.IgnoreChanges, name)
	}
	return diags
}

func noCount(a *hclsyntax.Attribute) *hcl.Diagnostic {
	return errorAt(a.SrcRange, "No count in this language",
		"Use for_each with a map or a set: its keys name the instances, so removing one does not renumber the others.")
}

// target reads the address of a block or a module from an expression: kafka_topic.prices, kafka_topic.prices["eu"],
// module.eu, module.eu.kafka_topic.prices and, where attributes are allowed, kafka_topic.prices.partitions. Whether it exists
// is checked with the other references.
func target(expr hcl.Expression, attrs bool) (Trigger, hcl.Diagnostics) {
	bad := hcl.Diagnostics{errorAt(expr.Range(), "Invalid reference",
		"Write the address of a block without quotes, as in kafka_topic.prices.")}
	t, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() || len(t) < 2 {
		return Trigger{}, bad
	}
	words := make([]hcl.Traverser, len(t))
	copy(words, t)
	words[0] = hcl.TraverseAttr{Name: t.RootName()}
	word := func() (name string, ok bool) {
		if len(words) == 0 {
			return "", false
		}
		attr, ok := words[0].(hcl.TraverseAttr)
		words = words[1:]
		return attr.Name, ok
	}
	key := func() (key string, ok bool) {
		if len(words) == 0 {
			return "", false
		}
		index, ok := words[0].(hcl.TraverseIndex)
		if !ok || index.Key.Type() != cty.String {
			return "", false
		}
		words = words[1:]
		return index.Key.AsString(), true
	}
	trigger := Trigger{Range: expr.Range()}
	var steps []moduleStep
	for {
		kind, _ := word()
		if kind == "data" {
			of, ok := word()
			if !ok {
				return Trigger{}, bad
			}
			kind = dataPrefix + of
		}
		name, ok := word()
		if !ok {
			return Trigger{}, bad
		}
		text, keyed := key()
		if kind != "module" {
			trigger.Addr = Addr{Module: modulePath(steps), Kind: kind, Name: name, Key: text, Keyed: keyed}
			break
		}
		steps = append(steps, moduleStep{name, text, keyed})
		if len(words) == 0 {
			trigger.Addr.Module = modulePath(steps)
			return trigger, nil
		}
	}
	if attrs && len(words) > 0 {
		trigger.Attr, _ = word()
	}
	if len(words) > 0 {
		return Trigger{}, bad
	}
	return trigger, nil
}

// items takes a list apart without evaluating it.
func items(expr hcl.Expression, diags *hcl.Diagnostics) []hcl.Expression {
	exprs, more := hcl.ExprList(expr)
	if more.HasErrors() {
		*diags = append(*diags, errorAt(expr.Range(), "List expected", "Write a list in square brackets here."))
	}
	return exprs
}

func place(rng hcl.Range) string {
	return rng.Filename + " line " + itoa(rng.Start.Line)
}

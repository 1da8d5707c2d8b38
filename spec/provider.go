package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Settings is the mkt block.
type Settings struct {
	RequiredVersion string
	Ledger          *Ledger // nil: the default, a file beside the stack
}

// Ledger is the ledger block of the mkt block: where mkt keeps what it owns.
type Ledger struct {
	Type      string // "azure" or "file"
	Container string // azure: the blob container
	Key       string // azure: the blob's name
	Account   string // azure: the storage account; "" is that of the provider block
	Path      string // file: its path, relative to the stack
	Range     hcl.Range
}

var ledgerTypes = map[string][]string{"azure": {"container", "key", "account"}, "file": {"path"}}

func (s *Stack) setSettings(root *module, blocks []*hclsyntax.Block, running string) (diags hcl.Diagnostics) {
	for i, b := range blocks {
		if i > 0 || len(b.Labels) > 0 {
			diags = append(diags, errorAt(b.DefRange(), "Duplicate mkt block", "A stack has at most one mkt block, without labels."))
			continue
		}
		for _, a := range sortedAttributes(b.Body) {
			if a.Name != "required_version" {
				diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "The mkt block has no attribute %q.%s",
					a.Name, DidYouMean(a.Name, []string{"required_version", "ledger"})))
				continue
			}
			diags = append(diags, literal(a, cty.String, func(v cty.Value) { s.Settings.RequiredVersion = v.AsString() })...)
			diags = append(diags, s.checkVersion(a, running)...)
		}
		for _, inner := range b.Body.Blocks {
			if inner.Type != "ledger" {
				diags = append(diags, errorAt(inner.TypeRange, "Unknown block", "The mkt block has no block %q.%s", inner.Type, DidYouMean(inner.Type, []string{"ledger"})))
				continue
			}
			diags = append(diags, s.setLedger(root, inner)...)
		}
	}
	return diags
}

func (s *Stack) checkVersion(a *hclsyntax.Attribute, running string) hcl.Diagnostics {
	if s.Settings.RequiredVersion == "" {
		return nil
	}
	constraint, err := version.NewConstraint(s.Settings.RequiredVersion)
	if err != nil {
		return hcl.Diagnostics{errorAt(a.Expr.Range(), "Invalid version constraint", "Write a constraint such as \">= 0.1\" or \"~> 1.2\".")}
	}
	if running == "" {
		return nil
	}
	have, err := version.NewVersion(running)
	if err != nil || constraint.Check(have.Core()) {
		return nil //nolint:nilerr // a build without a version of its own fits every stack
	}
	return hcl.Diagnostics{errorAt(a.Expr.Range(), "Wrong version of mkt", "The stack needs mkt %s; this is %s.", s.Settings.RequiredVersion, running)}
}

func (s *Stack) setLedger(root *module, b *hclsyntax.Block) (diags hcl.Diagnostics) {
	if len(b.Labels) != 1 || ledgerTypes[b.Labels[0]] == nil {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Unknown ledger", "A ledger block has one label, where the ledger is kept: \"azure\" or \"file\".")}
	}
	if s.Settings.Ledger != nil {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Duplicate ledger block", "A stack has one ledger; another block is at %s.", place(s.Settings.Ledger.Range))}
	}
	l := &Ledger{Type: b.Labels[0], Range: b.DefRange()}
	s.Settings.Ledger = l
	known := ledgerTypes[l.Type]
	fields := map[string]*string{"container": &l.Container, "key": &l.Key, "account": &l.Account, "path": &l.Path}
	for _, a := range sortedAttributes(b.Body) {
		if !contains(known, a.Name) {
			diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "A ledger of type %q has no attribute %q.%s", l.Type, a.Name, DidYouMean(a.Name, known)))
			continue
		}
		c := &collector{module: root, within: within{owner: "the ledger block"}}
		c.expr(a.Expr, nil)
		diags = append(diags, c.diags...)
		if c.diags.HasErrors() {
			continue
		}
		ctx := s.functions.NewChild()
		ctx.Variables = root.constants(c.refs())
		v, more := a.Expr.Value(ctx)
		diags = append(diags, evaluated(more)...)
		if more.HasErrors() {
			continue
		}
		v, err := convert.Convert(v, cty.String)
		if err != nil || v.IsMarked() || v.IsNull() || !v.IsKnown() || v.AsString() == "" {
			diags = append(diags, errorAt(a.Expr.Range(), "Invalid ledger", "%s is a text that is not sensitive and not empty.", a.Name))
			continue
		}
		*fields[a.Name] = v.AsString()
	}
	for _, inner := range b.Body.Blocks {
		diags = append(diags, errorAt(inner.TypeRange, "Unknown block", "A ledger block holds no blocks."))
	}
	for _, name := range known[:min(2, len(known))] {
		if b.Body.Attributes[name] == nil {
			diags = append(diags, errorAt(b.DefRange(), "Missing attribute", "A ledger of type %q needs %s.", l.Type, name))
		}
	}
	return diags
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// providerBlock is a provider's configuration as written; body is nil when the stack has no block for it.
type providerBlock struct {
	kind    *Kind
	body    *hclsyntax.Body
	rng     hcl.Range
	refs    refs
	dynamic bool
	broken  bool
}

func (s *Stack) addProvider(b *hclsyntax.Block) hcl.Diagnostics {
	known := sortedKeys(s.providers)
	if len(b.Labels) != 1 {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Wrong number of labels", "A provider block has one label, the system: %s.", list(known))}
	}
	p := s.providers[b.Labels[0]]
	if p == nil {
		hint := DidYouMean(b.Labels[0], known)
		if hint == "" {
			hint = " The providers are " + list(known) + "."
		}
		return hcl.Diagnostics{errorAt(b.LabelRanges[0], "Unknown provider", "There is no provider %q.%s", b.Labels[0], hint)}
	}
	if p.body != nil {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Duplicate provider block", "The provider %q is configured already, at %s.", b.Labels[0], place(p.rng))}
	}
	p.body, p.rng = b.Body, b.DefRange()
	diags := checkBody(b.Body, s.shapes[p.kind], nil, "provider "+p.kind.Name)
	p.broken = diags.HasErrors()
	return diags
}

// checkProviderLocals reports local values behind a provider block that depend on resources.
func (m *module) checkProviderLocals(p *providerBlock) (diags hcl.Diagnostics) {
	seen := map[string]bool{}
	var visit func(r refs, via string)
	visit = func(r refs, via string) {
		var behind []string
		for _, addr := range r.blocks {
			behind = append(behind, addr.String())
		}
		for _, o := range r.outputs {
			behind = append(behind, "module."+o.call)
		}
		if via != "" && len(behind) > 0 {
			diags = append(diags, errorAt(p.rng, "Reference not possible here",
				"A provider block can use variables and local values that depend on no resource, but local.%s refers to %s.", via, behind[0]))
		}
		for _, name := range r.locals {
			if l := m.locals[name]; l != nil && !seen[name] {
				seen[name] = true
				c := &collector{module: m, within: within{blocks: true}}
				c.expr(l.expr, nil)
				visit(c.refs(), name)
			}
		}
	}
	visit(p.refs, "")
	return diags
}

// ProviderConfig evaluates the provider's block into an object of its kind's Type, unmarked; a stack without the
// block gives the kind's defaults. An unknown name gives an error.
func (s *Stack) ProviderConfig(name string) (cty.Value, hcl.Diagnostics) {
	p := s.providers[name]
	if p == nil {
		return cty.NilVal, hcl.Diagnostics{errorNowhere("Unknown provider", "There is no provider %q.", name)}
	}
	inst, diags := s.NewScope().provider(p)
	return inst.Value, diags
}

// ProviderRange returns the tightest range for a path in the provider's configuration; ok is false when the stack
// has no block for the provider.
func (s *Stack) ProviderRange(name string, path cty.Path) (rng hcl.Range, ok bool) {
	p := s.providers[name]
	if p == nil || p.body == nil {
		return hcl.Range{}, false
	}
	inst, _ := s.NewScope().provider(p)
	return inst.Range(path), true
}

// ConfigHash binds a plan to what it was made from: the stack's files, the variables' values, and the files and
// environment variables that functions have read so far. Call it after the evaluation. Sensitive values go in
// as hashes of their own.
func (s *Stack) ConfigHash() string {
	h := sha256.New()
	for _, name := range sortedKeys(s.Files) {
		shown := filepath.Base(name)
		if abs, err := filepath.Abs(name); err == nil {
			if rel, err := filepath.Rel(s.Dir, abs); err == nil && filepath.IsLocal(rel) {
				shown = rel // a module's
			}
		}
		fmt.Fprintf(h, "file %q %x\n", shown, sha256.Sum256(s.Files[name].Bytes))
	}
	for _, v := range s.Variables() {
		value, err := ctyjson.Marshal(v.Value, cty.DynamicPseudoType)
		if err != nil {
			value = []byte("unknown")
		}
		fmt.Fprintf(h, "variable %q %x\n", v.Name, sha256.Sum256(value))
	}
	s.reads.hashInto(h, s.Dir)
	return hex.EncodeToString(h.Sum(nil))
}

package spec

import (
	"errors"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Instance is one evaluated block or, with for_each, one of its instances.
type Instance struct {
	Addr  Addr
	Block *Block // nil for a provider's configuration
	// Value is an unmarked object of the kind's Type: defaults and labels applied, references to objects replaced by their
	// IDs, in normal form and checked. Unknown is what the server sets and what depends on unknown values.
	Value cty.Value
	// Lookup is for data blocks, which have nothing in Value but what is given: it has the defaults of what is not, too, and finds the object.
	Lookup cty.Value
	// Sensitive are the paths in Value that must not be shown: what came from sensitive values, and the kind's secrets.
	Sensitive []cty.Path
	// Objects are the objects that attributes refer to by Refs, in no particular order.
	Objects []ObjectRef

	src *source
}

// ObjectRef says that the attribute at Path was given the object at Addr.
type ObjectRef struct {
	Path cty.Path
	Addr Addr
}

// decoder evaluates one body with its description.
type decoder struct {
	scope *Scope
	block *Block
	kind  *Kind
	addr  Addr
	quiet bool // the body's misfits have been reported

	diags     hcl.Diagnostics
	sensitive []cty.Path
	objects   []ObjectRef
}

func (d *decoder) fail(diag *hcl.Diagnostic) { d.diags = append(d.diags, diag) }

func (d *decoder) instance(body hcl.Body, ctx *hcl.EvalContext, header, label hcl.Range, sh *shape) *Instance {
	src := &source{header: header, label: label}
	for i := range sh.attrs {
		if sh.attrs[i].Label {
			src.labelled = sh.attrs[i].Name
		}
	}
	value := d.body(body, ctx, sh, src, nil)
	inst := &Instance{Addr: d.addr, Value: value, src: src, Objects: d.objects}
	inst.Sensitive = append(d.sensitive, secretPaths(sh.attrs, sh.blocks, value, nil)...)
	if d.kind.Data != nil {
		inst.read()
	}
	if d.kind.Check != nil {
		for _, p := range d.kind.Check(value) {
			detail := p.Detail
			if touches(inst.Sensitive, p.Path) {
				detail = withheld
			}
			diag := errorAt(src.rangeOf(p.Path), p.Summary, "%s", detail)
			if p.Warning {
				diag.Severity = hcl.DiagWarning
			}
			d.fail(diag)
		}
	}
	return inst
}

func expanded(body *hclsyntax.Body, dynamic bool, ctx *hcl.EvalContext) hcl.Body {
	if !dynamic {
		return body
	}
	return dynblock.Expand(body, ctx, dynblock.OptCheckForEach(openForEach))
}

// openForEach refuses dynamic blocks over sensitive values: how many blocks there are, and their labels, are seen in every plan.
func openForEach(v cty.Value, expr hcl.Expression, _ *hcl.EvalContext) hcl.Diagnostics {
	if !v.IsMarked() {
		return nil
	}
	return hcl.Diagnostics{errorAt(expr.Range(), "Invalid for_each",
		"The value is sensitive. The number of blocks and their labels are seen in every plan, so it cannot be used; use nonsensitive() on what is no secret.")}
}

// body evaluates the attributes and blocks of one level. at is the path of the body in the kind's value.
func (d *decoder) body(body hcl.Body, ctx *hcl.EvalContext, sh *shape, src *source, at cty.Path) cty.Value {
	content, _, diags := body.PartialContent(sh.schema)
	if !d.quiet {
		d.diags = append(d.diags, evaluated(diags)...)
	}
	src.attrs = content.Attributes
	values := make(map[string]cty.Value, len(sh.attrs)+len(sh.blocks))
	for i := range sh.attrs {
		attr := &sh.attrs[i]
		path := append(at[:len(at):len(at)], cty.GetAttrStep{Name: attr.Name})
		if len(at) > 0 && attr.Name == src.labelled {
			values[attr.Name] = d.check(attr, cty.StringVal(src.labelText), nil, src.label, false)
			continue
		}
		values[attr.Name] = d.attr(attr, content.Attributes[attr.Name], ctx, src, path)
	}
	for i := range sh.blocks {
		nested := &sh.blocks[i]
		path := append(at[:len(at):len(at)], cty.GetAttrStep{Name: nested.Name})
		v := d.blocks(nested, sh.nested[i], content.Blocks, diags.HasErrors(), ctx, src, path)
		if nested.Norm != nil && v.IsWhollyKnown() && !v.IsNull() {
			v = nested.Norm(v)
		}
		values[nested.Name] = v
	}
	return cty.ObjectVal(values)
}

// blocks evaluates the nested blocks of one type; partial is true when errors have kept some of them out of all.
func (d *decoder) blocks(nested *Nested, sh *shape, all hcl.Blocks, partial bool, ctx *hcl.EvalContext, src *source, at cty.Path) cty.Value {
	var values []cty.Value
	unknown := partial
	for _, b := range all {
		if b.Type != nested.Name {
			continue
		}
		inner := &source{header: b.DefRange, label: b.DefRange}
		if nested.Label != "" {
			if len(b.Labels) != 1 {
				continue // reported by the body's check
			}
			inner.labelled, inner.labelText, inner.label = nested.Label, b.Labels[0], b.LabelRanges[0]
		}
		if u, ok := b.Body.(interface{ Unknown() bool }); ok && u.Unknown() {
			unknown = true
		}
		path := at
		if nested.Max != 1 {
			path = append(at[:len(at):len(at)], cty.IndexStep{Key: cty.NumberIntVal(int64(len(values)))})
		}
		values = append(values, d.body(b.Body, ctx, sh, inner, path))
		src.add(nested.Name, inner)
	}
	if unknown {
		return cty.UnknownVal(nested.Type())
	}
	if len(values) < nested.Min {
		d.fail(errorAt(src.header, "Missing block", "At least %s %s %s needed: %s { … }.", count(nested.Min), plural("block", nested.Min, nested.Name), are(nested.Min), header(nested)))
		return cty.UnknownVal(nested.Type())
	}
	if nested.Max > 0 && len(values) > nested.Max {
		extra := src.blocks[nested.Name][nested.Max]
		d.fail(errorAt(extra.header, "Too many blocks", "At most %s %s %s possible here.", count(nested.Max), plural("block", nested.Max, nested.Name), are(nested.Max)))
		return cty.UnknownVal(nested.Type())
	}
	switch {
	case nested.Max == 1 && len(values) == 0:
		return cty.NullVal(nested.Type())
	case nested.Max == 1:
		return values[0]
	case len(values) == 0:
		return cty.ListValEmpty(nested.Type().ElementType())
	}
	return cty.ListVal(values)
}

// attr evaluates one attribute; a is nil when it is absent.
func (d *decoder) attr(attr *Attr, a *hcl.Attribute, ctx *hcl.EvalContext, src *source, at cty.Path) cty.Value {
	if a == nil {
		return d.absent(attr, src, at)
	}
	rng := a.Expr.Range()
	if attr.Secret {
		rng = src.header // not to print the secret in an error's excerpt
	}
	if attr.Row {
		column, diag := rowColumn(attr, a)
		if diag != nil {
			d.fail(diag)
			return cty.UnknownVal(cty.String)
		}
		return d.check(attr, cty.StringVal(column), nil, rng, false)
	}
	v, diags := a.Expr.Value(ctx)
	d.diags = append(d.diags, evaluated(diags)...)
	if diags.HasErrors() {
		return cty.UnknownVal(attr.Type)
	}
	if len(attr.Refs) > 0 {
		resolved, diag := d.resolve(attr, v, rng, at)
		if diag != nil {
			d.fail(diag)
			return cty.UnknownVal(cty.String)
		}
		v = resolved
	}
	if v.IsNull() && !v.IsMarked() {
		return d.absent(attr, src, at)
	}
	converted, err := convert.Convert(v, attr.Type)
	if err != nil {
		var pe cty.PathError
		if errors.As(err, &pe) && !attr.Secret {
			rng = exprRange(a.Expr, pe.Path)
		}
		d.fail(errorAt(rng, "Wrong type", "%s takes %s%s.", attr.Name, typeName(attr.Type), misfit(attr.Type, v.Type(), err)))
		return cty.UnknownVal(attr.Type)
	}
	v = converted
	hidden := attr.Secret
	if v.ContainsMarked() {
		var marks []cty.PathValueMarks
		v, marks = v.UnmarkDeepWithPaths()
		for _, m := range marks {
			if !attr.Secret { // secrets are added as a whole
				d.sensitive = append(d.sensitive, append(at[:len(at):len(at)], m.Path...))
			}
		}
		hidden = true
	}
	if v.IsNull() {
		return d.absent(attr, src, at)
	}
	return d.check(attr, v, a.Expr, rng, hidden)
}

// absent is the value of an attribute that is not set, or set to null.
func (d *decoder) absent(attr *Attr, src *source, at cty.Path) cty.Value {
	switch {
	case attr.Label && len(at) == 1 && d.block != nil:
		if d.block.ForEach {
			d.fail(errorAt(d.block.labelRange, "Missing attribute",
				"With for_each, every instance would get the label as its %s. Set %s with the help of each.key.", attr.Name, attr.Name))
			return cty.UnknownVal(attr.Type)
		}
		return d.check(attr, cty.StringVal(d.block.Addr.Name), nil, src.label, false)
	case attr.Required:
		if src.header.Filename == "" {
			d.fail(errorNowhere("Missing attribute", "The provider %s needs %s. %s", d.kind.Name, attr.Name, sentence(attr.Doc)))
		} else {
			d.fail(errorAt(src.header, "Missing attribute", "%s is required. %s", attr.Name, sentence(attr.Doc)))
		}
		return cty.UnknownVal(attr.Type)
	case attr.Computed:
		return cty.UnknownVal(attr.Type)
	case attr.Default != cty.NilVal:
		if attr.Norm != nil {
			return attr.Norm(attr.Default)
		}
		return attr.Default
	}
	return cty.NullVal(attr.Type)
}

// check holds a value against the attribute's check and brings it into normal form.
func (d *decoder) check(attr *Attr, v cty.Value, expr hcl.Expression, rng hcl.Range, hidden bool) cty.Value {
	if !v.IsWhollyKnown() {
		return v
	}
	if attr.Check != nil {
		if err := attr.Check(v); err != nil {
			var pe cty.PathError
			if errors.As(err, &pe) && expr != nil && !attr.Secret {
				rng = exprRange(expr, pe.Path)
			}
			detail := attr.Name + ": " + err.Error() + "."
			if hidden {
				detail = withheld
			}
			d.fail(errorAt(rng, "Invalid value", "%s", detail))
			return cty.UnknownVal(attr.Type)
		}
	}
	if attr.Norm != nil {
		v = attr.Norm(v)
	}
	return v
}

// rowColumn reads row.Column or row["Column"] without evaluating it.
func rowColumn(attr *Attr, a *hcl.Attribute) (string, *hcl.Diagnostic) {
	bad := errorAt(a.Expr.Range(), "Column of the row expected",
		"%s names a column of the source: write row.Index or row[\"Adj Close\"], or row.index for the row's number.", attr.Name)
	t, diags := hcl.AbsTraversalForExpr(a.Expr)
	if diags.HasErrors() || t.RootName() != "row" || len(t) != 2 {
		return "", bad
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, nil
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.AsString() != "" {
			return step.Key.AsString(), nil
		}
	}
	return "", bad
}

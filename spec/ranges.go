package spec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// source remembers where the parts of a value were written.
type source struct {
	header    hcl.Range
	label     hcl.Range
	labelled  string // the attribute that the label sets
	labelText string
	attrs     hcl.Attributes
	blocks    map[string][]*source
}

func (s *source) add(name string, inner *source) {
	if s.blocks == nil {
		s.blocks = map[string][]*source{}
	}
	s.blocks[name] = append(s.blocks[name], inner)
}

// Range returns the tightest range for a path in Value: the expression or the part of it that gave the value, the
// label, or the header of the block where nothing was written.
func (i *Instance) Range(path cty.Path) hcl.Range { return i.src.rangeOf(path) }

func (s *source) rangeOf(path cty.Path) hcl.Range {
	if len(path) == 0 {
		return s.header
	}
	step, ok := path[0].(cty.GetAttrStep)
	if !ok {
		return s.header
	}
	if a := s.attrs[step.Name]; a != nil {
		return exprRange(a.Expr, path[1:])
	}
	if step.Name == s.labelled {
		return s.label
	}
	inner := s.blocks[step.Name]
	if len(inner) == 0 {
		return s.header
	}
	rest, n := path[1:], 0
	if len(rest) > 0 {
		if index, ok := rest[0].(cty.IndexStep); ok {
			if index.Key.Type() == cty.Number && index.Key.IsKnown() {
				f, _ := index.Key.AsBigFloat().Int64()
				n = int(f)
			}
			rest = rest[1:]
		}
	}
	if n < 0 || n >= len(inner) {
		return s.header
	}
	return inner[n].rangeOf(rest)
}

// exprRange follows the path into object and list constructors as far as they are written out. An item of an object
// is shown with its key.
func exprRange(expr hcl.Expression, path cty.Path) hcl.Range {
	expr = unwrap(expr)
	if len(path) == 0 {
		return expr.Range()
	}
	var key cty.Value
	switch step := path[0].(type) {
	case cty.GetAttrStep:
		key = cty.StringVal(step.Name)
	case cty.IndexStep:
		key = step.Key
	}
	switch e := expr.(type) {
	case *hclsyntax.ObjectConsExpr:
		for _, item := range e.Items {
			name, diags := item.KeyExpr.Value(nil)
			if diags.HasErrors() || !name.RawEquals(key) {
				continue
			}
			if len(path) == 1 {
				return hcl.RangeBetween(item.KeyExpr.Range(), item.ValueExpr.Range())
			}
			return exprRange(item.ValueExpr, path[1:])
		}
	case *hclsyntax.TupleConsExpr:
		if key.Type() != cty.Number || !key.IsKnown() {
			break
		}
		if n, _ := key.AsBigFloat().Int64(); n >= 0 && int(n) < len(e.Exprs) {
			return exprRange(e.Exprs[n], path[1:])
		}
	}
	return expr.Range()
}

func unwrap(expr hcl.Expression) hcl.Expression {
	expr = hcl.UnwrapExpression(expr)
	for {
		parens, ok := expr.(*hclsyntax.ParenthesesExpr)
		if !ok {
			return expr
		}
		expr = parens.Expression
	}
}

// typeName writes a type for a sentence.
func typeName(ty cty.Type) string {
	switch {
	case ty == cty.String:
		return "a text"
	case ty == cty.Number:
		return "a number"
	case ty == cty.Bool:
		return "true or false"
	case ty == cty.DynamicPseudoType:
		return "any value"
	case ty.IsObjectType():
		return "an " + typeText(ty)
	}
	return "a " + typeText(ty)
}

// misfit says why a value of one type cannot become one of another.
func misfit(want, got cty.Type, err error) string {
	switch {
	case !want.IsPrimitiveType():
		return ": " + err.Error()
	case got == cty.String:
		return ", and this text cannot be read as that"
	case got.IsPrimitiveType():
		return ", not " + typeName(got)
	case got.IsObjectType():
		return ", not an object"
	}
	return ", not a " + got.FriendlyNameForConstraint()
}

// sentence is the first sentence of a text.
func sentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return text
}

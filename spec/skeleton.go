package spec

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Write says how an attribute of a skeleton is written: Tokens, or as the value that it has when there are none.
type Write struct {
	Tokens hclwrite.Tokens
	Omit   bool
}

// Skeleton writes the block that describes the object v, as its system tells of it: what is null, has its default or is for
// the server alone to set is left out, and so are secrets, which nobody tells. write is asked about each attribute that is
// left. The error names an attribute whose value the kind itself refuses: mkt cannot describe such an object.
func Skeleton(k *Kind, label string, v cty.Value, write func(a *Attr, v cty.Value) Write) (*hclwrite.Block, error) {
	block := hclwrite.NewBlock(k.Name, []string{label})
	err := skeletonBody(block.Body(), k.Attrs, k.Blocks, v, label, write)
	return block, err
}

func skeletonBody(body *hclwrite.Body, attrs []Attr, blocks []Nested, v cty.Value, label string, write func(*Attr, cty.Value) Write) error {
	for i := range attrs {
		a := &attrs[i]
		part := v.GetAttr(a.Name)
		switch {
		case a.Secret || a.Computed && !a.Optional:
			continue
		case part.IsNull():
			if a.Required || a.Default != cty.NilVal && !a.Default.IsNull() {
				return fmt.Errorf("it has no %s", a.Name)
			}
			continue
		case a.Default != cty.NilVal && part.RawEquals(normal(a, a.Default)):
			continue
		case a.Label && part.RawEquals(normal(a, cty.StringVal(label))):
			continue
		}
		if a.Check != nil {
			if err := a.Check(part); err != nil {
				return fmt.Errorf("its %s is nothing that a block can say: %w", a.Name, err)
			}
		}
		w := write(a, part)
		switch {
		case w.Omit:
		case w.Tokens != nil:
			body.SetAttributeRaw(a.Name, w.Tokens)
		default:
			body.SetAttributeRaw(a.Name, valueTokens(part))
		}
	}
	first := true
	for i := range blocks {
		n := &blocks[i]
		part := v.GetAttr(n.Name)
		if part.IsNull() {
			continue
		}
		elems := []cty.Value{part}
		if n.Max != 1 {
			elems = part.AsValueSlice()
		}
		for _, elem := range elems {
			var labels []string
			inner := n.Attrs
			if n.Label != "" {
				labels = []string{elem.GetAttr(n.Label).AsString()}
				inner = nil
				for _, a := range n.Attrs {
					if a.Name != n.Label {
						inner = append(inner, a)
					}
				}
			}
			if first && len(body.Attributes()) > 0 {
				body.AppendNewline()
			}
			first = false
			nested := body.AppendNewBlock(n.Name, labels)
			if err := skeletonBody(nested.Body(), inner, n.Blocks, elem, "", write); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
		}
	}
	return nil
}

func normal(a *Attr, v cty.Value) cty.Value {
	if a.Norm == nil || v.IsNull() {
		return v
	}
	return a.Norm(v)
}

// valueTokens writes a constant; a text of several lines is a heredoc that keeps each of its characters.
func valueTokens(v cty.Value) hclwrite.Tokens {
	if v.Type() != cty.String || !strings.Contains(v.AsString(), "\n") {
		return hclwrite.TokensForValue(v)
	}
	text := v.AsString()
	if !strings.HasSuffix(text, "\n") || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }) ||
		strings.Contains("\n"+text, "\nEOT\n") {
		return hclwrite.TokensForValue(v)
	}
	return Heredoc("<<EOT", text, "EOT")
}

// Heredoc writes a text of whole lines between two markers, "<<-JSON" and "JSON".
func Heredoc(open, text, end string) hclwrite.Tokens {
	text = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
	return hclwrite.Tokens{
		{Type: hclsyntax.TokenOHeredoc, Bytes: []byte(open + "\n")},
		{Type: hclsyntax.TokenStringLit, Bytes: []byte(text)},
		{Type: hclsyntax.TokenCHeredoc, Bytes: []byte(end)},
	}
}

// RefTokens writes a reference to the object at addr or, with attrs, to an attribute of it.
func RefTokens(addr Addr, attrs ...string) hclwrite.Tokens {
	t := hcl.Traversal{hcl.TraverseRoot{Name: addr.Kind}, hcl.TraverseAttr{Name: addr.Name}}
	if addr.Keyed {
		t = append(t, hcl.TraverseIndex{Key: cty.StringVal(addr.Key)})
	}
	for _, name := range attrs {
		t = append(t, hcl.TraverseAttr{Name: name})
	}
	return hclwrite.TokensForTraversal(t)
}

// LabelFor makes a label of an object's name that no label in taken has, and takes it.
func LabelFor(name string, taken map[string]bool) string {
	label := strings.Map(func(r rune) rune {
		if r == '_' || r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return '_'
	}, name)
	if label == "" || !unicode.IsLetter(rune(label[0])) {
		label = "x" + label
	}
	unique := label
	for n := 2; taken[unique]; n++ {
		unique = fmt.Sprintf("%s_%d", label, n)
	}
	taken[unique] = true
	return unique
}

package spec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// PlainSecret is a secret whose text stands in the stack.
type PlainSecret struct {
	Owner string    // of the attribute: provider "kafka", or an address
	Attr  string    // "sasl.password"
	Range hcl.Range // of the attribute: an excerpt of it would show the secret
	// Header is of a block around it, on lines of its own, so that an excerpt does not show the secret; the zero Range where
	// there is none.
	Header hcl.Range
}

// PlainSecrets finds the secrets that are written into the stack's files instead of coming from a variable, a file or
// the environment; in source order of providers by name, then of the other blocks.
func (s *Stack) PlainSecrets() []PlainSecret {
	var found []PlainSecret
	for _, name := range sortedKeys(s.providers) {
		if p := s.providers[name]; p.body != nil {
			found = append(found, plainSecrets(p.body, s.shapes[p.kind], "provider \""+name+"\"", "", []hcl.Range{p.rng})...)
		}
	}
	seen := map[*hclsyntax.Body]bool{} // a module's, for the first of its instances
	for _, b := range s.blocks {
		if seen[b.body] || !hasSecrets(b.Kind.Attrs, b.Kind.Blocks) {
			continue
		}
		seen[b.body] = true
		found = append(found, plainSecrets(b.body, s.shapes[b.Kind], b.Addr.String(), "", []hcl.Range{b.Range})...)
	}
	return found
}

func plainSecrets(body *hclsyntax.Body, sh *shape, owner, at string, around []hcl.Range) (found []PlainSecret) {
	for _, a := range sortedAttributes(body) {
		attr := sh.attr(a.Name)
		if attr == nil || !attr.Secret || !isText(a.Expr) {
			continue
		}
		secret := PlainSecret{Owner: owner, Attr: at + a.Name, Range: a.SrcRange}
		for _, header := range around {
			if header.End.Line < a.SrcRange.Start.Line {
				secret.Header = header
			}
		}
		found = append(found, secret)
	}
	for _, b := range body.Blocks {
		if _, inner := sh.block(b.Type); inner != nil {
			found = append(found, plainSecrets(b.Body, inner, owner, at+b.Type+".", append(around[:len(around):len(around)], b.DefRange()))...)
		}
	}
	return found
}

// isText reports whether an expression is a text that is written out.
func isText(expr hclsyntax.Expression) bool {
	v, diags := unwrap(expr).Value(nil)
	return !diags.HasErrors() && v.IsKnown() && !v.IsNull() && len(hclsyntax.Variables(expr)) == 0
}

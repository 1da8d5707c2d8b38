package spec

import (
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func itoa(n int) string { return strconv.Itoa(n) }

// shape is a described body prepared for decoding.
type shape struct {
	attrs  []Attr
	blocks []Nested
	nested []*shape // of blocks, same order
	schema *hcl.BodySchema
	typ    cty.Type // of the whole
	object cty.Type // of a kind's objects as references see them: typ with address
}

func newShape(attrs []Attr, blocks []Nested) *shape {
	s := &shape{attrs: attrs, blocks: blocks, schema: &hcl.BodySchema{}}
	types := attrTypes(attrs, blocks)
	s.typ = cty.Object(types)
	types["address"] = cty.String
	s.object = cty.Object(types)
	for i := range attrs {
		s.schema.Attributes = append(s.schema.Attributes, hcl.AttributeSchema{Name: attrs[i].Name})
	}
	for i := range blocks {
		header := hcl.BlockHeaderSchema{Type: blocks[i].Name}
		if blocks[i].Label != "" {
			header.LabelNames = []string{blocks[i].Label}
		}
		s.schema.Blocks = append(s.schema.Blocks, header)
		s.nested = append(s.nested, newShape(blocks[i].Attrs, blocks[i].Blocks))
	}
	return s
}

func (s *shape) attr(name string) *Attr {
	for i := range s.attrs {
		if s.attrs[i].Name == name {
			return &s.attrs[i]
		}
	}
	return nil
}

func (s *shape) block(name string) (*Nested, *shape) {
	for i := range s.blocks {
		if s.blocks[i].Name == name {
			return &s.blocks[i], s.nested[i]
		}
	}
	return nil, nil
}

// names returns what can be written in the body, sorted.
func (s *shape) names() []string {
	var names []string
	for i := range s.attrs {
		names = append(names, s.attrs[i].Name)
	}
	for i := range s.blocks {
		names = append(names, s.blocks[i].Name)
	}
	sort.Strings(names)
	return names
}

// checkBody reports what in a body its description does not know, whether or not it will ever be evaluated.
func checkBody(body *hclsyntax.Body, s *shape, meta map[string]bool, owner string) (diags hcl.Diagnostics) {
	for _, a := range sortedAttributes(body) {
		if meta[a.Name] && a.Name != "lifecycle" {
			continue
		}
		attr := s.attr(a.Name)
		switch nested, _ := s.block(a.Name); {
		case attr != nil && attr.Computed && !attr.Optional:
			if of, isData := strings.CutPrefix(owner, dataPrefix); isData {
				diags = append(diags, errorAt(a.NameRange, "Attribute that is read",
					"A data block says which %s is meant, and %s is read from it. Remove it.", of, a.Name))
				continue
			}
			diags = append(diags, errorAt(a.NameRange, "Attribute set by the server",
				"%s of a %s is set by the server and cannot be given here. Remove it.", a.Name, owner))
		case attr != nil:
		case nested != nil:
			diags = append(diags, errorAt(a.NameRange, "Block expected",
				"%s is a block: write %s { … } without an equals sign.", a.Name, header(nested)))
		default:
			diags = append(diags, errorAt(a.NameRange, "Unknown attribute",
				"%s has no attribute %q.%s", article(owner), a.Name, suggest(a.Name, s, meta)))
		}
	}
	for _, b := range body.Blocks {
		if meta[b.Type] && b.Type == "lifecycle" {
			continue
		}
		if b.Type == "dynamic" {
			diags = append(diags, checkDynamic(b, s, owner)...)
			continue
		}
		nested, inner := s.block(b.Type)
		if nested == nil {
			diags = append(diags, unknownBlock(b.Type, b.TypeRange, s, owner, meta))
			continue
		}
		want := 0
		if nested.Label != "" {
			want = 1
		}
		if len(b.Labels) != want {
			diags = append(diags, errorAt(b.DefRange(), "Wrong number of labels", "Write this block as %s { … }.", header(nested)))
		}
		diags = append(diags, checkNested(b.Body, nested, inner, owner)...)
	}
	return diags
}

func checkNested(body *hclsyntax.Body, nested *Nested, inner *shape, owner string) (diags hcl.Diagnostics) {
	if a := body.Attributes[nested.Label]; nested.Label != "" && a != nil {
		diags = append(diags, errorAt(a.NameRange, "Attribute set by the label",
			"%s is given by the block's label. Remove it here.", nested.Label))
	}
	return append(diags, checkBody(body, inner, nil, owner+"'s "+nested.Name+" block")...)
}

func checkDynamic(b *hclsyntax.Block, s *shape, owner string) (diags hcl.Diagnostics) {
	if len(b.Labels) != 1 {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Wrong number of labels",
			"A dynamic block has one label, the type of the blocks to make: dynamic \"column\" { … }.")}
	}
	nested, inner := s.block(b.Labels[0])
	if nested == nil {
		return hcl.Diagnostics{unknownBlock(b.Labels[0], b.LabelRanges[0], s, owner, nil)}
	}
	if b.Body.Attributes["for_each"] == nil {
		diags = append(diags, errorAt(b.DefRange(), "Missing for_each", "A dynamic block needs for_each, the collection to make blocks from."))
	}
	known := []string{"for_each", "iterator", "labels"}
	for _, a := range sortedAttributes(b.Body) {
		if a.Name != "for_each" && a.Name != "iterator" && a.Name != "labels" {
			diags = append(diags, errorAt(a.NameRange, "Unknown attribute",
				"A dynamic block has no attribute %q.%s The attributes of the made blocks go into content { … }.", a.Name, DidYouMean(a.Name, known)))
		}
	}
	contents := 0
	for _, c := range b.Body.Blocks {
		if c.Type != "content" || len(c.Labels) > 0 {
			diags = append(diags, errorAt(c.DefRange(), "Unknown block", "A dynamic block holds one content block without labels."))
			continue
		}
		contents++
		diags = append(diags, checkNested(c.Body, nested, inner, owner)...)
	}
	if contents != 1 {
		diags = append(diags, errorAt(b.DefRange(), "Wrong number of content blocks", "A dynamic block holds exactly one content block."))
	}
	return diags
}

func unknownBlock(name string, rng hcl.Range, s *shape, owner string, meta map[string]bool) *hcl.Diagnostic {
	if attr := s.attr(name); attr != nil {
		example := "…"
		if attr.Type.IsMapType() || attr.Type.IsObjectType() {
			example = "{ … }"
		}
		return errorAt(rng, "Attribute expected", "%s is an attribute: write %s = %s with an equals sign.", name, name, example)
	}
	return errorAt(rng, "Unknown block", "%s has no block %q.%s", article(owner), name, suggest(name, s, meta))
}

func suggest(name string, s *shape, meta map[string]bool) string {
	known := s.names()
	for m := range meta {
		if m != "count" {
			known = append(known, m)
		}
	}
	if hint := DidYouMean(name, known); hint != "" {
		return hint
	}
	return " It has " + list(s.names()) + "."
}

func header(n *Nested) string {
	if n.Label == "" {
		return n.Name
	}
	return n.Name + ` "` + n.Label + `"`
}

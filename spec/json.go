package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Files whose names end with .hcl.json hold the language in HCL's JSON syntax (github.com/hashicorp/hcl, json/spec.md): blocks are
// members by type and label, texts are templates, and what is an address is a text. They become the same syntax tree as other
// files, as which attributes there are is described and needs no guess; so everything after the parser is one.

// jsonSuffix is what the names of such files end with.
const jsonSuffix = ".hcl.json"

// jsonNode is a JSON value with its place.
type jsonNode struct {
	rng     hcl.Range
	value   any // string, json.Number, bool or nil
	members []jsonMember
	items   []*jsonNode
	sort    byte // '{', '[' or 0
}

type jsonMember struct {
	name string
	rng  hcl.Range
	node *jsonNode
}

// jsonBody says which members of a JSON object are blocks, and which attributes are expressions rather than templates.
type jsonBody struct {
	blocks map[string]jsonBlock
	raw    []string
	top    bool // there are no attributes: whatever is no known block is an unknown one
}

// jsonBlock is a type of block; inner is the body of one with that label ("" without). Data blocks have two labels, of which this is the first.
type jsonBlock struct {
	labelled bool
	inner    func(label string) jsonBody
	twice    bool
}

// jsonReader turns the text of one file into a tree.
type jsonReader struct {
	name  string
	src   []byte
	lines []int // where they begin
	dec   *json.Decoder
	depth int
	diags hcl.Diagnostics
}

// jsonDepth is how deep values may be in each other.
const jsonDepth = 200

// byteOrderMark begins files that some editors write; HCL's own syntax allows it as well.
const byteOrderMark = "\uFEFF"

// parseJSON reads a file of blocks.
func (s *Stack) parseJSON(src []byte, name string) (*hclsyntax.Body, hcl.Diagnostics) {
	if bytes.HasPrefix(src, []byte(byteOrderMark)) {
		src = append([]byte("   "), src[len(byteOrderMark):]...) // places stay what they are
	}
	r := &jsonReader{name: name, src: src, dec: json.NewDecoder(bytes.NewReader(src)), lines: []int{0}}
	r.dec.UseNumber()
	for i, c := range src {
		if c == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
	root, err := r.read()
	if err == nil && root.sort == '{' {
		if _, more := r.dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more after the object")
		}
	}
	switch {
	case err != nil:
		at := int(r.dec.InputOffset())
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = int(syntax.Offset) - 1
		}
		return nil, hcl.Diagnostics{errorAt(r.between(at, at+1), "Invalid JSON", "The file is not JSON: %s.", strings.TrimPrefix(err.Error(), "json: "))}
	case root.sort != '{':
		return nil, hcl.Diagnostics{errorAt(root.rng, "Invalid JSON", "A stack file in JSON is an object whose members are the types of blocks.")}
	}
	kept := root.members[:0]
	for _, m := range root.members {
		if m.name != "$schema" { // for editors
			kept = append(kept, m)
		}
	}
	root.members = kept
	return r.body(root, s.jsonTop()), r.diags
}

// jsonTop says what the top level of a file may hold.
func (s *Stack) jsonTop() jsonBody {
	is := func(labelled bool, body jsonBody) jsonBlock {
		return jsonBlock{labelled: labelled, inner: func(string) jsonBody { return body }}
	}
	plain := is(false, jsonBody{})
	top := jsonBody{top: true, blocks: map[string]jsonBlock{
		"mkt":      is(false, jsonBody{blocks: map[string]jsonBlock{"ledger": is(true, jsonBody{})}}),
		"variable": is(true, jsonBody{blocks: map[string]jsonBlock{"validation": plain}, raw: []string{"type"}}),
		"locals":   plain,
		"output":   is(true, jsonBody{}),
		"module":   is(true, jsonBody{raw: []string{"depends_on"}}),
		"moved":    is(false, jsonBody{raw: []string{"from", "to"}}),
		"removed":  is(false, jsonBody{blocks: map[string]jsonBlock{"lifecycle": plain}, raw: []string{"from"}}),
		"import":   is(false, jsonBody{raw: []string{"to"}}),
		"check":    is(true, jsonBody{blocks: map[string]jsonBlock{"assert": plain}}),
		"provider": {labelled: true, inner: func(label string) jsonBody {
			if p := s.providers[label]; p != nil {
				return s.shapes[p.kind].json()
			}
			return jsonBody{}
		}},
	}}
	top.blocks["data"] = jsonBlock{labelled: true, twice: true, inner: func(label string) jsonBody {
		if d := s.data[label]; d != nil {
			body := s.shapes[d].json()
			body.blocks["lifecycle"] = plain
			return body
		}
		return jsonBody{}
	}}
	for name, kind := range s.kinds {
		top.blocks[name] = jsonBlock{labelled: true, inner: func(string) jsonBody {
			body := s.shapes[kind].json()
			body.raw = append(body.raw, "depends_on")
			body.blocks["lifecycle"] = is(false, jsonBody{raw: []string{"ignore_changes", "replace_triggered_by"}})
			return body
		}}
	}
	return top
}

// json is the shape as a JSON object has it.
func (s *shape) json() jsonBody {
	body := jsonBody{blocks: map[string]jsonBlock{}}
	for i := range s.attrs {
		if s.attrs[i].Row {
			body.raw = append(body.raw, s.attrs[i].Name)
		}
	}
	for i := range s.blocks {
		inner := s.nested[i]
		body.blocks[s.blocks[i].Name] = jsonBlock{labelled: s.blocks[i].Label != "", inner: func(string) jsonBody { return inner.json() }}
	}
	if len(s.blocks) > 0 {
		body.blocks["dynamic"] = jsonBlock{labelled: true, inner: func(label string) jsonBody {
			content := jsonBody{}
			if _, inner := s.block(label); inner != nil {
				content = inner.json()
			}
			return jsonBody{raw: []string{"iterator"}, blocks: map[string]jsonBlock{"content": {inner: func(string) jsonBody { return content }}}}
		}}
	}
	return body
}

// body makes a body of an object's members.
func (r *jsonReader) body(n *jsonNode, form jsonBody) *hclsyntax.Body {
	body := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: n.rng, EndRange: n.rng}
	for _, m := range n.members {
		block, isBlock := form.blocks[m.name]
		switch {
		case !isBlock && form.top:
			r.blocks(body, m, nil, jsonBody{}, &jsonNode{sort: '{', rng: m.node.rng})
		case !isBlock:
			expr := r.template(m.node)
			if contains(form.raw, m.name) {
				expr = r.expression(m.node)
			}
			body.Attributes[m.name] = &hclsyntax.Attribute{Name: m.name, Expr: expr, SrcRange: hcl.RangeBetween(m.rng, m.node.rng), NameRange: m.rng, EqualsRange: m.rng}
		case !block.labelled:
			r.blocks(body, m, nil, block.inner(""), m.node)
		case m.node.sort == '[': // an array keeps the order
			for _, item := range m.node.items {
				r.labelled(body, m, block, item)
			}
		default:
			r.labelled(body, m, block, m.node)
		}
	}
	return body
}

// labelled adds the blocks that an object holds by label.
func (r *jsonReader) labelled(to *hclsyntax.Body, m jsonMember, block jsonBlock, n *jsonNode) {
	if n.sort != '{' {
		r.diags = append(r.diags, errorAt(n.rng, "Object expected", "%s has labels: write { \"label\": { … } }.", m.name))
	}
	for _, label := range n.members {
		if block.twice {
			if label.node.sort != '{' {
				r.diags = append(r.diags, errorAt(label.node.rng, "Object expected", "%s has two labels: write { \"kind\": { \"name\": { … } } }.", m.name))
			}
			for _, name := range label.node.members {
				first := len(to.Blocks)
				r.blocks(to, m, &name, block.inner(label.name), name.node)
				for _, b := range to.Blocks[first:] {
					b.Labels, b.LabelRanges = append([]string{label.name}, b.Labels...), append([]hcl.Range{label.rng}, b.LabelRanges...)
				}
			}
			continue
		}
		r.blocks(to, m, &label, block.inner(label.name), label.node)
	}
}

// blocks adds the block, or the blocks of an array.
func (r *jsonReader) blocks(to *hclsyntax.Body, m jsonMember, label *jsonMember, form jsonBody, n *jsonNode) {
	switch n.sort {
	case '[':
		for _, item := range n.items {
			if item.sort == '[' {
				item = &jsonNode{rng: item.rng}
			}
			r.blocks(to, m, label, form, item)
		}
	case '{':
		b := &hclsyntax.Block{Type: m.name, Body: r.body(n, form), TypeRange: m.rng, OpenBraceRange: n.rng, CloseBraceRange: n.rng}
		if label != nil {
			b.Labels, b.LabelRanges, b.TypeRange = []string{label.name}, []hcl.Range{label.rng}, label.rng
		}
		to.Blocks = append(to.Blocks, b)
	default:
		r.diags = append(r.diags, errorAt(n.rng, "Object expected", "%s is a block: write an object, or an array of objects for several.", m.name))
	}
}

// template makes an expression in which texts are templates.
func (r *jsonReader) template(n *jsonNode) hclsyntax.Expression {
	switch v := n.value.(type) {
	case string:
		return r.parsed(hclsyntax.ParseTemplate([]byte(v), r.name, r.inside(n)))(n)
	default:
		return r.composite(n, r.template)
	}
}

// expression makes an expression of a text that is one, such as an address; "${…}" around it is possible.
func (r *jsonReader) expression(n *jsonNode) hclsyntax.Expression {
	v, ok := n.value.(string)
	if !ok {
		return r.composite(n, r.expression)
	}
	at := r.inside(n)
	if inner, wrapped := strings.CutPrefix(v, "${"); wrapped && strings.HasSuffix(v, "}") {
		v = strings.TrimSuffix(inner, "}")
		at.Column, at.Byte = at.Column+2, at.Byte+2
	}
	return r.parsed(hclsyntax.ParseExpression([]byte(v), r.name, at))(n)
}

// parsed notes what is wrong with an expression, and gives one that can be used.
func (r *jsonReader) parsed(expr hclsyntax.Expression, diags hcl.Diagnostics) func(*jsonNode) hclsyntax.Expression {
	r.diags = append(r.diags, diags...)
	return func(n *jsonNode) hclsyntax.Expression {
		if expr == nil || diags.HasErrors() {
			return &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: n.rng}
		}
		return expr
	}
}

// composite makes an expression of anything but a text.
func (r *jsonReader) composite(n *jsonNode, of func(*jsonNode) hclsyntax.Expression) hclsyntax.Expression {
	switch n.sort {
	case '[':
		tuple := &hclsyntax.TupleConsExpr{SrcRange: n.rng, OpenRange: n.rng}
		for _, item := range n.items {
			tuple.Exprs = append(tuple.Exprs, of(item))
		}
		return tuple
	case '{':
		object := &hclsyntax.ObjectConsExpr{SrcRange: n.rng, OpenRange: n.rng}
		for _, m := range n.members {
			key := r.parsed(hclsyntax.ParseTemplate([]byte(m.name), r.name, m.rng.Start))(&jsonNode{rng: m.rng})
			object.Items = append(object.Items, hclsyntax.ObjectConsItem{KeyExpr: &hclsyntax.ObjectConsKeyExpr{Wrapped: key}, ValueExpr: of(m.node)})
		}
		return object
	}
	val := cty.NullVal(cty.DynamicPseudoType)
	switch v := n.value.(type) {
	case bool:
		val = cty.BoolVal(v)
	case json.Number:
		number, err := cty.ParseNumberVal(v.String())
		if err != nil {
			r.diags = append(r.diags, errorAt(n.rng, "Invalid JSON", "%s is no number that can be worked with.", v))
			number = cty.UnknownVal(cty.Number)
		}
		val = number
	}
	return &hclsyntax.LiteralValueExpr{Val: val, SrcRange: n.rng}
}

// read reads one value.
func (r *jsonReader) read() (*jsonNode, error) {
	token, start, err := r.token()
	if err != nil {
		return nil, err
	}
	if r.depth++; r.depth > jsonDepth {
		return nil, errors.New("its values are too deep in each other")
	}
	defer func() { r.depth-- }()
	n := &jsonNode{}
	switch token := token.(type) {
	case json.Delim:
		n.sort = byte(token)
		for r.dec.More() {
			if n.sort == '[' {
				item, err := r.read()
				if err != nil {
					return nil, err
				}
				n.items = append(n.items, item)
				continue
			}
			if err := r.member(n); err != nil {
				return nil, err
			}
		}
		if _, _, err := r.token(); err != nil {
			return nil, err
		}
	default:
		n.value = token
	}
	n.rng = r.between(start, int(r.dec.InputOffset()))
	return n, nil
}

func (r *jsonReader) member(n *jsonNode) error {
	token, start, err := r.token()
	if err != nil {
		return err
	}
	m := jsonMember{name: token.(string), rng: r.between(start, int(r.dec.InputOffset()))} // the decoder lets nothing else pass
	for _, other := range n.members {
		if other.name == m.name {
			r.diags = append(r.diags, errorAt(m.rng, "Duplicate member", "%q is there already, at %s. Give several blocks of one type as an array.", m.name, place(other.rng)))
		}
	}
	if m.node, err = r.read(); err == nil {
		n.members = append(n.members, m)
	}
	return err
}

// token returns the next token and where it begins.
func (r *jsonReader) token() (json.Token, int, error) {
	start := int(r.dec.InputOffset())
	for start < len(r.src) && strings.IndexByte(" \t\r\n,:", r.src[start]) >= 0 {
		start++
	}
	token, err := r.dec.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return token, start, err
}

// inside is where the text of a string begins.
func (r *jsonReader) inside(n *jsonNode) hcl.Pos {
	at := n.rng.Start
	at.Column, at.Byte = at.Column+1, at.Byte+1
	return at
}

func (r *jsonReader) between(start, end int) hcl.Range {
	return hcl.Range{Filename: r.name, Start: r.pos(start), End: r.pos(end)}
}

func (r *jsonReader) pos(offset int) hcl.Pos {
	offset = max(0, min(offset, len(r.src)))
	line := sort.SearchInts(r.lines, offset+1) - 1
	return hcl.Pos{Line: line + 1, Column: utf8.RuneCount(r.src[r.lines[line]:offset]) + 1, Byte: offset}
}

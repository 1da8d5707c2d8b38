package spec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Data blocks read objects that exist elsewhere: data "kafka_topic" "shared" { name = "shared" }. Each kind of resource has a kind
// of data, whose name is that of the resource's with this before it; so addresses and references are like those of other blocks.
const dataPrefix = "data."

// dataKind makes the kind of a kind's data blocks. Its type is the same. What makes up an object's name can be given, and
// everything else is read. What a change of would need another object is taken for a part of the name: a description does
// not tell more, and what is given beyond the name has to be so (see Instance.Given).
func dataKind(k *Kind) *Kind {
	d := &Kind{Name: dataPrefix + k.Name, System: k.System, Data: k, ID: k.ID, Doc: "Reads a " + k.Name + " that exists and is not the stack's. " + k.Doc}
	for i := range k.Attrs {
		a := k.Attrs[i]
		if names(&a) {
			if a.Required {
				a.Required, a.Computed, a.Optional = false, true, true
			}
		} else {
			a = Attr{Name: a.Name, Type: a.Type, Doc: a.Doc, Secret: a.Secret, Computed: true}
		}
		a.Change, a.Follows = nil, nil
		d.Attrs = append(d.Attrs, a)
	}
	for i := range k.Blocks {
		d.Attrs = append(d.Attrs, Attr{Name: k.Blocks[i].Name, Type: k.Blocks[i].Type(), Doc: k.Blocks[i].Doc, Computed: true})
	}
	return d
}

// Names lists the attributes that a data block of the kind can be given.
func (k *Kind) Names() []string {
	var given []string
	for i := range k.Attrs {
		if names(&k.Attrs[i]) {
			given = append(given, k.Attrs[i].Name)
		}
	}
	return given
}

// names reports whether an attribute may be a part of its object's name.
func names(a *Attr) bool {
	if a.Secret || a.Change == nil || a.Computed && !a.Optional {
		return false
	}
	pairs := samples(a.Type)
	if len(a.Refs) > 0 { // names of objects may be URLs, and what is at another host is another object
		pairs = append(pairs, [2]cty.Value{cty.StringVal("https://one.blob.core.windows.net/a"), cty.StringVal("https://two.blob.core.windows.net/a")})
	}
	for _, pair := range pairs {
		if v, ok := judge(a.Change, pair[0], pair[1]); ok && v.Act == Replace {
			return true
		}
	}
	return false
}

// kind returns what blocks and references call by that name.
func (s *Stack) kind(name string) *Kind {
	if of, isData := strings.CutPrefix(name, dataPrefix); isData {
		return s.data[of]
	}
	return s.kinds[name]
}

// addKind enters a kind and, for a resource, that of its data blocks.
func (s *Stack) addKind(k *Kind) {
	s.kinds[k.Name] = k
	s.shapes[k] = newShape(k.Attrs, k.Blocks)
	if k.System != "" {
		d := dataKind(k)
		s.data[k.Name], s.shapes[d] = d, newShape(d.Attrs, nil)
	}
}

// addData takes one data block.
func (m *module) addData(b *hclsyntax.Block) hcl.Diagnostics {
	if len(b.Labels) != 2 {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Wrong number of labels",
			"A data block has two labels, the kind of what it reads and its name: data \"kafka_topic\" \"shared\" { … }.")}
	}
	kind := m.stack.data[b.Labels[0]]
	if kind == nil {
		return hcl.Diagnostics{errorAt(b.LabelRanges[0], "Unknown kind of block", "No kind of resource is called %q.%s", b.Labels[0], DidYouMean(b.Labels[0], sortedKeys(m.stack.data)))}
	}
	return m.addBlock(b, kind)
}

// dataReference checks data.kafka_topic.name.
func (c *collector) dataReference(t hcl.Traversal, kind string, rng hcl.Range) *hcl.Diagnostic {
	if kind == "" {
		return errorAt(rng, "Incomplete reference", "A reference to what a data block reads needs its kind and its name, as in data.kafka_topic.shared.")
	}
	if c.module.stack.data[kind] == nil {
		return errorAt(rng, "Unknown reference", "No kind of resource is called %q.%s", kind, DidYouMean(kind, sortedKeys(c.module.stack.data)))
	}
	name := ""
	if len(t) > 2 {
		if attr, ok := t[2].(hcl.TraverseAttr); ok {
			name = attr.Name
		}
	}
	return c.blockReference(t[1:], dataPrefix+kind, name, rng)
}

// Managed reports whether mkt makes and owns what the block describes: whether it is a resource, and no part of the app and no data block.
func (b *Block) Managed() bool { return b.Kind.System != "" && b.Kind.Data == nil }

// Given reports whether the attribute of that name is written in the block, or set by its label.
func (i *Instance) Given(attr string) bool {
	_, written := i.src.attrs[attr]
	return written || i.src.labelled == attr
}

// read splits the decoded value of a data block into what finds the object and what is known of it before.
func (i *Instance) read() {
	i.Lookup = i.Value
	known := i.Value.AsValueMap()
	for name, v := range known {
		if !i.Given(name) {
			known[name] = cty.UnknownVal(v.Type())
		}
	}
	i.Value = cty.ObjectVal(known)
}

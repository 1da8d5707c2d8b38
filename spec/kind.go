package spec

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// Kind describes one kind of block of the language: a resource (kafka_topic), a part of the app
// (producer, consumer, query) or a provider's configuration. It is a plain value. Decoding,
// validation, references, the planner's diff and the reference page all come from it.
type Kind struct {
	// Name is the block's type in the language, such as "kafka_topic".
	Name string
	// System is the provider that serves the kind ("kafka"), or "" for a block of the app.
	System string
	// Doc says in Markdown what the kind is for; its first sentence serves as the summary.
	Doc string
	// Example is HCL that loads as it stands; the reference page shows it.
	Example string

	Attrs  []Attr
	Blocks []Nested

	// ID returns the natural name under which the system knows the object that v describes: a topic's
	// name, a container's URL, "MARKET.RAW.PRICES". v is a completed object of Type(). It returns ""
	// while a part of the name is unknown. Nil for kinds nobody refers to.
	ID func(v cty.Value) string
	// Namespace names the kinds that share one set of names, as tables and views of a schema do: no two objects
	// of them have the same ID. "" when the kind's names are its own.
	Namespace string
	// Check looks at rules that span several attributes; it is called with values that may be partly
	// unknown. Nil when there are none.
	Check func(v cty.Value) []Problem
	// HoldsData is true where a delete loses what apply cannot bring back: records, blobs, rows.
	HoldsData bool
	// Data is set for the kind of data blocks, which are not described but made by Load: the kind of what they read.
	Data *Kind
}

// Attr describes one attribute.
type Attr struct {
	Name string
	Type cty.Type
	Doc  string

	// Required attributes must be set. One that is neither Required nor Computed is optional and null
	// (or Default) when absent.
	Required bool
	// Computed attributes are set by the server. With Optional too, the stack may set them and the
	// server's value is taken where it does not.
	Computed bool
	Optional bool
	// Label makes the block's label the value of an absent attribute.
	Label bool
	// Default is the value of an absent optional attribute; cty.NilVal means null.
	Default cty.Value
	// Secret values are never printed, saved or hashed without a key; they are not read back, so
	// the planner does not compare them.
	Secret bool
	// Follows names the attributes whose change makes this computed value unknown until applied.
	Follows []string

	// Refs lists the kinds whose whole object may be given. The decoded value is then that object's ID,
	// so Type is cty.String. A plain string is taken as the ID of something that the stack does not manage.
	Refs []string
	// Row marks an attribute that is written as a traversal over the source's row (row.Index); its
	// decoded value is the column's name, or "index" for the row's number. Type is cty.String.
	Row bool

	// Check is called with each known, non-null value as written. Its error text says what is wrong and
	// what would be right, lower case, without the attribute's name.
	Check func(v cty.Value) error
	// Norm returns the normal form, so that two spellings of one meaning are equal. It is called with known,
	// non-null values both of the stack and read from the server, and Norm(Norm(v)) == Norm(v).
	Norm func(v cty.Value) cty.Value
	// Change tells what a change of the attribute does. Nil for attributes that cannot be set.
	Change Effect
}

// Nested describes a block inside a block. A block with Max 1 becomes an object (null when absent); any
// other becomes a list of objects in source order.
type Nested struct {
	Name string
	Doc  string
	// Label is the attribute that the block's label sets: "name" for column "Index" {}. "" for no label.
	Label  string
	Min    int
	Max    int // 0: no limit
	Attrs  []Attr
	Blocks []Nested
	// Norm and Change are as for Attr, for the nested value as a whole. Nil Change: the block is never
	// compared (its parts are secret or only steer apply).
	Norm   func(v cty.Value) cty.Value
	Change Effect
}

// Act is what a change of a value means for the object that has it.
type Act int

// The acts, from the mildest to the strongest.
const (
	Same    Act = iota // no difference that matters
	InPlace            // altered in place
	Replace            // deleted and created again
	Refuse             // not possible; Why says what to do instead
)

// Verdict is an effect's answer. Why completes "because …": required for Replace and Refuse, and shown.
type Verdict struct {
	Act Act
	Why string
	// Loses says what data is lost with a change in place, in words: "the values of column PRICE"; "" for none.
	Loses string
}

// Effect judges a change between two different values in normal form, either of which may be null or (after
// only) unknown. It is pure.
type Effect func(before, after cty.Value) Verdict

// Updated is the effect of attributes that the system alters in place.
func Updated(_, _ cty.Value) Verdict { return Verdict{Act: InPlace} }

// Replaced returns the effect of attributes whose change needs a new object.
func Replaced(why string) Effect {
	return func(_, _ cty.Value) Verdict { return Verdict{Act: Replace, Why: why} }
}

// Problem is something wrong with a value: where in it, what, and what to do.
type Problem struct {
	Path    cty.Path // into the kind's value; empty for the whole block
	Summary string   // fixed text: "Unknown topic setting"
	Detail  string   // what, why and what to do
	Warning bool
}

// Type returns the object type of the kind's values: every attribute and nested block.
func (k *Kind) Type() cty.Type { return cty.Object(attrTypes(k.Attrs, k.Blocks)) }

// Type returns the type of the nested block's value: an object for Max 1, else a list of objects.
func (n *Nested) Type() cty.Type {
	t := cty.Object(attrTypes(n.Attrs, n.Blocks))
	if n.Max == 1 {
		return t
	}
	return cty.List(t)
}

// Attr returns the attribute of that name, or nil.
func (k *Kind) Attr(name string) *Attr {
	for i := range k.Attrs {
		if k.Attrs[i].Name == name {
			return &k.Attrs[i]
		}
	}
	return nil
}

// Block returns the nested block of that name, or nil.
func (k *Kind) Block(name string) *Nested {
	for i := range k.Blocks {
		if k.Blocks[i].Name == name {
			return &k.Blocks[i]
		}
	}
	return nil
}

func attrTypes(attrs []Attr, blocks []Nested) map[string]cty.Type {
	types := make(map[string]cty.Type, len(attrs)+len(blocks))
	for _, a := range attrs {
		types[a.Name] = a.Type
	}
	for i := range blocks {
		types[blocks[i].Name] = blocks[i].Type()
	}
	return types
}

// reserved are the names that every block of the language may hold, or every reference see.
var reserved = map[string]bool{"address": true, "count": true, "depends_on": true, "dynamic": true, "for_each": true, "lifecycle": true}

// Lint returns what is wrong with the description itself; a test calls it for every kind.
func (k *Kind) Lint() []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(k.Name+": "+format, args...)) }
	if k.Doc == "" {
		fail("no doc")
	}
	if k.System != "" && k.ID == nil {
		fail("a resource needs an ID")
	}
	lintAttrs(fail, "", k.Attrs, k.Blocks)
	return errs
}

func lintAttrs(fail func(string, ...any), at string, attrs []Attr, blocks []Nested) {
	seen := map[string]bool{}
	for _, a := range attrs {
		name := at + a.Name
		if reserved[a.Name] {
			fail("%s has a reserved name", name)
		}
		if seen[a.Name] {
			fail("%s is described twice", name)
		}
		seen[a.Name] = true
		if a.Doc == "" {
			fail("%s has no doc", name)
		}
		if a.Required && (a.Computed || a.Label || a.Default != cty.NilVal) {
			fail("%s is required, so it takes no default", name)
		}
		if (len(a.Refs) > 0 || a.Row || a.Label) && a.Type != cty.String {
			fail("%s must be a string", name)
		}
		if a.Default != cty.NilVal && !a.Default.Type().Equals(a.Type) {
			fail("%s has a default of another type", name)
		} else if a.Default != cty.NilVal && !a.Default.IsNull() && a.Check != nil {
			if err := a.Check(a.Default); err != nil {
				fail("%s has a default that its check refuses: %v", name, err)
			}
		}
	}
	for i := range blocks {
		b := &blocks[i]
		if seen[b.Name] {
			fail("%s is described twice", at+b.Name)
		}
		seen[b.Name] = true
		if b.Doc == "" {
			fail("%s has no doc", at+b.Name)
		}
		if reserved[b.Name] {
			fail("%s has a reserved name", at+b.Name)
		}
		if b.Max > 0 && b.Min > b.Max {
			fail("%s must be given more often than it may", at+b.Name)
		}
		if b.Max != 1 && b.Type().HasDynamicTypes() {
			fail("%s is a list, so its attributes need fixed types", at+b.Name)
		}
		if b.Label != "" && !isTextAttr(b.Attrs, b.Label) {
			fail("%s has a label that sets no string attribute %s", at+b.Name, b.Label)
		}
		lintAttrs(fail, at+b.Name+".", b.Attrs, b.Blocks)
	}
}

func isTextAttr(attrs []Attr, name string) bool {
	for _, a := range attrs {
		if a.Name == name {
			return a.Type == cty.String && !a.Required && !a.Computed
		}
	}
	return false
}

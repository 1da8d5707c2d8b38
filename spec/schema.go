package spec

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// doc is a JSON schema, or a part of one.
type doc = map[string]any

// Schema writes the JSON schema (2020-12) of the language's JSON syntax from the kinds' descriptions: which blocks there are, what
// they hold, what is required, and where the values are known, which. The same kinds give the same text.
func Schema(kinds []*Kind) ([]byte, error) {
	data := doc{}
	top, defs, providers := doc{"$schema": doc{"type": "string", "description": "This schema, for editors."}}, schemaDefs(), doc{}
	for name, s := range languageBlocks() {
		top[name] = s
	}
	for _, k := range kinds {
		if groupOf(k) == "Providers" {
			providers[k.Name] = bodySchema(defs, "provider."+k.Name, k.Attrs, k.Blocks, "", k.Doc)
			continue
		}
		body := bodySchema(defs, k.Name, k.Attrs, k.Blocks, "", k.Doc)
		meta := body["properties"].(doc)
		meta["depends_on"] = ref("addresses", "Blocks and modules that this one comes after, besides those that it refers to.")
		meta["lifecycle"] = ref("lifecycle", "What restrains changes, and which checks are silenced.")
		if k.Name != "query" {
			meta["for_each"] = ref("collection", "A map, or a set of texts: one instance for each key.")
		}
		if k.System != "" {
			d := dataKind(k)
			read := bodySchema(defs, d.Name, d.Attrs, nil, "", d.Doc)
			more := read["properties"].(doc)
			more["for_each"], more["lifecycle"] = meta["for_each"], ref("lifecycle_app", "Which checks are silenced.")
			defs[d.Name] = read
			data[k.Name] = labelled(ref(d.Name, ""), sentence(d.Doc))
		}
		if k.ID == nil {
			meta["lifecycle"] = ref("lifecycle_app", "Which checks are silenced.")
		}
		defs[k.Name] = body
		top[k.Name] = labelled(ref(k.Name, ""), sentence(k.Doc))
	}
	top["data"] = oneOrMany(blockSchema("Objects that exist and are not the stack's, by kind and name.", data))
	top["provider"] = oneOrMany(blockSchema("How the systems are reached, by system.", providers))
	text, err := json.MarshalIndent(doc{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"$id":                  "urn:mkt:language",
		"title":                "A stack of mkt in HCL's JSON syntax",
		"description":          "Blocks by type, those with a label by label. A text is a template: \"${kafka_topic.prices.name}-value\".",
		"type":                 "object",
		"properties":           top,
		"additionalProperties": false,
		"$defs":                defs,
	}, "", " ")
	return append(text, '\n'), err
}

func ref(name, description string) doc {
	r := doc{"$ref": "#/$defs/" + name}
	if description != "" {
		r["description"] = description
	}
	return r
}

// labelled is a block type whose blocks have names.
func labelled(body doc, description string) doc {
	return described(oneOrMany(doc{"type": "object", "propertyNames": ref("name", ""), "additionalProperties": body}), description)
}

// oneOrMany is a block that may be there more than once, or an object of blocks that may be cut in several to keep their order.
func oneOrMany(body doc) doc {
	return doc{"anyOf": []any{body, doc{"type": "array", "items": body}}}
}

func blockSchema(description string, properties doc, required ...string) doc {
	d := doc{"type": "object", "description": description, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		d["required"] = required
	}
	return d
}

func described(s doc, description string) doc {
	s["description"] = description
	return s
}

// schemaDefs are the values that expressions may stand for, and what is part of many blocks.
func schemaDefs() doc {
	silence := described(doc{"type": "object", "additionalProperties": doc{"type": "string", "minLength": 1}}, "Checks that do not speak about this block, each with the reason why.")
	return doc{
		"name":       doc{"type": "string", "pattern": "^[\\p{L}_][\\p{L}\\p{N}_-]*$"},
		"expression": doc{"type": "string", "pattern": "[$%]\\{", "description": "A template that holds an expression: \"${var.name}\"."},
		"text":       doc{"type": []string{"string", "number", "boolean", "null"}},
		"number":     doc{"anyOf": []any{doc{"type": []string{"number", "null"}}, doc{"type": "string", "pattern": "^-?[0-9]|[$%]\\{"}}},
		"bool":       doc{"anyOf": []any{doc{"type": []string{"boolean", "null"}}, doc{"type": "string", "pattern": "^(true|false)$|[$%]\\{"}}},
		"any":        doc{},
		"collection": doc{"anyOf": []any{doc{"type": "object"}, ref("expression", "")}},
		"address":    doc{"type": "string", "pattern": "^[\\p{L}_].*\\."},
		"addresses":  doc{"type": "array", "items": ref("address", "")},
		"lifecycle": blockSchema("What restrains changes.", doc{
			"prevent_destroy":      described(doc{"type": "boolean"}, "Protects the object, even when its block is gone."),
			"ignore_changes":       described(doc{"anyOf": []any{doc{"const": "all"}, doc{"type": "array", "items": doc{"type": "string"}}}}, "Attributes and blocks whose changes are ignored."),
			"replace_triggered_by": ref("addresses", "Blocks, or attributes of them, whose change replaces this object."),
			"silence":              silence,
		}),
		"lifecycle_app": blockSchema("What is said about a part of the app.", doc{"silence": silence}),
	}
}

// languageBlocks are the blocks that no kind describes.
func languageBlocks() doc {
	constant := func(description string) doc { return doc{"type": "string", "description": description} }
	flag := func(description string) doc { return doc{"type": "boolean", "description": description} }
	check := blockSchema("A condition that has to hold.", doc{
		"condition": ref("bool", "What has to be true."), "error_message": ref("text", "What is said when it is not.")}, "condition", "error_message")
	return doc{
		"mkt": blockSchema("What the stack needs of mkt, and where the ledger is.", doc{
			"required_version": constant("A version constraint: \">= 0.1\"."),
			"ledger": oneOrMany(blockSchema("Where mkt keeps what it owns.", doc{
				"azure": blockSchema("A blob with a lease, for teams.", doc{
					"container": ref("text", "The blob container."), "key": ref("text", "The blob's name."), "account": ref("text", "The storage account, else the provider's.")}, "container", "key"),
				"file": blockSchema("A file.", doc{"path": ref("text", "Its path, relative to the stack.")}, "path"),
			})),
		}),
		"variable": labelled(blockSchema("A value that is given from outside.", doc{
			"type":        constant("The type: \"string\", \"map(number)\", \"object({ a = optional(string, \\\"x\\\") })\"."),
			"default":     described(doc{}, "The value when none is given; without it, one has to be."),
			"description": constant("What it is for."), "sensitive": flag("Keeps the value out of all that is shown."), "nullable": flag("Whether null is a value."),
			"validation": oneOrMany(check),
		}), "Values that are given from outside."),
		"locals": described(oneOrMany(doc{"type": "object", "propertyNames": ref("name", "")}), "Named values."),
		"output": labelled(blockSchema("A value to show.", doc{
			"value": ref("any", "The value."), "description": constant("What it is."), "sensitive": flag("Keeps the value out of what is shown."),
		}, "value"), "Values to show."),
		"module": labelled(doc{"type": "object", "description": "A use of a module; its other attributes are the module's variables.", "required": []string{"source"}, "properties": doc{
			"source":     doc{"type": "string", "pattern": "^\\.\\.?(/|$)", "description": "The module's directory, relative to this file."},
			"for_each":   ref("collection", "A map, or a set of texts: one instance for each key."),
			"depends_on": ref("addresses", "Blocks and modules that all of this one comes after."),
		}}, "Uses of modules."),
		"moved": oneOrMany(blockSchema("What belongs to another address from now on.", doc{
			"from": ref("address", "The address until now."), "to": ref("address", "The address from now on.")}, "from", "to")),
		"removed": oneOrMany(blockSchema("What becomes of the object of a block that was taken out.", doc{
			"from":      ref("address", "The address until now."),
			"lifecycle": blockSchema("What becomes of it.", doc{"destroy": flag("true deletes the object; false leaves and forgets it.")}, "destroy"),
		}, "from", "lifecycle")),
		"import": oneOrMany(blockSchema("An object that exists already.", doc{
			"to": ref("address", "The block that describes it."), "id": ref("text", "The object's name as its system knows it.")}, "to")),
		"check": labelled(blockSchema("What has to be true of the stack; a warning otherwise.", doc{"assert": oneOrMany(check)}, "assert"), "Checks of the stack."),
	}
}

// bodySchema describes the body of the block at path, and adds those in it to defs; label is the attribute that its label sets.
func bodySchema(defs doc, path string, attrs []Attr, blocks []Nested, label, description string) doc {
	properties, dynamic := doc{}, doc{}
	var required []string
	var present []any // blocks that must be there, as such or made by a dynamic one
	for i := range attrs {
		a := &attrs[i]
		if a.Name == label || a.Computed && !a.Optional {
			continue
		}
		properties[a.Name] = attrSchema(a)
		if a.Required {
			required = append(required, a.Name)
		}
	}
	for i := range blocks {
		n := &blocks[i]
		name := path + "." + n.Name
		defs[name] = bodySchema(defs, name, n.Attrs, n.Blocks, n.Label, n.Doc)
		body := ref(name, "")
		properties[n.Name] = described(oneOrMany(body), n.Doc)
		if n.Label != "" {
			properties[n.Name] = described(oneOrMany(doc{"type": "object", "additionalProperties": oneOrMany(body)}), n.Doc)
		}
		if n.Min > 0 {
			present = append(present, doc{"anyOf": []any{doc{"required": []string{n.Name}}, doc{"required": []string{"dynamic"}}}})
		}
		dynamic[n.Name] = oneOrMany(blockSchema("Makes blocks of a collection.", doc{
			"for_each": ref("any", "The collection."), "iterator": doc{"type": "string", "description": "What content calls the element; else the block's type."},
			"labels": doc{"type": "array", "items": ref("text", "")}, "content": body,
		}, "for_each", "content"))
	}
	if len(blocks) > 0 {
		properties["dynamic"] = oneOrMany(blockSchema("Nested blocks that are made of collections, by type.", dynamic))
	}
	s := blockSchema(strings.TrimSpace(description), properties, required...)
	if len(present) > 0 {
		s["allOf"] = present
	}
	return s
}

func attrSchema(a *Attr) doc {
	s := typeSchema(a.Type)
	if words := a.words(); len(words) > 0 {
		s = doc{"anyOf": []any{doc{"enum": words}, ref("expression", ""), doc{"type": "null"}}}
	}
	described(s, a.Doc)
	switch {
	case len(a.Refs) > 0:
		s["examples"] = []string{"${" + a.Refs[0] + ".name}"}
	case a.Row:
		s["examples"] = []string{"${row.Index}"}
	}
	if a.Default != cty.NilVal && !a.Default.IsNull() {
		if raw, err := ctyjson.Marshal(a.Default, a.Default.Type()); err == nil {
			s["default"] = json.RawMessage(raw)
		}
	}
	if a.Secret {
		s["writeOnly"] = true
	}
	return s
}

// words are the texts that an attribute takes, where its check knows them all.
func (a *Attr) words() (words []string) {
	if a.Check == nil || a.Type != cty.String {
		return nil
	}
	defer func() { _ = recover() }() // checks that make sense of real values only
	var e NotOneOf
	if !errors.As(a.Check(cty.StringVal("")), &e) {
		return nil
	}
	for _, word := range e.Words {
		words = append(words, word)
		if lower := strings.ToLower(word); lower != word && a.Check(cty.StringVal(lower)) == nil {
			words = append(words, lower)
		}
	}
	return words
}

// typeSchema describes the values of a type: as such, or as an expression that gives one.
func typeSchema(ty cty.Type) doc {
	var s doc
	switch {
	case ty == cty.String:
		return ref("text", "")
	case ty == cty.Number:
		return ref("number", "")
	case ty == cty.Bool:
		return ref("bool", "")
	case ty.IsListType() || ty.IsSetType():
		s = doc{"type": "array", "items": typeSchema(ty.ElementType())}
	case ty.IsMapType():
		s = doc{"type": "object", "additionalProperties": typeSchema(ty.ElementType())}
	case ty.IsObjectType():
		properties := doc{}
		for name, attr := range ty.AttributeTypes() {
			properties[name] = typeSchema(attr)
		}
		s = doc{"type": "object", "properties": properties, "additionalProperties": false}
	default:
		return ref("any", "")
	}
	return doc{"anyOf": []any{s, ref("expression", ""), doc{"type": "null"}}}
}

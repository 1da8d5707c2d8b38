package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// canonical rewrites the text of a valid Avro schema the way a registry keeps it
// (org.apache.avro.Schema.toString): no white space, attributes in a fixed order,
// {"type":"int"} as "int", namespaces only where they change. Docs, defaults and
// other attributes stay; those that Avro does not know keep the order in which
// they were written, or are sorted if normalize is set.
func canonical(text string, normalize bool) (string, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := readOrdered(d)
	if err != nil {
		return "", err
	}
	if _, err := d.Token(); err != io.EOF {
		return "", fmt.Errorf("text follows the schema")
	}
	w := canonWriter{normalize: normalize}
	w.schema(v, "")
	return w.String(), nil
}

// ordered is a JSON object whose members keep their order.
type ordered []member

type member struct {
	key   string
	value any // string, json.Number, bool, nil, []any or ordered
}

func (o ordered) get(key string) (any, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

func (o ordered) text(key string) string {
	v, _ := o.get(key)
	s, _ := v.(string)
	return s
}

func readOrdered(d *json.Decoder) (any, error) {
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := readOrdered(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		obj := ordered{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := readOrdered(d)
			if err != nil {
				return nil, err
			}
			name := key.(string)
			obj = slices.DeleteFunc(obj, func(m member) bool { return m.key == name }) // the last one counts
			obj = append(obj, member{name, v})
		}
		_, err = d.Token()
		return obj, err
	}
	return tok, nil
}

// The attributes of each type in the order of Schema.toString; "*" stands for
// all the others.
var attributeOrder = map[string][]string{
	"record": {"type", "name", "namespace", "doc", "fields", "*", "aliases"},
	"error":  {"type", "name", "namespace", "doc", "fields", "*", "aliases"},
	"enum":   {"type", "name", "namespace", "doc", "symbols", "default", "*", "aliases"},
	"fixed":  {"type", "name", "namespace", "doc", "size", "*", "aliases"},
	"array":  {"type", "items", "*"},
	"map":    {"type", "values", "*"},
	"":       {"type", "*"}, // primitives
	"field":  {"name", "type", "doc", "default", "order", "aliases", "*"},
}

type canonWriter struct {
	bytes.Buffer
	normalize bool
}

// schema writes a schema that stands in the namespace space.
func (w *canonWriter) schema(v any, space string) {
	switch v := v.(type) {
	case string:
		w.value(qualified(v, space))
	case []any:
		w.WriteByte('[')
		for i, branch := range v {
			if i > 0 {
				w.WriteByte(',')
			}
			w.schema(branch, space)
		}
		w.WriteByte(']')
	case ordered:
		w.object(v, space)
	default:
		w.value(v)
	}
}

func (w *canonWriter) object(o ordered, space string) {
	kind, isText := func() (string, bool) { v, _ := o.get("type"); s, ok := v.(string); return s, ok }()
	if len(o) == 1 {
		if inner, ok := o.get("type"); ok { // {"type":"int"}, {"type":{…}}
			w.schema(inner, space)
			return
		}
	}
	order, complexType := attributeOrder[kind]
	if !complexType || !isText {
		order = attributeOrder[""]
	}
	outer := space
	if slices.Contains(order, "namespace") {
		var name string
		name, space = splitName(o.text("name"), o.text("namespace"), has(o, "namespace"), outer)
		o = o.with("name", name)
		o = slices.DeleteFunc(o, func(m member) bool { return m.key == "namespace" })
		if space != outer {
			o = append(o, member{"namespace", space})
		}
		o = o.qualifyAliases(space)
	}
	w.members(o, order, func(key string, v any) {
		switch {
		case key == "type" && isText && complexType:
			w.value(v)
		case key == "type", key == "items", key == "values":
			w.schema(v, space)
		case key == "fields":
			w.fields(v, space)
		default:
			w.value(v)
		}
	})
}

func (w *canonWriter) fields(v any, space string) {
	list, ok := v.([]any)
	if !ok {
		w.value(v)
		return
	}
	w.WriteByte('[')
	for i, f := range list {
		if i > 0 {
			w.WriteByte(',')
		}
		field, ok := f.(ordered)
		if !ok {
			w.value(f)
			continue
		}
		if field.text("order") == "ascending" { // the default
			field = slices.DeleteFunc(slices.Clone(field), func(m member) bool { return m.key == "order" })
		}
		w.members(field, attributeOrder["field"], func(key string, v any) {
			if key == "type" {
				w.schema(v, space)
			} else {
				w.value(v)
			}
		})
	}
	w.WriteByte(']')
}

// members writes an object's members in the given order, each value by write.
func (w *canonWriter) members(o ordered, order []string, write func(key string, v any)) {
	w.WriteByte('{')
	first := true
	put := func(m member) {
		if !first {
			w.WriteByte(',')
		}
		first = false
		w.value(m.key)
		w.WriteByte(':')
		write(m.key, m.value)
	}
	for _, key := range order {
		if key != "*" {
			if v, ok := o.get(key); ok {
				put(member{key, v})
			}
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(o), func(m member) bool { return slices.Contains(order, m.key) })
		if w.normalize {
			slices.SortStableFunc(rest, func(a, b member) int { return strings.Compare(a.key, b.key) })
		}
		for _, m := range rest {
			put(m)
		}
	}
	w.WriteByte('}')
}

// value writes any JSON value without white space.
func (w *canonWriter) value(v any) {
	switch v := v.(type) {
	case []any:
		w.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				w.WriteByte(',')
			}
			w.value(item)
		}
		w.WriteByte(']')
	case ordered:
		w.members(v, []string{"*"}, func(_ string, item any) { w.value(item) })
	default:
		e := json.NewEncoder(&w.Buffer)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // strings, numbers, booleans and null always encode
		w.Truncate(w.Len() - 1)
	}
}

func has(o ordered, key string) bool { _, ok := o.get(key); return ok }

func (o ordered) with(key string, v any) ordered {
	o = slices.Clone(o)
	for i := range o {
		if o[i].key == key {
			o[i].value = v
		}
	}
	return o
}

func (o ordered) qualifyAliases(space string) ordered {
	v, _ := o.get("aliases")
	list, ok := v.([]any)
	if !ok {
		return o
	}
	list = slices.Clone(list)
	for i, alias := range list {
		if s, ok := alias.(string); ok {
			list[i] = qualified(s, space)
		}
	}
	return o.with("aliases", list)
}

// splitName resolves a definition's name and namespace (Avro 1.12
// specification, "Names"): a dotted name carries its own.
func splitName(name, namespace string, hasNamespace bool, outer string) (simple, space string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[i+1:], name[:i]
	}
	if hasNamespace {
		return name, namespace
	}
	return name, outer
}

// qualified writes a reference as briefly as the namespace allows.
func qualified(name, space string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 && name[:i] == space {
		return name[i+1:]
	}
	return name
}

package spec

import (
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Addr names one block of a stack or, with a key, one instance of a block with for_each. Without a Kind it names an
// instance of a module, or all instances of one. It is comparable.
type Addr struct {
	Module string // of the instance of a module that holds the block: `module.eu`, `module.by["a"].module.b`; "" for the stack itself
	Kind   string // "kafka_topic", "data.kafka_topic"
	Name   string // the label
	Key    string // the for_each key, when Keyed
	Keyed  bool
}

// String writes the address as the language does: kafka_topic.prices, module.eu.kafka_topic.prices["a"], module.eu.
func (a Addr) String() string {
	if a.Kind == "" {
		return a.Module
	}
	text := a.Kind + "." + a.Name
	if a.Module != "" {
		text = a.Module + "." + text
	}
	if a.Keyed {
		text += "[" + strconv.Quote(a.Key) + "]"
	}
	return text
}

// Label is the address without its kind, by which parts of the app run: prices, prices["a"], module.eu.prices.
func (a Addr) Label() string {
	b := a
	b.Module = ""
	text := strings.TrimPrefix(b.String(), a.Kind+".")
	if a.Module != "" {
		text = a.Module + "." + text
	}
	return text
}

// Block is the address without its key: that of the block that the instance comes from.
func (a Addr) Block() Addr { return Addr{Module: a.Module, Kind: a.Kind, Name: a.Name} }

// Compare orders addresses by module, kind, name and key, the stack's own first.
func (a Addr) Compare(b Addr) int {
	switch {
	case a.Module != b.Module:
		return strings.Compare(a.Module, b.Module)
	case a.Kind != b.Kind:
		return strings.Compare(a.Kind, b.Kind)
	case a.Name != b.Name:
		return strings.Compare(a.Name, b.Name)
	}
	return strings.Compare(a.Key, b.Key)
}

// Covers reports whether what a names is b or holds it: a block its instances, a module all that is in it, and a module
// without a key all its instances.
func (a Addr) Covers(b Addr) bool {
	if a.Kind != "" && (a.Kind != b.Kind || a.Name != b.Name || a.Keyed && (!b.Keyed || a.Key != b.Key)) {
		return false
	}
	if a.Module == b.Module {
		return true
	}
	whole, part := moduleSteps(a.Module), moduleSteps(b.Module)
	if len(whole) > len(part) || a.Kind != "" && len(whole) != len(part) {
		return false
	}
	for i, step := range whole {
		if step != part[i] && (step.keyed || step.name != part[i].name) {
			return false
		}
	}
	return true
}

// ParseAddr is the inverse of Addr.String for blocks and their instances; ok is false for anything else.
func ParseAddr(s string) (a Addr, ok bool) {
	a, ok = ParseTarget(s)
	return a, ok && a.Kind != ""
}

// ParseTarget is the inverse of Addr.String, modules included.
func ParseTarget(s string) (a Addr, ok bool) {
	var steps []moduleStep
	rest := s
	for {
		inner, isModule := strings.CutPrefix(rest, "module.")
		if !isModule {
			break
		}
		name, key, keyed, after, ok := parseName(inner)
		if !ok || after != "" && !strings.HasPrefix(after, ".") {
			return Addr{}, false
		}
		steps = append(steps, moduleStep{name, key, keyed})
		if after == "" {
			return Addr{Module: modulePath(steps)}, true
		}
		rest = after[1:]
	}
	kind, rest, dotted := strings.Cut(rest, ".")
	if kind+"." == dataPrefix {
		var of string
		of, rest, dotted = strings.Cut(rest, ".")
		if of == "" {
			return Addr{}, false
		}
		kind = dataPrefix + of
	}
	if !dotted || kind == "" || strings.Contains(kind, "[") {
		return Addr{}, false
	}
	a = Addr{Module: modulePath(steps), Kind: kind}
	var after string
	if a.Name, a.Key, a.Keyed, after, ok = parseName(rest); !ok || after != "" {
		return Addr{}, false
	}
	return a, true
}

// parseName reads a name, and a key in brackets if one follows.
func parseName(s string) (name, key string, keyed bool, rest string, ok bool) {
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		return s, "", false, "", s != ""
	}
	name, rest = s[:end], s[end:]
	if name == "" || rest[0] == '.' {
		return name, "", false, rest, name != ""
	}
	quoted, err := strconv.QuotedPrefix(rest[1:])
	if err != nil || quoted[0] != '"' {
		return "", "", false, "", false
	}
	key, err = strconv.Unquote(quoted)
	rest, closed := strings.CutPrefix(rest[1+len(quoted):], "]")
	return name, cty.NormalizeString(key), true, rest, err == nil && closed // as HCL has the keys: a terminal may give é in two parts
}

// moduleStep is one module block on the way from the stack to a module.
type moduleStep struct {
	name, key string
	keyed     bool
}

func (s moduleStep) String() string {
	if s.keyed {
		return "module." + s.name + "[" + strconv.Quote(s.key) + "]"
	}
	return "module." + s.name
}

func modulePath(steps []moduleStep) string {
	texts := make([]string, len(steps))
	for i, step := range steps {
		texts[i] = step.String()
	}
	return strings.Join(texts, ".")
}

// moduleSteps takes a path that modulePath wrote apart.
func moduleSteps(path string) (steps []moduleStep) {
	for path != "" {
		name, key, keyed, rest, ok := parseName(strings.TrimPrefix(path, "module."))
		if !ok {
			return nil
		}
		steps = append(steps, moduleStep{name, key, keyed})
		path = strings.TrimPrefix(rest, ".")
	}
	return steps
}

// in is the address seen from the outside of the module at path.
func (a Addr) in(path string) Addr {
	switch {
	case path == "":
	case a.Module == "":
		a.Module = path
	default:
		a.Module = path + "." + a.Module
	}
	return a
}

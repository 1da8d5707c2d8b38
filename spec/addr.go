package spec

import (
	"strconv"
	"strings"
)

// Addr names one block of a stack or, with a key, one instance of a block with for_each. It is comparable.
type Addr struct {
	Kind  string // "kafka_topic"
	Name  string // the label
	Key   string // the for_each key, when Keyed
	Keyed bool
}

// String writes the address as the language does: kafka_topic.prices or kafka_topic.prices["eu"].
func (a Addr) String() string {
	if !a.Keyed {
		return a.Kind + "." + a.Name
	}
	return a.Kind + "." + a.Name + "[" + strconv.Quote(a.Key) + "]"
}

// Block is the address without its key: that of the block that the instance comes from.
func (a Addr) Block() Addr { return Addr{Kind: a.Kind, Name: a.Name} }

// Less orders addresses by kind, name and key.
func (a Addr) Less(b Addr) bool {
	if a.Kind != b.Kind {
		return a.Kind < b.Kind
	}
	if a.Name != b.Name {
		return a.Name < b.Name
	}
	return a.Key < b.Key
}

// ParseAddr is the inverse of Addr.String; ok is false for anything else.
func ParseAddr(s string) (a Addr, ok bool) {
	head, rest, keyed := strings.Cut(s, "[")
	kind, name, dotted := strings.Cut(head, ".")
	if !dotted || kind == "" || name == "" || strings.Contains(name, ".") {
		return Addr{}, false
	}
	a = Addr{Kind: kind, Name: name}
	if !keyed {
		return a, true
	}
	quoted, closed := strings.CutSuffix(rest, "]")
	key, err := strconv.Unquote(quoted)
	if !closed || err != nil || !strings.HasPrefix(quoted, `"`) {
		return Addr{}, false
	}
	a.Key, a.Keyed = key, true
	return a, true
}

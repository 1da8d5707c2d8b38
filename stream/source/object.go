package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"mkt/stream/codec"
	"mkt/stream/jsonobject"
)

// object splits lines that are JSON objects into the fields of the columns: a
// member that is missing is nil, null is codec.Null, a string is what it says,
// a number or boolean the text that it is written as.
type object struct {
	columns map[string]int
	drop    []string
	fields  [][]byte
	seen    []bool
}

func newObject(cfg Config) *object {
	o := &object{columns: map[string]int{}, drop: cfg.Drop, fields: make([][]byte, len(cfg.Header)), seen: make([]bool, len(cfg.Header))}
	for i, c := range cfg.Header {
		o.columns[c] = i
	}
	return o
}

var errNoObject = errors.New("the line is no JSON object")

func (o *object) split(line []byte) ([][]byte, error) {
	clear(o.fields)
	clear(o.seen)
	if !json.Valid(line) {
		return nil, errNoObject
	}
	err := jsonobject.Each(line, func(key, raw []byte) (err error) {
		i, ok := o.columns[string(key)]
		if !ok {
			if slices.Contains(o.drop, string(key)) {
				return nil
			}
			return fmt.Errorf("the member %q is no field of the schema that a single value fills; rename it to one or drop it", key)
		}
		if o.seen[i] {
			return fmt.Errorf("the object has two members %q", key)
		}
		o.seen[i] = true
		switch {
		case string(raw) == "null":
			o.fields[i] = codec.Null
		case raw[0] == '{' || raw[0] == '[':
			return fmt.Errorf("the member %q is an object or an array, and the field takes a single value", key)
		case raw[0] == '"':
			o.fields[i], err = jsonobject.Unquote(raw)
		default:
			o.fields[i] = raw
		}
		return err
	})
	return o.fields, err
}

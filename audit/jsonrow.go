package audit

import (
	"fmt"
	"strconv"

	"mkt/row"
	"mkt/stream/codec"
	"mkt/stream/jsonobject"
)

// setJSON takes in one line of a file: an object as package codec writes it,
// its keys in any order.
func (s *shape) setJSON(line []byte) error {
	s.clear()
	return jsonobject.Each(line, func(key, raw []byte) (err error) {
		if at, ok := s.index[string(key)]; ok {
			if s.vals[at], err = jsonValue(s.fields[at], raw); err != nil {
				return fmt.Errorf("field %q: %s %w", key, raw, err)
			}
		}
		return nil
	})
}

// jsonValue reads the JSON form of a value.
func jsonValue(f row.Field, raw []byte) (v codec.Value, err error) {
	if string(raw) == "null" {
		return codec.Value{Null: true}, nil
	}
	text := raw
	if raw[0] == '"' {
		if text, err = jsonobject.Unquote(raw); err != nil {
			return v, err
		}
	}
	switch f.Type {
	case row.Boolean:
		b, err := strconv.ParseBool(string(text))
		if b {
			v.I = 1
		}
		return v, err
	case row.Int32, row.Int64:
		v.I, err = strconv.ParseInt(string(text), 10, 64)
		return v, err
	case row.Float, row.Double:
		v.F, err = strconv.ParseFloat(string(text), 64)
		return v, err
	case row.String, row.Enum, row.Variant:
		return codec.Value{B: text}, nil
	}
	return codec.ParseText(f, text)
}

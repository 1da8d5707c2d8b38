package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"mkt/row"
	"mkt/stream/codec"
)

var errJSON = errors.New("the line is no JSON object")

// setJSON takes in one line of a file: an object as package codec writes it,
// its keys in any order.
func (s *shape) setJSON(line []byte) error {
	s.clear()
	p := jsonScanner{line}
	if !p.take('{') {
		return errJSON
	}
	if p.take('}') {
		return p.end()
	}
	for {
		key, err := p.text()
		if err != nil {
			return err
		}
		if !p.take(':') {
			return errJSON
		}
		raw, err := p.value()
		if err != nil {
			return err
		}
		if at, ok := s.index[string(key)]; ok {
			if s.vals[at], err = jsonValue(s.fields[at], raw); err != nil {
				return fmt.Errorf("field %q: %s %w", key, raw, err)
			}
		}
		if p.take('}') {
			return p.end()
		}
		if !p.take(',') {
			return errJSON
		}
	}
}

// jsonValue reads the JSON form of a value.
func jsonValue(f row.Field, raw []byte) (v codec.Value, err error) {
	if string(raw) == "null" {
		return codec.Value{Null: true}, nil
	}
	text := raw
	if raw[0] == '"' {
		if text, err = unquote(raw); err != nil {
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

// unquote reads a JSON string; the common one has no escape.
func unquote(raw []byte) ([]byte, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return []byte(s), err
}

// jsonScanner splits a JSON text into its top-level values without reading
// them.
type jsonScanner struct{ b []byte }

func (p *jsonScanner) space() {
	for len(p.b) > 0 && (p.b[0] == ' ' || p.b[0] == '\t' || p.b[0] == '\n' || p.b[0] == '\r') {
		p.b = p.b[1:]
	}
}

func (p *jsonScanner) take(c byte) bool {
	p.space()
	if len(p.b) == 0 || p.b[0] != c {
		return false
	}
	p.b = p.b[1:]
	return true
}

func (p *jsonScanner) end() error {
	if p.space(); len(p.b) > 0 {
		return errJSON
	}
	return nil
}

// text reads a string and returns what it says.
func (p *jsonScanner) text() ([]byte, error) {
	p.space()
	if len(p.b) == 0 || p.b[0] != '"' {
		return nil, errJSON
	}
	raw, err := p.value()
	if err != nil {
		return nil, err
	}
	return unquote(raw)
}

// value returns the next value as it stands.
func (p *jsonScanner) value() ([]byte, error) {
	p.space()
	depth, i := 0, 0
	for i < len(p.b) {
		switch c := p.b[i]; c {
		case '"':
			end := closing(p.b[i+1:])
			if end < 0 {
				return nil, errJSON
			}
			i += end + 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth < 0 {
				return p.cut(i)
			}
		case ',':
			if depth == 0 {
				return p.cut(i)
			}
		case ':':
			if depth == 0 {
				return p.cut(i)
			}
		}
		i++
	}
	return nil, errJSON
}

func (p *jsonScanner) cut(n int) ([]byte, error) {
	raw := bytes.TrimRight(p.b[:n], " \t\r\n")
	p.b = p.b[n:]
	if len(raw) == 0 || raw[0] == '"' && (len(raw) == 1 || raw[len(raw)-1] != '"') {
		return nil, errJSON
	}
	return raw, nil
}

// closing is where the quote stands that ends the string b is inside of.
func closing(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

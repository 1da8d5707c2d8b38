// Package jsonobject takes the text of one JSON object apart into its members
// without making values of them.
package jsonobject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

var errJSON = errors.New("the line is no JSON object")

// Each goes through the members of an object in order. raw is the member's
// value as it stands. Both are valid as long as text is. It takes some texts
// that are no JSON: who has to know asks json.Valid first.
func Each(text []byte, f func(key, raw []byte) error) error {
	p := scanner{text}
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
		if err := f(key, raw); err != nil {
			return err
		}
		if p.take('}') {
			return p.end()
		}
		if !p.take(',') {
			return errJSON
		}
	}
}

// Unquote is what a JSON string says. Where it says what is no character, such
// as half of a surrogate pair, it is an error.
func Unquote(raw []byte) ([]byte, error) {
	text, err := unquote(raw)
	const instead = "\uFFFD" // of what is no character, for encoding/json
	if n := bytes.Count(text, []byte(instead)); n > 0 && n > bytes.Count(raw, []byte(instead))+bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return nil, fmt.Errorf("the text %.100s holds what is no character", raw)
	}
	return text, err
}

// unquote passes over the common string, which has no escape.
func unquote(raw []byte) ([]byte, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return []byte(s), err
}

// scanner splits a JSON text into its top-level values.
type scanner struct{ b []byte }

func (p *scanner) space() {
	for len(p.b) > 0 && (p.b[0] == ' ' || p.b[0] == '\t' || p.b[0] == '\n' || p.b[0] == '\r') {
		p.b = p.b[1:]
	}
}

func (p *scanner) take(c byte) bool {
	p.space()
	if len(p.b) == 0 || p.b[0] != c {
		return false
	}
	p.b = p.b[1:]
	return true
}

func (p *scanner) end() error {
	if p.space(); len(p.b) > 0 {
		return errJSON
	}
	return nil
}

// text reads a string and returns what it says.
func (p *scanner) text() ([]byte, error) {
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
func (p *scanner) value() ([]byte, error) {
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

func (p *scanner) cut(n int) ([]byte, error) {
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

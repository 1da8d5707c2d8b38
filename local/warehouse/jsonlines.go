package warehouse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
)

// jsonLines copies a stream of JSON values to one value per line and collects the keys of the top-level
// objects on the way. Values may stand one per line, over several lines, side by side, or in one array
// (with strip). It finds where values begin and end; whether they are valid is DuckDB's to say. A value
// broken off by a line break before a new object ends there, so that one bad row does not take the next.
type jsonLines struct {
	out   *bufio.Writer
	strip bool
	keys  map[string]bool

	depth    int
	inString bool
	escaped  bool
	isKey    bool // the string is a key of a top-level object
	wantKey  bool // a key comes next
	object   bool // the top-level value is an object
	inArray  bool // inside the stripped outer array
	bare     bool // inside a top-level value that is no object, array or string
	last     byte // last byte outside strings that is no white space
	newline  bool // a line break came since
	key      []byte
	started  bool
}

func newJSONLines(out *bufio.Writer, strip bool) *jsonLines {
	return &jsonLines{out: out, strip: strip, keys: map[string]bool{}}
}

func (l *jsonLines) copy(in io.Reader) error {
	r := bufio.NewReader(in)
	if bom, _ := r.Peek(3); string(bom) == "\ufeff" {
		r.Discard(3)
	}
	buf := make([]byte, 1<<18)
	for {
		n, err := r.Read(buf)
		l.write(buf[:n])
		if err == io.EOF {
			l.finish()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// finish ends a last value that has no line break after it.
func (l *jsonLines) finish() {
	if l.depth > 0 || l.inString || l.bare {
		l.end()
	}
}

// end closes the line of a value.
func (l *jsonLines) end() {
	l.out.WriteByte('\n')
	l.depth, l.inString, l.escaped, l.isKey, l.bare, l.newline = 0, false, false, false, false, false
}

func (l *jsonLines) write(p []byte) {
	start := 0 // of what is not yet copied
	flush := func(end int) {
		if end > start {
			l.out.Write(p[start:end])
		}
	}
	for i := 0; i < len(p); i++ {
		c := p[i]
		if l.inString {
			if !l.escaped && !l.isKey && c != '"' && c != '\\' && c != '\n' { // skip to what matters
				if j := bytes.IndexAny(p[i:min(i+256, len(p))], "\"\\\n"); j > 0 {
					i += j - 1
				} else if j < 0 {
					i = min(i+256, len(p)) - 1
				}
				continue
			}
			switch {
			case c == '\n': // no string goes over a line: the value is broken
				flush(i)
				start = i + 1
				l.end()
				continue
			case l.escaped:
				l.escaped = false
			case c == '\\':
				l.escaped = true
			case c == '"':
				l.inString = false
				l.last = '"'
				if l.isKey {
					l.addKey()
					l.isKey = false
				}
				if l.depth == 0 {
					flush(i + 1)
					start = i + 1
					l.end()
				}
				continue
			}
			if l.isKey {
				l.key = append(l.key, c)
			}
			continue
		}
		switch c {
		case '\n', '\r', ' ', '\t':
			if c == '\n' {
				if l.bare {
					flush(i)
					l.end()
					start = i + 1
					continue
				}
				l.newline = true
			}
			if c == '\n' || c == '\r' || l.depth == 0 && !l.bare {
				flush(i)
				start = i + 1
				if l.depth > 0 {
					l.out.WriteByte(' ')
				}
			}
			continue
		}
		if l.depth == 0 && !l.bare { // between values
			switch {
			case c == '[' && l.strip && !l.inArray && !l.started:
				l.inArray, l.started = true, true
				start = i + 1
				continue
			case l.inArray && (c == ',' || c == ']'):
				start = i + 1
				continue
			}
			l.started = true
			start = i
			l.object = c == '{'
			l.newline = false
			switch c {
			case '{', '[':
			case '"':
				l.inString = true
				continue
			default:
				l.bare = true
				continue
			}
		} else if l.newline && c == '{' && (l.wantKey || l.last != ':' && l.last != ',' && l.last != '[') { // broken off
			flush(i)
			l.end()
			start = i
			l.object, l.wantKey = true, false
		}
		if l.bare {
			if l.inArray && (c == ',' || c == ']') {
				flush(i)
				l.end()
				start = i + 1
			}
			continue
		}
		l.newline = false
		l.last = c
		switch c {
		case '{', '[':
			l.depth++
			l.wantKey = l.depth == 1 && l.object
		case '}', ']':
			l.depth--
			if l.depth <= 0 {
				flush(i + 1)
				start = i + 1
				l.end()
			}
		case ',':
			l.wantKey = l.depth == 1 && l.object
		case '"':
			l.inString = true
			l.isKey = l.wantKey
			l.wantKey = false
			l.key = l.key[:0]
		}
	}
	flush(len(p))
}

func (l *jsonLines) addKey() {
	if l.keys[string(l.key)] {
		return
	}
	k := string(l.key)
	if bytes.IndexByte(l.key, '\\') >= 0 {
		if json.Unmarshal([]byte(`"`+k+`"`), &k) != nil {
			return
		}
	}
	l.keys[k] = true
}

package spec

import (
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"unicode/utf8"
)

// reads remembers what functions took from outside of the stack's files: every file and environment variable is read
// once, so that a thousand instances see the same, and ConfigHash can name it.
type reads struct {
	mu     sync.Mutex
	files  map[string]fileRead // by absolute path
	env    map[string]string
	getenv func(string) string
}

type fileRead struct {
	text string
	err  error
}

func (r *reads) file(path string) fileRead {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, known := r.files[path]; known {
		return f
	}
	src, err := ReadFile(path)
	f := fileRead{text: string(src), err: err}
	r.files[path] = f
	return f
}

func (r *reads) lookup(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, known := r.env[name]; known {
		return v
	}
	v := r.getenv(name)
	r.env[name] = v
	return v
}

func (r *reads) hashInto(w io.Writer, dir string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, path := range sortedKeys(r.files) {
		name := path
		if rel, err := filepath.Rel(dir, path); err == nil {
			name = rel
		}
		fmt.Fprintf(w, "read %q %t %x\n", name, r.files[path].err == nil, sha256.Sum256([]byte(r.files[path].text)))
	}
	for _, name := range sortedKeys(r.env) {
		fmt.Fprintf(w, "env %q %x\n", name, sha256.Sum256([]byte(r.env[name])))
	}
}

// resolve makes a path that functions were given absolute, from the stack's directory.
func (s *Stack) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(s.Dir, path)
}

func (s *Stack) readText(path string) (string, error) {
	f := s.reads.file(s.resolve(path))
	if f.err != nil {
		hint := ""
		if len(s.modules) > 1 {
			hint = "; in a module write ${path.module}/… for those of its own"
		}
		return "", fmt.Errorf("cannot read %q: %s (relative paths start at the stack's directory%s)", path, reason(f.err), hint)
	}
	if !utf8.ValidString(f.text) {
		return "", fmt.Errorf("%q is not UTF-8 text", path)
	}
	return f.text, nil
}

package main

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// results is standard output. It remembers that something could not be written, so that a full disk does not look like success; a
// reader that has gone away wanted no more.
type results struct {
	*os.File
	mu     sync.Mutex
	failed error // the first
}

// Write implements io.Writer.
func (r *results) Write(b []byte) (int, error) {
	n, err := r.File.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		return len(b), nil
	}
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed == nil {
			r.failed = err
		}
	}
	return n, err
}

// err returns why something could not be written; nil if everything was.
func (r *results) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

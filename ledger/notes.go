package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// note is the path of a note: PATH.NAME beside the ledger.
func (f *File) note(name string) string { return f.path + "." + name }

// Keep implements Notes.
func (f *File) Keep(_ context.Context, name string, text []byte) error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	err := renameio.WriteFile(f.note(name), text, 0o600, renameio.WithTempDir(dir))
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// Kept implements Notes.
func (f *File) Kept(_ context.Context, name string) ([]byte, error) {
	text, err := os.ReadFile(f.note(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was kept as %s: %w", name, err)
	}
	return text, nil
}

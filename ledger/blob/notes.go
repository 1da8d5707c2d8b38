package blob

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// note is the name of a note's blob: KEY.NAME beside the ledger.
func (s *Store) note(name string) string { return s.key + "." + name }

// Keep implements ledger.Notes.
func (s *Store) Keep(ctx context.Context, name string, text []byte) error {
	id := rand.Text()
	_, err := s.upload(ctx, s.timing.state, s.note(name), id, text, nil)
	if bloberror.HasCode(err, bloberror.ContainerNotFound) {
		if err = s.createContainer(ctx); err == nil {
			_, err = s.upload(ctx, s.timing.state, s.note(name), id, text, nil)
		}
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// Kept implements ledger.Notes.
func (s *Store) Kept(ctx context.Context, name string) ([]byte, error) {
	o, err := s.get(ctx, s.note(name))
	if err != nil {
		return nil, fmt.Errorf("read what was kept as %s: %w", name, err)
	}
	if o == nil {
		return nil, nil
	}
	return o.text, nil
}

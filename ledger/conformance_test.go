package ledger_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"mkt/ledger"
	"mkt/ledger/ledgertest"
)

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
		path := filepath.Join(t.TempDir(), "stack.d", "ledger.json")
		name := func(previous bool) string {
			if previous {
				return path + ".prev"
			}
			return path
		}
		return ledgertest.Harness{
			Open: func() ledger.Store { return ledger.NewFile(path) },
			Read: func(previous bool) []byte {
				text, err := os.ReadFile(name(previous))
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				return text
			},
			Write: func(previous bool, text []byte) {
				err := os.Remove(name(previous)) // .prev may be the same file
				if text != nil {
					err = os.WriteFile(name(previous), text, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			},
			Restore: func(e *ledger.DamagedError) error {
				text, err := os.ReadFile(e.Previous)
				if err != nil {
					return err
				}
				return os.WriteFile(e.Where, text, 0o600)
			},
		}
	})
}

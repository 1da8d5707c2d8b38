package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mkt/internal/shell"
	"mkt/ledger"
)

// otherLedger warns where a stack without a ledger finds its objects made already, and a ledger of another name in the same folder has
// them: the ledger is named as the stack is, so a folder that got another name, or is named by its one file, seems to be another stack.
func (s *session) otherLedger(ctx context.Context) hcl.Diagnostics {
	own, inFile := s.store.(*ledger.File)
	if !inFile || s.owned.Serial > 0 {
		return nil
	}
	suffix := ".ledger.json"
	if s.c.local {
		suffix = ".json"
	}
	entries, _ := os.ReadDir(filepath.Dir(own.Path()))
	for _, entry := range entries {
		path := filepath.Join(filepath.Dir(own.Path()), entry.Name())
		if !strings.HasSuffix(path, suffix) {
			continue
		}
		other, err := ledger.NewFile(path).Load(ctx)
		if err != nil || path == own.Path() {
			continue
		}
		known := 0
		for addr := range other.Entries {
			if s.stack.Block(addr) != nil {
				known++
			}
		}
		if known == 0 {
			continue
		}
		return hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "Another ledger in this folder",
			Detail: fmt.Sprintf("This stack is called %q and has no ledger yet. In its folder is the ledger of a stack called %q, which owns objects of %s of these addresses. "+
				"A stack is called like its directory, or like its file where -stack names one. If it is the same stack, name it as before (-stack), or rename the ledger: mv %s %s",
				s.stack.Name, strings.TrimSuffix(filepath.Base(path), suffix), count(known, "block"), shell.Word(path), shell.Word(own.Path()))}}
	}
	return nil
}

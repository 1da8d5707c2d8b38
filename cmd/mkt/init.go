package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mkt/examples"
	"mkt/internal/shell"
	"mkt/render"
	"mkt/spec"
)

// initial is what init writes besides the shipped example: a few rows of it.
//
//go:embed initial
var initial embed.FS

func newInit(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIRECTORY]",
		Short: "Write a stack that runs, to begin with",
		Long: `init writes a stack with its data into a directory, the present one unless another is named: a pipeline from a CSV file to
a table that runs as it is with -local. It overwrites nothing, and adds nothing to a directory that has a stack. Killed
half-way, it is run again.`,
		Args: takes(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			written, err := writeInitial(dir)
			if err != nil {
				return err
			}
			if c.json {
				return render.JSON(c.out, map[string]any{"files": written})
			}
			view := c.view(c.out)
			for _, name := range written {
				view.Printf("%s\n", name)
			}
			where := ""
			if dir != "." {
				where = "cd " + shell.Word(dir) + " && "
			}
			view.Printf("\nTry: %smkt apply -local && mkt stream -local && mkt query -local coverage\n", where)
			return nil
		},
	}
}

// writeInitial writes the first stack into dir and returns the paths of its files, or writes nothing. What an init that was killed has left
// is gone on from: each file is there whole or not at all, and the stack comes last.
func writeInitial(dir string) ([]string, error) {
	stacks, err := spec.Files(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(stacks) > 0 {
		return nil, fmt.Errorf("%s is there already: init writes a stack where there is none", stacks[0])
	}
	texts, all := map[string][]byte{}, []string{}
	missing := []string{}
	for _, f := range []struct {
		from       fs.ReadFileFS
		path, name string
	}{
		{examples.Files, "data/market_data.avsc", "data/market_data.avsc"},
		{initial, "initial/data/prices.csv", "data/prices.csv"},
		{initial, "initial/gitignore", ".gitignore"}, // by its own name it would hold for this repository
		{examples.Files, "stack.hcl", "stack.hcl"},
	} {
		name := filepath.Join(dir, filepath.FromSlash(f.name))
		if texts[name], err = f.from.ReadFile(f.path); err != nil {
			return nil, err
		}
		all = append(all, name)
		switch now, err := os.ReadFile(name); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name)
		case err != nil || !bytes.Equal(now, texts[name]):
			return nil, fmt.Errorf("%s is there already: init overwrites nothing", name)
		}
	}
	for i, name := range missing {
		if err := create(name, texts[name]); err != nil {
			for _, done := range missing[:i] {
				_ = os.Remove(done) // it was written a moment ago, by this
			}
			return nil, err
		}
	}
	return all, nil
}

// create writes a file that must not exist, whole or not at all.
func create(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	half := filepath.Join(filepath.Dir(name), ".mkt-init."+filepath.Base(name)) // one that was killed leaves it to the next
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(half) }()
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = os.Link(half, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(half, name) // a file system without hard links
}

package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mkt/render"
)

// initial is what init writes.
//
//go:embed initial
var initial embed.FS

func newInit(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIRECTORY]",
		Short: "Write a stack that runs, to begin with",
		Long: `init writes a stack with its data into a directory, the present one unless another is named: a pipeline from a CSV file to
a table that runs as it is with -local. It overwrites nothing, and adds nothing to a directory that has a stack.`,
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
				where = "cd " + dir + " && "
			}
			view.Printf("\nTry: %smkt apply -local && mkt stream -local && mkt query -local coverage\n", where)
			return nil
		},
	}
}

// writeInitial writes the first stack into dir and returns the paths of its files, or writes nothing.
func writeInitial(dir string) ([]string, error) {
	stacks, err := filepath.Glob(filepath.Join(dir, "*.hcl"))
	if err != nil {
		return nil, err
	}
	if len(stacks) > 0 {
		return nil, fmt.Errorf("%s is there already: init writes a stack where there is none", stacks[0])
	}
	texts, written := map[string][]byte{}, []string{}
	err = fs.WalkDir(initial, "initial", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(path, "initial/")))
		if filepath.Base(name) == "gitignore" { // by its own name it would hold for this repository
			name = filepath.Join(dir, ".gitignore")
		}
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already: init overwrites nothing", name)
		}
		texts[name], err = initial.ReadFile(path)
		written = append(written, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, name := range written {
		if err := create(name, texts[name]); err != nil {
			for _, done := range written[:i] {
				_ = os.Remove(done) // it was written a moment ago, by this
			}
			return nil, err
		}
	}
	return written, nil
}

// create writes a file that must not exist.
func create(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

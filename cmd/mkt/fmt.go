package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/cobra"

	"mkt/render"
	"mkt/spec"
)

func newFmt(c *cli) *cobra.Command {
	var check, recursive bool
	cmd := &cobra.Command{
		Use:   "fmt [FILE...]",
		Short: "Write stack files in the standard layout",
		Long: `fmt rewrites the stack's files, or those named, in the standard layout and names the ones it changed. With -r it takes the
directories below the stack's as well, where its modules are.`,
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := c.stackFiles(args, recursive)
			if err != nil {
				return err
			}
			changed := []string{}
			for _, name := range files {
				differs, err := c.format(name, check)
				if err != nil {
					return err
				}
				if differs {
					changed = append(changed, name)
					if !c.json {
						fmt.Fprintln(c.out, name)
					}
				}
			}
			if c.json {
				if err := render.JSON(c.out, map[string]any{"changed": changed}); err != nil {
					return err
				}
			}
			if check && len(changed) > 0 {
				return exitError(exitFailed)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit 1 when a file would change")
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "take the directories below as well, but for hidden ones")
	return cmd
}

// stackFiles returns the files named, or the stack's; recursive adds those in the directories below.
func (c *cli) stackFiles(args []string, recursive bool) ([]string, error) {
	switch {
	case len(args) > 0 && recursive:
		return nil, fmt.Errorf("-r takes the stack's directory with all below it: name no files")
	case len(args) > 0:
		return args, nil
	}
	info, err := os.Stat(c.stackPath)
	if err != nil {
		return nil, noStack(c.stackPath, err)
	}
	dir := c.stackPath
	if !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	switch {
	case recursive:
		return filesBelow(dir)
	case !info.IsDir():
		return []string{c.stackPath}, nil
	}
	files, err := spec.Files(c.stackPath)
	return slices.DeleteFunc(files, inJSON), err
}

// inJSON reports whether a file is in the language's JSON syntax, which fmt leaves as it is.
func inJSON(name string) bool { return filepath.Ext(name) == ".json" }

// filesBelow returns the files of the language in a directory and those below it.
func filesBelow(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		hidden := path != dir && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return filepath.SkipDir
		case !d.IsDir() && !hidden && filepath.Ext(path) == ".hcl":
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// format brings one file into the standard layout and tells whether it was in another.
func (c *cli) format(name string, check bool) (bool, error) {
	if inJSON(name) {
		return false, fmt.Errorf("%s is in JSON, which fmt leaves as it is: name .hcl files", name)
	}
	src, err := spec.ReadFile(name)
	if err != nil {
		return false, err
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return false, c.report(diags, map[string]*hcl.File{name: file})
	}
	out := spec.Format(src)
	if bytes.Equal(src, out) || check {
		return !bytes.Equal(src, out), nil
	}
	target, err := filepath.EvalSymlinks(name) // a link stays one
	if err != nil {
		return false, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return false, err
	}
	return true, renameio.WriteFile(target, out, info.Mode().Perm())
}

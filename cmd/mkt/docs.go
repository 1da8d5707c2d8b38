package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"mkt/check"
	"mkt/render"
	"mkt/spec"
)

func newDocs(c *cli) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "docs DIR",
		Short: "Write the reference pages of this version",
		Long: `docs writes one Markdown page per kind of block, and one each for the functions, the checks and the commands, into DIR, from the same descriptions that
mkt itself works by, and the JSON schemas of the language and of what plan -json prints.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds := append(append(resourceKinds(), spec.AppKinds()...), providerKinds()...)
			pages := spec.Reference(kinds)
			language, err := spec.Schema(kinds)
			if err != nil {
				return err
			}
			pages["language.schema.json"] = string(language)
			pages["plan.schema.json"] = render.PlanSchema
			pages["commands.md"] = commandsPage(cmd.Root())
			pages["checks.md"] = check.Reference()
			stale, err := writePages(args[0], pages, dry)
			if err != nil {
				return err
			}
			if c.json {
				if err := render.JSON(c.out, map[string]any{"changed": append([]string{}, stale...)}); err != nil || len(stale) == 0 || !dry {
					return err
				}
				return exitError(exitFailed)
			}
			for _, name := range stale {
				fmt.Fprintln(c.out, name)
			}
			if dry && len(stale) > 0 {
				return fmt.Errorf("%s is not what the code describes: run `make docs`", args[0])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "check", false, "write nothing; exit 1 when a page would change")
	return cmd
}

// elsewhere are the pages that others write: the conformance suites, and what lists licences.
var elsewhere = []string{"conformance.md", "licences.md"}

// writePages makes dir hold just these pages and returns the names of those that differed.
func writePages(dir string, pages map[string]string, dry bool) (stale []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return nil, err
	}
	for _, path := range old {
		if _, keep := pages[filepath.Base(path)]; keep || slices.Contains(elsewhere, filepath.Base(path)) {
			continue
		}
		stale = append(stale, path)
		if !dry {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	for name, text := range pages {
		path := filepath.Join(dir, name)
		present, err := os.ReadFile(path)
		if err == nil && bytes.Equal(present, []byte(text)) {
			continue
		}
		stale = append(stale, path)
		if !dry {
			if err := renameio.WriteFile(path, []byte(text), 0o644); err != nil {
				return nil, err
			}
		}
	}
	sort.Strings(stale)
	return stale, nil
}

// commandsPage describes every command with its flags.
func commandsPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\nExit codes: 0 done, 1 failed, 2 changes present (`-detailed-exitcode`), 3 waiting for a person (`apply`), 130 interrupted. One dash or two: `-json` is `--json`. `MKT_LOG=debug` writes developer logs to stderr.\n\n")
	b.WriteString("Flags of every command:\n\n```\n" + root.PersistentFlags().FlagUsages() + "```\n")
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			text := sub.Long
			if text == "" {
				text = sub.Short + "."
			}
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", sub.UseLine(), strings.TrimSpace(text))
			if flags := sub.LocalNonPersistentFlags().FlagUsages(); flags != "" {
				b.WriteString("\n```\n" + flags + "```\n")
			}
			walk(sub)
		}
	}
	walk(root)
	return b.String()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mkt/render"
)

// cli is what every command needs: streams, environment and the flags common to all.
type cli struct {
	in       io.Reader
	out, err io.Writer // results, and everything else
	getenv   func(string) string
	stopped  context.Context // ends at the second interrupt

	files       map[string]*hcl.File // of the stack, once it is loaded
	stackPath   string
	local       bool
	json        bool
	lines       bool // -json is an object a line, also where it is an error
	noColor     bool
	vars        []string
	varFiles    []string
	parallelism int
}

func newCLI(stopped context.Context) *cli {
	return &cli{in: os.Stdin, out: &results{File: os.Stdout}, err: os.Stderr, getenv: os.Getenv, stopped: stopped}
}

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "mkt",
		Short: "Describe, build and run a market-data pipeline: Kafka, Azure Blob and Snowflake in one file.",
		Long: `mkt keeps a streaming pipeline in one stack file. plan shows what differs between the file and the world,
apply makes it so, stream runs the producers and consumers, query asks the questions and audit proves that no row
was lost or doubled. With -local everything runs on this machine against an embedded stack.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asked, _ := cmd.Flags().GetBool("version"); asked {
				return c.printVersion()
			}
			return group(cmd, args)
		},

		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return c.checkEnv(cmd.Flags().Changed("local")) },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; `%s -help` lists the flags", err, cmd.CommandPath())
	})
	root.SetOut(c.out)
	root.SetErr(c.err)
	local, _ := strconv.ParseBool(c.getenv("MKT_LOCAL"))
	root.Flags().BoolP("version", "v", false, "print the version") // cobra's own is a template, for which the linker keeps every method
	flags := root.PersistentFlags()
	flags.StringVar(&c.stackPath, "stack", envOr(c.getenv, "MKT_STACK", "."), "the stack: a .hcl file or a directory of them")
	flags.BoolVar(&c.local, "local", local, "use the embedded stack, starting it if needed (or set MKT_LOCAL=1)")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	flags.BoolVar(&c.noColor, "no-color", false, "print no colour (or set NO_COLOR)")
	flags.StringArrayVar(&c.vars, "var", nil, "set a variable: name=value; may be repeated")
	flags.StringArrayVar(&c.varFiles, "var-file", nil, "read variables from a file, in HCL or (.json) JSON; may be repeated")
	flags.IntVar(&c.parallelism, "parallelism", 8, "most groups of changes under way at once")

	root.AddGroup(
		&cobra.Group{ID: "main", Title: "The main job:"},
		&cobra.Group{ID: "look", Title: "Looking:"},
		&cobra.Group{ID: "write", Title: "Writing:"},
		&cobra.Group{ID: "machine", Title: "The machine:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add("main", newPlan(c), newApply(c), newStream(c), newQuery(c), newDestroy(c))
	add("look", newStatus(c), newAudit(c), newDLQ(c), newShow(c), newOutput(c), newGraph(c), newDrift(c), newLedger(c))
	add("write", newInit(c), newValidate(c), newFmt(c), newConsole(c), newImport(c), newDocs(c))
	add("machine", newLocal(c), newDoctor(c), newUnlock(c), newVersion(c))
	root.SetHelpCommandGroupID("machine")
	root.SetCompletionCommandGroupID("machine")
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args, cmd.RunE = cobra.ArbitraryArgs, group
		}
	}
	return root
}

// takes allows between least and most arguments.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("wrong number of arguments (%d): write `%s`", len(args), cmd.UseLine())
		}
		return nil
	}
}

// group is what a command does that has only subcommands: help when asked for nothing, an error when asked for one
// that it has not.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	cmd.SuggestionsMinimumDistance = 2
	err := fmt.Errorf("%s has no command %q; `%s -help` lists them", cmd.CommandPath(), args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%s has no command %q; did you mean %s?", cmd.CommandPath(), args[0], strings.Join(near, " or "))
	}
	return err
}

// checkEnv refuses settings of the environment that say nothing: MKT_LOCAL=yes must not be taken for the clouds. The flag -local wins over it.
func (c *cli) checkEnv(localSet bool) error {
	if v := c.getenv("MKT_LOCAL"); v != "" && !localSet {
		if _, err := strconv.ParseBool(v); err != nil {
			return fmt.Errorf("MKT_LOCAL=%q is neither yes nor no: write 1 for the embedded stack, or 0", v)
		}
	}
	var level slog.Level
	if v := c.getenv("MKT_LOG"); v != "" && level.UnmarshalText([]byte(v)) != nil {
		return fmt.Errorf("MKT_LOG=%q is no level: write debug, info, warn or error", v)
	}
	return nil
}

func envOr(getenv func(string) string, name, otherwise string) string {
	if v := getenv(name); v != "" {
		return v
	}
	return otherwise
}

// view returns where people read, with colour and width as the terminal has them.
func (c *cli) view(w io.Writer) *render.View {
	v := &render.View{W: w, Width: 100}
	if r, ok := w.(*results); ok {
		w, v.W = r.File, r
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		v.Terminal = c.getenv("TERM") != "dumb" // which cannot redraw lines
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			v.Width = width
		}
	}
	v.Color = v.Terminal && !c.noColor && c.getenv("NO_COLOR") == ""
	return v
}

// fail reports the error that a command ended with.
func (c *cli) fail(err error) {
	var diags hcl.Diagnostics
	if errors.As(err, &diags) {
		_ = c.report(diags, c.files)
		return
	}
	if c.json {
		_ = render.JSONLine(c.out, map[string]any{"error": err.Error()})
		return
	}
	c.view(c.err).Error(err)
}

// stateDir is where mkt keeps what belongs to a stack on this machine: .mkt beside it.
func stateDir(stackDir string) string { return filepath.Join(stackDir, ".mkt") }

func newVersion(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  takes(0, 0),
		RunE:  func(*cobra.Command, []string) error { return c.printVersion() },
	}
}

func (c *cli) printVersion() error {
	if c.json {
		return render.JSON(c.out, map[string]string{"version": version})
	}
	_, err := fmt.Fprintln(c.out, "mkt", version)
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mkt/render"
	"mkt/spec"
)

func newConsole(c *cli) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Evaluate expressions with the values of the stack",
		Long: `console reads expressions, one a line, and prints what they are: with the variables and local values of the stack, and with
the objects as the systems have them. At a terminal it asks for them and keeps a history; ` + "`exit`" + ` or Ctrl-D ends it. What is
sensitive is not shown. It changes nothing.

  echo 'upper(kafka_topic.market_data.name)' | mkt console`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := c.open(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			var scope *spec.Scope
			if offline {
				scope = s.written()
			} else if scope, err = s.values(ctx); err != nil {
				return err
			}
			return c.console(ctx, scope, s.stack.Files)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "ask no system: what servers compute is not known")
	return cmd
}

// values is the stack's values with the objects as they are. Where they cannot be read, what they compute stays unknown.
func (s *session) values(ctx context.Context) (*spec.Scope, error) {
	p, diags, err := s.plan(ctx, planOptions{look: true})
	if err != nil {
		return nil, err
	}
	if p != nil && p.Scope != nil && !diags.HasErrors() {
		return p.Scope, nil
	}
	if !s.c.json {
		view := s.c.view(s.c.err)
		view.Diagnostics(diags, s.stack.Files)
		view.Printf("Note: the objects are not known as they are; what servers compute is (known after apply).\n")
	}
	return s.written(), nil
}

// written is the stack's values as they are written, what servers compute unknown. A block that is wrong has none: what
// refers to it says why.
func (s *session) written() *spec.Scope {
	scope := s.stack.NewScope()
	for _, b := range s.stack.Order() {
		instances, _ := scope.Instances(b)
		for _, inst := range instances {
			scope.Set(inst.Addr, inst.Value)
		}
	}
	return scope
}

// console evaluates line after line. In a pipe it goes on after an expression that is wrong, and fails at its end.
func (c *cli) console(ctx context.Context, scope *spec.Scope, files map[string]*hcl.File) error {
	if in, ok := c.in.(*os.File); ok && term.IsTerminal(int(in.Fd())) && c.view(c.out).Terminal {
		return c.dialogue(scope, files, in)
	}
	failed := false
	err := eachLine(ctx, c.in, func(line string) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			return
		}
		if err := c.evaluate(c.out, c.err, scope, files, line); err != nil {
			failed = true
		}
	})
	if err != nil {
		return fmt.Errorf("read expressions: %w", err)
	}
	if failed {
		return exitError(exitFailed)
	}
	return nil
}

// dialogue asks for expressions at a terminal.
func (c *cli) dialogue(scope *spec.Scope, files map[string]*hcl.File, in *os.File) error {
	raw, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("open the terminal: %w", err)
	}
	defer func() { _ = term.Restore(int(in.Fd()), raw) }()
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, c.out}, "> ")
	if width, height, err := term.GetSize(int(in.Fd())); err == nil {
		_ = t.SetSize(width, height)
	}
	for {
		line, err := t.ReadLine()
		switch line = strings.TrimSpace(line); {
		case errors.Is(err, io.EOF), line == "exit":
			return nil
		case err != nil:
			return fmt.Errorf("read expressions: %w", err)
		case line != "":
			_ = c.evaluate(t, t, scope, files, line) // it was said, and the next one may be right
		}
	}
}

// evaluate prints the value of an expression, or what is wrong with it.
func (c *cli) evaluate(out, errs io.Writer, scope *spec.Scope, files map[string]*hcl.File, line string) error {
	v, diags := scope.Eval(line)
	view := *c.view(c.err)
	switch {
	case c.json && diags.HasErrors():
		if err := render.JSON(out, map[string]any{"diagnostics": render.DiagnosticsJSON(diags)}); err != nil {
			return err
		}
		return diags
	case c.json:
		return render.ValueJSON(out, v)
	}
	if len(diags) > 0 {
		view.W = errs
		shown := map[string]*hcl.File{"<console>": {Bytes: []byte(line)}}
		for name, f := range files {
			shown[name] = f
		}
		view.Diagnostics(diags, shown)
	}
	if diags.HasErrors() {
		return diags
	}
	view.W = out
	view.Value(v)
	return nil
}

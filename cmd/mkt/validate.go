package main

import (
	"github.com/spf13/cobra"

	"mkt/render"
)

func newValidate(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the stack without asking any system",
		Long: `validate reads the stack and says all that can be told to be wrong with it without asking any system; exit 1 if something is.
With -json it prints one object, whether or not the stack is valid: format_version, valid, error_count, warning_count and
diagnostics, of which each has severity, summary, detail, and where it is about a place, file, line and column.`,
		Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			stack, diags, err := c.read()
			if err != nil {
				return err
			}
			if !diags.HasErrors() {
				diags = append(diags, validateStack(stack)...)
			}
			if c.json {
				if err := render.ValidationJSON(c.out, diags); err != nil || !diags.HasErrors() {
					return err
				}
				return exitError(exitFailed)
			}
			if err := c.report(diags, stack.Files); err != nil {
				return err
			}
			c.view(c.out).Printf("The stack %q is valid: %s.\n", stack.Name, count(len(stack.Blocks()), "block"))
			return nil
		},
	}
}

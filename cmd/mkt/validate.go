package main

import (
	"github.com/spf13/cobra"

	"mkt/render"
)

func newValidate(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the stack without asking any system",
		Args:  takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			stack, err := c.load()
			if err != nil {
				return err
			}
			diags := validateStack(stack)
			if err := c.report(diags, stack.Files); err != nil {
				return err
			}
			if c.json {
				return render.JSON(c.out, map[string]any{"valid": true, "diagnostics": render.DiagnosticsJSON(diags)})
			}
			c.view(c.out).Printf("The stack %q is valid: %s.\n", stack.Name, count(len(stack.Blocks()), "block"))
			return nil
		},
	}
}

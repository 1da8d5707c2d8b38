package main

import (
	"github.com/spf13/cobra"

	"mkt/planner"
	"mkt/render"
)

func newDrift(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "drift",
		Short: "Show what changed outside of mkt; exit 2 if anything did",
		Long: `drift asks every system for what mkt owns and compares it with what mkt applied last, whatever the stack says by now. It
changes nothing. What the stack leaves to the server, or ignores by ignore_changes, is not drift.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := c.open(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			owned, err := s.ledger(ctx)
			if err != nil {
				return err
			}
			all, diags := planner.FindDrift(ctx, planner.Input{
				Stack: s.stack, Ledger: owned, Parallelism: c.parallelism, Providers: s.providerFunc(ctx),
			})
			// What drifted is shown even where something else could not be asked.
			if c.json {
				if err := render.JSON(c.out, render.NewDriftJSON(all, render.DiagnosticsJSON(diags))); err != nil {
					return err
				}
			} else {
				if len(all) > 0 || !diags.HasErrors() {
					c.view(c.out).Drift(all)
				}
				c.view(c.err).Diagnostics(diags, s.stack.Files)
			}
			switch {
			case diags.HasErrors():
				return exitError(exitFailed)
			case len(all) > 0:
				return exitError(exitChanges)
			}
			return nil
		},
	}
}

package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"mkt/planner"
	"mkt/render"
	"mkt/spec"
)

func newShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "show [ADDRESS]",
		Short: "Show what is really there, as the systems report it",
		Args:  takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, p, err := c.openPlan(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			changes := slices.Clone(p.Changes)
			for _, d := range p.Data {
				changes = append(changes, &planner.Change{Addr: d.Addr, Kind: d.Kind, Action: planner.NoOp, ID: d.ID, Before: d.Value, After: d.Value, Sensitive: d.Sensitive})
			}
			if len(args) == 1 {
				addr, ok := spec.ParseTarget(args[0])
				if !ok {
					return fmt.Errorf("%q is no address; write kafka_topic.prices", args[0])
				}
				changes = slices.DeleteFunc(changes, func(change *planner.Change) bool { return !addr.Covers(change.Addr) })
				if len(changes) == 0 {
					return fmt.Errorf("neither the stack nor the ledger has %s", addr)
				}
			}
			if c.json {
				return render.JSON(c.out, render.ObjectsJSON(changes))
			}
			c.view(c.out).Objects(changes)
			return nil
		},
	}
}

func newOutput(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "output [NAME]",
		Short: "Print the stack's outputs, or one of them bare for scripts",
		Args:  takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, p, err := c.openPlan(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if len(args) == 0 {
				if c.json {
					return render.JSON(c.out, render.OutputsJSON(p.Outputs))
				}
				c.view(c.out).Outputs(p.Outputs)
				return nil
			}
			for _, o := range p.Outputs {
				if o.Name == args[0] && o.Action != planner.Delete {
					return render.Output(c.out, o, c.json)
				}
			}
			return fmt.Errorf("the stack has no output %q", args[0])
		},
	}
}

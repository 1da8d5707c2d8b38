package main

import (
	"github.com/spf13/cobra"

	"mkt/render"
)

func newGraph(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "graph",
		Short: "Print the dependencies between blocks in Graphviz' language",
		Args:  takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			stack, err := c.load()
			if err != nil {
				return err
			}
			if c.json {
				return render.JSON(c.out, render.GraphJSON(stack))
			}
			return render.Graph(c.out, stack)
		},
	}
}

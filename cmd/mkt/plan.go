package main

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"mkt/internal/shell"
	"mkt/planner"
	"mkt/render"
)

func newPlan(c *cli) *cobra.Command {
	var o planOptions
	var out, format string
	var detailed bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change",
		Long: `plan reads the stack, asks every system what is there, and shows what would be created, changed in place,
replaced or deleted. It changes nothing.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case format == "json":
				c.json = true
			case format != "text" && format != "markdown":
				return fmt.Errorf("-format %q is none: write text, markdown or json", format)
			case c.json && cmd.Flags().Changed("format"):
				return fmt.Errorf("-json and -format %s are two ways to print one plan: write one of them", format)
			}
			s, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			p, diags, err := s.plan(cmd.Context(), o)
			if err != nil {
				return err
			}
			if out != "" && !diags.HasErrors() { // first: -json prints one object, the plan or why it was not saved
				if err := planner.Save(out, p); err != nil {
					return err
				}
			}
			if format == "markdown" && !diags.HasErrors() {
				err = render.PlanMarkdown(c.out, p, diags)
			} else {
				err = c.showPlan(s, p, diags)
			}
			if err != nil {
				return err
			}
			if out != "" {
				given := ""
				if len(c.vars)+len(c.varFiles) > 0 {
					given = ", with the same -var and -var-file,"
				}
				c.view(c.err).Printf("Saved to %s. `mkt apply %s`%s does just this, or refuses if anything changed meanwhile.\n", out, shell.Word(out), given)
			}
			if detailed && !p.Empty() {
				return exitError(exitChanges)
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&o.targets, "target", nil, "plan only this address and what it depends on; may be repeated")
	cmd.Flags().StringArrayVar(&o.adopt, "adopt", nil, "take over the object that this address describes and that exists already; may be repeated")
	cmd.Flags().BoolVar(&o.destroy, "destroy", false, "plan the removal of everything that the stack owns")
	o.replaceFlag(cmd)
	o.allowFlag(cmd)
	cmd.Flags().StringVar(&out, "out", "", "save the plan to a file for apply")
	cmd.Flags().StringVar(&format, "format", "text", "text, markdown (for a pull request) or json, which is -json")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there is something to do")
	return cmd
}

// replaceFlag adds the flag that names what is made again.
func (o *planOptions) replaceFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.replace, "replace", nil, "replace the object of this address although nothing in it differs; may be repeated")
}

// allowFlag adds the flag that names what may be lost.
func (o *planOptions) allowFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.allow, "allow-destroy", nil,
		"agree to the loss of what this address holds, if the plan deletes or replaces it; \"all\" for every address; may be repeated")
}

// showPlan prints a plan with its diagnostics; a plan with errors is not shown, and the error is an exitError.
func (c *cli) showPlan(s *session, p *planner.Plan, diags hcl.Diagnostics) error {
	if c.json && !diags.HasErrors() {
		return render.JSON(c.out, render.NewPlanJSON(p, diags))
	}
	if err := c.report(diags, s.stack.Files); err != nil {
		return err
	}
	c.view(c.out).Plan(p)
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"mkt/planner"
	"mkt/render"
)

// applyOptions are the flags of apply and destroy.
type applyOptions struct {
	planOptions
	approve     bool
	lockTimeout time.Duration
}

func newApply(c *cli) *cobra.Command {
	var o applyOptions
	cmd := &cobra.Command{
		Use:   "apply [FILE]",
		Short: "Make the world what the stack says",
		Long: `apply plans, shows the plan, asks, and does it. With FILE, written by plan -out, it does exactly what was shown then,
without asking, and refuses when the stack or the world has changed since. No value is in that file: variables are given
again, as to plan. apply may be interrupted or killed at any moment: run again, it goes on from there.

Some changes need a person elsewhere first, as the consent that Snowflake's notification integration must be given in
Azure. apply says what to do, makes all other changes, and ends with exit code 3; run it again afterwards. Otherwise the
exit code is 0 when all is done, 1 when something failed, and 130 when it was interrupted.`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.lines = true
			if len(args) == 1 {
				if len(o.targets)+len(o.adopt)+len(o.replace) > 0 {
					return errors.New("a saved plan says itself what is changed, replaced and taken over: leave -target, -replace and -adopt out, or plan again with them")
				}
				var err error
				if o.saved, err = planner.LoadSaved(args[0]); err != nil {
					return err
				}
				o.approve = true
			}
			return c.change(cmd.Context(), "apply", o)
		},
	}
	o.register(cmd)
	cmd.Flags().StringArrayVar(&o.targets, "target", nil, "change only this address and what it depends on; may be repeated")
	cmd.Flags().StringArrayVar(&o.adopt, "adopt", nil, "take over the object that this address describes and that exists already; may be repeated")
	o.replaceFlag(cmd)
	return cmd
}

func newDestroy(c *cli) *cobra.Command {
	o := applyOptions{planOptions: planOptions{destroy: true}}
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Delete everything that the stack owns",
		Long: `destroy shows what would be deleted and what is lost with it, and asks. With -auto-approve nobody sees that, so what
holds data has to be named: -allow-destroy=ADDRESS, or -allow-destroy=all.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.lines = true
			return c.change(cmd.Context(), "destroy", o)
		},
	}
	o.register(cmd)
	cmd.Flags().StringArrayVar(&o.targets, "target", nil, "delete only this address and what depends on it; may be repeated")
	return cmd
}

func (o *applyOptions) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.approve, "auto-approve", false, "do not ask")
	o.allowFlag(cmd)
	cmd.Flags().DurationVar(&o.lockTimeout, "lock-timeout", 0, "how long to wait while another process holds the ledger")
}

// change plans and applies under the ledger's lock.
func (c *cli) change(ctx context.Context, operation string, o applyOptions) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	lock, err := s.lock(ctx, operation, o.lockTimeout)
	if err != nil {
		return err
	}
	defer c.unlock(lock)
	s.recovers = true
	p, diags, err := s.plan(ctx, o.planOptions)
	if err != nil {
		return err
	}
	warnings := s.recovered() // that of -json
	if c.json {
		if diags.HasErrors() {
			return c.report(diags, s.stack.Files)
		}
	} else if err := c.showPlan(s, p, diags); err != nil {
		return err
	}
	if p.Empty() {
		return c.unchanged(ctx, s, p, warnings)
	}
	// Who is shown what destroy destroys and says yes to it has agreed to the loss. An apply has other things to do as
	// well, and a yes to those is none to a loss that may go unnoticed.
	agreed := o.destroy && !o.approve
	if diags := p.RefuseLoss(); len(diags) > 0 && !agreed {
		return c.report(diags, s.stack.Files)
	}
	if !o.approve {
		if err := c.ask(ctx, operation); err != nil {
			return err
		}
	}
	if err := s.checkWriters(ctx, p); err != nil {
		return err
	}
	return c.apply(ctx, s, p, lock.Lost(), agreed, warnings)
}

// unchanged is change where there is nothing to do but to make a recovered ledger whole.
func (c *cli) unchanged(ctx context.Context, s *session, p *planner.Plan, warnings hcl.Diagnostics) error {
	saved, err := s.saveRecovered(ctx, p.Complete())
	if err != nil {
		return err
	}
	if c.json {
		return render.ApplyReportJSON(c.out, &planner.Report{Outputs: p.Outputs}, render.DiagnosticsJSON(warnings))
	}
	if saved {
		c.view(c.out).Printf("The ledger is whole again, at serial %d.\n", s.owned.Serial)
	}
	c.view(c.out).Outputs(p.Outputs)
	return nil
}

// apply does what the plan says and prints how it went.
func (c *cli) apply(ctx context.Context, s *session, p *planner.Plan, lost <-chan struct{}, lossAgreed bool, warnings hcl.Diagnostics) error {
	v := c.view(c.out)
	signal.Ignore(syscall.SIGPIPE) // who stops to read what is printed must not stop it half-way
	defer signal.Reset(syscall.SIGPIPE)
	report, diags := planner.Apply(ctx, p, planner.ApplyOptions{
		Ledger: s.store, Lost: lost, Hard: c.stopped, LossAgreed: lossAgreed, Parallelism: c.parallelism,
		Events: func(e planner.Event) {
			if c.json {
				_ = render.ApplyEventJSON(c.out, e)
				return
			}
			v.ApplyEvent(e)
		},
	})
	if c.json {
		if err := render.ApplyReportJSON(c.out, report, render.DiagnosticsJSON(append(warnings, diags...))); err != nil {
			return err
		}
	} else {
		v.ApplyReport(report, p.Destroy)
		c.view(c.err).Diagnostics(diags, s.stack.Files)
		if !diags.HasErrors() {
			v.Outputs(report.Outputs)
		}
	}
	switch {
	case diags.HasErrors():
		return exitError(exitFailed)
	case report.Interrupted:
		return exitError(exitInterrupted)
	case len(report.Waiting()) > 0:
		return exitError(exitWaiting)
	}
	return nil
}

// ask wants "yes" before anything is changed. Without a person to ask it refuses.
func (c *cli) ask(ctx context.Context, operation string) error {
	if c.json {
		if operation == "forget" {
			return errors.New("forget -json cannot ask: add -auto-approve")
		}
		return fmt.Errorf("%s -json cannot ask: add -auto-approve, or apply a saved plan", operation)
	}
	switch yes, err := c.yes(ctx, "\nDo you want to %s this?", operation); {
	case errors.Is(err, errNobody):
		if operation == "forget" {
			return fmt.Errorf("%w: forget needs a terminal or -auto-approve", err)
		}
		return fmt.Errorf("%w: %s needs a terminal, -auto-approve or a saved plan", err, operation)
	case err != nil:
		return fmt.Errorf("%w, nothing was changed", err)
	case !yes:
		return errors.New("not approved, nothing was changed")
	}
	return nil
}

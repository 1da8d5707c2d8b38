package planner

import (
	"context"

	"golang.org/x/sync/errgroup"

	"mkt/providers"
)

// dryRun asks the systems that can tell whether they would take what is to be created or altered in place, one call per
// kind. What a system refuses as invalid is an error of the plan. What it does not answer, or not to this user, only apply
// finds out.
func (p *planning) dryRun(ctx context.Context) {
	groups := map[string][]*Change{}
	var kinds []string
	for _, c := range p.plan.Changes {
		if c.Action != Create && c.Action != Update || c.ID == "" {
			continue
		}
		if groups[c.Kind.Name] == nil {
			kinds = append(kinds, c.Kind.Name)
		}
		groups[c.Kind.Name] = append(groups[c.Kind.Name], c)
	}
	answers := make([][]error, len(kinds))
	var g errgroup.Group
	g.SetLimit(p.in.Parallelism)
	for n, kind := range kinds {
		changes := groups[kind]
		runner, ok := p.systems.resource(changes[0].Kind).(providers.DryRunner)
		if !ok {
			continue
		}
		g.Go(func() error {
			requests := make([]providers.Change, len(changes))
			for i, c := range changes {
				requests[i] = c.contract(c.After)
			}
			answers[n] = runner.DryRun(ctx, requests)
			return nil
		})
	}
	_ = g.Wait()
	for n, kind := range kinds {
		for i, err := range answers[n] {
			if i < len(groups[kind]) && providers.CodeOf(err) == providers.Invalid {
				c := groups[kind][i]
				p.failed.add(c.Addr, blame(c.inst, c.Range, err), "Would be refused", sentence(err))
			}
		}
	}
}

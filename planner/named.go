package planner

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"mkt/spec"
)

// named are addresses that a person gave: of instances, of blocks, or of modules with all that is in them.
type named struct {
	exact   map[spec.Addr]bool
	modules []spec.Addr // those that are in a module, or are one
}

func newNamed(addrs []spec.Addr) named {
	n := named{exact: addrSet(addrs)}
	for _, a := range addrs {
		if a.Module != "" {
			n.modules = append(n.modules, a)
		}
	}
	return n
}

// cover reports whether one of the addresses is about addr.
func (n named) cover(addr spec.Addr) bool {
	return n.exact[addr] || n.exact[addr.Block()] || slices.ContainsFunc(n.modules, func(a spec.Addr) bool { return a.Covers(addr) })
}

// checkNamed marks what destroys data without being named. That a kind may hold data is enough, empty or not: what has to be
// named must not depend on the moment.
func (p *planning) checkNamed() {
	allowed := newNamed(p.in.AllowDestroy)
	for _, c := range p.plan.Changes {
		destroyed := c.Kind.HoldsData && (c.Action == Delete || c.Action == Replace)
		if !destroyed && (c.Action != Update || c.Loss == "") {
			continue
		}
		removed := c.inst == nil && !p.in.Destroy && p.removedBy(c.Addr) != nil
		c.Unnamed = !removed && !p.in.AllowDestroyAll && !allowed.cover(c.Addr)
	}
}

// Unnamed returns the addresses that destroy data and have to be named, in the plan's order.
func (p *Plan) Unnamed() (addrs []spec.Addr) {
	for _, c := range p.Changes {
		if c.Unnamed {
			addrs = append(addrs, c.Addr)
		}
	}
	return addrs
}

// RefuseLoss says why the plan is not applied as it is: it destroys data that nobody has named. Empty where there is none.
func (p *Plan) RefuseLoss() (diags hcl.Diagnostics) {
	for _, c := range p.Changes {
		if !c.Unnamed {
			continue
		}
		loss := "whatever it holds by then"
		if c.Loss != "" {
			loss = c.Loss
		}
		verb := map[Action]string{Delete: "deletes", Replace: "replaces", Update: "changes"}[c.Action]
		all := ""
		if p.Destroy {
			all = " (or -allow-destroy=all)"
		}
		diags = append(diags, failureAt(c.Range, "Data would be lost",
			"The plan %s %s, and with it is lost: %s. To agree to that, name it: -allow-destroy='%s'%s. Nothing was changed.",
			verb, c.Addr, loss, c.Addr, all))
	}
	return diags
}

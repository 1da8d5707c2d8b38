package main

import (
	"context"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"mkt/check"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/kafka"
	"mkt/providers/snowflake"
)

// What the checks across systems ask the servers. A plan does not fail for an answer that does not come: the check that
// needs it says nothing then.

// facts asks everything that the checks of a plan can use.
func (s *session) facts(ctx context.Context, p *planner.Plan, in *check.Input) {
	ctx, cancel := context.WithTimeout(ctx, appTimeout)
	defer cancel()
	in.Facts.Topics = topics(p)
	in.Facts.Subjects = s.histories(ctx, p)
	named := check.Named(*in)
	in.Facts.Exists = s.exist(ctx, named)
	for _, c := range p.Changes {
		if exist := in.Facts.Exists[c.Kind.Name]; c.Action == planner.Delete && exist[c.ID] {
			exist[c.ID] = false // it is named by what would be left without it
		}
	}
	in.Facts.Privileges = s.privileges(ctx, in.Facts.Exists)
	in.Facts.Delegated = s.delegated(ctx, p)
	if !s.c.local { // the embedded stack has neither tenants nor regions
		in.Facts.Tenant = s.c.getenv("AZURE_TENANT_ID")
		in.Facts.Region, in.Facts.Accounts = s.regions(ctx, p)
	}
}

// delegated says whether the tokens of the plan's stages would be signed without the storage account's key.
func (s *session) delegated(ctx context.Context, p *planner.Plan) bool {
	if !slices.ContainsFunc(p.Changes, func(c *planner.Change) bool { return c.Kind == snowflake.Stage }) {
		return false
	}
	conn, err := s.azure(ctx)
	return err == nil && conn.Delegates()
}

// histories reads the registry's versions of the subjects that the plan changes.
func (s *session) histories(ctx context.Context, p *planner.Plan) map[string]check.SubjectFacts {
	found := map[string]check.SubjectFacts{}
	for _, c := range p.Changes {
		if c.Kind.Name != kafka.Subject.Name || c.Action != planner.Update || c.ID == "" {
			continue
		}
		more := map[string]int{}
		if refs := c.After.GetAttr("reference"); refs.IsWhollyKnown() && !refs.IsNull() {
			for _, ref := range refs.AsValueSlice() {
				if v := ref.GetAttr("version"); !v.IsNull() {
					n, _ := v.AsBigFloat().Int64()
					more[ref.GetAttr("subject").AsString()] = int(n)
				}
			}
		}
		if provider, ok := s.asked(ctx, kafka.Config.Name).(*kafka.Provider); ok {
			if h, err := provider.History(ctx, c.ID, more); err == nil {
				found[c.ID] = check.SubjectFacts{Compatibility: h.Level, Versions: h.Versions, Types: h.Types}
			}
		}
	}
	return found
}

// asked is the provider of a system, nil where it cannot be had.
func (s *session) asked(ctx context.Context, system string) providers.Provider {
	p, err := s.provider(ctx, system)
	if err != nil {
		return nil
	}
	return p
}

// privileges asks for the grants on what exists, and the stack names without describing it.
func (s *session) privileges(ctx context.Context, exist map[string]map[string]bool) map[string]map[string][]string {
	found := map[string]map[string][]string{}
	for kind, ids := range exist {
		for id, there := range ids {
			provider, ok := s.asked(ctx, s.stack.Kind(kind).System).(*snowflake.Provider)
			if !there || !ok {
				continue
			}
			if list, err := provider.Privileges(ctx, kind, id); err == nil {
				if found[kind] == nil {
					found[kind] = map[string][]string{}
				}
				found[kind][id] = list
			}
		}
	}
	return found
}

// regions asks where the Snowflake account is, and the storage accounts of the containers that are to be made. What
// exists was looked at when it was made.
func (s *session) regions(ctx context.Context, p *planner.Plan) (warehouse string, accounts map[string]string) {
	var names []string
	loads := false
	for _, c := range p.Changes {
		loads = loads || c.Kind.Name == "snowflake_stage" && c.Action == planner.Create
		if c.Kind.Name == "azure_container" && c.After != cty.NilVal {
			if v := c.After.GetAttr("account"); v.IsKnown() && !v.IsNull() && !slices.Contains(names, v.AsString()) {
				names = append(names, v.AsString())
			}
		}
	}
	provider, ok := s.asked(ctx, "snowflake").(*snowflake.Provider)
	if !loads || len(names) == 0 || !ok {
		return "", nil
	}
	conn, err := s.azure(ctx)
	if err != nil {
		return "", nil
	}
	accounts = map[string]string{}
	for _, name := range names {
		if at, err := conn.Location(ctx, name); err == nil {
			accounts[name] = at
		}
	}
	if len(accounts) > 0 {
		warehouse, err = provider.Region(ctx)
	}
	if err != nil {
		return "", nil
	}
	return warehouse, accounts
}

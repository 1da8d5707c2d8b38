package planner

import (
	"context"

	"github.com/hashicorp/hcl/v2"
)

type applying struct{}

func newApply(p *Plan, opts ApplyOptions) *applying { return &applying{} }

func (a *applying) run(ctx context.Context) (*Report, hcl.Diagnostics) { return &Report{}, nil }

package render

import _ "embed"

// PlanSchema is the JSON schema (2020-12) of what `mkt plan -json` prints: PlanJSON, or diagnostics alone.
//
//go:embed plan.schema.json
var PlanSchema string

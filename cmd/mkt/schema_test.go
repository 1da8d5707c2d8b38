package main

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"mkt/render"
)

// cmdConforms holds the last output against the schema of plans.
func cmdConforms(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 0, "conforms")
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(render.PlanSchema))
	ts.Check(err)
	c := jsonschema.NewCompiler()
	ts.Check(c.AddResource("plan.json", doc))
	schema, err := c.Compile("plan.json")
	ts.Check(err)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile("stdout")))
	ts.Check(err)
	ts.Check(schema.Validate(v))
}

package kafka

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/avro"
	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Subject describes schema_subject.
var Subject = &spec.Kind{
	Name:   "schema_subject",
	System: "kafka",
	Doc:    "A subject of the schema registry: the versions of one schema, and how they may follow each other.",
	Example: `schema_subject "market_data" {
  name          = "market_data-value"
  schema        = jsonencode({ type = "record", name = "Row", fields = [{ name = "Index", type = "string" }] })
  compatibility = "BACKWARD"
}
`,
	Attrs: []spec.Attr{
		{
			Name: "name", Type: cty.String, Label: true,
			Doc:    "The subject's name; for the values of a topic, `TOPIC-value`. The block's label by default.",
			Check:  checkSubjectName,
			Change: spec.Replaced("a subject cannot be renamed"),
		},
		{
			Name: "format", Type: cty.String, Default: cty.StringVal("AVRO"),
			Doc:    "The schema's language. `AVRO` is the only one.",
			Check:  oneOf("AVRO"),
			Change: spec.Replaced("the versions of a subject are all of one format"),
		},
		{
			Name: "schema", Type: cty.String, Required: true,
			Doc: "The schema as JSON. A change registers a new version, if the compatibility level allows it. Whether a text is a change is " +
				"for the registry to say: white space and order of attributes are none.",
			Check:  checkSchemaJSON,
			Norm:   normSchema,
			Change: spec.Updated,
		},
		{
			Name: "compatibility", Type: cty.String, Optional: true, Computed: true,
			Doc: "What a new version must be compatible with: `NONE`, `BACKWARD`, `BACKWARD_TRANSITIVE`, `FORWARD`, `FORWARD_TRANSITIVE`, `FULL` or " +
				"`FULL_TRANSITIVE`. The registry's own level when absent.",
			Check:  oneOfAnyCase("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"),
			Norm:   upper,
			Change: spec.Updated,
		},
		{
			Name: "mode", Type: cty.String, Optional: true, Computed: true,
			Doc:    "`READWRITE`, `READONLY` or `READONLY_OVERRIDE`. The registry's own mode when absent.",
			Check:  oneOfAnyCase("READWRITE", "READONLY", "READONLY_OVERRIDE"),
			Norm:   upper,
			Change: spec.Updated,
		},
		{
			Name: "normalize", Type: cty.Bool, Optional: true, Computed: true,
			Doc:    "Whether the registry brings schemas into normal form before it compares and keeps them. The registry's own setting when absent.",
			Change: spec.Updated,
		},
		{
			Name: "deletion", Type: cty.String, Default: cty.StringVal("soft"),
			Doc:    "What a delete does: `soft` keeps the versions readable by id, so that old records can be decoded; `hard` removes them for good.",
			Check:  oneOf("soft", "hard"),
			Change: spec.Updated,
		},
		{Name: "id", Type: cty.Number, Computed: true, Follows: []string{"schema", "reference"}, Doc: "The id of the latest schema, as records carry it."},
		{Name: "version", Type: cty.Number, Computed: true, Follows: []string{"schema", "reference"}, Doc: "The number of the latest version."},
	},
	Blocks: []spec.Nested{{
		Name: "reference", Label: "name",
		Doc: "A named type that the schema uses and another subject defines; the label is the type's full name.",
		Attrs: []spec.Attr{
			{Name: "name", Type: cty.String, Doc: "Full name of the type, as the schema writes it."},
			{Name: "subject", Type: cty.String, Required: true, Refs: []string{"schema_subject"}, Doc: "The subject that defines it."},
			{Name: "version", Type: cty.Number, Required: true, Check: atLeast(1), Doc: "The subject's version, such as `schema_subject.row.version`."},
		},
		Change: spec.Updated,
	}},
	ID: func(v cty.Value) string {
		if name := v.GetAttr("name"); name.IsKnown() && !name.IsNull() {
			return name.AsString()
		}
		return ""
	},
	Check: checkSubject,
}

func checkSubjectName(v cty.Value) error {
	if name := v.AsString(); name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q is no subject name", name)
	}
	return nil
}

func checkSchemaJSON(v cty.Value) error {
	var any any
	if err := json.Unmarshal([]byte(v.AsString()), &any); err != nil {
		return fmt.Errorf("is not JSON: %w", err)
	}
	return nil
}

// checkSubject parses the schema where it stands alone; with references only
// the registry can.
func checkSubject(v cty.Value) []spec.Problem {
	schema, refs := v.GetAttr("schema"), v.GetAttr("reference")
	if !schema.IsKnown() || schema.IsNull() || !refs.IsKnown() || !refs.IsNull() && refs.LengthInt() > 0 {
		return nil
	}
	if _, err := avro.Parse(schema.AsString()); err != nil && checkSchemaJSON(schema) == nil {
		detail := fmt.Sprintf("%v.", err)
		if strings.Contains(detail, "unknown type") {
			detail += " A type that another subject defines needs a reference block."
		}
		return []spec.Problem{{Path: cty.GetAttrPath("schema"), Summary: "Not an Avro schema", Detail: detail}}
	}
	return nil
}

// normSchema writes the JSON without white space and with its attributes in
// order of name.
func normSchema(v cty.Value) cty.Value {
	d := json.NewDecoder(strings.NewReader(v.AsString()))
	d.UseNumber()
	var schema any
	if err := d.Decode(&schema); err != nil || d.More() {
		return v
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(schema); err != nil {
		return v
	}
	return cty.StringVal(strings.TrimSuffix(text.String(), "\n"))
}

func upper(v cty.Value) cty.Value { return cty.StringVal(strings.ToUpper(v.AsString())) }

func oneOfAnyCase(values ...string) func(cty.Value) error {
	check := oneOf(values...)
	return func(v cty.Value) error { return check(upper(v)) }
}

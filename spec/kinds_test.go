package spec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// The kinds of these tests look like the real ones, as far as the language can tell.
func testKinds() []*Kind {
	id := func(v cty.Value) string {
		if name := v.GetAttr("name"); name.IsKnown() && !name.IsNull() {
			return name.AsString()
		}
		return ""
	}
	lower := func(v cty.Value) cty.Value { return cty.StringVal(strings.ToLower(v.AsString())) }
	return []*Kind{
		{
			Name: "kafka_topic", System: "kafka", Doc: "A topic.", ID: id,
			Example: "kafka_topic \"prices\" {\n  partitions = 6\n}\n",
			Attrs: []Attr{
				{Name: "name", Type: cty.String, Label: true, Doc: "The topic's name.", Change: Replaced("a topic cannot be renamed"),
					Check: func(v cty.Value) error {
						if strings.ContainsAny(v.AsString(), " /") {
							return fmt.Errorf("%q holds characters that a topic's name cannot have", v.AsString())
						}
						return nil
					}},
				{Name: "partitions", Type: cty.Number, Default: cty.NumberIntVal(1), Check: AtLeast(1), Doc: "How many partitions.",
					Change: func(before, after cty.Value) Verdict {
						if after.IsKnown() && after.LessThan(before).True() {
							return Verdict{Act: Refuse, Why: "partitions cannot be removed"}
						}
						return Verdict{Act: InPlace}
					}},
				{Name: "config", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String), Doc: "Settings.", Change: Updated},
				{Name: "id", Type: cty.String, Computed: true, Doc: "The topic's id."},
			},
			Check: func(v cty.Value) (problems []Problem) {
				config := v.GetAttr("config")
				if !config.IsKnown() || config.IsNull() {
					return nil
				}
				for it := config.ElementIterator(); it.Next(); {
					key, value := it.Element()
					if !strings.Contains(key.AsString(), ".") {
						problems = append(problems, Problem{Path: cty.GetAttrPath("config").Index(key), Summary: "Unknown topic setting",
							Detail: fmt.Sprintf("No topic setting is called %q (value %#v).", key.AsString(), value)})
					}
				}
				return problems
			},
		},
		{
			Name: "schema_subject", System: "kafka", Doc: "A subject.", ID: id,
			Attrs: []Attr{
				{Name: "name", Type: cty.String, Label: true, Doc: "The subject's name.", Change: Replaced("it names it")},
				{Name: "schema", Type: cty.String, Required: true, Doc: "The schema's text.", Change: Updated},
				{Name: "version", Type: cty.Number, Computed: true, Doc: "The version."},
			},
		},
		{
			Name: "azure_container", System: "azure", Doc: "A container.", ID: id,
			Attrs: []Attr{
				{Name: "name", Type: cty.String, Label: true, Norm: lower, Doc: "The container's name.", Change: Replaced("it names it")},
				{Name: "token", Type: cty.String, Secret: true, Doc: "A token."},
				{Name: "url", Type: cty.String, Computed: true, Optional: true, Doc: "Its URL."},
			},
		},
		{
			Name: "snowflake_table", System: "snowflake", Doc: "A table.", ID: id, HoldsData: true,
			Attrs: []Attr{
				{Name: "name", Type: cty.String, Label: true, Doc: "The table's name.", Change: Replaced("it names it")},
				{Name: "topic", Type: cty.String, Refs: []string{"kafka_topic", "azure_container"}, Doc: "Where it comes from.", Change: Updated},
				{Name: "comment", Type: cty.String, Doc: "A comment.", Change: Updated},
			},
			Blocks: []Nested{
				{Name: "column", Label: "name", Min: 1, Doc: "A column.", Change: Updated, Attrs: []Attr{
					{Name: "name", Type: cty.String, Doc: "Its name."},
					{Name: "type", Type: cty.String, Required: true, Norm: func(v cty.Value) cty.Value { return cty.StringVal(strings.ToUpper(v.AsString())) },
						Check: OneOf("FLOAT", "DATE", "float"), Doc: "Its type."},
					{Name: "secret", Type: cty.String, Secret: true, Doc: "A masking key."},
				}},
				{Name: "copy", Max: 1, Doc: "A copy.", Attrs: []Attr{{Name: "from", Type: cty.String, Required: true, Doc: "From where."}}},
			},
		},
	}
}

func testProviders() []*Kind {
	return []*Kind{
		{Name: "kafka", Doc: "Kafka.", Attrs: []Attr{
			{Name: "bootstrap_servers", Type: cty.String, Default: cty.StringVal("localhost:9092"), Doc: "Where."},
			{Name: "password", Type: cty.String, Secret: true, Doc: "Password."},
		}, Blocks: []Nested{{Name: "tls", Max: 1, Doc: "TLS.", Attrs: []Attr{{Name: "ca", Type: cty.String, Doc: "CA."}}}}},
		{Name: "azure", Doc: "Azure.", Attrs: []Attr{{Name: "account", Type: cty.String, Required: true, Doc: "The account. Yes."}}},
	}
}

func testOptions() Options {
	return Options{Kinds: testKinds(), App: AppKinds(), Providers: testProviders(), Version: "0.1.0"}
}

// render writes diagnostics as a person sees them, with their excerpts.
func render(s *Stack, diags hcl.Diagnostics, dir string) string {
	var b strings.Builder
	if err := hcl.NewDiagnosticTextWriter(&b, s.Files, 0, false).WriteDiagnostics(diags); err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(b.String(), dir+"/", "")
}

func mustLoad(t testing.TB, src string, change func(*Options)) *Stack {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/main.hcl", src)
	opts := testOptions()
	if change != nil {
		change(&opts)
	}
	s, diags := Load(dir, opts)
	if diags.HasErrors() {
		t.Fatal(render(s, diags, dir))
	}
	return s
}

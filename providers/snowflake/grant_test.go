package snowflake

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

func TestParseGrant(t *testing.T) {
	for in, want := range map[string]string{
		"TABLE MARKET.RAW.PRICES TO ROLE ANALYST":    "",
		`FILE FORMAT market.raw."x y" TO ROLE "a"`:   `FILE FORMAT MARKET.RAW."x y" TO ROLE "a"`,
		"ACCOUNT TO ROLE OPS":                        "",
		`TABLE M.R." TO ROLE X" TO ROLE " TO ROLE "`: "",
		"SCHEMA M.R TO ROLE A":                       "",
		"INTEGRATION AZURE TO ROLE A":                "",
		"ACCOUNT X TO ROLE OPS":                      "!",
		"TABLE M.R TO ROLE A":                        "!",
		"TABLES M.R.T TO ROLE A":                     "!",
		"TABLE M.R.T TO ROLE ":                       "!",
		"TABLE M.R.T":                                "!",
		"TABLE  TO ROLE A":                           "!",
		"":                                           "!",
	} {
		g, err := parseGrant(in)
		switch {
		case want == "!":
			if err == nil {
				t.Errorf("%q was taken as %s", in, g)
			}
		case err != nil:
			t.Errorf("%q: %v", in, err)
		case want == "" && g.String() != in || want != "" && g.String() != want:
			t.Errorf("%q became %q", in, g)
		}
	}
}

func FuzzParseGrant(f *testing.F) {
	f.Add(`TABLE M.R." TO ROLE X" TO ROLE A`)
	f.Add("ACCOUNT TO ROLE A")
	f.Fuzz(func(t *testing.T, id string) {
		g, err := parseGrant(id)
		if err != nil {
			return
		}
		if again, err := parseGrant(g.String()); err != nil || again.String() != g.String() || again.object() != g.object() {
			t.Errorf("%q became %q, and that %v, %v", id, g, again, err)
		}
	})
}

func TestGrantChecks(t *testing.T) {
	for _, p := range []string{"OWNERSHIP", "all", "All Privileges", "IMPORTED PRIVILEGES", "SELECT; DROP", "SELECT, INSERT", ""} {
		if err := checkPrivileges(cty.SetVal([]cty.Value{text(p)})); err == nil {
			t.Errorf("%q was taken", p)
		}
	}
	if err := checkPrivileges(cty.SetVal([]cty.Value{text("create  table"), cty.UnknownVal(cty.String)})); err != nil {
		t.Error(err)
	}
	for _, tc := range []struct {
		attrs object
		want  string
	}{
		{object{"table": text("a.b.c")}, ""},
		{object{"account": cty.True}, ""},
		{object{"account": cty.False, "pipe": cty.UnknownVal(cty.String)}, ""},
		{object{}, "one of account, warehouse"},
		{object{"table": text("a.b.c"), "view": cty.UnknownVal(cty.String)}, "table, view"},
		{object{"account": cty.True, "database": text("a")}, "account, database"},
	} {
		got := checkGrant(tc.attrs.value(Grant.Type()))
		if (len(got) == 0) != (tc.want == "") || len(got) > 0 && !strings.Contains(got[0].Detail, tc.want) {
			t.Errorf("%v: %v, want %q", tc.attrs, got, tc.want)
		}
	}
}

// TestSuffersWithWhatHoldsIt: what a schema or database holds is replaced with it, pipes and streams too.
func TestSuffersWithWhatHoldsIt(t *testing.T) {
	p := New(Connection{}, Options{})
	for _, tc := range []struct {
		kind, attr, ref string
		replaced        bool
		want            spec.Act
	}{
		{"snowflake_table", "schema", "snowflake_schema", true, spec.Replace},
		{"snowflake_table", "schema", "snowflake_database", true, spec.Replace},
		{"snowflake_table", "schema", "snowflake_schema", false, spec.Same},
		{"snowflake_schema", "database", "snowflake_database", true, spec.Replace},
		{"snowflake_view", "schema", "snowflake_schema", true, spec.Replace},
		{"snowflake_task", "schema", "snowflake_schema", true, spec.Replace},
		{"snowflake_task", "warehouse", "snowflake_warehouse", true, spec.Same},
		{"snowflake_stage", "schema", "snowflake_schema", true, spec.Replace},
		{"snowflake_stage", "container", "azure_container", true, spec.Same},
		{"snowflake_pipe", "schema", "snowflake_schema", true, spec.Replace},
		{"snowflake_pipe", "copy", "snowflake_schema", true, spec.Same},
		{"snowflake_stream", "schema", "snowflake_schema", true, spec.Replace},
		{"snowflake_stream", "table", "snowflake_schema", true, spec.Same},
	} {
		got := p.Resource(tc.kind).(providers.Dependent).Suffers(cty.NilVal, []providers.RefChange{{Path: cty.GetAttrPath(tc.attr), Kind: tc.ref, Replaced: tc.replaced}})
		if got.Act != tc.want {
			t.Errorf("%v: %v", tc, got)
		}
	}
}

// TestGrantSuffers: what its object is in takes the grant with it, and what the object only names does not.
func TestGrantSuffers(t *testing.T) {
	for _, tc := range []struct {
		attr, kind string
		replaced   bool
		want       spec.Act
	}{
		{"table", "snowflake_table", true, spec.Replace},
		{"table", "snowflake_table", false, spec.Same},
		{"table", "snowflake_schema", true, spec.Replace},
		{"stage", "azure_container", true, spec.Same},
		{"pipe", "snowflake_stage", true, spec.Same},
	} {
		got := (&grants{}).Suffers(cty.NilVal, []providers.RefChange{{Path: cty.GetAttrPath(tc.attr), Kind: tc.kind, Replaced: tc.replaced}})
		if got.Act != tc.want {
			t.Errorf("%v: %v", tc, got)
		}
	}
}

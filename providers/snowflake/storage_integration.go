package snowflake

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// StorageIntegration describes snowflake_storage_integration.
var StorageIntegration = &spec.Kind{
	Name: "snowflake_storage_integration", System: System,
	Doc: "Lets stages read Azure containers without a token. After it is made, a tenant's administrator opens `consent_url` once and accepts, and the " +
		"service principal `app_name` gets the role *Storage Blob Data Reader* on the containers.",
	Example: `snowflake_storage_integration "azure" {
  tenant_id         = "00000000-0000-0000-0000-000000000000"
  allowed_locations = ["azure://myaccount.blob.core.windows.net/market-data/"]
}
`,
	ID: idOf(""), Namespace: "snowflake integration",
	Attrs: append(nameAttrs("Name of the integration.", "", "", ""),
		spec.Attr{Name: "tenant_id", Type: cty.String, Required: true, Doc: "Azure tenant of the storage accounts.",
			Check: checkTenant, Norm: func(v cty.Value) cty.Value { return text(strings.ToLower(v.AsString())) },
			Change: spec.Replaced("an integration stays with its tenant; consent must be given again")},
		spec.Attr{Name: "allowed_locations", Type: cty.Set(cty.String), Required: true,
			Doc:   "Containers, or folders in them, that stages may name: `azure://ACCOUNT.blob.core.windows.net/CONTAINER/PATH/`, the URL of a container, or `*` for all.",
			Check: checkLocations(1), Norm: normLocations, Change: spec.Updated},
		spec.Attr{Name: "blocked_locations", Type: cty.Set(cty.String), Default: cty.SetValEmpty(cty.String),
			Doc:   "Locations below the allowed ones that stages may not name.",
			Check: checkLocations(0), Norm: normLocations, Change: spec.Updated},
		spec.Attr{Name: "enabled", Type: cty.Bool, Default: cty.True, Doc: "Whether stages may use it.", Change: spec.Updated},
		spec.Attr{Name: "consent_url", Type: cty.String, Computed: true, Follows: []string{"name", "tenant_id"}, Doc: "Where an administrator of the tenant gives consent."},
		spec.Attr{Name: "app_name", Type: cty.String, Computed: true, Follows: []string{"name", "tenant_id"}, Doc: "Snowflake's application in the tenant, to which the containers must be opened."},
		commentAttr(),
	),
}

var storageIntegrationKind = &kind{spec: StorageIntegration, noun: "STORAGE INTEGRATION", plural: "STORAGE INTEGRATIONS",
	read: func(ctx context.Context, p *Provider, n Name, r row, _ map[string]string) (object, error) {
		rows, err := p.client.query(ctx, "DESCRIBE INTEGRATION "+n.SQL())
		if err != nil {
			return nil, err
		}
		v := properties(rows, "")
		return object{"tenant_id": text(v["AZURE_TENANT_ID"]), "enabled": cty.BoolVal(truth(r["enabled"])),
			"allowed_locations": locations(v["STORAGE_ALLOWED_LOCATIONS"]), "blocked_locations": locations(v["STORAGE_BLOCKED_LOCATIONS"]),
			"consent_url": orNull(v["AZURE_CONSENT_URL"]), "app_name": orNull(v["AZURE_MULTI_TENANT_APP_NAME"])}, nil
	},
	create: func(n Name, o object) []string {
		s := "CREATE STORAGE INTEGRATION " + n.SQL() + " TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = AZURE ENABLED = " + boolean(o.boolean("enabled")) +
			" AZURE_TENANT_ID = " + literal(o.str("tenant_id")) + " STORAGE_ALLOWED_LOCATIONS = " + literals(o["allowed_locations"])
		if o["blocked_locations"].LengthInt() > 0 {
			s += " STORAGE_BLOCKED_LOCATIONS = " + literals(o["blocked_locations"])
		}
		return []string{s + setComment(o)}
	},
	update: func(n Name, before, after object) []string {
		var set, out []string
		if before.differs(after, "enabled") {
			set = append(set, "ENABLED = "+boolean(after.boolean("enabled")))
		}
		if before.differs(after, "allowed_locations") {
			set = append(set, "STORAGE_ALLOWED_LOCATIONS = "+literals(after["allowed_locations"]))
		}
		if before.differs(after, "blocked_locations") {
			if after["blocked_locations"].LengthInt() > 0 {
				set = append(set, "STORAGE_BLOCKED_LOCATIONS = "+literals(after["blocked_locations"]))
			} else {
				out = append(out, "ALTER STORAGE INTEGRATION "+n.SQL()+" UNSET STORAGE_BLOCKED_LOCATIONS")
			}
		}
		if before.differs(after, "comment") {
			set = append(set, "COMMENT = "+literal(after.str("comment")))
		}
		if set != nil {
			out = append(out, "ALTER STORAGE INTEGRATION "+n.SQL()+" SET "+strings.Join(set, " "))
		}
		return out
	},
}

// literals writes a set of texts as SQL: ('a', 'b').
func literals(v cty.Value) string {
	var out []string
	for _, e := range v.AsValueSlice() {
		out = append(out, literal(e.AsString()))
	}
	slices.Sort(out)
	return "(" + strings.Join(out, ", ") + ")"
}

// locations reads a list as DESCRIBE writes it: a,b.
func locations(s string) cty.Value {
	var out []cty.Value
	for _, l := range strings.Split(strings.Trim(s, "[]"), ",") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, text(l))
		}
	}
	if out == nil {
		return cty.SetValEmpty(cty.String)
	}
	return normLocations(cty.SetVal(out))
}

// parseLocation reads a container or a folder of one and writes it as Snowflake does: azure://ACCOUNT.blob.core.windows.net/CONTAINER/PATH/.
func parseLocation(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Scheme != "azure" && u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("%q is no location: write azure://ACCOUNT.blob.core.windows.net/CONTAINER/PATH/", s)
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	keep := 1 // the container
	if _, _, domain := strings.Cut(u.Hostname(), "."); !domain || strings.Trim(u.Hostname(), "0123456789.") == "" {
		keep = 2 // account and container
	}
	if len(parts) < keep || parts[keep-1] == "" {
		return "", fmt.Errorf("%q names no container: write azure://ACCOUNT.blob.core.windows.net/CONTAINER/PATH/", s)
	}
	base := normStorageURL("blob")(text(u.Scheme + "://" + u.Host + "/" + strings.Join(parts[:keep], "/"))).AsString()
	return "azure" + strings.TrimPrefix(base, "https") + "/" + strings.Join(append(parts[keep:], ""), "/"), nil
}

func checkLocations(atLeast int) func(cty.Value) error {
	return func(v cty.Value) error {
		if v.IsKnown() && v.LengthInt() < atLeast {
			return fmt.Errorf("name at least one location")
		}
		for _, e := range v.AsValueSlice() {
			if e.IsKnown() && !e.IsNull() {
				if _, err := parseLocation(e.AsString()); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func normLocations(v cty.Value) cty.Value {
	if !v.IsWhollyKnown() || v.IsNull() || v.LengthInt() == 0 {
		return v
	}
	var out []cty.Value
	for _, e := range v.AsValueSlice() {
		if l, err := parseLocation(e.AsString()); err == nil {
			e = text(l)
		}
		out = append(out, e)
	}
	return cty.SetVal(out)
}

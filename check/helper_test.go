package check_test

import "github.com/zclconf/go-cty/cty"

// completed fills in what providers know of an object: its URL, and a token's end.
func completed(v cty.Value) cty.Value {
	attrs := v.AsValueMap()
	service := "blob"
	if _, isQueue := attrs["metadata"]; isQueue && attrs["access"] == cty.NilVal {
		service = "queue"
	}
	if u, ok := attrs["url"]; ok && u.Type() == cty.String && !u.IsKnown() && attrs["metadata"] != cty.NilVal {
		attrs["account"] = cty.StringVal("mktlocal")
		attrs["url"] = cty.StringVal("https://mktlocal." + service + ".core.windows.net/" + attrs["name"].AsString())
	}
	if _, ok := attrs["sas_expires_at"]; ok {
		attrs["sas_expires_at"] = cty.StringVal("2026-01-01T12:00:00Z")
	}
	return cty.ObjectVal(attrs)
}

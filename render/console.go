package render

import (
	"encoding/json"
	"io"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"mkt/spec"
)

// Value writes what an expression is, as the language writes it and in full.
func (v *View) Value(o spec.OutputValue) {
	switch {
	case o.Sensitive:
		v.Printf("%s\n", sensitive)
	case !o.Value.IsWhollyKnown():
		v.Printf("%s\n", value(o.Value))
	default:
		v.Printf("%s\n", hclwrite.Format(hclwrite.TokensForValue(o.Value).Bytes()))
	}
}

// ValueJSON writes it as JSON; what is sensitive or not known yet is null.
func ValueJSON(w io.Writer, o spec.OutputValue) error {
	out := struct {
		Value     json.RawMessage `json:"value"`
		Sensitive bool            `json:"sensitive,omitempty"`
		Unknown   bool            `json:"unknown,omitempty"`
	}{Value: json.RawMessage("null"), Sensitive: o.Sensitive}
	if !o.Sensitive {
		raw, known := jsonValue(o.Value)
		if raw != nil {
			out.Value = raw
		}
		out.Unknown = !known
	}
	return JSON(w, out)
}

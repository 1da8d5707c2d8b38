package render

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"mkt/planner"
)

const (
	afterApply = "(known after apply)"
	sensitive  = "(sensitive)"
	longText   = 72 // characters of a text that are shown
)

// value writes a cty value as the language would, on one line. Long texts are cut: a plan is read, not copied from.
func value(v cty.Value) string {
	switch {
	case v == cty.NilVal:
		return "(none)"
	case !v.IsKnown():
		return afterApply
	case v.IsNull():
		return "null"
	}
	t := v.Type()
	switch {
	case t == cty.String:
		return quote(v.AsString())
	case t == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case t == cty.Bool:
		return strconv.FormatBool(v.True())
	case t.IsListType(), t.IsSetType(), t.IsTupleType():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			parts = append(parts, value(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case t.IsMapType(), t.IsObjectType():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if t.IsObjectType() && e.IsKnown() && e.IsNull() {
				continue
			}
			parts = append(parts, key(k.AsString())+" = "+value(e))
		}
		if len(parts) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	return t.FriendlyName()
}

func quote(s string) string {
	if runes := []rune(s); len(runes) > longText {
		return strconv.Quote(string(runes[:longText])) + "… (" + humanize.Bytes(uint64(len(s))) + ")"
	}
	return strconv.Quote(s)
}

// key writes a map key, quoted unless it is an identifier.
func key(k string) string {
	for i, r := range k {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return strconv.Quote(k)
		}
	}
	if k == "" {
		return `""`
	}
	return k
}

// path writes where a value is: config["retention.ms"], column["Open"].type.
func path(p cty.Path) string { return planner.PathText(p) }

// jsonValue returns a value in its JSON form, and whether all of it is known; unknown parts are null.
func jsonValue(v cty.Value) (raw json.RawMessage, known bool) {
	if v == cty.NilVal {
		return nil, true
	}
	known = v.IsWhollyKnown()
	if !known {
		v, _ = cty.Transform(v, func(_ cty.Path, e cty.Value) (cty.Value, error) {
			if !e.IsKnown() {
				return cty.NullVal(e.Type()), nil
			}
			return e, nil
		})
	}
	raw, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return nil, known
	}
	return raw, known
}

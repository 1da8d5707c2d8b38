package spec

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// The functions of lists that Terraform has and cty has not, or has otherwise.
var (
	allTrueFunc = truths(cty.True, stdlib.And)
	anyTrueFunc = truths(cty.False, stdlib.Or)
)

// truths folds a list of truths, of which null is not one.
func truths(of cty.Value, with func(a, b cty.Value) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			out := of
			for _, v := range args[0].AsValueSlice() {
				if v.IsNull() {
					v = cty.False
				}
				var err error
				if out, err = with(out, v); err != nil {
					return cty.NilVal, err
				}
			}
			return out, nil
		},
	})
}

var sumFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Number)}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		all := args[0].AsValueSlice()
		if len(all) == 0 {
			return cty.NilVal, function.NewArgErrorf(0, "there is nothing to add up")
		}
		out := cty.Zero
		for i, v := range all {
			if v.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "element %d is null", i)
			}
			out = out.Add(v)
		}
		return out, nil
	},
})

var oneFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		switch ty := args[0].Type(); {
		case ty.IsListType() || ty.IsSetType():
			return ty.ElementType(), nil
		case ty.IsTupleType() && ty.Length() == 0:
			return cty.DynamicPseudoType, nil
		case ty.IsTupleType():
			return ty.TupleElementType(0), nil
		}
		return cty.NilType, function.NewArgErrorf(0, "a list or a set is needed")
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		if n := args[0].Length(); !n.IsKnown() {
			return cty.UnknownVal(ty), nil
		}
		switch all := args[0].AsValueSlice(); len(all) {
		case 0:
			return cty.NullVal(ty), nil
		case 1:
			return all[0], nil
		default:
			return cty.NilVal, function.NewArgErrorf(0, "it has %d elements, and one or none is needed", len(all))
		}
	},
})

// coalesceFunc passes over empty texts, as Terraform's does and cty's does not.
var coalesceFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "vals", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true, AllowNull: true},
	Type:     stdlib.CoalesceFunc.ReturnTypeForValues,
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		for _, arg := range args {
			switch v, err := convert.Convert(arg, ty); {
			case !arg.IsKnown():
				return cty.UnknownVal(ty), nil
			case err != nil:
				return cty.NilVal, err
			case !v.IsNull() && !v.RawEquals(cty.StringVal("")):
				return v, nil
			}
		}
		return cty.NilVal, errors.New("no argument is other than null and the empty text")
	},
})

// descriptions are those of the functions that do not come with one.
var descriptions = map[string]string{
	"alltrue":      "Returns whether all elements of a list are true, as they are where it has none.",
	"anytrue":      "Returns whether an element of a list is true.",
	"base64decode": "Returns the text whose base64 form is given.",
	"base64encode": "Returns the base64 form of a text.",
	"basename":     "Returns the last part of a path.",
	"can":          "Returns whether an expression has a value, rather than an error.",
	"coalesce":     "Returns the first argument that is neither null nor an empty text.",
	"dirname":      "Returns a path without its last part.",
	"endswith":     "Returns whether a text ends with another one.",
	"env":          "Returns an environment variable, or the default where it is not set.",
	"file":         "Returns the text of a file. A relative path starts at the stack's directory.",
	"fileexists":   "Returns whether there is a file at a path.",
	"fileset":      "Returns the files of a directory whose names match a pattern with `*`, `?`, `[a-z]`, `{a,b}` and, for folders of any depth, `**`.",
	"length":       "Returns how many characters a text has, or how many elements anything else.",
	"nonsensitive": "Returns a value that is shown although it comes from a sensitive one.",
	"one":          "Returns the one element of a list or a set, null where it has none. More of them are an error.",
	"replace":      "Replaces a part of a text wherever it is. A part written as `/…/` is a regular expression.",
	"sensitive":    "Returns a value that is not shown.",
	"sha256":       "Returns the SHA-256 of a text in hexadecimal digits.",
	"startswith":   "Returns whether a text begins with another one.",
	"strcontains":  "Returns whether a text is somewhere in another one.",
	"sum":          "Returns the sum of a list of numbers.",
	"templatefile": "Returns what a template in a file gives with the values of an object.",
	"try":          "Returns the value of the first expression that has one, rather than an error.",
	"urlencode":    "Returns a text as it is written in the query of a URL.",
	"yamldecode":   "Returns the value that a text in YAML has.",
	"yamlencode":   "Returns a value in YAML.",
}

// functionsPage describes the functions of the language.
func functionsPage() string {
	var b strings.Builder
	b.WriteString("# Functions\n\nWhat has the name of a function of Terraform's does what that does; `env` is mkt's own. What gives another value each time, such as\n" +
		"`timestamp()` and `uuid()`, is left out: a second plan would never be empty. `mkt console` tries them out.\n\n| Function | What it does |\n|---|---|\n")
	fns := (&Stack{}).newFunctions()
	for _, name := range sortedKeys(fns) {
		fn, params := fns[name], []string{}
		for _, p := range fn.Params() {
			params = append(params, p.Name)
		}
		if p := fn.VarParam(); p != nil {
			params = append(params, p.Name+"...")
		}
		fmt.Fprintf(&b, "| `%s(%s)` | %s |\n", name, strings.Join(params, ", "), strings.ReplaceAll(describe(name, fn), "|", "\\|"))
	}
	return b.String()
}

func describe(name string, fn function.Function) string {
	if own, ok := descriptions[name]; ok {
		return own
	}
	return strings.Join(strings.Fields(fn.Description()), " ")
}

package spec

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable is one declared variable and the value it has in this run.
type variable struct {
	name        string
	rng         hcl.Range
	typ         cty.Type // may have optional attributes
	defaults    *typeexpr.Defaults
	fallback    cty.Value // NilVal: the variable is required
	description string
	sensitive   bool
	nullable    bool
	validations []validation

	value cty.Value // the stack's own variables alone have one for good; marked when sensitive
	from  string
}

type validation struct {
	condition, message hclsyntax.Expression
	rng                hcl.Range
	refs               refs
	broken             bool // refers to what it cannot; reported
}

// Variable is one variable as a person wants to see it. Value is unmarked: do not show it when Sensitive.
type Variable struct {
	Name, Description string
	Type              cty.Type
	Sensitive         bool
	Value             cty.Value
	From              string // "default", "MKT_VAR_x", "-var" or the var file's name
}

// Variables returns the declared variables by name.
func (s *Stack) Variables() []Variable {
	var all []Variable
	for _, name := range sortedKeys(s.top.module.variables) {
		v := s.top.module.variables[name]
		value, _ := v.value.UnmarkDeep()
		all = append(all, Variable{
			Name: v.name, Description: v.description, Type: v.typ.WithoutOptionalAttributesDeep(),
			Sensitive: v.sensitive, Value: value, From: v.from,
		})
	}
	return all
}

func (m *module) addVariable(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	if len(b.Labels) != 1 || !hclsyntax.ValidIdentifier(b.Labels[0]) {
		return hcl.Diagnostics{errorAt(b.DefRange(), "Wrong number of labels", "A variable block has one label, its name: variable \"account\" { … }.")}
	}
	v := &variable{name: b.Labels[0], rng: b.DefRange(), typ: cty.DynamicPseudoType, nullable: true}
	v.value = cty.DynamicVal
	if other := m.variables[v.name]; other != nil {
		return hcl.Diagnostics{errorAt(v.rng, "Duplicate variable", "The variable %q is declared already, at %s.", v.name, place(other.rng))}
	}
	m.variables[v.name] = v

	known := []string{"type", "default", "description", "sensitive", "nullable", "validation"}
	var fallback *hclsyntax.Attribute
	for _, a := range sortedAttributes(b.Body) {
		switch a.Name {
		case "type":
			typ, defaults, more := typeexpr.TypeConstraintWithDefaults(a.Expr)
			diags = append(diags, more...)
			if !more.HasErrors() {
				v.typ, v.defaults = typ, defaults
			}
		case "default":
			fallback = a
		case "description":
			diags = append(diags, literal(a, cty.String, func(c cty.Value) { v.description = c.AsString() })...)
		case "sensitive":
			diags = append(diags, literal(a, cty.Bool, func(c cty.Value) { v.sensitive = c.True() })...)
		case "nullable":
			diags = append(diags, literal(a, cty.Bool, func(c cty.Value) { v.nullable = c.True() })...)
		default:
			diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "A variable has no attribute %q.%s", a.Name, DidYouMean(a.Name, known)))
		}
	}
	if fallback != nil {
		value, more := fallback.Expr.Value(nil)
		switch {
		case more.HasErrors():
			diags = append(diags, errorAt(fallback.Expr.Range(), "Constant expected",
				"A variable's default is a constant: it refers to nothing and calls no function. Use a local value for what is computed."))
			v.fallback = cty.DynamicVal
		default:
			set, err := v.convert(value)
			if err != nil {
				diags = append(diags, errorAt(fallback.Expr.Range(), "Invalid default", "The default does not fit the variable's type: %s.", err))
				set = cty.DynamicVal
			}
			v.fallback = set
		}
	}
	for _, inner := range b.Body.Blocks {
		if inner.Type != "validation" {
			diags = append(diags, errorAt(inner.TypeRange, "Unknown block", "A variable has no block %q.%s", inner.Type, DidYouMean(inner.Type, known)))
			continue
		}
		diags = append(diags, v.addValidation(inner)...)
	}
	return diags
}

func (v *variable) addValidation(b *hclsyntax.Block) (diags hcl.Diagnostics) {
	check := validation{rng: b.DefRange()}
	for _, a := range sortedAttributes(b.Body) {
		switch a.Name {
		case "condition":
			check.condition, check.rng = a.Expr, a.Expr.Range()
		case "error_message":
			check.message = a.Expr
		default:
			diags = append(diags, errorAt(a.NameRange, "Unknown attribute", "A validation has no attribute %q.%s",
				a.Name, DidYouMean(a.Name, []string{"condition", "error_message"})))
		}
	}
	if check.condition == nil || check.message == nil {
		return append(diags, errorAt(b.DefRange(), "Missing attribute", "A validation needs condition and error_message."))
	}
	v.validations = append(v.validations, check)
	return diags
}

// convert makes a value fit the variable: its type, its optional attributes' defaults, its nullability.
func (v *variable) convert(value cty.Value) (cty.Value, error) {
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	value, err := convert.Convert(value, v.typ)
	if err != nil {
		return cty.NilVal, err
	}
	if value.IsNull() && !v.nullable {
		if v.fallback != cty.NilVal && !v.fallback.IsNull() {
			return v.fallback, nil
		}
		return cty.NilVal, fmt.Errorf("null is not allowed")
	}
	return value, nil
}

// setVariables gives each variable its value: default, then MKT_VAR_name, then the var files in order, then -var.
func (m *module) setVariables(opts Options) (diags hcl.Diagnostics) {
	set := func(v *variable, value cty.Value, rng hcl.Range, from string) {
		converted, err := v.convert(value)
		if err != nil {
			diags = append(diags, errorAt(rng, "Invalid value for variable", "The value of %q, from %s, does not fit the variable: %s.", v.name, from, err))
			converted = cty.UnknownVal(v.typ.WithoutOptionalAttributesDeep())
		}
		v.value, v.from = converted, from
	}
	for _, name := range sortedKeys(m.variables) {
		v := m.variables[name]
		if v.fallback != cty.NilVal {
			v.value, v.from = v.fallback, "default"
		}
		if raw := m.stack.reads.getenv("MKT_VAR_" + name); raw != "" {
			value, more := v.parse(raw, "MKT_VAR_"+name)
			diags = append(diags, more...)
			set(v, value, v.rng, "MKT_VAR_"+name)
		}
	}
	for _, file := range opts.VarFiles {
		attrs, parsing := m.stack.varFile(file)
		diags = append(diags, parsing...)
		for _, a := range attrs {
			v := m.variables[a.Name]
			if v == nil {
				diags = append(diags, warningAt(a.NameRange, "Value for an unknown variable",
					"The stack declares no variable %q, so this value is not used.%s", a.Name, DidYouMean(a.Name, sortedKeys(m.variables))))
				continue
			}
			value, more := a.Expr.Value(nil)
			if more.HasErrors() {
				diags = append(diags, errorAt(a.Expr.Range(), "Constant expected", "The values in a var file are constants: they refer to nothing and call no function."))
				value = cty.DynamicVal
			}
			if parsing.HasErrors() {
				value = cty.DynamicVal // what is left of a broken file says nothing more
			}
			set(v, value, a.Expr.Range(), file)
		}
	}
	for _, name := range sortedKeys(opts.Vars) {
		v := m.variables[name]
		if v == nil {
			diags = append(diags, errorNowhere("Value for an unknown variable",
				"-var sets %q, but the stack declares no such variable.%s", name, DidYouMean(name, sortedKeys(m.variables))))
			continue
		}
		value, more := v.parse(opts.Vars[name], "-var")
		diags = append(diags, more...)
		set(v, value, v.rng, "-var")
	}
	for _, name := range sortedKeys(m.variables) {
		v := m.variables[name]
		if v.from == "" {
			diags = append(diags, errorAt(v.rng, "No value for variable",
				"The variable %q has no default. Give it a value with -var '%s=…', in a file named by -var-file, or as MKT_VAR_%s in the environment.", name, name, name))
			v.value = cty.UnknownVal(v.typ.WithoutOptionalAttributesDeep())
		}
		if v.sensitive {
			v.value = v.value.Mark(sensitive)
		}
	}
	diags = append(diags, m.checkValidations()...)
	for _, name := range sortedKeys(m.variables) {
		v := m.variables[name]
		for _, check := range v.validations {
			ctx := m.stack.functions.NewChild()
			ctx.Variables = m.constants(check.refs)
			diags = append(diags, check.hold(ctx, v.rng, "The value comes from "+v.from+".")...)
		}
	}
	return diags
}

// varFile returns the attributes of a var file by their places: in HCL, or where its name ends with .json the members of a JSON object, whose
// texts are no templates.
func (s *Stack) varFile(name string) (attrs []*hcl.Attribute, diags hcl.Diagnostics) {
	if strings.HasSuffix(name, ".json") {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, hcl.Diagnostics{errorNowhere("Var file not readable", "The file %q cannot be read: %s.", name, reason(err))}
		}
		s.Files[name] = &hcl.File{Bytes: src}
		file, diags := json.Parse(src, name)
		if diags.HasErrors() {
			return nil, diags
		}
		members, diags := file.Body.JustAttributes()
		for _, name := range sortedKeys(members) {
			attrs = append(attrs, members[name])
		}
		sort.SliceStable(attrs, func(i, j int) bool { return attrs[i].Range.Start.Byte < attrs[j].Range.Start.Byte })
		return attrs, diags
	}
	body, diags := s.parseFile(name, "Var file not readable", os.ReadFile) // which may be a shell's <(…)
	if body == nil {
		return nil, diags
	}
	for _, b := range body.Blocks {
		diags = append(diags, errorAt(b.DefRange(), "Unknown block", "A var file holds attributes only: write %s = { … } with an equals sign.", b.Type))
	}
	for _, a := range sortedAttributes(body) {
		attrs = append(attrs, a.AsHCLAttribute())
	}
	return attrs, diags
}

// parse reads a value given as text: plain text for strings, numbers and bools, an HCL expression for anything else.
func (v *variable) parse(raw, from string) (cty.Value, hcl.Diagnostics) {
	if v.typ.IsPrimitiveType() || v.typ == cty.DynamicPseudoType && !looksLikeExpression(raw) {
		return cty.StringVal(raw), nil
	}
	failed := hcl.Diagnostics{errorAt(v.rng, "Invalid value for variable",
		"The value of %q, from %s, is not a constant expression of the language. Lists are written [\"a\", \"b\"] and maps {k = \"v\"}; mind the shell's quotes.", v.name, from)}
	expr, diags := hclsyntax.ParseExpression([]byte(raw), from, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.DynamicVal, failed
	}
	value, diags := expr.Value(nil)
	if diags.HasErrors() {
		return cty.DynamicVal, failed
	}
	return value, nil
}

func looksLikeExpression(raw string) bool {
	return len(raw) > 0 && (raw[0] == '[' || raw[0] == '{' || raw[0] == '"')
}

// checkValidations collects what the validations of a module's variables refer to: variables of the same module.
func (m *module) checkValidations() (diags hcl.Diagnostics) {
	for _, name := range sortedKeys(m.variables) {
		v := m.variables[name]
		for i := range v.validations {
			check := &v.validations[i]
			c := &collector{module: m, within: within{owner: "a variable's validation"}}
			c.expr(check.condition, nil)
			c.expr(check.message, nil)
			for _, local := range sortedKeys(c.locals) {
				c.diags = append(c.diags, errorAt(check.rng, "Reference not possible here", "A validation can refer to variables only, not to local.%s.", local))
			}
			check.broken, diags = c.diags.HasErrors(), append(diags, c.diags...)
			check.refs = c.refs()
		}
	}
	return diags
}

// hold reports a value, given at rng, that the validation refuses. What depends on unknown values is not refused.
func (check *validation) hold(ctx *hcl.EvalContext, rng hcl.Range, from string) hcl.Diagnostics {
	if check.broken {
		return nil
	}
	result, diags := check.condition.Value(ctx)
	failed := diags.HasErrors()
	diags = evaluated(diags)
	result, _ = result.UnmarkDeep()
	if failed || !result.IsKnown() {
		return diags
	}
	if ok, err := convert.Convert(result, cty.Bool); err != nil || ok.IsNull() {
		diags = append(diags, errorAt(check.rng, "Invalid validation", "The condition of a validation is true or false."))
	} else if ok.False() {
		message, more := check.message.Value(ctx)
		diags = append(diags, evaluated(more)...)
		if more.HasErrors() {
			return diags
		}
		text, more := messageText(message, check.message.Range())
		if diags = append(diags, more...); !more.HasErrors() {
			diags = append(diags, errorAt(rng, "Variable refused by its validation", "%s (%s)", text, from))
		}
	}
	return diags
}

// constants are the values of the stack's own files that need no scope: variables and the paths.
func (m *module) constants(r refs) map[string]cty.Value {
	values := map[string]cty.Value{}
	if len(r.vars) > 0 {
		vars := make(map[string]cty.Value, len(r.vars))
		for _, name := range r.vars {
			vars[name] = m.variables[name].value
		}
		values["var"] = cty.ObjectVal(vars)
	}
	if r.path {
		values["path"] = m.paths()
	}
	return values
}

func (m *module) paths() cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"stack": cty.StringVal(m.stack.Dir), "module": cty.StringVal(m.dir)})
}

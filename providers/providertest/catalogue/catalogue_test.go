// Package catalogue holds what mkt promises of every change: which ones alter an object, which make another one of it, and
// which are refused. The table is in table_test.go. Each of its lines is held to the kind's description, and to a case of the
// kind's conformance suite that plans and applies the same change on a server.
package catalogue

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers/azure"
	"mkt/providers/kafka"
	"mkt/providers/snowflake"
	"mkt/spec"
)

// line is one change of the table.
type line struct {
	kind   *spec.Kind
	change string // in words

	attr          string    // the attribute or block that says it
	before, after cty.Value // two of its values, in normal form
	want          spec.Act

	cases string // the case of the conformance suite that does it; "" where no stack can say it
}

// lists are the fields of providertest.Suite whose cases prove an effect.
var lists = map[spec.Act]string{spec.InPlace: "InPlace", spec.Replace: "Replacements", spec.Refuse: "Refused", spec.Same: "Unchanged"}

func TestEveryChange(t *testing.T) {
	proofs := map[string]map[string][]string{}
	for _, system := range []string{"kafka", "azure", "snowflake"} {
		for kind, found := range casesOf(t, filepath.Join("..", "..", system)) {
			proofs[system+"."+kind] = found
		}
	}
	for _, l := range table {
		t.Run(l.kind.Name+"/"+l.change, func(t *testing.T) {
			if got := effect(t, l); got != l.want {
				t.Errorf("%s is described as %s, and has to be %s", l.attr, lists[got], lists[l.want])
			}
			if l.cases == "" {
				return
			}
			found := proofs[l.kind.System+"."+goName(l.kind)][lists[l.want]]
			if !slices.Contains(found, l.cases) {
				t.Errorf("no case %q among the suite's %s: %q", l.cases, lists[l.want], found)
			}
		})
	}
}

// Whatever a user can write in a block has a line, so that a new attribute is not forgotten here.
func TestEveryAttribute(t *testing.T) {
	for _, kind := range slices.Concat(kafka.Kinds(), azure.Kinds(), snowflake.Kinds()) {
		var writable []string
		for _, a := range kind.Attrs {
			if !a.Computed || a.Optional {
				writable = append(writable, a.Name)
			}
		}
		for _, b := range kind.Blocks {
			writable = append(writable, b.Name)
		}
		for _, name := range writable {
			if !slices.ContainsFunc(table, func(l line) bool { return l.kind == kind && l.attr == name }) {
				t.Errorf("%s.%s: no line of the table says what a change of it does", kind.Name, name)
			}
		}
	}
}

func effect(t *testing.T, l line) spec.Act {
	t.Helper()
	if a := l.kind.Attr(l.attr); a != nil && a.Change != nil {
		return a.Change(l.before, l.after).Act
	}
	for _, b := range l.kind.Blocks {
		if b.Name == l.attr && b.Change != nil {
			return b.Change(l.before, l.after).Act
		}
	}
	t.Fatalf("%s has no %s whose change means something", l.kind.Name, l.attr)
	return spec.Same
}

// goName is how the provider's package calls a kind.
func goName(kind *spec.Kind) string {
	for name, k := range map[string]*spec.Kind{
		"Topic": kafka.Topic, "ACL": kafka.ACL, "Quota": kafka.Quota, "Subject": kafka.Subject,
		"Container": azure.Container, "Queue": azure.Queue, "EventSubscription": azure.EventSubscription, "LifecyclePolicy": azure.LifecyclePolicy, "RoleAssignment": azure.RoleAssignment,
		"Warehouse": snowflake.Warehouse, "Database": snowflake.Database, "Schema": snowflake.Schema, "Table": snowflake.Table, "View": snowflake.View,
		"FileFormat": snowflake.FileFormat, "NotificationIntegration": snowflake.NotificationIntegration, "StorageIntegration": snowflake.StorageIntegration, "Stage": snowflake.Stage, "Pipe": snowflake.Pipe,
		"DynamicTable": snowflake.DynamicTable, "Stream": snowflake.Stream, "Task": snowflake.Task, "Grant": snowflake.Grant,
	} {
		if k == kind {
			return name
		}
	}
	return kind.Name
}

// casesOf reads the conformance suites in a provider's tests: kind → field of providertest.Suite → names of the cases.
func casesOf(t *testing.T, dir string) map[string]map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	out := map[string]map[string][]string{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			suite, ok := n.(*ast.CompositeLit)
			if !ok || !isSelector(suite.Type, "Suite") {
				return true
			}
			fields := fieldsOf(suite)
			kind, ok := fields["Kind"].(*ast.SelectorExpr)
			if !ok {
				return true
			}
			cases := out[kind.Sel.Name]
			if cases == nil {
				cases = map[string][]string{}
				out[kind.Sel.Name] = cases
			}
			for _, list := range lists {
				steps, ok := fields[list].(*ast.CompositeLit)
				if !ok {
					continue
				}
				for _, step := range steps.Elts {
					if lit, ok := step.(*ast.CompositeLit); ok {
						if name, ok := fieldsOf(lit)["Name"].(*ast.BasicLit); ok {
							text, _ := strconv.Unquote(name.Value)
							cases[list] = append(cases[list], text)
						}
					}
				}
			}
			return true
		})
	}
	return out
}

func isSelector(e ast.Expr, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && s.Sel.Name == name
}

func fieldsOf(lit *ast.CompositeLit) map[string]ast.Expr {
	fields := map[string]ast.Expr{}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok {
				fields[key.Name] = kv.Value
			}
		}
	}
	return fields
}

// Shorthands of the table.

var (
	yes, no = cty.True, cty.False
	none    = cty.NullVal(cty.String)
)

func s(v string) cty.Value { return cty.StringVal(v) }

func n(v int64) cty.Value { return cty.NumberIntVal(v) }

func set(v ...string) cty.Value {
	var elems []cty.Value
	for _, e := range v {
		elems = append(elems, s(e))
	}
	return cty.SetVal(elems)
}

func list(v ...string) cty.Value {
	var elems []cty.Value
	for _, e := range v {
		elems = append(elems, s(e))
	}
	return cty.ListVal(elems)
}

// pairs is a map: "retention.ms=1".
func pairs(v ...string) cty.Value {
	if len(v) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	m := map[string]cty.Value{}
	for _, e := range v {
		key, value, _ := strings.Cut(e, "=")
		m[key] = s(value)
	}
	return cty.MapVal(m)
}

// cols is a table's columns: "A VARCHAR(10)", with "not null", "default 1", "comment x" or "was B" after commas.
func cols(v ...string) cty.Value {
	var elems []cty.Value
	for _, text := range v {
		parts := strings.Split(text, ", ")
		name, typ, _ := strings.Cut(parts[0], " ")
		col := map[string]cty.Value{"name": s(name), "type": s(typ), "nullable": yes, "default": none, "comment": s(""), "renamed_from": none}
		for _, p := range parts[1:] {
			word, value, _ := strings.Cut(p, " ")
			switch word {
			case "not":
				col["nullable"] = no
			case "default", "comment":
				col[word] = s(value)
			case "was":
				col["renamed_from"] = s(value)
			}
		}
		elems = append(elems, cty.ObjectVal(col))
	}
	return cty.ListVal(elems)
}

// block is a nested block's value with the attributes given; what is not given is null, as in a stack without it.
func block(kind *spec.Kind, name string, attrs map[string]cty.Value) cty.Value {
	for i := range kind.Blocks {
		b := &kind.Blocks[i]
		if b.Name != name {
			continue
		}
		typ := b.Type()
		if typ.IsListType() {
			typ = typ.ElementType()
		}
		parts := map[string]cty.Value{}
		for attr, t := range typ.AttributeTypes() {
			if parts[attr] = cty.NullVal(t); attrs[attr] != cty.NilVal {
				parts[attr] = attrs[attr]
			}
		}
		if b.Max == 1 {
			return cty.ObjectVal(parts)
		}
		return cty.ListVal([]cty.Value{cty.ObjectVal(parts)})
	}
	return cty.DynamicVal
}

package spec

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Reference writes the reference pages from the kinds' descriptions: Markdown by file name, one page for each kind
// ("kafka_topic.md", "provider_kafka.md") the functions, and an index, "README.md". The same kinds give the same pages.
func Reference(kinds []*Kind) map[string]string {
	pages := map[string]string{}
	groups := map[string][]*Kind{}
	for _, k := range kinds {
		pages[pageName(k)] = referencePage(k)
		groups[groupOf(k)] = append(groups[groupOf(k)], k)
	}
	var b strings.Builder
	b.WriteString("# Reference\n\nWritten from the descriptions that mkt itself works by. Do not edit.\n")
	for _, group := range []string{"Resources", "The app", "Providers"} {
		if len(groups[group]) == 0 {
			continue
		}
		sort.Slice(groups[group], func(i, j int) bool { return groups[group][i].Name < groups[group][j].Name })
		fmt.Fprintf(&b, "\n## %s\n\n", group)
		for _, k := range groups[group] {
			fmt.Fprintf(&b, "- [%s](%s): %s\n", titleOf(k), pageName(k), sentence(k.Doc))
		}
	}
	pages["functions.md"] = functionsPage()
	b.WriteString("\n## The language and the commands\n\n" +
		"A stack is written in [HCL](https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md), as Terraform's files are. There, a block that stands on\none line has one attribute at most.\n\n" +
		"- [Functions](functions.md) of its expressions.\n" +
		"- [Checks](checks.md) across systems, which validate and plan ask.\n" +
		"- [Commands](commands.md), with their flags and exit codes.\n")
	b.WriteString("\n## Schemas\n\n" +
		"- [language.schema.json](language.schema.json): the language in its JSON syntax, for editors and for programs that write stacks.\n" +
		"- [plan.schema.json](plan.schema.json): what `mkt plan -json` prints.\n\n" +
		"[How to use them](../how-to/schemas.md).\n")
	pages["README.md"] = b.String()
	return pages
}

func backquoted(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "`" + name + "`"
	}
	return quoted
}

func groupOf(k *Kind) string {
	switch {
	case k.ID != nil:
		return "Resources"
	case k.Name == "producer" || k.Name == "consumer" || k.Name == "query":
		return "The app"
	}
	return "Providers"
}

func titleOf(k *Kind) string {
	if groupOf(k) == "Providers" {
		return "provider \"" + k.Name + "\""
	}
	return k.Name
}

func pageName(k *Kind) string {
	if groupOf(k) == "Providers" {
		return "provider_" + k.Name + ".md"
	}
	return k.Name + ".md"
}

func referencePage(k *Kind) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", titleOf(k), strings.TrimSpace(k.Doc))
	if k.HoldsData {
		b.WriteString("\nIt holds data: the plan says what a delete or a replacement would lose.\n")
	}
	if k.Example != "" {
		fmt.Fprintf(&b, "\n```hcl\n%s\n```\n", strings.TrimSpace(string(hclwrite.Format([]byte(k.Example)))))
	}
	resource := groupOf(k) == "Resources"
	if len(k.Attrs) > 0 {
		b.WriteString("\n## Attributes\n\n")
		attrTable(&b, k.Attrs, resource, "")
	}
	if resource {
		b.WriteString("\nReferences also see `address`, the object's address in the stack. " +
			"`for_each`, `depends_on` and `lifecycle` work as for every resource.\n")
		fmt.Fprintf(&b, "\n`data \"%s\" \"name\" { … }` reads one that exists and is not the stack's, for [references](../how-to/data.md): it takes %s, and everything else is read.\n",
			k.Name, list(backquoted(k.Names())))
	}
	if len(k.Blocks) > 0 {
		b.WriteString("\n## Blocks\n")
		referenceBlocks(&b, k.Blocks, resource, "###")
	}
	return b.String()
}

func referenceBlocks(b *strings.Builder, blocks []Nested, resource bool, level string) {
	for i := range blocks {
		n := &blocks[i]
		fmt.Fprintf(b, "\n%s %s\n\n%s %s", level, header(n), strings.TrimSpace(n.Doc), times(n))
		if change := changeText(n.Change, n.Type()); resource && change != "" {
			fmt.Fprintf(b, " A change: %s.", change)
		}
		b.WriteString("\n\n")
		attrTable(b, n.Attrs, resource && n.Change == nil, n.Label)
		referenceBlocks(b, n.Blocks, resource, level+"#")
	}
}

func times(n *Nested) string {
	switch {
	case n.Min == 1 && n.Max == 1:
		return "Required."
	case n.Max == 1:
		return "Optional."
	case n.Min > 0 && n.Max > 0:
		return fmt.Sprintf("From %d to %d times.", n.Min, n.Max)
	case n.Min > 0:
		return fmt.Sprintf("At least %s.", times1(n.Min))
	case n.Max > 0:
		return fmt.Sprintf("Up to %d times.", n.Max)
	}
	return "Any number of times."
}

func times1(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// attrTable writes attributes: what is set first, then what the server sets; the column for changes only with changes.
func attrTable(b *strings.Builder, attrs []Attr, changes bool, label string) {
	if changes {
		changes = false
		for i := range attrs {
			changes = changes || attrs[i].Change != nil
		}
	}
	if changes {
		b.WriteString("| Name | Type | Given | A change | Meaning |\n|---|---|---|---|---|\n")
	} else {
		b.WriteString("| Name | Type | Given | Meaning |\n|---|---|---|---|\n")
	}
	for _, server := range []bool{false, true} {
		for i := range attrs {
			a := &attrs[i]
			if (a.Computed && !a.Optional) != server {
				continue
			}
			cells := []string{"`" + a.Name + "`", refType(a), given(a, label)}
			if changes {
				cells = append(cells, changeText(a.Change, a.Type))
			}
			doc := a.Doc
			if a.Secret {
				doc += " Secret: never shown, saved or compared."
			}
			for j, cell := range append(cells, doc) {
				if j == 0 {
					b.WriteString("|")
				}
				b.WriteString(" " + strings.ReplaceAll(strings.Join(strings.Fields(cell), " "), "|", `\|`) + " |")
			}
			b.WriteString("\n")
		}
	}
}

func refType(a *Attr) string {
	switch {
	case len(a.Refs) > 0:
		kinds := make([]string, len(a.Refs))
		for i, k := range a.Refs {
			kinds[i] = "[" + k + "](" + k + ".md)"
		}
		return strings.Join(kinds, " or ") + ", or `string`"
	case a.Row:
		return "column"
	}
	return "`" + typeText(a.Type) + "`"
}

func given(a *Attr, label string) string {
	switch {
	case a.Name == label:
		return "by the label"
	case a.Required:
		return "required"
	case a.Label:
		return "optional, else the label"
	case a.Computed && a.Optional:
		return "optional, else set by the server"
	case a.Computed:
		return "set by the server"
	case a.Default != cty.NilVal && !a.Default.IsNull():
		return "optional, default `" + strings.TrimSpace(string(hclwrite.TokensForValue(a.Default).Bytes())) + "`"
	}
	return "optional"
}

// changeText asks an effect about sample changes and writes what they do, "" without an effect.
func changeText(effect Effect, ty cty.Type) string {
	if effect == nil {
		return ""
	}
	why := map[Act]string{}
	for _, pair := range samples(ty) {
		if v, ok := judge(effect, pair[0], pair[1]); ok {
			if _, known := why[v.Act]; !known {
				why[v.Act] = v.Why
			}
		}
	}
	var parts []string
	for _, act := range []Act{InPlace, Replace, Refuse} {
		reason, happens := why[act]
		if !happens {
			continue
		}
		text := map[Act]string{InPlace: "in place", Replace: "replaced", Refuse: "refused"}[act]
		if reason != "" {
			text += " (" + reason + ")"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "depends on the values"
	}
	return strings.Join(parts, ", or ")
}

// judge survives effects that make sense of real values only.
func judge(effect Effect, before, after cty.Value) (v Verdict, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return effect(before, after), true
}

func samples(ty cty.Type) [][2]cty.Value {
	var a, b cty.Value
	switch {
	case ty == cty.Number:
		a, b = cty.NumberIntVal(3), cty.NumberIntVal(6)
	case ty == cty.Bool:
		a, b = cty.False, cty.True
	case ty == cty.String:
		a, b = cty.StringVal("a"), cty.StringVal("b")
	case ty.IsMapType() && ty.ElementType() == cty.String:
		a, b = cty.MapVal(map[string]cty.Value{"a": cty.StringVal("a")}), cty.MapVal(map[string]cty.Value{"a": cty.StringVal("b")})
	case ty.IsListType() && ty.ElementType() == cty.String:
		a, b = cty.ListVal([]cty.Value{cty.StringVal("a")}), cty.ListVal([]cty.Value{cty.StringVal("b")})
	case ty.IsSetType() && ty.ElementType() == cty.String:
		a, b = cty.SetVal([]cty.Value{cty.StringVal("a")}), cty.SetVal([]cty.Value{cty.StringVal("b")})
	default:
		a, b = cty.NullVal(ty), cty.UnknownVal(ty)
	}
	return [][2]cty.Value{{a, b}, {b, a}}
}

// typeText writes a type as the language does: map(string).
func typeText(ty cty.Type) string { return typeexpr.TypeString(ty) }

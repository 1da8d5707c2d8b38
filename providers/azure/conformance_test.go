package azure_test

import (
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/internal/realtest"
	"mkt/providers"
	"mkt/providers/azure"
	"mkt/providers/providertest"
	"mkt/spec"
)

func newWorld(t *testing.T) providertest.World {
	s := anyServer(t)
	return providertest.World{Provider: s.connect(t, nil), Any: s}
}

func denied(t *testing.T, w providertest.World) providers.Provider {
	return w.Any.(*server).connect(t, map[string]string{"AZURE_STORAGE_KEY": "d3Jvbmc=", "AZURE_ACCESS_TOKEN": "wrong"})
}

func unreachable(t *testing.T, w providertest.World) providers.Provider {
	nowhere := "http://127.0.0.1:1"
	return azure.Quick(w.Any.(*server).connect(t, map[string]string{
		"AZURE_STORAGE_BLOB_ENDPOINT": nowhere, "AZURE_STORAGE_QUEUE_ENDPOINT": nowhere, "AZURE_RESOURCE_MANAGER_ENDPOINT": nowhere,
	}), 300*time.Millisecond)
}

// outside changes attributes of an object without the planner.
func outside(kind *spec.Kind, attrs map[string]cty.Value) func(*testing.T, providertest.World, string) {
	return func(t *testing.T, w providertest.World, id string) {
		r := w.Provider.Resource(kind.Name)
		before := r.Read(t.Context(), []providers.Ref{{ID: id}})[0].State
		parts := before.AsValueMap()
		for name, v := range attrs {
			parts[name] = v
		}
		if res := r.Update(t.Context(), []providers.Change{{ID: id, Before: before, After: cty.ObjectVal(parts)}}); res[0].Err != nil {
			t.Fatal(res[0].Err)
		}
	}
}

func TestContainerConforms(t *testing.T) {
	providertest.Run(t, providertest.Suite{
		Kind: azure.Container, Kinds: azure.Kinds(), New: newWorld,
		Create: `azure_container "subject" {}`,
		Others: []string{`azure_container "subject" {
			name     = "market-data"
			account  = "elsewhere"
			access   = "blob"
			metadata = { Owner = "mkt", stage_2 = "x y" }
		}`},
		Unchanged: []providertest.Step{{
			Name: "case of metadata", From: `azure_container "subject" { metadata = { Owner = "mkt" } }`, Stack: `azure_container "subject" { metadata = { oWNER = "mkt" } }`,
		}, {
			Name: "account of the provider", Stack: `azure_container "subject" { account = "mktlocal" }`,
		}},
		InPlace: []providertest.Step{
			{Name: "access", Stack: `azure_container "subject" { access = "container" }`, Attrs: []string{"access"}},
			{Name: "access closed", From: `azure_container "subject" { access = "blob" }`, Stack: `azure_container "subject" {}`, Attrs: []string{"access"}},
			{Name: "metadata", From: `azure_container "subject" { metadata = { a = "1", b = "2" } }`, Stack: `azure_container "subject" { metadata = { b = "3" } }`},
		},
		Replacements: []providertest.Step{
			{Name: "name", Stack: `azure_container "subject" { name = "other-name" }`, Want: "cannot be renamed"},
			{Name: "account", Stack: `azure_container "subject" { account = "elsewhere" }`, Want: "another storage account"},
		},
		Outside: outside(azure.Container, map[string]cty.Value{"metadata": cty.MapVal(map[string]cty.Value{"x": cty.StringVal("y")})}),
		Denied:  denied, Unreachable: unreachable,
	})
}

func TestQueueConforms(t *testing.T) {
	providertest.Run(t, providertest.Suite{
		Kind: azure.Queue, Kinds: azure.Kinds(), New: newWorld,
		Create: `azure_queue "subject" {}`,
		Others: []string{`azure_queue "subject" {
			name     = "market-events"
			account  = "elsewhere"
			metadata = { Owner = "mkt" }
		}`},
		InPlace: []providertest.Step{
			{Name: "metadata", Stack: `azure_queue "subject" { metadata = { a = "1" } }`},
			{Name: "no metadata", From: `azure_queue "subject" { metadata = { a = "1" } }`, Stack: `azure_queue "subject" {}`},
		},
		Replacements: []providertest.Step{
			{Name: "name", Stack: `azure_queue "subject" { name = "other-name" }`, Want: "cannot be renamed"},
			{Name: "account", Stack: `azure_queue "subject" { account = "elsewhere" }`, Want: "another storage account"},
		},
		Outside: outside(azure.Queue, map[string]cty.Value{"metadata": cty.MapVal(map[string]cty.Value{"x": cty.StringVal("y")})}),
		Denied:  denied, Unreachable: unreachable,
	})
}

func TestEventSubscriptionConforms(t *testing.T) {
	realtest.EmbeddedOnly(t, realtest.Azurite, "Azurite has no Event Grid")
	around := func(body string) string {
		return `
			azure_container "data" {}
			azure_container "more" {}
			azure_container "far" { account = "elsewhere" }
			azure_queue "events" {}
			azure_queue "others" {}
			azure_event_subscription "subject" {` + body + `
			}`
	}
	base := `
		container = azure_container.data
		queue     = azure_queue.events`
	providertest.Run(t, providertest.Suite{
		Kind: azure.EventSubscription, Kinds: azure.Kinds(), New: newWorld,
		Create: around(base),
		Others: []string{around(`
			name        = "Created-2"
			container   = azure_container.data
			queue       = azure_queue.events
			prefix      = "kafka-messages/"
			suffix      = ".json.gz"
			apis        = ["PutBlob"]
			dead_letter = azure_container.more`)},
		Unchanged: []providertest.Step{{Name: "order of apis", From: around(base + `
			apis = ["PutBlob", "CopyBlob"]`), Stack: around(base + `
			apis = ["CopyBlob", "PutBlob"]`)}},
		InPlace: []providertest.Step{
			{Name: "prefix", Stack: around(base + `
				prefix = "in/"`), Attrs: []string{"prefix"}},
			{Name: "suffix", Stack: around(base + `
				suffix = ".json"`), Attrs: []string{"suffix"}},
			{Name: "apis", Stack: around(base + `
				apis = ["PutBlob"]`)},
			{Name: "dead letter", Stack: around(base + `
				dead_letter = azure_container.more`), Attrs: []string{"dead_letter"}},
			{Name: "no dead letter", From: around(base + `
				dead_letter = azure_container.more`), Stack: around(base), Attrs: []string{"dead_letter"}},
			{Name: "another container", Stack: around(`
				container = azure_container.more
				queue     = azure_queue.events`), Attrs: []string{"container"}},
			{Name: "another queue", Stack: around(`
				container = azure_container.data
				queue     = azure_queue.others`), Attrs: []string{"queue"}},
		},
		Replacements: []providertest.Step{
			{Name: "name", Stack: around(base + `
				name = "other"`), Want: "cannot be renamed"},
			{Name: "account", Stack: around(`
				container = azure_container.far
				queue     = azure_queue.events`), Want: "another storage account"},
		},
		Outside: outside(azure.EventSubscription, map[string]cty.Value{"prefix": cty.StringVal("elsewhere/")}),
		Denied:  denied, Unreachable: unreachable,
	})
}

func TestLifecyclePolicyConforms(t *testing.T) {
	realtest.EmbeddedOnly(t, realtest.Azurite, "Azurite has no lifecycle policies")
	around := func(body string) string {
		return `
			azure_container "data" {}
			azure_container "more" {}
			azure_lifecycle_policy "subject" {
				` + body + `
			}`
	}
	rule := func(name, attrs string) string {
		return `
			rule "` + name + `" {
				` + attrs + `
			}`
	}
	const data, far = "container = azure_container.data\n", "container = \"https://elsewhere.blob.core.windows.net/data\"\n"
	base := rule("loaded", data+"prefix = \"in/\"\ncool_after = \"30d\"\ndelete_after = \"365d\"")
	providertest.Run(t, providertest.Suite{
		Kind: azure.LifecyclePolicy, Kinds: azure.Kinds(), New: newWorld,
		Create: around(base),
		Others: []string{
			around(base + rule("a", data+"archive_after = \"7d\"\nenabled = false")),
			around("account = \"elsewhere\"" + rule("x", far+"cool_after = \"0s\"\narchive_after = \"1d\"\ndelete_after = \"2d\"")),
		},
		Unchanged: []providertest.Step{
			{Name: "other units", Stack: around("account = \"mktlocal\"" + rule("loaded", data+"prefix = \"in/\"\ncool_after = \"720h\"\ndelete_after = \"8760h\""))},
			{Name: "order of rules", From: around(rule("a", data+"cool_after = \"1d\"") + rule("b", data+"delete_after = \"9d\"")),
				Stack: around(rule("b", data+"delete_after = \"9d\"") + rule("a", data+"cool_after = \"1d\""))},
		},
		InPlace: []providertest.Step{
			{Name: "steps", Stack: around(rule("loaded", data+"prefix = \"in/\"\narchive_after = \"60d\"\ndelete_after = \"90d\"")),
				Attrs: []string{`rule["loaded"].cool_after`, `rule["loaded"].archive_after`, `rule["loaded"].delete_after`}},
			{Name: "prefix and container", Stack: around(rule("loaded", "container = azure_container.more\nprefix = \"out/\"\ncool_after = \"30d\"\ndelete_after = \"365d\""))},
			{Name: "another rule", Stack: around(base + rule("more", data+"delete_after = \"3d\""))},
			{Name: "a rule less", From: around(base + rule("more", data+"delete_after = \"3d\"")), Stack: around(base)},
		},
		Replacements: []providertest.Step{
			{Name: "account", Stack: around("account = \"elsewhere\"" + rule("loaded", far+"prefix = \"in/\"\ncool_after = \"30d\"\ndelete_after = \"365d\"")), Want: "one storage account"},
		},
		Outside: func(t *testing.T, w providertest.World, id string) {
			r := w.Provider.Resource("azure_lifecycle_policy")
			before := r.Read(t.Context(), []providers.Ref{{ID: id}})[0].State
			parts := before.AsValueMap()
			rules := parts["rule"].AsValueSlice()
			first := rules[0].AsValueMap()
			first["delete_after"] = cty.StringVal("3d")
			rules[0] = cty.ObjectVal(first)
			parts["rule"] = cty.ListVal(rules)
			if res := r.Update(t.Context(), []providers.Change{{ID: id, Before: before, After: cty.ObjectVal(parts)}}); res[0].Err != nil {
				t.Fatal(res[0].Err)
			}
		},
		Denied: denied, Unreachable: unreachable,
	})
}

func TestRoleAssignmentConforms(t *testing.T) {
	realtest.EmbeddedOnly(t, realtest.Azurite, "Azurite has no role assignments")
	around := func(body string) string {
		return `
			azure_container "data" {}
			azure_queue "events" {}
			azure_role_assignment "subject" {
				` + body + `
			}`
	}
	const who = "principal = \"11111111-2222-3333-4444-555555555555\"\n"
	base := "queue = azure_queue.events\nrole = \"Storage Queue Data Contributor\"\n" + who
	providertest.Run(t, providertest.Suite{
		Kind: azure.RoleAssignment, Kinds: azure.Kinds(), New: newWorld,
		Create: around(base),
		Others: []string{
			around("container = azure_container.data\nrole = \"Storage Blob Data Reader\"\nprincipal = \"mkvlppsnowflakepacint_1570571871516\"\ndescription = \"loads\""),
			around("account = \"elsewhere\"\nrole = \"AAAAAAAA-2222-3333-4444-555555555555\"\nprincipal_type = \"group\"\n" + who),
		},
		Unchanged: []providertest.Step{{Name: "by id and case", Stack: around("queue = azure_queue.events\nrole = \"974C5E8B-45B9-4653-BA55-5F855DD0FB88\"\nprincipal_type = \"serviceprincipal\"\n" + who)}},
		InPlace:   []providertest.Step{{Name: "description", Stack: around(base + "description = \"why\""), Attrs: []string{"description"}}},
		Replacements: []providertest.Step{
			{Name: "role", Stack: around("queue = azure_queue.events\nrole = \"Storage Queue Data Reader\"\n" + who), Want: "keeps its role"},
			{Name: "principal", Stack: around("queue = azure_queue.events\nrole = \"Storage Queue Data Contributor\"\nprincipal = \"other\""), Attrs: []string{"principal"}},
			{Name: "scope", Stack: around("account = \"mktlocal\"\nrole = \"Storage Queue Data Contributor\"\n" + who), Attrs: []string{"queue", "account"}},
			{Name: "type of principal", Stack: around(base + "principal_type = \"User\""), Attrs: []string{"principal_type"}},
		},
		Outside: outside(azure.RoleAssignment, map[string]cty.Value{"description": cty.StringVal("somebody's")}),
		Denied:  denied, Unreachable: unreachable,
	})
}

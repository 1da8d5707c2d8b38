package azure

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// RoleAssignment describes azure_role_assignment.
var RoleAssignment = &spec.Kind{
	Name: "azure_role_assignment", System: system,
	Doc: "What an identity of the tenant may do with a container, a queue or a storage account. Snowflake's integrations need two: *Storage Queue Data " +
		"Contributor* on the queue of a notification integration, and *Storage Blob Data Reader* on the containers of a storage integration. " +
		"The principal may be the `app_name` of the integration: Microsoft's directory then says which service principal that is. It has none before an " +
		"administrator of the tenant has opened the integration's `consent_url` and accepted, and apply waits for that.\n\n" +
		"Making one needs *Owner*, *User Access Administrator* or *Role Based Access Control Administrator* on the storage account. It takes " +
		"effect up to ten minutes later.",
	Example: `snowflake_notification_integration "azure" {
  queue     = azure_queue.events
  tenant_id = "00000000-0000-0000-0000-000000000000"
}

azure_queue "events" {}

azure_role_assignment "events" {
  queue     = azure_queue.events
  role      = "Storage Queue Data Contributor"
  principal = snowflake_notification_integration.azure.app_name
}
`,
	ID: func(v cty.Value) string {
		r, err := roleOf(v)
		if err != nil || r == nil {
			return ""
		}
		return r.String()
	},
	Attrs: []spec.Attr{
		{Name: "container", Type: cty.String, Refs: []string{"azure_container"}, Check: checkStorageID(blobService), Doc: "The container that the role is on: an azure_container, or a container's URL.", Change: another},
		{Name: "queue", Type: cty.String, Refs: []string{"azure_queue"}, Check: checkStorageID(queueService), Doc: "The queue: an azure_queue, or a queue's URL.", Change: another},
		{Name: "account", Type: cty.String, Check: checkAccount, Doc: "The storage account, with all that it holds.", Change: another},
		{Name: "role", Type: cty.String, Required: true, Check: checkRole, Norm: normRole, Change: another,
			Doc: "The role: " + quoted(roleNames()) + ", or the id of another role definition, a GUID."},
		{Name: "principal", Type: cty.String, Required: true, Check: checkPrincipal, Norm: normPrincipal, Change: another,
			Doc: "Who gets the role: an object id, which is a GUID (of a service principal it is not the application's id), or the name of a Snowflake integration's application."},
		{Name: "principal_type", Type: cty.String, Default: cty.StringVal("ServicePrincipal"), Check: checkPrincipalType, Norm: normPrincipalType,
			Doc: "What the principal is: `ServicePrincipal`, which managed identities are too, `User` or `Group`.", Change: another},
		{Name: "description", Type: cty.String, Default: cty.StringVal(""), Doc: "What it is for.", Change: spec.Updated},
		{Name: "principal_id", Type: cty.String, Computed: true, Follows: []string{"principal"}, Doc: "The principal's object id."},
		{Name: "id", Type: cty.String, Computed: true, Follows: []string{"container", "queue", "account", "role", "principal"}, Doc: "The resource id, `…/providers/Microsoft.Authorization/roleAssignments/…`."},
	},
	Check: checkRoleAssignment,
}

var another = spec.Replaced("an assignment keeps its role, its principal and what it is on")

// roles are the built-in ones that have to do with blobs and queues (Azure: "Azure built-in roles for Storage").
var roles = map[string]string{
	"Storage Blob Data Contributor":        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
	"Storage Blob Data Owner":              "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
	"Storage Blob Data Reader":             "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
	"Storage Queue Data Contributor":       "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
	"Storage Queue Data Message Processor": "8a0f0c08-91a1-4084-bc3d-661d67233fed",
	"Storage Queue Data Message Sender":    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
	"Storage Queue Data Reader":            "19e7f393-937e-4f77-808e-94535e297925",
}

var (
	guid          = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	principalName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

func roleNames() []string {
	names := make([]string, 0, len(roles))
	for name := range roles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func quoted(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

func checkRole(v cty.Value) error {
	if r := normRole(v).AsString(); roles[r] != "" || guid.MatchString(r) {
		return nil
	}
	return fmt.Errorf("%q is not one of %s, nor the id of a role definition%s", v.AsString(), strings.Join(roleNames(), ", "), spec.DidYouMean(v.AsString(), roleNames()))
}

// normRole writes a built-in role by its name.
func normRole(v cty.Value) cty.Value {
	id := strings.ToLower(v.AsString())
	for name, of := range roles {
		if id == of || id == strings.ToLower(name) {
			return cty.StringVal(name)
		}
	}
	if guid.MatchString(id) {
		return cty.StringVal(id)
	}
	return v
}

// definition is the id of a role in normal form.
func definition(role string) string {
	if id := roles[role]; id != "" {
		return id
	}
	return role
}

func checkPrincipal(v cty.Value) error {
	if !principalName.MatchString(v.AsString()) {
		return fmt.Errorf("%q is neither an object id nor the name of an integration's application: of others give the object id, a GUID", v.AsString())
	}
	return nil
}

func normPrincipal(v cty.Value) cty.Value {
	if id := strings.ToLower(v.AsString()); guid.MatchString(id) {
		return cty.StringVal(id)
	}
	return v
}

var principalTypes = []string{"ServicePrincipal", "User", "Group"}

func checkPrincipalType(v cty.Value) error {
	if !slices.Contains(principalTypes, normPrincipalType(v).AsString()) {
		return spec.NotOneOf{Words: principalTypes, Text: fmt.Sprintf("%q is not one of %s", v.AsString(), strings.Join(principalTypes, ", "))}
	}
	return nil
}

func normPrincipalType(v cty.Value) cty.Value {
	for _, t := range principalTypes {
		if strings.EqualFold(t, v.AsString()) {
			return cty.StringVal(t)
		}
	}
	return v
}

func checkRoleAssignment(v cty.Value) []spec.Problem {
	var given []string
	for _, name := range roleScopes {
		if a := v.GetAttr(name); !a.IsKnown() || !a.IsNull() {
			given = append(given, name)
		}
	}
	switch len(given) {
	case 1:
		return nil
	case 0:
		return []spec.Problem{{Summary: "Role on nothing", Detail: "Say what the role is on: one of " + strings.Join(roleScopes, ", ") + "."}}
	}
	return []spec.Problem{{Path: cty.GetAttrPath(given[1]), Summary: "Role on several objects",
		Detail: "An assignment is on one object, and this one has " + strings.Join(given, ", ") + ". Write a block for each."}}
}

// roleScopes are the attributes of which one says what the role is on.
var roleScopes = []string{"container", "queue", "account"}

// roleRef is the identity of an assignment: the system allows one for each role, principal and object.
type roleRef struct {
	scope     string // of roleScopes
	on        string // a container's or queue's URL, or an account's name
	role      string // in normal form
	principal string
}

// String writes the identity: "Storage Blob Data Reader for PRINCIPAL on https://…".
func (r *roleRef) String() string { return r.role + " for " + r.principal + " on " + r.on }

// roleOf is the identity of a value, nil while a part is unknown.
func roleOf(v cty.Value) (*roleRef, error) {
	role, principal := v.GetAttr("role"), v.GetAttr("principal")
	if !role.IsKnown() || !principal.IsKnown() || role.IsNull() || principal.IsNull() {
		return nil, nil
	}
	for _, name := range roleScopes {
		on := v.GetAttr(name)
		if !on.IsKnown() {
			return nil, nil
		}
		if !on.IsNull() {
			return &roleRef{name, on.AsString(), role.AsString(), principal.AsString()}, nil
		}
	}
	return nil, errors.New("nothing says what the role is on")
}

// parseRole reads the identity that String wrote.
func parseRole(id string) (*roleRef, error) {
	bad := fmt.Errorf("%q is no role assignment: write ROLE for PRINCIPAL on URL, with the URL of a container or queue, or an account's name", id)
	head, on, ok1 := cutLast(id, " on ")
	role, principal, ok2 := cutLast(head, " for ")
	if !ok1 || !ok2 || checkRole(cty.StringVal(role)) != nil || checkPrincipal(cty.StringVal(principal)) != nil {
		return nil, bad
	}
	r := &roleRef{on: on, role: normRole(cty.StringVal(role)).AsString(), principal: normPrincipal(cty.StringVal(principal)).AsString()}
	for name, check := range map[string]func(cty.Value) error{"container": checkStorageID(blobService), "queue": checkStorageID(queueService), "account": checkAccount} {
		if check(cty.StringVal(on)) == nil {
			r.scope = name
			return r, nil
		}
	}
	return nil, bad
}

func cutLast(s, sep string) (before, after string, found bool) {
	if at := strings.LastIndex(s, sep); at >= 0 {
		return s[:at], s[at+len(sep):], true
	}
	return s, "", false
}

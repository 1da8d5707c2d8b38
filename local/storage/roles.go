package storage

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// roleAssignment is kept and shown; nothing is refused for the lack of one.
type roleAssignment struct {
	Scope      string
	Name       string
	Definition string // the role definition's resource id
	Principal  string
	Type       string
	Text       string `json:",omitempty"` // the description
	Created    time.Time
}

var (
	rolesPath   = regexp.MustCompile(`(?i)^(/blobServices/default/containers/[^/]+|/queueServices/default/queues/[^/]+|)/providers/Microsoft\.Authorization/roleAssignments(?:/([^/]+))?$`)
	rolesFilter = regexp.MustCompile(`^principalId eq '?([0-9A-Fa-f-]+)'?$`)
	roleID      = regexp.MustCompile(`(?i)^(?:/subscriptions/[^/]+)?/providers/Microsoft\.Authorization/roleDefinitions/[0-9a-f-]{36}$`)
	uuid        = regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	graphFilter = regexp.MustCompile(`^displayName eq '([^']+)'$`)
)

const rolesProvider = "/providers/Microsoft.Authorization/roleAssignments/"

func roleKey(scope, name string) string { return strings.ToLower(scope + rolesProvider + name) }

func (a *roleAssignment) describe() map[string]any {
	return map[string]any{
		"id": a.Scope + rolesProvider + a.Name, "name": a.Name, "type": "Microsoft.Authorization/roleAssignments",
		"properties": map[string]any{"scope": a.Scope, "roleDefinitionId": a.Definition, "principalId": a.Principal, "principalType": a.Type,
			"description": a.Text, "createdOn": a.Created, "updatedOn": a.Created},
	}
}

// manageRoles serves the role assignments of an account, its containers and queues (Azure: "Role Assignments", version 2022-04-01). A list is
// of what is at, above and below the scope, of one principal or all.
func (s *Storage) manageRoles(rq *request, scope, name string) error {
	switch {
	case name == "" && rq.r.Method == http.MethodGet:
		filter := rq.q.Get("$filter")
		principal := rolesFilter.FindStringSubmatch(filter)
		if filter != "" && principal == nil {
			return unsupported("A list of role assignments with the filter " + filter)
		}
		out := []map[string]any{}
		err := s.view(func(st *state) error {
			for _, key := range slices.Sorted(maps.Keys(st.roles)) {
				a := st.roles[key]
				if (filter == "" || strings.EqualFold(a.Principal, principal[1])) && (within(a.Scope, scope) || within(scope, a.Scope)) {
					out = append(out, a.describe())
				}
			}
			return nil
		})
		if err == nil {
			writeJSON(rq.w, http.StatusOK, map[string]any{"value": out})
		}
		return err
	case name != "" && rq.r.Method == http.MethodPut:
		return s.assignRole(rq, scope, name)
	case name != "" && rq.r.Method == http.MethodDelete:
		var gone *roleAssignment
		err := s.update(func(t *tx) error {
			if gone = s.state.roles[roleKey(scope, name)]; gone != nil {
				t.del(kindRole, roleKey(scope, name))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if gone == nil {
			rq.w.WriteHeader(http.StatusNoContent)
			return nil
		}
		writeJSON(rq.w, http.StatusOK, gone.describe())
		return nil
	}
	return unsupported(rq.r.Method + " " + rq.r.URL.Path)
}

// within says whether a resource is another one or a part of it.
func within(inner, outer string) bool {
	inner, outer = strings.ToLower(inner), strings.ToLower(outer)
	return inner == outer || strings.HasPrefix(inner, outer+"/")
}

func (s *Storage) assignRole(rq *request, scope, name string) error {
	body, err := readBody(rq.r)
	if err != nil {
		return err
	}
	var in struct {
		Properties struct {
			Definition string `json:"roleDefinitionId"`
			Principal  string `json:"principalId"`
			Type       string `json:"principalType"`
			Text       string `json:"description"`
			Condition  string `json:"condition"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return fail(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: %v.", err)
	}
	p := in.Properties
	switch {
	case !uuid.MatchString(name):
		return fail(http.StatusBadRequest, "InvalidRoleAssignmentId", "The role assignment ID '%s' is not valid. The role assignment ID must be a GUID.", name)
	case !roleID.MatchString(p.Definition):
		return fail(http.StatusBadRequest, "InvalidRoleDefinitionId", "The role definition ID '%s' is not valid.", p.Definition)
	case !uuid.MatchString(p.Principal):
		return fail(http.StatusBadRequest, "InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
	case p.Condition != "":
		return unsupported("A role assignment with a condition")
	}
	a := &roleAssignment{Scope: scope, Name: name, Definition: p.Definition, Principal: p.Principal, Type: p.Type, Text: p.Text, Created: time.Now().UTC()}
	if a.Type == "" {
		a.Type = "User"
	}
	status := http.StatusCreated
	err = s.update(func(t *tx) error {
		for key, old := range s.state.roles {
			same := strings.EqualFold(old.Scope, a.Scope) && strings.EqualFold(old.Definition, a.Definition) && strings.EqualFold(old.Principal, a.Principal)
			switch {
			case same && key != roleKey(scope, name):
				return fail(http.StatusConflict, "RoleAssignmentExists", "The role assignment already exists.")
			case key == roleKey(scope, name) && !same:
				return fail(http.StatusForbidden, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
			case same:
				status, a.Created = http.StatusOK, old.Created
			}
		}
		t.put(kindRole, []string{roleKey(scope, name)}, a)
		return nil
	})
	if err == nil {
		writeJSON(rq.w, status, a.describe())
	}
	return err
}

// directory serves what Microsoft Graph says of a service principal by its name. There is one of every name: consent to an application counts
// as given.
func directory(rq *request) error {
	name := graphFilter.FindStringSubmatch(rq.q.Get("$filter"))
	if rq.r.Method != http.MethodGet || name == nil {
		return unsupported(rq.r.Method + " " + rq.r.URL.Path + " with the filter " + rq.q.Get("$filter"))
	}
	sum := sha256.Sum256([]byte(strings.ToLower(name[1])))
	writeJSON(rq.w, http.StatusOK, map[string]any{"value": []any{map[string]string{
		"id": fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]), "displayName": name[1],
	}}})
	return nil
}

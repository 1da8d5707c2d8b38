package azure

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// assignments implements providers.Resource for azure_role_assignment, by the resource manager's REST API (Azure: "Role Assignments",
// version 2022-04-01).
type assignments struct{ *Provider }

const (
	roleAssignments = "/providers/Microsoft.Authorization/roleAssignments"
	roleVersion     = "2022-04-01"
	roleHint        = "Reading role assignments needs Reader on the storage account, making them Owner, User Access Administrator or Role Based Access Control Administrator, and a sign-in (`az login`)."
)

// assignment is what the resource manager is asked for and shows.
type assignment struct {
	ID         string               `json:"id,omitempty"`
	Name       string               `json:"name,omitempty"`
	Properties assignmentProperties `json:"properties"`
}

type assignmentProperties struct {
	Scope            string `json:"scope,omitempty"`
	RoleDefinitionID string `json:"roleDefinitionId"`
	PrincipalID      string `json:"principalId"`
	PrincipalType    string `json:"principalType"`
	Description      string `json:"description"`
	Condition        string `json:"condition,omitempty"`
	CreatedOn        string `json:"createdOn,omitempty"`
}

// Complete implements providers.Resource. An object id is known at once, and the resource id once there is one.
func (r *assignments) Complete(v cty.Value) (cty.Value, error) {
	if err := r.managed(); err != nil {
		return v, err
	}
	id := cty.UnknownVal(cty.String)
	if p := v.GetAttr("principal"); p.IsKnown() && !p.IsNull() && guid.MatchString(p.AsString()) {
		id = p
	}
	return with(v, map[string]cty.Value{"principal_id": id, "id": cty.UnknownVal(cty.String)}), nil
}

// resource is the resource id of what the role is on.
func (r *assignments) resource(ref *roleRef) (string, error) {
	switch ref.scope {
	case "container":
		account, name, err := parseStorageID(ref.on, blobService)
		return r.scope(account) + "/blobServices/default/containers/" + name, err
	case "queue":
		account, name, err := parseStorageID(ref.on, queueService)
		return r.scope(account) + "/queueServices/default/queues/" + name, err
	}
	return r.scope(ref.on), nil
}

// send makes one request of the resource manager, at a path with more of a query, or at a URL that it gave; what it answers is read into out unless that is nil.
func (r *assignments) send(ctx context.Context, doing, method, url, query string, body, out any) error {
	if r.conn.Token == nil {
		return &providers.Error{Code: providers.Denied, Err: errors.New("there is no credential for the resource manager"), Hint: signInHint}
	}
	opts := options(&r.client, r.conn.ResourceManager)
	opts.Cloud = r.conn.cloud()
	client, err := arm.NewClient("mkt", "v0.0.0", r.conn.Token, &arm.ClientOptions{ClientOptions: opts, DisableRPRegistration: true})
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(url, "/"):
		url = client.Endpoint() + url + "?api-version=" + roleVersion + query
	case !strings.HasPrefix(url, client.Endpoint()+"/"): // where the token must not go
		return fmt.Errorf("%s: the resource manager leads to %s", doing, url)
	}
	_, _, err = call(ctx, r.Provider, doing, roleHint, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, exchange(ctx, client.Pipeline(), method, url, body, out)
	})
	return err
}

// list gives what is assigned at, above and below a resource, to one principal or, for "", to all.
func (r *assignments) list(ctx context.Context, doing, resource, principal string) (all []assignment, err error) {
	filter := ""
	if principal != "" {
		filter = "&$filter=principalId+eq+'" + principal + "'"
	}
	for url := resource + roleAssignments; url != ""; filter = "" {
		var page struct {
			Value    []assignment `json:"value"`
			NextLink string       `json:"nextLink"`
		}
		if err := r.send(ctx, doing, http.MethodGet, url, filter, nil, &page); err != nil {
			return nil, err
		}
		all, url = append(all, page.Value...), page.NextLink
	}
	return all, nil
}

// exchange makes one request and reads the answer, if there is to be one.
func exchange(ctx context.Context, pipeline runtime.Pipeline, method, url string, body, out any) error {
	req, err := runtime.NewRequest(ctx, method, url)
	if err != nil {
		return err
	}
	req.Raw().Header.Set("Accept", "application/json")
	if body != nil {
		if err := runtime.MarshalAsJSON(req, body); err != nil {
			return err
		}
	}
	resp, err := pipeline.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated, http.StatusNoContent):
		return runtime.NewResponseError(resp)
	case out == nil:
		return nil
	}
	return runtime.UnmarshalAsJSON(resp, out)
}

// find looks for the assignment, whatever its name is: somebody else may have made it. nil where there is none.
func (r *assignments) find(ctx context.Context, ref *roleRef, principal string) (*assignment, error) {
	on, err := r.resource(ref)
	if err != nil {
		return nil, &providers.Error{Code: providers.Invalid, Err: err}
	}
	all, err := r.list(ctx, "list the role assignments on "+ref.on, on, principal)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if strings.EqualFold(a.Properties.Scope, on) && a.role() == definition(ref.role) && strings.EqualFold(a.Properties.PrincipalID, principal) {
			if a.Properties.Condition != "" {
				return nil, providers.Errorf(providers.Conflict, "the role assignment %s has a condition, which a block cannot say: take the condition away, or the block", ref)
			}
			return &a, nil
		}
	}
	return nil, nil
}

// role is the id of the role's definition.
func (a *assignment) role() string {
	id := a.Properties.RoleDefinitionID
	return strings.ToLower(id[strings.LastIndex(id, "/")+1:])
}

// List implements providers.Lister; scope is a storage account. It finds what is assigned on the account, its containers and queues, and
// not what they inherit.
func (r *assignments) List(ctx context.Context, scope string) ([]string, error) {
	account, err := r.accountOr(scope)
	if err != nil {
		return nil, err
	}
	if err := r.managed(); err != nil {
		return nil, err
	}
	top := r.scope(account)
	all, err := r.list(ctx, "list the role assignments on "+account, top, "")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, a := range all {
		if len(a.Properties.Scope) < len(top) || !strings.EqualFold(a.Properties.Scope[:len(top)], top) {
			continue
		}
		ref := roleRef{role: normRole(cty.StringVal(a.role())).AsString(), principal: strings.ToLower(a.Properties.PrincipalID)}
		switch m := roleScope.FindStringSubmatch(a.Properties.Scope[len(top):]); {
		case m == nil: // on something else, such as a table of the account
			continue
		case m[1] != "":
			ref.on = storageID(account, blobService, r.conn.suffix(), m[1])
		case m[2] != "":
			ref.on = storageID(account, queueService, r.conn.suffix(), m[2])
		default:
			ref.on = account
		}
		ids = append(ids, ref.String())
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// roleScope is what may have assignments that a block can say, below an account's resource id.
var roleScope = regexp.MustCompile(`(?i)^(?:/blobServices/default/containers/([^/]+)|/queueServices/default/queues/([^/]+)|)$`)

func (a *assignment) value(ref *roleRef) cty.Value {
	v := map[string]cty.Value{
		"container": cty.NullVal(cty.String), "queue": cty.NullVal(cty.String), "account": cty.NullVal(cty.String),
		"role": cty.StringVal(ref.role), "principal": cty.StringVal(ref.principal), "principal_id": cty.StringVal(strings.ToLower(a.Properties.PrincipalID)),
		"principal_type": cty.StringVal(a.Properties.PrincipalType), "description": cty.StringVal(a.Properties.Description), "id": cty.StringVal(a.ID),
	}
	v[ref.scope] = cty.StringVal(ref.on)
	return cty.ObjectVal(v)
}

// readOne gives what there is and the principal's object id; NilVal where there is no assignment, and "" where there is no such principal.
func (r *assignments) readOne(ctx context.Context, ref *roleRef) (state cty.Value, found *assignment, principal string, err error) {
	if principal, err = r.principal(ctx, ref.principal); err != nil || principal == "" {
		return cty.NilVal, nil, "", err
	}
	found, err = r.find(ctx, ref, principal)
	if err != nil || found == nil {
		if providers.CodeOf(err) == providers.NotFound { // what it would be on does not exist
			err = nil
		}
		return cty.NilVal, nil, principal, err
	}
	return found.value(ref), found, principal, nil
}

// Read implements providers.Resource.
func (r *assignments) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	return providers.Each(ctx, parallel, refs, func(ctx context.Context, ref providers.Ref) providers.Reading {
		role, err := parseRole(ref.ID)
		if err != nil {
			return providers.Reading{Err: &providers.Error{Code: providers.Invalid, Err: err}}
		}
		state, found, _, err := r.readOne(ctx, role)
		got := providers.Reading{State: state, Err: err}
		if found != nil {
			got.Incarnation = found.Properties.CreatedOn
		}
		return got
	})
}

// Create implements providers.Resource. It looks first, and waits for a principal that was made only just now to be known everywhere.
func (r *assignments) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		ref, err := parseRole(c.ID)
		if err != nil {
			return providers.Result{Err: &providers.Error{Code: providers.Invalid, Err: err}}
		}
		state, _, principal, err := r.readOne(ctx, ref)
		switch {
		case err != nil:
			return providers.Result{Err: err}
		case state != cty.NilVal:
			return providers.Result{Err: providers.Errorf(providers.Exists, "assign %s: it is assigned already", c.ID)}
		case principal == "":
			return providers.Result{Err: noPrincipal(ref.principal)}
		}
		on, err := r.resource(ref)
		if err != nil {
			return providers.Result{Err: &providers.Error{Code: providers.Invalid, Err: err}}
		}
		made := r.put(ctx, ref, on+roleAssignments+"/"+assignmentName(on, ref.role, principal), principal, c.After)
		if made.Err == nil { // until then a plan would take it for gone, and a destroy would forget it
			r.await(ctx, func(ctx context.Context) bool {
				found, err := r.find(ctx, ref, principal)
				if ctx.Err() == nil {
					made.Err = err // it is there, and ours
				}
				return found != nil || err != nil
			})
		}
		return made
	})
}

// Update implements providers.Resource: the description is all that can be altered. What to alter is known from the plan; a list may
// not show it (Azure: "Troubleshoot Azure RBAC", changes are not seen everywhere at once).
func (r *assignments) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		ref, err := parseRole(c.ID)
		if err != nil {
			return providers.Result{Err: &providers.Error{Code: providers.Invalid, Err: err}}
		}
		return r.put(ctx, ref, c.Before.GetAttr("id").AsString(), c.Before.GetAttr("principal_id").AsString(), c.After)
	})
}

// put says what is to be, so that repeating it is safe. The principal's type spares the resource manager to look it up, and where it is
// not known there yet, PrincipalNotFound is asked again for a while (Azure: "Troubleshoot Azure RBAC").
func (r *assignments) put(ctx context.Context, ref *roleRef, id, principal string, after cty.Value) providers.Result {
	body := assignment{Properties: assignmentProperties{
		RoleDefinitionID: "/subscriptions/" + r.conn.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + definition(ref.role),
		PrincipalID:      principal, PrincipalType: after.GetAttr("principal_type").AsString(), Description: after.GetAttr("description").AsString(),
	}}
	ctx, cancel := context.WithTimeout(ctx, freedIn)
	defer cancel()
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		var got assignment
		err := r.send(ctx, "assign "+ref.String(), http.MethodPut, id, "", body, &got)
		switch {
		case err == nil:
			return providers.Result{State: got.value(ref), Incarnation: got.Properties.CreatedOn}
		case azureCode(err) == "RoleAssignmentExists":
			return providers.Result{Err: &providers.Error{Code: providers.Exists, Err: err}}
		case azureCode(err) != "PrincipalNotFound":
			return providers.Result{Err: err}
		}
		select {
		case <-ctx.Done():
			return providers.Result{Err: &providers.Error{Code: providers.Invalid, Err: err, Path: cty.GetAttrPath("principal"),
				Hint: "The principal is the object id of a service principal, user or group of this tenant; of an application it is not the application's id. One that was made only just now is known everywhere some minutes later."}}
		case <-time.After(wait):
		}
	}
}

// Delete implements providers.Resource.
func (r *assignments) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		ref, err := parseRole(c.ID)
		if err != nil {
			return providers.Result{Err: &providers.Error{Code: providers.Invalid, Err: err}}
		}
		id := c.Before.GetAttr("id").AsString()
		res := deleted(r.send(ctx, "take away "+ref.String(), http.MethodDelete, id, "", nil, nil), "")
		return r.gone(ctx, res, func(ctx context.Context) bool {
			found, err := r.find(ctx, ref, c.Before.GetAttr("principal_id").AsString())
			return found == nil || err != nil
		})
	})
}

// assignmentName is a GUID that follows from what is assigned (RFC 9562, version 8), so that a create whose answer was lost is found again.
func assignmentName(on, role, principal string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(on + "\n" + definition(role) + "\n" + principal)))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

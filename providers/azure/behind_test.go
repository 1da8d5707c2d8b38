package azure_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
)

// What Azure took and does not show yet, or does not let be looked at.

// refuseFrom refuses to be asked, of what a path has, once something was written there.
func refuseFrom(path string, status int, code string) faulty {
	written := false
	return func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		switch at := strings.Contains(r.URL.Path, path); {
		case at && written && r.Method == http.MethodGet:
			return azureError(r, status, code), nil
		case at && r.Method == http.MethodPut:
			written = true
		}
		return send()
	}
}

// TestMadeAndNotSeen: the error of what was made and may not be looked at then does not say that there is nothing.
func TestMadeAndNotSeen(t *testing.T) {
	s := serve(t)
	direct := s.connect(t, nil)
	data, events := create(t, direct, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")}), create(t, direct, azure.Queue, map[string]cty.Value{"name": cty.StringVal("events")})
	for _, name := range []string{"/made-one", "/made-two"} {
		kind := map[string]string{"/made-one": "azure_container", "/made-two": "azure_queue"}[name]
		p := azure.Through(s.connect(t, nil), refuseFrom(name, http.StatusForbidden, "AuthorizationFailure"))
		k := map[string]cty.Value{"name": cty.StringVal(name[1:])}
		v := object(t, p, azure.Container, k)
		if kind == "azure_queue" {
			v = object(t, p, azure.Queue, k)
		}
		got := p.Resource(kind).Create(t.Context(), []providers.Change{{ID: v.GetAttr("url").AsString(), After: v}})[0]
		if providers.CodeOf(got.Err) != providers.Denied || got.State == cty.NilVal || !got.State.RawEquals(v) {
			t.Errorf("%s: %#v, %v", kind, got.State, got.Err)
		}
	}
	role := object(t, direct, azure.RoleAssignment, map[string]cty.Value{"account": cty.StringVal(account), "role": cty.StringVal("Storage Blob Data Reader"), "principal": cty.StringVal(somebody)})
	assigned := azure.Through(s.connect(t, nil), refuseFrom("roleAssignments", http.StatusForbidden, "AuthorizationFailed")).Resource("azure_role_assignment").
		Create(t.Context(), []providers.Change{{ID: azure.RoleAssignment.ID(role), After: role}})[0]
	if providers.CodeOf(assigned.Err) != providers.Denied || assigned.State == cty.NilVal {
		t.Errorf("azure_role_assignment: %#v, %v", assigned.State, assigned.Err)
	}

	// The answer of the first try is lost, and whose the second one finds there may not be read.
	refuse, lost := refuseFrom("/made-three", http.StatusForbidden, "AuthorizationFailure"), false
	p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		resp, err := refuse(r, send)
		if r.Method == http.MethodPut && !lost {
			lost = true
			resp.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return resp, err
	}))
	v := object(t, p, azure.Container, map[string]cty.Value{"name": cty.StringVal("made-three")})
	got := p.Resource("azure_container").Create(t.Context(), []providers.Change{{ID: azure.Container.ID(v), After: v}})[0]
	wantCode(t, got.Err, providers.Unknown, "whose it is could not be read")

	// An event subscription that was taken: neither a refusal nor a 404 says that it is not there.
	v = object(t, direct, azure.EventSubscription, map[string]cty.Value{"name": cty.StringVal("created"), "container": data.GetAttr("url"), "queue": events.GetAttr("url")})
	for status, code := range map[int]string{http.StatusForbidden: "AuthorizationFailed", http.StatusNotFound: "ResourceNotFound"} {
		for _, path := range []string{"/eventSubscriptions/created", "/operationsStatus/"} {
			through := refuseFrom("/eventSubscriptions/created", status, code)
			if path == "/operationsStatus/" {
				through = func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
					if strings.Contains(strings.ToLower(r.URL.Path), "operations") {
						return azureError(r, status, code), nil
					}
					return send()
				}
			}
			p := azure.Quick(azure.Through(s.connect(t, nil), through), 300*time.Millisecond)
			got := p.Resource("azure_event_subscription").Create(t.Context(), []providers.Change{{ID: azure.EventSubscription.ID(v), After: v}})[0]
			wantCode(t, got.Err, providers.Unknown, code)
			if res := direct.Resource("azure_event_subscription").Delete(t.Context(), []providers.Change{{ID: azure.EventSubscription.ID(v), Before: v}})[0]; res.Err != nil {
				t.Fatal(res.Err)
			}
		}
	}
}

// TestReadWhileGoing: a queue or container that is being deleted is none.
func TestReadWhileGoing(t *testing.T) {
	s := serve(t)
	for kind, host := range map[string]string{"azure_container": "blob", "azure_queue": "queue"} {
		code := map[string]string{"blob": "ContainerBeingDeleted", "queue": "QueueBeingDeleted"}[host]
		p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			return answer(r, http.StatusConflict, map[string]string{"x-ms-error-code": code}), nil
		}))
		got := p.Resource(kind).Read(t.Context(), []providers.Ref{{ID: "https://mktlocal." + host + ".core.windows.net/going"}})[0]
		if got.Err != nil || got.State != cty.NilVal {
			t.Errorf("%s: %#v, %v", kind, got.State, got.Err)
		}
	}
}

// replicas answers the next question of each sort after a change as before it.
func replicas(kind string) faulty {
	before, late := map[string][]byte{}, map[string]bool{}
	return func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		key := r.URL.String()
		switch {
		case !strings.Contains(r.URL.Path, kind):
			return send()
		case r.Method != http.MethodGet:
			for path := range before {
				late[path] = true
			}
			return send()
		}
		if !late[key] {
			resp, err := send()
			if err != nil {
				return nil, err
			}
			if before[key], err = httputil.DumpResponse(resp, true); err != nil {
				return nil, err
			}
			return resp, nil
		}
		late[key] = false
		return parseResponse(before[key], r)
	}
}

// TestReplicas: what was made shows when a create returns, and what was deleted does not when a delete does, so that the next plan knows
// of both and the name is free again.
func TestReplicas(t *testing.T) {
	s := serve(t)
	direct := s.connect(t, nil)
	data, events := create(t, direct, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")}), create(t, direct, azure.Queue, map[string]cty.Value{"name": cty.StringVal("events")})
	rule := cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("old"), "container": data.GetAttr("url"), "prefix": cty.StringVal(""), "enabled": cty.True,
		"cool_after": cty.NullVal(cty.String), "archive_after": cty.NullVal(cty.String), "delete_after": cty.StringVal("30d")})
	role := object(t, direct, azure.RoleAssignment, map[string]cty.Value{"account": cty.StringVal(account), "role": cty.StringVal("Storage Blob Data Reader"), "principal": cty.StringVal(somebody)})
	sub := object(t, direct, azure.EventSubscription, map[string]cty.Value{"name": cty.StringVal("created"), "container": data.GetAttr("url"), "queue": events.GetAttr("url")})
	policy, err := direct.Resource("azure_lifecycle_policy").Complete(cty.ObjectVal(map[string]cty.Value{
		"account": cty.StringVal(account), "id": cty.UnknownVal(cty.String), "rule": cty.ListVal([]cty.Value{rule})}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		kind, path, id string
		v              cty.Value
	}{
		{"azure_role_assignment", "roleAssignments", azure.RoleAssignment.ID(role), role},
		{"azure_event_subscription", "eventSubscriptions", azure.EventSubscription.ID(sub), sub},
		{"azure_lifecycle_policy", "managementPolicies", azure.LifecyclePolicy.ID(policy), policy},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			r := azure.Through(s.connect(t, nil), replicas(tc.path)).Resource(tc.kind)
			var state cty.Value
			for range 2 {
				made := r.Create(t.Context(), []providers.Change{{ID: tc.id, After: tc.v}})[0]
				if made.Err != nil {
					t.Fatal(made.Err)
				}
				state = made.State
				if tc.kind != "azure_lifecycle_policy" { // its create looks with the same question, and does not wait: one request tells all
					if got := r.Read(t.Context(), []providers.Ref{{ID: tc.id}})[0]; got.Err != nil || got.State == cty.NilVal {
						t.Errorf("made: %#v, %v", got.State, got.Err)
					}
				} else {
					_ = r.Read(t.Context(), []providers.Ref{{ID: tc.id}})
					_ = r.Read(t.Context(), []providers.Ref{{ID: tc.id}})
				}
				if gone := r.Delete(t.Context(), []providers.Change{{ID: tc.id, Before: state}})[0]; gone.Err != nil {
					t.Fatal(gone.Err)
				}
			}
		})
	}
	// What a list does not show is altered all the same.
	made := direct.Resource("azure_role_assignment").Create(t.Context(), []providers.Change{{ID: azure.RoleAssignment.ID(role), After: role}})[0]
	if made.Err != nil {
		t.Fatal(made.Err)
	}
	p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		if r.Method == http.MethodGet {
			return jsonAnswer(r, http.StatusOK, map[string]any{"value": []any{}}), nil
		}
		return send()
	}))
	parts := maps.Clone(made.State.AsValueMap())
	parts["description"] = cty.StringVal("for loading")
	set := p.Resource("azure_role_assignment").Update(t.Context(), []providers.Change{{ID: azure.RoleAssignment.ID(role), Before: made.State, After: cty.ObjectVal(parts)}})[0]
	if set.Err != nil || set.State.GetAttr("description").AsString() != "for loading" || !set.State.GetAttr("id").RawEquals(made.State.GetAttr("id")) {
		t.Errorf("%#v, %v", set.State, set.Err)
	}
}

// TestEventSubscriptionStates: one that is being deleted is none, and a create waits for its end; one that failed is not as it was asked for.
func TestEventSubscriptionStates(t *testing.T) {
	s := serve(t)
	direct := s.connect(t, nil)
	data, events := create(t, direct, azure.Container, map[string]cty.Value{"name": cty.StringVal("data")}), create(t, direct, azure.Queue, map[string]cty.Value{"name": cty.StringVal("events")})
	attrs := map[string]cty.Value{"name": cty.StringVal("created"), "container": data.GetAttr("url"), "queue": events.GetAttr("url")}
	v := create(t, direct, azure.EventSubscription, attrs)
	id := azure.EventSubscription.ID(v)
	state, looks := "Failed", 0
	p := azure.Through(s.connect(t, nil), faulty(func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		resp, err := send()
		if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/eventSubscriptions") || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || !json.Valid(text) {
			t.Errorf("%s: %v", text, err)
		}
		resp.Body.Close()
		text = bytes.ReplaceAll(text, []byte(`"provisioningState":"Succeeded"`), []byte(`"provisioningState":"`+state+`"`))
		if looks--; looks == 0 { // the deletion ends
			_ = direct.Resource("azure_event_subscription").Delete(t.Context(), []providers.Change{{ID: id, Before: v}})
			state = "Succeeded"
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		return resp, nil
	}))
	r := p.Resource("azure_event_subscription")
	several := []providers.Ref{{ID: id}, {ID: id + "-2"}, {ID: id + "-3"}, {ID: id + "-4"}} // read by a list
	for _, refs := range [][]providers.Ref{several[:1], several} {
		state = "Failed"
		if got := r.Read(t.Context(), refs)[0]; got.Err != nil || got.State == cty.NilVal || !strings.HasPrefix(got.State.GetAttr("queue").AsString(), "(failed) https://") {
			t.Errorf("failed: %#v, %v", got.State, got.Err)
		}
		state = "Deleting"
		if got := r.Read(t.Context(), refs)[0]; got.Err != nil || got.State != cty.NilVal {
			t.Errorf("deleting: %#v, %v", got.State, got.Err)
		}
	}
	looks = 2
	if again := r.Create(t.Context(), []providers.Change{{ID: id, After: v}})[0]; again.Err != nil {
		t.Error(again.Err)
	}
}

func parseResponse(text []byte, r *http.Request) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), r)
}

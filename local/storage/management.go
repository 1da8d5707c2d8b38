package storage

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// ManagementHandler serves the resource manager: the storage account, its lifecycle policy, its role assignments, and its
// Event Grid event subscriptions (API version 2025-02-15); and the directory's service principals, as Microsoft Graph does. Operations are
// finished when they are answered; the first answer still has the form of a
// long-running one, as Azure sends it.
func (s *Storage) ManagementHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rq, err := begin(w, r)
		if err == nil {
			err = s.manage(rq)
		}
		if err != nil {
			s.log.Debug("refused", "method", r.Method, "path", r.URL.Path, "err", err)
			writeManagementFault(w, err)
		}
	})
}

const (
	eventGrid      = "/providers/Microsoft.EventGrid/eventSubscriptions"
	operations     = "/providers/Microsoft.EventGrid/locations/" + location + "/operationsStatus/"
	operationsDone = "/providers/Microsoft.EventGrid/locations/" + location + "/operationResults/"
	pollVersion    = "?api-version=2025-02-15"
)

// accountPath is the resource id of a storage account; the groups are
// subscription, resource group and account.
var (
	accountPath       = regexp.MustCompile(`(?i)^/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Storage/storageAccounts/([^/]+)`)
	eventGridPath     = regexp.MustCompile(`(?i)^/providers/Microsoft\.EventGrid/eventSubscriptions(?:/([^/]+))?$`)
	operationPath     = regexp.MustCompile(`(?i)^/subscriptions/[^/]+/providers/Microsoft\.EventGrid/locations/[^/]+/(operationsStatus|operationResults)/([^/]+)$`)
	subscriptionName  = regexp.MustCompile(`^[A-Za-z0-9-]{3,64}$`)
	subscriptionOfARM = regexp.MustCompile(`(?i)^/subscriptions/[^/]+`)
)

func resourceNotFound(what string) error {
	return fail(http.StatusNotFound, "ResourceNotFound", "The Resource '%s' was not found.", what)
}

func (s *Storage) manage(rq *request) error {
	scheme, token, _ := strings.Cut(rq.header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		rq.w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="https://login.microsoftonline.com/common", error="invalid_token"`)
		return fail(http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	if !s.bearer(token) {
		return fail(http.StatusForbidden, "AuthorizationFailed", "The client does not have authorization to perform the action over scope '%s'.", rq.r.URL.Path)
	}
	if strings.TrimRight(rq.r.URL.Path, "/") == "/v1.0/servicePrincipals" {
		return directory(rq)
	}
	if rq.q.Get("api-version") == "" {
		return fail(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	path := "/" + strings.TrimLeft(rq.r.URL.Path, "/") // armeventgrid sends //subscriptions/…
	if m := operationPath.FindStringSubmatch(path); m != nil && rq.r.Method == http.MethodGet {
		if strings.EqualFold(m[1], "operationResults") {
			rq.w.WriteHeader(http.StatusOK)
			return nil
		}
		writeJSON(rq.w, http.StatusOK, map[string]string{"id": path, "name": m[2], "status": "Succeeded"})
		return nil
	}
	account := accountPath.FindStringSubmatch(path)
	if account == nil {
		return resourceNotFound(path)
	}
	scope, rest := account[0], path[len(account[0]):]
	if s.serves(account[3]) != nil {
		return resourceNotFound("Microsoft.Storage/storageAccounts/" + account[3])
	}
	if rest == "" && rq.r.Method == http.MethodGet {
		return getAccount(rq, scope, account[3])
	}
	if lifecyclePath.MatchString(rest) {
		return s.manageLifecycle(rq, scope)
	}
	if m := rolesPath.FindStringSubmatch(rest); m != nil {
		return s.manageRoles(rq, scope+m[1], m[2])
	}
	m := eventGridPath.FindStringSubmatch(rest)
	switch {
	case m == nil:
	case m[1] == "" && rq.r.Method == http.MethodGet:
		return s.listSubscriptions(rq, scope)
	case m[1] == "":
	case rq.r.Method == http.MethodGet:
		return s.getSubscription(rq, scope, m[1])
	case rq.r.Method == http.MethodPut:
		return s.putSubscription(rq, scope, account[3], m[1])
	case rq.r.Method == http.MethodDelete:
		return s.deleteSubscription(rq, scope, m[1])
	}
	return unsupported(rq.r.Method + " " + path)
}

func getAccount(rq *request, scope, name string) error {
	writeJSON(rq.w, http.StatusOK, map[string]any{
		"id": scope, "name": name, "type": "Microsoft.Storage/storageAccounts", "kind": "StorageV2", "location": location,
		"sku":        map[string]string{"name": "Standard_LRS", "tier": "Standard"},
		"properties": map[string]any{"provisioningState": "Succeeded", "accessTier": defaultTier},
	})
	return nil
}

func subscriptionKey(scope, name string) string {
	return strings.ToLower(scope + eventGrid + "/" + name)
}

// describe is a subscription as the resource manager shows it.
func (sub *subscription) describe(state string) (map[string]any, error) {
	var properties map[string]any
	if err := json.Unmarshal(sub.Properties, &properties); err != nil {
		return nil, err
	}
	properties["topic"], properties["provisioningState"] = sub.Scope, state
	return map[string]any{
		"id": sub.Scope + eventGrid + "/" + sub.Name, "name": sub.Name, "type": "Microsoft.EventGrid/eventSubscriptions",
		"properties": properties,
	}, nil
}

func (s *Storage) listSubscriptions(rq *request, scope string) error {
	out := []map[string]any{}
	err := s.view(func(st *state) error {
		for _, key := range slices.Sorted(maps.Keys(st.subscriptions)) {
			if !strings.HasPrefix(key, subscriptionKey(scope, "")) {
				continue
			}
			item, err := st.subscriptions[key].describe("Succeeded")
			if err != nil {
				return err
			}
			out = append(out, item)
		}
		return nil
	})
	if err == nil {
		writeJSON(rq.w, http.StatusOK, map[string]any{"value": out})
	}
	return err
}

func (s *Storage) getSubscription(rq *request, scope, name string) error {
	var out map[string]any
	err := s.view(func(st *state) (err error) {
		sub := st.subscriptions[subscriptionKey(scope, name)]
		if sub == nil {
			return resourceNotFound("Microsoft.EventGrid/eventSubscriptions/" + name)
		}
		out, err = sub.describe("Succeeded")
		return err
	})
	if err == nil {
		writeJSON(rq.w, http.StatusOK, out)
	}
	return err
}

func invalidSubscription(format string, args ...any) error {
	return fail(http.StatusBadRequest, "InvalidRequest", format, args...)
}

// parseSubscription reads the body of a PUT.
func parseSubscription(body []byte) (*subscription, error) {
	var in struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, invalidSubscription("The request content was invalid and could not be deserialized: %v.", err)
	}
	var p struct {
		Destination struct {
			Type       string `json:"endpointType"`
			Properties struct {
				Resource string `json:"resourceId"`
				Queue    string `json:"queueName"`
				TTL      *int64 `json:"queueMessageTimeToLiveInSeconds"`
			} `json:"properties"`
		} `json:"destination"`
		Schema string `json:"eventDeliverySchema"`
		Filter filter `json:"filter"`
	}
	known := map[string]any{"destination": &p.Destination, "eventDeliverySchema": &p.Schema, "filter": &p.Filter}
	for name, raw := range in.Properties {
		switch name {
		case "destination", "eventDeliverySchema", "filter":
			if err := json.Unmarshal(raw, known[name]); err != nil {
				return nil, invalidSubscription("The property %s is not valid: %v.", name, err)
			}
		case "deadLetterDestination", "labels", "retryPolicy", "topic", "provisioningState":
		default:
			return nil, unsupported("The event subscription property " + name)
		}
	}
	if p.Destination.Type != "StorageQueue" {
		return nil, unsupported("The event destination " + p.Destination.Type)
	}
	if p.Schema != "" && p.Schema != "EventGridSchema" {
		return nil, unsupported("The event delivery schema " + p.Schema)
	}
	if err := p.Filter.check(); err != nil {
		return nil, err
	}
	owner := accountPath.FindStringSubmatch(p.Destination.Properties.Resource)
	if owner == nil || owner[0] != p.Destination.Properties.Resource {
		return nil, invalidSubscription("The resourceId %q is not a storage account.", p.Destination.Properties.Resource)
	}
	sub := &subscription{Queue: p.Destination.Properties.Queue, QueueOwner: owner[3], Filter: p.Filter, TTL: int64(week.Seconds())}
	if ttl := p.Destination.Properties.TTL; ttl != nil {
		if *ttl < -1 || *ttl == 0 {
			return nil, invalidSubscription("queueMessageTimeToLiveInSeconds %d is not -1 or above 0.", *ttl)
		}
		sub.TTL = *ttl
	}
	if p.Schema == "" {
		in.Properties["eventDeliverySchema"] = json.RawMessage(`"EventGridSchema"`)
	}
	if in.Properties["retryPolicy"] == nil {
		in.Properties["retryPolicy"] = json.RawMessage(`{"maxDeliveryAttempts":30,"eventTimeToLiveInMinutes":1440}`)
	}
	raw, err := json.Marshal(in.Properties)
	sub.Properties = raw
	return sub, err
}

func (s *Storage) putSubscription(rq *request, scope, account, name string) error {
	if !subscriptionName.MatchString(name) {
		return invalidSubscription("The event subscription name %q must be 3 to 64 letters, digits or hyphens.", name)
	}
	body, err := readBody(rq.r)
	if err != nil {
		return err
	}
	sub, err := parseSubscription(body)
	if err != nil {
		return err
	}
	sub.Scope, sub.Account, sub.Name = scope, account, name
	out, err := sub.describe("Creating")
	if err != nil {
		return err
	}
	elsewhere := s.cfg.Queue != nil && s.cfg.Queue(rq.r.Context(), sub.QueueOwner, sub.Queue)
	err = s.update(func(t *tx) error {
		if s.state.queues[sub.QueueOwner+"/"+sub.Queue] == nil && !elsewhere {
			return invalidSubscription("The destination queue %q does not exist in storage account %q.", sub.Queue, sub.QueueOwner)
		}
		if old := s.state.subscriptions[subscriptionKey(scope, name)]; old != nil {
			out["properties"].(map[string]any)["provisioningState"] = "Updating"
		}
		t.put(kindSubscription, []string{subscriptionKey(scope, name)}, sub)
		return nil
	})
	if err != nil {
		return err
	}
	rq.w.Header().Set("Azure-AsyncOperation", rq.operation(operations))
	writeJSON(rq.w, http.StatusCreated, out)
	return nil
}

func (s *Storage) deleteSubscription(rq *request, scope, name string) error {
	found := false
	err := s.update(func(t *tx) error {
		if found = s.state.subscriptions[subscriptionKey(scope, name)] != nil; found {
			t.del(kindSubscription, subscriptionKey(scope, name))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !found {
		rq.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	rq.w.Header().Set("Location", rq.operation(operationsDone))
	rq.w.WriteHeader(http.StatusAccepted)
	return nil
}

// operation is the absolute URL that a client polls.
func (rq *request) operation(kind string) string {
	path := "/" + strings.TrimLeft(rq.r.URL.Path, "/")
	return "http://" + rq.r.Host + subscriptionOfARM.FindString(path) + kind + newID() + pollVersion
}

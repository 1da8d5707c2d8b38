package storage

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// lifecycle is an account's one management policy. It is kept and shown; nothing here moves or deletes a blob by it.
type lifecycle struct {
	Scope    string
	Policy   json.RawMessage // properties.policy as it came
	Modified time.Time
}

var (
	lifecyclePath = regexp.MustCompile(`(?i)^/managementPolicies/default$`)
	ruleName      = regexp.MustCompile(`^[A-Za-z0-9-]{1,256}$`)
)

func lifecycleKey(scope string) string { return strings.ToLower(scope) }

func (l *lifecycle) describe() map[string]any {
	return map[string]any{
		"id": l.Scope + "/managementPolicies/default", "name": "DefaultManagementPolicy", "type": "Microsoft.Storage/storageAccounts/managementPolicies",
		"properties": map[string]any{"lastModifiedTime": l.Modified, "policy": l.Policy},
	}
}

// manageLifecycle serves the policy of an account (Azure: "Management Policies", Storage Resource Provider REST API).
func (s *Storage) manageLifecycle(rq *request, scope string) error {
	switch rq.r.Method {
	case http.MethodGet:
		var out map[string]any
		err := s.view(func(st *state) error {
			l := st.lifecycles[lifecycleKey(scope)]
			if l == nil {
				return fail(http.StatusNotFound, "ManagementPolicyNotFound", "No ManagementPolicy found for account %s", scope[strings.LastIndex(scope, "/")+1:])
			}
			out = l.describe()
			return nil
		})
		if err == nil {
			writeJSON(rq.w, http.StatusOK, out)
		}
		return err
	case http.MethodPut:
		body, err := readBody(rq.r)
		if err != nil {
			return err
		}
		l, err := parseLifecycle(body)
		if err != nil {
			return err
		}
		l.Scope, l.Modified = scope, time.Now().UTC()
		if err := s.update(func(t *tx) error { t.put(kindLifecycle, []string{lifecycleKey(scope)}, l); return nil }); err != nil {
			return err
		}
		writeJSON(rq.w, http.StatusOK, l.describe())
		return nil
	case http.MethodDelete:
		found := false
		err := s.update(func(t *tx) error {
			if found = s.state.lifecycles[lifecycleKey(scope)] != nil; found {
				t.del(kindLifecycle, lifecycleKey(scope))
			}
			return nil
		})
		if err != nil {
			return err
		}
		rq.w.WriteHeader(map[bool]int{true: http.StatusOK, false: http.StatusNoContent}[found])
		return nil
	}
	return unsupported(rq.r.Method + " " + rq.r.URL.Path)
}

// maxRules is how many rules a policy has at most (Azure: "Azure Blob Storage lifecycle management overview").
const maxRules = 100

// parseLifecycle reads the body of a PUT and holds it against what Azure checks.
func parseLifecycle(body []byte) (*lifecycle, error) {
	invalid := func(format string, args ...any) error {
		return fail(http.StatusBadRequest, "InvalidRequestPropertyValue", format, args...)
	}
	var in struct {
		Properties struct {
			Policy json.RawMessage `json:"policy"`
		} `json:"properties"`
	}
	var policy struct {
		Rules []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition struct {
				Actions map[string]map[string]any `json:"actions"`
				Filters *struct {
					BlobTypes   []string `json:"blobTypes"`
					PrefixMatch []string `json:"prefixMatch"`
				} `json:"filters"`
			} `json:"definition"`
		} `json:"rules"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, invalid("The request content was invalid and could not be deserialized: %v.", err)
	}
	if err := json.Unmarshal(in.Properties.Policy, &policy); err != nil {
		return nil, invalid("The property policy is not valid: %v.", err)
	}
	if n := len(policy.Rules); n == 0 || n > maxRules {
		return nil, invalid("A management policy has 1 to %d rules, not %d.", maxRules, n)
	}
	names := map[string]bool{}
	for _, rule := range policy.Rules {
		steps := 0
		for _, target := range rule.Definition.Actions {
			steps += len(target)
		}
		switch {
		case !ruleName.MatchString(rule.Name) || names[rule.Name]:
			return nil, invalid("The rule name %q is not valid, or not unique.", rule.Name)
		case rule.Type != "Lifecycle":
			return nil, invalid("The type %q of rule %q is not Lifecycle.", rule.Type, rule.Name)
		case steps == 0:
			return nil, invalid("The rule %q has no action.", rule.Name)
		case rule.Definition.Filters != nil && len(rule.Definition.Filters.BlobTypes) == 0:
			return nil, invalid("The filters of rule %q name no blobTypes.", rule.Name)
		case rule.Definition.Filters != nil && len(rule.Definition.Filters.PrefixMatch) > 10:
			return nil, invalid("The rule %q has more than 10 prefixes.", rule.Name)
		}
		names[rule.Name] = true
	}
	return &lifecycle{Policy: in.Properties.Policy}, nil
}

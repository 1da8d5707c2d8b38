package registry

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// config is the configuration of a subject or of the whole registry.
type config struct {
	Compatibility string `json:"compatibility,omitempty"`
	Normalize     *bool  `json:"normalize,omitempty"`
}

// effective is a config as GET answers it.
type effective struct {
	Compatibility string `json:"compatibilityLevel,omitempty"`
	Normalize     *bool  `json:"normalize,omitempty"`
}

func (r *Registry) getConfig(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	c, ok := r.store.configs[subject]
	inherit := subject == "" || req.URL.Query().Get("defaultToGlobal") == "true"
	switch {
	case !ok && !inherit:
		return nil, notFound(codeNoSubjectConfig, "Subject '%s' does not have subject-level compatibility configured", subject)
	case inherit:
		if c.Compatibility == "" {
			c.Compatibility = r.level(subject)
		}
		if c.Normalize == nil {
			c.Normalize = r.store.configs[""].Normalize
		}
	}
	return effective(c), nil
}

func (r *Registry) putConfig(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	var body struct {
		config
		Level              string          `json:"compatibilityLevel"` // what GET calls it
		Alias              string          `json:"alias"`
		CompatibilityGroup string          `json:"compatibilityGroup"`
		DefaultMetadata    json.RawMessage `json:"defaultMetadata"`
		OverrideMetadata   json.RawMessage `json:"overrideMetadata"`
		DefaultRuleSet     json.RawMessage `json:"defaultRuleSet"`
		OverrideRuleSet    json.RawMessage `json:"overrideRuleSet"`
	}
	if err := decode(req, &body); err != nil {
		return nil, err
	}
	for name, set := range map[string]bool{
		"alias": body.Alias != "", "compatibilityGroup": body.CompatibilityGroup != "",
		"defaultMetadata": len(body.DefaultMetadata) > 0, "overrideMetadata": len(body.OverrideMetadata) > 0,
		"defaultRuleSet": len(body.DefaultRuleSet) > 0, "overrideRuleSet": len(body.OverrideRuleSet) > 0,
	} {
		if set {
			return nil, invalid(http.StatusUnprocessableEntity, "The embedded registry does not support %s in a config", name)
		}
	}
	c := r.store.configs[subject]
	if level := strings.ToUpper(body.Compatibility + body.Level); level != "" {
		if !slices.Contains(levels, level) {
			return nil, invalid(codeInvalidCompatibility, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
		}
		c.Compatibility = level
	} else if body.Normalize == nil {
		return nil, invalid(codeInvalidCompatibility, "Invalid compatibility level: none given")
	}
	if body.Normalize != nil {
		c.Normalize = body.Normalize
	}
	if err := r.store.commit(entry{Config: &configEntry{subject, &c}}); err != nil {
		return nil, err
	}
	return c, nil
}

func (r *Registry) deleteConfig(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	c, ok := r.store.configs[subject]
	if !ok && subject != "" {
		return nil, notFound(codeNoSubjectConfig, "Subject '%s' does not have subject-level compatibility configured", subject)
	}
	if ok {
		if err := r.store.commit(entry{Config: &configEntry{Subject: subject}}); err != nil {
			return nil, err
		}
	}
	if subject == "" {
		c.Compatibility = defaultLevel // what holds now
	}
	return effective(c), nil
}

// normalizes tells whether the configuration or the request asks for
// normalization.
func (r *Registry) normalizes(req *http.Request) bool {
	for _, name := range []string{req.PathValue("subject"), ""} {
		if n := r.store.configs[name].Normalize; n != nil {
			return *n || req.URL.Query().Get("normalize") == "true"
		}
	}
	return req.URL.Query().Get("normalize") == "true"
}

// The modes (Schema Registry documentation, "Mode"). IMPORT exists only to
// register under chosen ids, which this registry does not do.
var modes = []string{"READWRITE", "READONLY", "READONLY_OVERRIDE"}

const defaultMode = "READWRITE"

type modeBody struct {
	Mode string `json:"mode"`
}

// mode returns the subject's effective mode. READONLY_OVERRIDE of the registry
// beats what a subject says.
func (r *Registry) mode(subject string) string {
	global := r.store.modes[""]
	if m := r.store.modes[subject]; m != "" && global != "READONLY_OVERRIDE" {
		return m
	}
	if global == "" {
		return defaultMode
	}
	return global
}

// writable refuses changes of a subject that is read-only.
func (r *Registry) writable(subject string) error {
	if strings.HasPrefix(r.mode(subject), "READONLY") {
		return invalid(codeNotPermitted, "Subject %s is in read-only mode", subject)
	}
	return nil
}

func (r *Registry) getMode(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	if _, ok := r.store.modes[subject]; !ok && subject != "" && req.URL.Query().Get("defaultToGlobal") != "true" {
		return nil, notFound(codeNoSubjectMode, "Subject '%s' does not have subject-level mode configured", subject)
	}
	return modeBody{r.mode(subject)}, nil
}

func (r *Registry) putMode(req *http.Request) (any, error) {
	var body modeBody
	if err := decode(req, &body); err != nil {
		return nil, err
	}
	body.Mode = strings.ToUpper(body.Mode)
	if body.Mode == "IMPORT" {
		return nil, invalid(codeNotPermitted, "The embedded registry does not support mode IMPORT")
	}
	if !slices.Contains(modes, body.Mode) {
		return nil, invalid(codeInvalidMode, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, and IMPORT")
	}
	if err := r.store.commit(entry{Mode: &modeEntry{req.PathValue("subject"), body.Mode}}); err != nil {
		return nil, err
	}
	return body, nil
}

func (r *Registry) deleteMode(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	mode, ok := r.store.modes[subject]
	if !ok && subject != "" {
		return nil, notFound(codeNoSubjectMode, "Subject '%s' does not have subject-level mode configured", subject)
	}
	if ok {
		if err := r.store.commit(entry{Mode: &modeEntry{Subject: subject}}); err != nil {
			return nil, err
		}
	}
	if subject == "" {
		mode = defaultMode
	}
	return modeBody{mode}, nil
}

package kafka

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
)

// History is what a registry has of a subject.
type History struct {
	Level    string   // the effective compatibility: the subject's own or the registry's
	Versions []string // the schemas, oldest first
	Types    []string // the schemas that these and the references asked for refer to, those that others need first
}

// History reads a subject's versions, what they refer to, and what more refers to: pairs of subject and version.
func (p *Provider) History(ctx context.Context, subject string, more map[string]int) (History, error) {
	var h History
	var level config
	what := fmt.Sprintf("read the history of subject %q", subject)
	if err := p.registry.send(ctx, what, http.MethodGet, "/config/"+escape(subject)+"?defaultToGlobal=true", nil, &level); err != nil {
		return h, err
	}
	h.Level = level.Level
	var versions []int
	if err := p.registry.send(ctx, what, http.MethodGet, "/subjects/"+escape(subject)+"/versions", nil, &versions); err != nil {
		return h, err
	}
	seen := map[string]bool{}
	var add func(ref schemaregistry.Reference) error
	read := func(subject string, version int) (string, error) {
		var v struct {
			Schema     string
			References []schemaregistry.Reference
		}
		if err := p.registry.send(ctx, what, http.MethodGet, fmt.Sprintf("/subjects/%s/versions/%d", escape(subject), version), nil, &v); err != nil {
			return "", err
		}
		for _, ref := range v.References {
			if err := add(ref); err != nil {
				return "", err
			}
		}
		return v.Schema, nil
	}
	add = func(ref schemaregistry.Reference) error {
		key := fmt.Sprintf("%d of %s", ref.Version, ref.Subject)
		if seen[key] {
			return nil
		}
		seen[key] = true
		text, err := read(ref.Subject, ref.Version)
		if err == nil && !slices.Contains(h.Types, text) {
			h.Types = append(h.Types, text)
		}
		return err
	}
	for _, version := range versions {
		text, err := read(subject, version)
		if err != nil {
			return h, err
		}
		h.Versions = append(h.Versions, text)
	}
	for subject, version := range more {
		if err := add(schemaregistry.Reference{Subject: subject, Version: version}); err != nil {
			return h, err
		}
	}
	return h, nil
}

package registry

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// view is a version of a subject, or a schema alone, as the API sends it.
type view struct {
	Subject    string          `json:"subject,omitempty"`
	Version    int             `json:"version,omitempty"`
	ID         int             `json:"id,omitempty"`
	GUID       string          `json:"guid,omitempty"`
	References []reference     `json:"references,omitempty"`
	Metadata   *metadata       `json:"metadata,omitempty"`
	RuleSet    json.RawMessage `json:"ruleSet,omitempty"`
	Schema     string          `json:"schema"`
}

func (r *Registry) view(subject string, v version) view {
	s := r.store.schemas[v.ID]
	return view{subject, v.Version, s.ID, s.guid(), s.References, s.Metadata, s.RuleSet, s.Text}
}

// use is one place where a schema stands.
type use struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// uses returns where a schema that match accepts stands, in order.
func (r *Registry) uses(deleted bool, match func(*schema) bool) []use {
	out := []use{}
	for _, name := range sortedKeys(r.store.subjects) {
		for _, v := range r.store.subjects[name] {
			if (deleted || !v.Deleted) && match(r.store.schemas[v.ID]) {
				out = append(out, use{name, v.Version})
			}
		}
	}
	return out
}

// schemaByID finds the schema of the URL's id.
func (r *Registry) schemaByID(req *http.Request) (*schema, error) {
	id, err := strconv.Atoi(req.PathValue("id"))
	if err != nil {
		return nil, notFound(http.StatusNotFound, "HTTP 404 Not Found")
	}
	s, ok := r.store.schemas[id]
	if !ok {
		return nil, notFound(codeSchemaNotFound, "Schema %d not found", id)
	}
	return s, nil
}

func (r *Registry) getSchemaByID(req *http.Request) (any, error) {
	s, err := r.schemaByID(req)
	if err != nil {
		return nil, err
	}
	return view{GUID: s.guid(), References: s.References, Metadata: s.Metadata, RuleSet: s.RuleSet, Schema: s.Text}, nil
}

func (r *Registry) getSchemaText(req *http.Request) (any, error) {
	s, err := r.schemaByID(req)
	if err != nil {
		return nil, err
	}
	return rawJSON(s.Text), nil
}

func (r *Registry) getSchemaByGUID(req *http.Request) (any, error) {
	for _, id := range sortedKeys(r.store.schemas) {
		if s := r.store.schemas[id]; s.guid() == req.PathValue("guid") {
			return view{GUID: s.guid(), References: s.References, Metadata: s.Metadata, RuleSet: s.RuleSet, Schema: s.Text}, nil
		}
	}
	return nil, schemaNotFound()
}

func (r *Registry) getSubjectsOfID(req *http.Request) (any, error) {
	s, err := r.schemaByID(req)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, u := range r.uses(flag(req, "deleted"), func(have *schema) bool { return have == s }) {
		if !slices.Contains(names, u.Subject) {
			names = append(names, u.Subject)
		}
	}
	return names, nil
}

func (r *Registry) getVersionsOfID(req *http.Request) (any, error) {
	s, err := r.schemaByID(req)
	if err != nil {
		return nil, err
	}
	return r.uses(flag(req, "deleted"), func(have *schema) bool { return have == s }), nil
}

func (r *Registry) listSchemas(req *http.Request) (any, error) {
	views := []view{}
	for _, name := range sortedKeys(r.store.subjects) {
		if !strings.HasPrefix(name, req.URL.Query().Get("subjectPrefix")) {
			continue
		}
		vs := r.store.live(name)
		if flag(req, "deleted") {
			vs = r.store.subjects[name]
		}
		if flag(req, "latestOnly") && len(vs) > 0 {
			vs = vs[len(vs)-1:]
		}
		for _, v := range vs {
			views = append(views, r.view(name, v))
		}
	}
	return views, nil
}

// referencing returns the ids of the schemas that refer to a version and stand
// in some subject; those that are soft-deleted do not count.
func (r *Registry) referencing(subject string, version int) []int {
	ids := []int{}
	r.uses(false, func(s *schema) bool {
		refers := slices.ContainsFunc(s.References, func(ref reference) bool { return ref.Subject == subject && ref.Version == version })
		if refers && !slices.Contains(ids, s.ID) {
			ids = append(ids, s.ID)
		}
		return refers
	})
	return ids
}

func (r *Registry) unreferenced(subject string, v version) error {
	if len(r.referencing(subject, v.Version)) == 0 {
		return nil
	}
	return invalid(codeReferenceExists, "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%s,version=%d}.", subject, v.Version)
}

func (r *Registry) getReferencedBy(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	v, err := r.version(subject, req.PathValue("version"), flag(req, "deleted"))
	if err != nil {
		return nil, err
	}
	return r.referencing(subject, v.Version), nil
}

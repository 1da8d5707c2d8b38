package registry

import (
	"bytes"
	"cmp"
	"crypto/md5" // the API asks for an MD5; nothing is protected by it
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/twmb/avro"
)

const (
	formatAvro = "AVRO"
	// maxBody bounds a request, in bytes; Kafka's default limit for a message
	// is what bounds schemas in a registry that keeps them in a topic.
	maxBody = 1 << 20
)

// schema is a schema as it is kept: canonical text and what belongs to its
// identity beside the text.
type schema struct {
	ID         int             `json:"id"`
	Text       string          `json:"text"`
	References []reference     `json:"references,omitempty"`
	Metadata   *metadata       `json:"metadata,omitempty"`
	RuleSet    json.RawMessage `json:"ruleSet,omitempty"`
}

type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

type metadata struct {
	Tags       map[string][]string `json:"tags,omitempty"`
	Properties map[string]string   `json:"properties,omitempty"`
	Sensitive  []string            `json:"sensitive,omitempty"`
}

// key is what makes two schemas the same one.
func (s *schema) key() string {
	id, _ := json.Marshal(schema{Text: s.Text, References: s.References, Metadata: s.Metadata, RuleSet: s.RuleSet})
	return string(id)
}

func (s *schema) guid() string {
	h := md5.Sum([]byte(s.key()))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// request is the body of a registration, lookup or compatibility test.
type request struct {
	Schema     string          `json:"schema"`
	SchemaType string          `json:"schemaType"`
	References []reference     `json:"references"`
	Metadata   *metadata       `json:"metadata"`
	RuleSet    json.RawMessage `json:"ruleSet"`
	// Sent by clients that post back what they got; only id and version carry
	// a meaning, which is refused.
	Subject string `json:"subject"`
	GUID    string `json:"guid"`
	ID      int    `json:"id"`
	Version int    `json:"version"`
}

// decode reads a JSON body into v and refuses what v does not know, as the
// API does unless the client asks it not to.
func decode(req *http.Request, v any) error {
	d := json.NewDecoder(req.Body)
	if req.Header.Get("Confluent-Accept-Unknown-Properties") != "true" {
		d.DisallowUnknownFields()
	}
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("more than one JSON value")
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return invalid(codeSchemaTooLarge, "Request is larger than %d bytes", tooLarge.Limit)
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return invalid(http.StatusUnprocessableEntity, "Unrecognized field: %s", strings.TrimPrefix(err.Error(), "json: unknown field "))
	}
	return fail(http.StatusBadRequest, http.StatusBadRequest, "Malformed JSON: %v", err)
}

// readSchema reads a schema from a request: parsed against its references and
// in canonical text. normalize is what the URL or the configuration asks for.
func (r *Registry) readSchema(req *http.Request, normalize bool) (*schema, *avro.Schema, error) {
	var body request
	if err := decode(req, &body); err != nil {
		return nil, nil, err
	}
	if t := cmp.Or(body.SchemaType, formatAvro); t != formatAvro {
		return nil, nil, invalid(codeInvalidSchema, "Invalid schema type %s: the embedded registry knows %s only", t, formatAvro)
	}
	if strings.TrimSpace(body.Schema) == "" {
		return nil, nil, invalid(codeInvalidSchema, "Empty schema")
	}
	for i, ref := range body.References {
		if vs := r.store.live(ref.Subject); ref.Version == -1 && len(vs) > 0 { // the latest, as of now
			body.References[i].Version = vs[len(vs)-1].Version
		}
	}
	parsed, err := r.store.parse(body.Schema, body.References)
	if err != nil {
		return nil, nil, invalid(codeInvalidSchema, "Invalid schema of type %s, details: %v", formatAvro, err)
	}
	text, err := canonical(body.Schema, normalize)
	if err != nil {
		return nil, nil, invalid(codeInvalidSchema, "Invalid schema of type %s, details: %v", formatAvro, err)
	}
	sch := &schema{ID: body.ID, Text: text, References: body.References, Metadata: body.Metadata}
	if len(body.RuleSet) > 0 && string(body.RuleSet) != "null" {
		var rules bytes.Buffer
		if err := json.Compact(&rules, body.RuleSet); err != nil || rules.Bytes()[0] != '{' {
			return nil, nil, fail(http.StatusBadRequest, http.StatusBadRequest, "ruleSet is not an object")
		}
		sch.RuleSet = rules.Bytes()
	}
	return sch, parsed, nil
}

// parse compiles a schema together with everything it refers to.
func (s *store) parse(text string, refs []reference) (*avro.Schema, error) {
	var cache avro.SchemaCache
	if err := s.parseRefs(&cache, refs, map[reference]bool{}); err != nil {
		return nil, err
	}
	return cache.Parse(text)
}

func (s *store) parseRefs(cache *avro.SchemaCache, refs []reference, done map[reference]bool) error {
	for _, ref := range refs {
		at := reference{Subject: ref.Subject, Version: ref.Version}
		if done[at] {
			continue
		}
		done[at] = true
		i := slices.IndexFunc(s.subjects[ref.Subject], func(v version) bool { return v.Version == ref.Version })
		if i < 0 {
			return fmt.Errorf("no schema reference found for subject %q and version %d", ref.Subject, ref.Version)
		}
		sch := s.schemas[s.subjects[ref.Subject][i].ID]
		if err := s.parseRefs(cache, sch.References, done); err != nil {
			return err
		}
		if _, err := cache.Parse(sch.Text); err != nil {
			return fmt.Errorf("reference %q: %w", ref.Name, err)
		}
	}
	return nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

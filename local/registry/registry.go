// Package registry serves the REST API of a schema registry (Confluent Platform,
// "Schema Registry API Reference") from one directory of this machine.
//
// Schemas are Avro; JSON Schema and Protobuf are refused by name. Compatibility
// is really checked, at all seven levels, by twmb/avro. What was acknowledged is
// on disk: every change is one fsynced line of a journal that is replayed at
// Open. Contexts, config inheritance (aliases, default and override metadata or
// rules) and registration under chosen ids are refused by name. The package knows
// nothing of stacks, plans or providers.
package registry

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
)

// Config says where a registry lives and who may use it.
type Config struct {
	// Dir holds the journal. It is created with mode 0700 if needed. One
	// process owns it at a time.
	Dir string
	// User and Password, when User is not empty, are what HTTP basic
	// authentication requires of every request.
	User, Password string
}

// Registry is an open registry: an http.Handler that is safe for concurrent use.
type Registry struct {
	user, password string
	mux            *http.ServeMux

	mu    sync.RWMutex
	store *store
}

// Open replays the journal in cfg.Dir. A line that was cut short by a crash was
// never acknowledged and is dropped; any other damage is an error.
func Open(cfg Config) (*Registry, error) {
	s, err := openStore(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open schema registry: %w", err)
	}
	r := &Registry{user: cfg.User, password: cfg.Password, mux: http.NewServeMux(), store: s}
	r.routes()
	return r, nil
}

// Close frees the directory. Requests that follow fail.
func (r *Registry) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store.close()
}

// A handler answers one request with a value to encode or an error. It runs
// under the registry's lock: shared for GET and for lookups, exclusive for the rest.
type handler func(*http.Request) (any, error)

func (r *Registry) routes() {
	read := func(pattern string, h handler) { r.handle(pattern, r.mu.RLocker(), h) }
	write := func(pattern string, h handler) { r.handle(pattern, &r.mu, h) }

	read("GET /{$}", func(*http.Request) (any, error) { return struct{}{}, nil })
	read("GET /contexts", func(*http.Request) (any, error) { return []string{"."}, nil })

	read("GET /schemas", r.listSchemas)
	read("GET /schemas/types", func(*http.Request) (any, error) { return []string{formatAvro}, nil })
	read("GET /schemas/ids/{id}", r.getSchemaByID)
	read("GET /schemas/ids/{id}/schema", r.getSchemaText)
	read("GET /schemas/ids/{id}/subjects", r.getSubjectsOfID)
	read("GET /schemas/ids/{id}/versions", r.getVersionsOfID)
	read("GET /schemas/guids/{guid}", r.getSchemaByGUID)

	read("GET /subjects", r.listSubjects)
	read("POST /subjects/{subject}", r.lookup)
	write("DELETE /subjects/{subject}", r.deleteSubject)
	read("GET /subjects/{subject}/versions", r.listVersions)
	write("POST /subjects/{subject}/versions", r.register)
	read("GET /subjects/{subject}/metadata", r.getLatestWithMetadata)
	read("GET /subjects/{subject}/versions/{version}", r.getVersion)
	read("GET /subjects/{subject}/versions/{version}/schema", r.getVersionText)
	read("GET /subjects/{subject}/versions/{version}/referencedby", r.getReferencedBy)
	write("DELETE /subjects/{subject}/versions/{version}", r.deleteVersion)

	read("POST /compatibility/subjects/{subject}/versions", r.testCompatibility)
	read("POST /compatibility/subjects/{subject}/versions/{version}", r.testCompatibility)

	read("GET /config", r.getConfig)
	write("PUT /config", r.putConfig)
	write("DELETE /config", r.deleteConfig)
	read("GET /config/{subject}", r.getConfig)
	write("PUT /config/{subject}", r.putConfig)
	write("DELETE /config/{subject}", r.deleteConfig)

	read("GET /mode", r.getMode)
	write("PUT /mode", r.putMode)
	write("DELETE /mode", r.deleteMode)
	read("GET /mode/{subject}", r.getMode)
	write("PUT /mode/{subject}", r.putMode)
	write("DELETE /mode/{subject}", r.deleteMode)

	read("/", func(*http.Request) (any, error) {
		return nil, fail(http.StatusNotFound, http.StatusNotFound, "HTTP 404 Not Found")
	})
}

func (r *Registry) handle(pattern string, lock sync.Locker, h handler) {
	r.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		req.Body = http.MaxBytesReader(w, req.Body, maxBody)
		answer(w, func() (any, error) {
			if subject := req.PathValue("subject"); strings.HasPrefix(subject, ":.") {
				return nil, fail(http.StatusUnprocessableEntity, codeInvalidSubject,
					"Subject '%s' names a context; the embedded registry has only the default one", subject)
			}
			lock.Lock()
			defer lock.Unlock()
			return h(req)
		})
	})
}

// ServeHTTP answers one request of the REST API.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.user != "" {
		user, password, _ := req.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(user), []byte(r.user))&
			subtle.ConstantTimeCompare([]byte(password), []byte(r.password)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="schema registry"`)
			answer(w, func() (any, error) {
				return nil, fail(http.StatusUnauthorized, http.StatusUnauthorized, "Unauthorized")
			})
			return
		}
	}
	r.mux.ServeHTTP(w, req)
}

// rawJSON is an answer that is JSON text already.
type rawJSON string

func answer(w http.ResponseWriter, h func() (any, error)) {
	v, err := h()
	status := http.StatusOK
	if err != nil {
		e := new(apiError)
		if !errors.As(err, &e) {
			slog.Error("schema registry", "component", "registry", "err", err)
			e = fail(http.StatusInternalServerError, codeStore, "Error in the backend data store: %v", err)
		}
		status, v = e.status, e
	}
	var body []byte
	if text, ok := v.(rawJSON); ok {
		body = []byte(text)
	} else if body, err = json.Marshal(v); err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error_code":50001,"message":"answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

package registry

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/twmb/avro"
)

// The compatibility levels (Schema Registry documentation, "Schema Evolution
// and Compatibility").
var levels = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}

const defaultLevel = "BACKWARD"

// level returns the subject's effective compatibility level.
func (r *Registry) level(subject string) string {
	for _, name := range []string{subject, ""} {
		if c, ok := r.store.configs[name]; ok && c.Compatibility != "" {
			return c.Compatibility
		}
	}
	return defaultLevel
}

// incompatible says why next may not follow the given earlier versions under a
// level. It returns nil if it may.
func (r *Registry) incompatible(next *avro.Schema, earlier []version, level string) ([]string, error) {
	if level == "NONE" || len(earlier) == 0 {
		return nil, nil
	}
	if !strings.HasSuffix(level, "_TRANSITIVE") {
		earlier = earlier[len(earlier)-1:]
	}
	direction := strings.TrimSuffix(level, "_TRANSITIVE")
	for _, v := range slices.Backward(earlier) {
		old, err := r.store.avro(v.ID)
		if err != nil {
			return nil, err
		}
		var messages []string
		if direction != "FORWARD" {
			messages = append(messages, mismatch(old, next, "new", "old")...)
		}
		if direction != "BACKWARD" {
			messages = append(messages, mismatch(next, old, "old", "new")...)
		}
		if len(messages) > 0 {
			return append(messages,
				fmt.Sprintf("{oldSchemaVersion: %d}", v.Version),
				fmt.Sprintf("{oldSchema: '%s'}", r.store.schemas[v.ID].Text),
				fmt.Sprintf("{compatibility: '%s'}", level)), nil
		}
	}
	return nil, nil
}

// mismatch says why reader cannot read what writer wrote.
func mismatch(writer, reader *avro.Schema, readerName, writerName string) []string {
	err := avro.CheckCompatibility(writer, reader)
	if err == nil {
		return nil
	}
	var c *avro.CompatibilityError
	if !errors.As(err, &c) {
		return []string{fmt.Sprintf("{description:'%v'}", err)}
	}
	return []string{fmt.Sprintf("{errorType:'%s', description:'the %s schema (%s) cannot read data of the %s schema (%s) at path '%s': %s'}",
		errorType(c), readerName, c.ReaderType, writerName, c.WriterType, c.Path, c.Detail)}
}

// errorType names an incompatibility as org.apache.avro.SchemaCompatibility does.
func errorType(c *avro.CompatibilityError) string {
	for _, t := range []struct{ in, name string }{
		{"names do not match", "NAME_MISMATCH"},
		{"fixed sizes", "FIXED_SIZE_MISMATCH"},
		{"union branch", "MISSING_UNION_BRANCH"},
		{"default", "READER_FIELD_MISSING_DEFAULT_VALUE"},
		{"symbol", "MISSING_ENUM_SYMBOLS"},
	} {
		if strings.Contains(c.Detail, t.in) {
			return t.name
		}
	}
	return "TYPE_MISMATCH"
}

// testCompatibility answers POST /compatibility/subjects/{subject}/versions[/{version}].
func (r *Registry) testCompatibility(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	_, next, err := r.readSchema(req, false)
	if err != nil {
		return nil, err
	}
	earlier := r.store.live(subject)
	if which := req.PathValue("version"); which != "" {
		v, err := r.version(subject, which, false)
		if err != nil {
			return nil, err
		}
		earlier = []version{v}
	}
	messages, err := r.incompatible(next, earlier, r.level(subject))
	if err != nil {
		return nil, err
	}
	answer := struct {
		OK       bool     `json:"is_compatible"`
		Messages []string `json:"messages,omitempty"`
	}{OK: len(messages) == 0}
	if req.URL.Query().Get("verbose") == "true" {
		answer.Messages = messages
	}
	return answer, nil
}

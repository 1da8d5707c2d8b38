package spec

import (
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a file in JSON holds, loading it gives a stack or diagnostics that can be written.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"kafka_topic": {"a": {"name": "${var.x}", "partitions": 3}}, "variable": {"x": {"type": "string"}}}`, `{"a": [[{}]]}`, `{"locals": {"a": {"b": [1, null, true, "%{ if true }x%{ endif }"]}}}`,
		`{"moved": [{"from": "kafka_topic.a[\"k\"]", "to": "${kafka_topic.b}"}], "$schema": 1}`, `{"x": 1`, strings.Repeat(`[`, 300), `{"kafka_topic": {"a": []}} {}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "stack.hcl.json")
		write(t, path, text)
		s, diags := Load(path, testOptions())
		if !diags.HasErrors() {
			diags = s.Validate()
		}
		_ = render(s, diags, path)
	})
}

// Editors of Windows begin a file with a byte order mark.
func TestJSONByteOrderMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stack.hcl.json")
	write(t, path, "\uFEFF"+`{"kafka_topic": {"a": {}}}`)
	if _, diags := Load(path, testOptions()); diags.HasErrors() {
		t.Error(diags)
	}
}

package jsonobject

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"
)

// What encoding/json takes as an object has the members that it says, each once or more, as they stand.
func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":"x\"y","c":{"d":[1,{}]},"e":null}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"a":"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := map[string]bool{}
		err := Each(text, func(key, raw []byte) error {
			if json.Valid(text) && !json.Valid(raw) {
				t.Errorf("%q is no JSON", raw)
			}
			got[string(key)] = true
			return nil
		})
		var want map[string]json.RawMessage
		if !json.Valid(text) || !utf8.Valid(text) || json.Unmarshal(text, &want) != nil || want == nil {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if a, b := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(a, b) {
			t.Errorf("%q has %q, want %q", text, a, b)
		}
	})
}

// What is no character is not replaced by one that the source did not have.
func TestUnquote(t *testing.T) {
	for raw, want := range map[string]string{`"a"`: "a", `"\n😀"`: "\n😀", `"\ud83d\ude00"`: "😀", `"\ufffd\uFFFD�\t"`: "���\t", `""`: ""} {
		if got, err := Unquote([]byte(raw)); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", raw, got, err)
		}
	}
	for _, raw := range []string{`"\ud800"`, `"\ude00\ud83d"`, "\"\\n\xff\"", `"\ufffd\ud800"`} {
		if got, err := Unquote([]byte(raw)); err == nil {
			t.Errorf("%s: %q", raw, got)
		}
	}
}

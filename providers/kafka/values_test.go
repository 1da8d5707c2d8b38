package kafka

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

func TestSettings(t *testing.T) {
	for _, c := range []struct{ key, in, want string }{
		{"retention.ms", "7d", "604800000"},
		{"retention.ms", "-1", "-1"},
		{"retention.ms", " 1h30m ", "5400000"},
		{"retention.ms", "1.5s", "1500"},
		{"retention.ms", "2w", "1209600000"},
		{"retention.ms", "604800000", "604800000"},
		{"retention.bytes", "1GiB", "1073741824"},
		{"retention.bytes", "64 MB", "64000000"},
		{"retention.bytes", "-1", "-1"},
		{"max.message.bytes", "1MiB", "1048576"},
		{"cleanup.policy", "delete, compact", "compact,delete"},
		{"cleanup.policy", "Delete", "delete"},
		{"preallocate", "TRUE", "true"},
		{"confluent.value.schema.validation", "true", "true"},
		{"compression.type", "zstd", "zstd"},
	} {
		if err := checkSetting(c.key, c.in); err != nil {
			t.Errorf("%s = %q: %v", c.key, c.in, err)
		}
		if got := normSetting(c.key, c.in); got != c.want {
			t.Errorf("%s = %q: %q, want %q", c.key, c.in, got, c.want)
		}
	}
	for _, c := range []struct{ key, in string }{
		{"retention.ms", "soon"}, {"retention.ms", "7 days"}, {"retention.ms", "1.5ms"}, {"retention.ms", "d"}, {"retention.ms", ""}, {"retention.ms", "1e9999d"},
		{"retention.bytes", "big"}, {"retention.bytes", "1XiB"}, {"cleanup.policy", ""},
	} {
		if err := checkSetting(c.key, c.in); err == nil {
			t.Errorf("%s = %q is fine", c.key, c.in)
		}
	}
}

func FuzzNormSetting(f *testing.F) {
	for _, key := range []string{"retention.ms", "retention.bytes", "cleanup.policy", "x"} {
		for _, v := range []string{"7d", "1GiB", "delete,compact", "1h30m", "-1", "TRUE", " x "} {
			f.Add(key, v)
		}
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		once := normSetting(key, value)
		if twice := normSetting(key, once); twice != once {
			t.Errorf("%s = %q: %q, then %q", key, value, once, twice)
		}
		if checkSetting(key, value) == nil && once != "" {
			if err := checkSetting(key, once); err != nil {
				t.Errorf("%s = %q became %q: %v", key, value, once, err)
			}
		}
	})
}

func FuzzNormSchema(f *testing.F) {
	for _, s := range []string{`"int"`, `{"type":"record","name":"R","fields":[]}`, `{"a":1.0,"b":"<&>"}`, `{`, `1 2`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := normSchema(cty.StringVal(text))
		if twice := normSchema(once); !twice.RawEquals(once) {
			t.Errorf("%q: %#v, then %#v", text, once, twice)
		}
	})
}

func TestTopicChecks(t *testing.T) {
	for name, ok := range map[string]bool{
		"market_data": true, "a.b-c_1": true, strings.Repeat("x", 249): true,
		"": false, ".": false, "..": false, "a b": false, "größe": false, strings.Repeat("x", 250): false,
	} {
		if err := checkTopicName(cty.StringVal(name)); (err == nil) != ok {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	three, six := cty.NumberIntVal(3), cty.NumberIntVal(6)
	if v := changePartitions(three, six); v.Act != spec.InPlace || v.Why == "" {
		t.Errorf("more partitions: %+v", v)
	}
	if v := changePartitions(six, three); v.Act != spec.Refuse || v.Why == "" {
		t.Errorf("fewer partitions: %+v", v)
	}
	config := func(pairs ...string) cty.Value {
		m := map[string]cty.Value{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = cty.StringVal(pairs[i+1])
		}
		if len(m) == 0 {
			return cty.MapValEmpty(cty.String)
		}
		return cty.MapVal(m)
	}
	if v := changeSettings(config(), config("cleanup.policy", "compact")); v.Act != spec.InPlace || !strings.Contains(v.Why, "drops records") {
		t.Errorf("to compact: %+v", v)
	}
	if v := changeSettings(config("cleanup.policy", "compact"), config("cleanup.policy", "compact", "retention.ms", "1")); v.Why != "" {
		t.Errorf("still compact: %+v", v)
	}
	for _, c := range []struct {
		config cty.Value
		want   string
	}{
		{config("retention.msec", "1"), "Unknown topic setting"},
		{config("min.insync.replicas", "2", "confluent.x", "y"), ""},
		{cty.UnknownVal(cty.Map(cty.String)), ""},
	} {
		got := ""
		for _, p := range checkTopic(object("config", c.config)) {
			got += p.Summary
		}
		if got != c.want {
			t.Errorf("%#v: %q, want %q", c.config, got, c.want)
		}
	}
}

func TestSubjectChecks(t *testing.T) {
	none := cty.ListValEmpty(Subject.Block("reference").Type().ElementType())
	for _, c := range []struct {
		schema cty.Value
		want   int
	}{
		{cty.StringVal(`"int"`), 0},
		{cty.StringVal(`{"type":"record"}`), 1},
		{cty.StringVal(`"m.Row"`), 1},
		{cty.StringVal(`nonsense`), 0}, // the attribute's own check tells
		{cty.UnknownVal(cty.String), 0},
	} {
		if got := checkSubject(object("schema", c.schema, "reference", none)); len(got) != c.want {
			t.Errorf("%#v: %v", c.schema, got)
		}
	}
	if checkSchemaJSON(cty.StringVal("nonsense")) == nil || checkSubjectName(cty.StringVal("")) == nil {
		t.Error("nonsense is fine")
	}
	if err := Subject.Attr("compatibility").Check(cty.StringVal("full")); err != nil {
		t.Error(err)
	}
	if err := Subject.Attr("format").Check(cty.StringVal("PROTOBUF")); err == nil {
		t.Error("PROTOBUF is fine")
	}
}

package registry

import (
	"testing"

	"github.com/twmb/avro"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{` "int" `, `"int"`},
		{`{"type":"int"}`, `"int"`},
		{`{"logicalType":"date","type":"int"}`, `{"type":"int","logicalType":"date"}`},
		{`{"name":"a.b.R","fields":[],"type":"record","doc":"d"}`, `{"type":"record","name":"R","namespace":"a.b","doc":"d","fields":[]}`},
		{`{"type":"record","name":"R","namespace":"n","fields":[{"type":{"type":"enum","symbols":["A"],"name":"E","namespace":"n"},"name":"e","order":"ascending","default":"A"},{"name":"f","type":["null","n.E"]}]}`,
			`{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]},"default":"A"},{"name":"f","type":["null","E"]}]}`},
		{`{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"type":"fixed","size":1,"name":"m.F"}},{"name":"g","type":"m.F"}]}`,
			`{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"type":"fixed","name":"F","namespace":"m","size":1}},{"name":"g","type":"m.F"}]}`},
		{`{"type":"string","z":"<&>","a":{"y":1.50,"x":[]}}`, `{"type":"string","z":"<&>","a":{"y":1.50,"x":[]}}`},
	} {
		got, err := canonical(c.in, false)
		if err != nil || got != c.want {
			t.Errorf("canonical(%s)\n got %s %v\nwant %s", c.in, got, err, c.want)
		}
		if again, err := canonical(got, false); err != nil || again != got {
			t.Errorf("canonical twice: %s, then %s %v", got, again, err)
		}
		// Meaning is kept: Avro's parsing canonical form is the same.
		before, err := avro.Parse(c.in)
		if err != nil {
			t.Fatal(err)
		}
		after, err := avro.Parse(got)
		if err != nil || string(after.Canonical()) != string(before.Canonical()) {
			t.Errorf("%s means something else than %s (%v)", got, c.in, err)
		}
	}
	if got, _ := canonical(`{"type":"string","z":1,"a":{"y":1,"x":2}}`, true); got != `{"type":"string","a":{"x":2,"y":1},"z":1}` {
		t.Errorf("normalized %s", got)
	}
}

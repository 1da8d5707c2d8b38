package audit

import (
	"strings"
	"testing"

	"mkt/stream/streamtest"
)

// Rows that were sent before the schema gained a field have its default (Avro
// specification, "Schema Resolution"), and nothing is lost or doubled.
func TestFieldWithDefaultAdded(t *testing.T) {
	f := newFixture(t, 300)
	f.Register(streamtest.Subject, strings.Replace(streamtest.Schema, `]}`, `,{"name":"Note","type":"string","default":"none"}]}`, 1))
	if rep := f.audit(); !rep.OK() {
		t.Errorf("%+v", rep)
	}
	if err := f.Cluster.DeleteRecords(streamtest.Topic, 0, 5); err != nil {
		t.Fatal(err)
	}
	if rep := f.audit(); !rep.OK() { // files against the source
		t.Errorf("after retention: %+v", rep)
	}
}

package spec

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestSilence(t *testing.T) {
	s := mustLoad(t, `
kafka_topic "a" {
  lifecycle {
    silence = {
      "retention-outage" = "replayed from the source"
      key-order          = "one key only"
    }
  }
}
`, nil)
	got := s.Blocks()[0].Lifecycle.Silence
	if len(got) != 2 || got[0].Check != "retention-outage" || got[0].Reason != "replayed from the source" || got[1].Check != "key-order" {
		t.Fatalf("got %+v", got)
	}
	if got[1].Range.Start.Line != 6 {
		t.Errorf("the second item is on line 6, not %d", got[1].Range.Start.Line)
	}
}

func TestObject(t *testing.T) {
	s := mustLoad(t, `kafka_topic "a" {}`, nil)
	sc := s.NewScope()
	b := s.Blocks()[0]
	if _, ok := sc.Object(b.Addr); ok || sc.Evaluated(b.Addr) != nil {
		t.Error("an object that was not set is there")
	}
	insts, diags := sc.Instances(b)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if sc.Evaluated(b.Addr) != insts[0] {
		t.Error("another instance than the evaluated one")
	}
	sc.Set(b.Addr, insts[0].Value)
	if v, ok := sc.Object(b.Addr); !ok || !v.GetAttr("name").RawEquals(cty.StringVal("a")) {
		t.Errorf("got %#v", v)
	}
}

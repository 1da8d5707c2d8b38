package spec

import "testing"

func TestMoves(t *testing.T) {
	s := mustLoad(t, `
variable "env" {
  default = "prod"
}
kafka_topic "now" {}
kafka_topic "each" {
  for_each = toset(["x"])
  name     = each.key
}
kafka_topic "all" {
  for_each = toset(["a"])
  name     = "all-${each.key}"
}
moved {
  from = kafka_topic.first
  to   = kafka_topic.second
}
moved {
  from = kafka_topic.second
  to   = kafka_topic.now
}
moved {
  from = kafka_topic.each
  to   = kafka_topic.each["x"]
}
moved {
  from = kafka_topic.many
  to   = kafka_topic.each
}
moved {
  from = kafka_topic.many["old"]
  to   = kafka_topic.each["new"]
}
moved {
  from = kafka_topic.renamed["a"]
  to   = kafka_topic.all["b"]
}
moved {
  from = kafka_topic.renamed
  to   = kafka_topic.all
}
removed {
  from = kafka_topic.gone
  lifecycle {
    destroy = true
  }
}
import {
  to = kafka_topic.now
  id = "${var.env}-topic"
}
`, func(*Options) {})
	for from, want := range map[string]string{
		`kafka_topic.first`:        `kafka_topic.now`,
		`kafka_topic.second`:       `kafka_topic.now`,
		`kafka_topic.now`:          `kafka_topic.now`,
		`kafka_topic.each`:         `kafka_topic.each["x"]`,
		`kafka_topic.each["y"]`:    `kafka_topic.each["y"]`,
		`kafka_topic.many["k"]`:    `kafka_topic.each["k"]`,
		`kafka_topic.many["old"]`:  `kafka_topic.each["new"]`,
		`kafka_topic.renamed["a"]`: `kafka_topic.all["b"]`,
		`kafka_topic.renamed["c"]`: `kafka_topic.all["c"]`,
		`kafka_topic.unknown`:      `kafka_topic.unknown`,
	} {
		addr, ok := ParseAddr(from)
		if !ok {
			t.Fatal(from)
		}
		if got := s.MovedTo(addr).String(); got != want {
			t.Errorf("%s moved to %s, not %s", from, got, want)
		}
	}
	gone := Addr{Kind: "kafka_topic", Name: "gone", Key: "k", Keyed: true}
	if r := s.RemovedBy(gone); r == nil || !r.Destroy {
		t.Errorf("a key of a removed block: %+v", r)
	}
	if r := s.RemovedBy(Addr{Kind: "kafka_topic", Name: "now"}); r != nil {
		t.Errorf("removed: %+v", r)
	}
	if i := s.Imports(); len(i) != 1 || i[0].ID != "prod-topic" || i[0].IDRange.Start.Line != 50 {
		t.Errorf("imports: %+v", i)
	}
}

package check_test

import (
	"path/filepath"
	"strings"
	"testing"

	"mkt/check"
)

// What a rule finds in a module names the instance, and a silence in a module holds for each.
func TestModules(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "data.csv"), "Index,Close\nA,1\n")
	put(t, filepath.Join(dir, "stack.hcl"), `
kafka_topic "t" { partitions = 6 }
schema_subject "t" {
  name   = "t-value"
  schema = jsonencode({ type = "record", name = "P", fields = [{ name = "Index", type = "string" }, { name = "Close", type = "double" }] })
}
module "feed" {
  source   = "./feed"
  for_each = toset(["a", "b"])
  topic    = kafka_topic.t
  subject  = schema_subject.t
}
`)
	module := `
variable "topic" {}
variable "subject" {}
producer "p" {
  topic   = var.topic
  subject = var.subject
  key     = row.index
  source "csv" { path = "${path.stack}/data.csv" }
  lifecycle { silence = SILENCE }
}
`
	for silence, want := range map[string]int{"{}": 2, `{ "key-order" = "rows stand alone" }`: 0} {
		put(t, filepath.Join(dir, "feed/main.hcl"), strings.Replace(module, "SILENCE", silence, 1))
		stack := load(t, dir)
		found := map[string]bool{}
		for _, d := range check.Run(check.Input{Stack: stack, Source: readSource(dir)}) {
			if related, ok := d.Extra.(check.Related); !ok || related.Check != "key-order" {
				continue
			}
			for _, key := range []string{"a", "b"} {
				if _, in, _ := strings.Cut(d.Detail, "\nIn "); strings.Contains(in, `module.feed["`+key+`"]`) && strings.HasSuffix(d.Subject.Filename, "feed/main.hcl") {
					found[key] = true
				}
			}
		}
		if len(found) != want {
			t.Errorf("silence = %s: found in %v", silence, found)
		}
	}
}

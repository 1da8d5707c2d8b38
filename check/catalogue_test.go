package check_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"golang.org/x/tools/txtar"

	"mkt/check"
)

// promises are what the checks across systems are there for, in the order of a pipeline, and the rules that keep each.
var promises = []struct {
	what  string
	rules []string
}{
	{"CSV header → Avro field, with the rename suggested", []string{"csv-header"}},
	{"Avro field → column under the pipe's match mode", []string{"field-column", "field-dropped", "column-unfed", "copy-columns"}},
	{"COPY target exists or is planned", []string{"copy-target"}},
	{"every NOT NULL column is fed", []string{"not-null-fed"}},
	{"at least one column matches", []string{"no-column-matches"}},
	{"types fit all the way: double into NUMBER(38,0), decimal scale", []string{"type-fit", "type-range"}},
	{"date and timestamp logical types written as text that Snowflake reads right", []string{"text-format", "text-parsed", "avro-logical", "parquet-options"}},
	{"longest string against VARCHAR(n)", []string{"string-length"}},
	{"NaN and infinity", []string{"nan"}},
	{"auto-ingest has an event subscription", []string{"event-missing"}},
	{"its queue is the integration's queue", []string{"event-queue"}},
	{"its prefix and data.api filter cover the consumer's files", []string{"event-filter"}},
	{"the stage's container and path cover the consumer's prefix", []string{"stage-covers"}},
	{"the pipe's pattern matches the names the consumer will write", []string{"pipe-pattern", "partition-by"}},
	{"file format agrees with the consumer's format and compression", []string{"file-format", "small-files"}},
	{"no two pipes over one path", []string{"two-pipes", "dead-letter-loaded"}},
	{"no queue behind two integrations", []string{"queue-shared"}},
	{"schema change compatible at the effective level, transitive: all versions, references included", []string{"schema-compatible"}},
	{"subject name fits the topic", []string{"subject-name"}},
	{"ON_ERROR's consequence said", []string{"on-error"}},
	{"SAS valid past a horizon", []string{"sas-horizon"}},
	{"SAS not valid for longer than it need or can be", []string{"sas-lifetime"}},
	{"SAS with the right permissions, no more and no less", []string{"sas-permissions", "stage-access"}},
	{"key present and not null", []string{"key-column", "key-null"}},
	{"order per key preserved", []string{"key-order"}},
	{"partition growth warned when records are keyed", []string{"partition-growth"}},
	{"a topic takes what producers send", []string{"insync-replicas"}},
	{"retention longer than the outage one plans for", []string{"retention-outage", "retention-size", "compaction"}},
	{"lifecycle deletion later than load and audit", []string{"lifecycle-early"}},
	{"the role's privileges on what the pipe needs", []string{"role-privileges"}},
	{"region", []string{"region"}},
	{"tenant", []string{"tenant"}},
	{"Kafka clients take the properties that are set, and none breaks exactly once", []string{"client-property"}},
	{"secrets stay out of the stack", []string{"plain-secret"}},
}

// TestPromises holds the list against the rules: none is missing, and none is there without a reason.
func TestPromises(t *testing.T) {
	kept := map[string]bool{}
	for _, r := range check.Rules() {
		kept[r.ID] = false
	}
	for _, p := range promises {
		for _, id := range p.rules {
			if _, known := kept[id]; !known {
				t.Errorf("%s: there is no rule %s", p.what, id)
			}
			kept[id] = true
		}
	}
	for id, named := range kept {
		if !named {
			t.Errorf("what is the rule %s there for?", id)
		}
	}
}

// oneEnd are the rules that may find something wrong with one place alone.
var oneEnd = map[string]string{
	"plain-secret":    "a secret fits nowhere",
	"small-files":     "the limits are Snowflake's",
	"sas-permissions": "the need is Snowflake's",
	"sas-horizon":     "the other end is the clock",
	"event-missing":   "what is missing has no place, but the container has, where the stack describes it",
	"client-property": "the other end is the client",
	"key-order":       "where there is no topic of the stack",
}

// TestEachFindingOfEachRule fires every rule as its archive does, and looks at each finding: it names both ends, and a silence with a reason in
// the block that it points at ends it, and no other one.
func TestEachFindingOfEachRule(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range archives {
		id := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(id, func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range archive.Files {
				if !strings.HasPrefix(f.Name, "fires") || strings.Contains(f.Name, "@") {
					continue
				}
				dir, in := prepare(t, archive, f)
				for _, d := range check.Run(in) {
					related, ok := d.Extra.(check.Related)
					if !ok || related.Check != id {
						continue
					}
					if len(related.Ends) == 0 && oneEnd[id] == "" {
						t.Errorf("%s: one end alone: %s", f.Name, d.Detail)
					}
					silence(t, archive, f, dir, id, *d.Subject)
				}
			}
		})
	}
}

// silence adds a reason to the block that a finding points at, and wants the finding gone.
func silence(t *testing.T, archive *txtar.Archive, f txtar.File, dir, id string, at hcl.Range) {
	t.Helper()
	if filepath.Ext(at.Filename) != ".hcl" {
		t.Errorf("%s: the finding points at %s, where no silence can stand", f.Name, at.Filename)
		return
	}
	text := read(t, at.Filename)
	file, diags := hclsyntax.ParseConfig([]byte(text), at.Filename, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		if at.Start.Line < b.Range().Start.Line || at.Start.Line > b.CloseBraceRange.End.Line {
			continue
		}
		if b.Type == "provider" {
			return // no resource
		}
		entry, where := "\n  lifecycle {\n    silence = { \""+id+"\" = \"tried\" }\n  }\n", b.CloseBraceRange.Start.Byte
		if i := slices.IndexFunc(b.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "lifecycle" }); i >= 0 {
			entry, where = "\n    silence = { \""+id+"\" = \"tried\" }\n", b.Body.Blocks[i].CloseBraceRange.Start.Byte
		}
		put(t, at.Filename, text[:where]+entry+text[where:])
		defer put(t, at.Filename, text)
		in := again(t, archive, f, dir)
		for _, d := range check.Run(in) {
			if related, ok := d.Extra.(check.Related); ok && related.Check == id && d.Subject.Start.Line == at.Start.Line && d.Subject.Filename == at.Filename {
				t.Errorf("%s: silenced in %s %v, and it still speaks", f.Name, b.Type, b.Labels)
			}
		}
		return
	}
	t.Errorf("%s: the finding is in no block: %s", f.Name, at)
}

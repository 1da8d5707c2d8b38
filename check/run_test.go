package check_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"mkt/check"
	"mkt/spec"
)

// run checks the shipped example after an edit and returns the rules that spoke.
func run(t *testing.T, edits string, change func(*check.Input)) ([]string, hcl.Diagnostics, string) {
	t.Helper()
	_, got, diags, text := runIn(t, edits, change)
	return got, diags, text
}

func runIn(t *testing.T, edits string, change func(*check.Input)) (stack *spec.Stack, ids []string, diags hcl.Diagnostics, text string) {
	t.Helper()
	dir := write(t)
	path := filepath.Join(dir, "stack.hcl")
	put(t, path, edit(t, read(t, path), edits))
	stack = load(t, dir)
	in := check.Input{Stack: stack, Source: readSource(dir)}
	if change != nil {
		change(&in)
	}
	diags = check.Run(in)
	for _, d := range diags {
		if related, ok := d.Extra.(check.Related); ok && !slices.Contains(ids, related.Check) {
			ids = append(ids, related.Check)
		}
	}
	slices.Sort(ids)
	return stack, ids, diags, render(stack, diags, dir)
}

// What was wrong with the pipeline that mkt replaces, each named before anything is made.
func TestDefectsOfTheOrigin(t *testing.T) {
	for _, c := range []struct {
		defect, edits string
		want          []string
	}{
		{"the pipe copies into another table", "<<<<\n    into                 = snowflake_table.stock_market_data\n====\n    into = \"MARKET.RAW.MARKET_DATA\"\n>>>>", []string{"copy-target"}},
		{"Adj Close is no Avro name and matches no column", "<<<<\n    rename = { \"Adj Close\" = \"Adj_Close\" }\n====\n>>>>", []string{"csv-header"}},
		{"no event subscription between container and queue", `<<<<
azure_event_subscription "created" {
  container = azure_container.market
  queue     = azure_queue.events
  prefix    = "kafka-messages/"
}
====
>>>>
<<<<
  depends_on = [azure_event_subscription.created]
====
>>>>`, []string{"event-missing"}},
		{"keys by row number", "<<<<\n  key     = row.Index #\n====\n  key = row.index #\n>>>>", []string{"key-order"}},
		{"one blob for each message", "<<<<\n    rows  = 100000\n====\n    rows  = 1\n>>>>", []string{"small-files"}},
		{"secrets in the source", "<<<<\nprovider \"kafka\" {}\n====\nprovider \"kafka\" {\n  sasl {\n    username = \"key\"\n    password = \"secret\"\n  }\n}\n>>>>", []string{"plain-secret"}},
	} {
		t.Run(c.defect, func(t *testing.T) {
			if got, _, text := run(t, c.edits, nil); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v:\n%s", got, c.want, text)
			}
		})
	}
}

const unkeyed = "<<<<\n  key     = row.Index #\n====\n  key = row.index #\n>>>>\n"

func TestSilence(t *testing.T) {
	in := func(block, check string) string {
		return fmt.Sprintf("<<<<\n%s\n====\n%s\n  lifecycle {\n    silence = { %q = \"there is a reason\" }\n  }\n>>>>\n", block, block, check)
	}
	producer, topic := `producer "prices" {`, `kafka_topic "market_data" {`
	if got, _, text := run(t, unkeyed+in(producer, "key-order"), nil); len(got) > 0 {
		t.Errorf("a silenced check speaks:\n%s", text)
	}
	if got, _, _ := run(t, unkeyed+in(producer, "key-null"), nil); !slices.Equal(got, []string{"key-order"}) {
		t.Errorf("another check was silenced: %v", got)
	}
	if got, _, _ := run(t, unkeyed+in(topic, "key-order"), nil); !slices.Equal(got, []string{"key-order"}) {
		t.Errorf("the check was silenced from another block: %v", got)
	}
	_, diags, text := run(t, in(topic, "key-ordr"), nil)
	if !diags.HasErrors() || !strings.Contains(text, `no check "key-ordr" to silence. Did you mean "key-order"?`) || !strings.Contains(text, "stack.hcl line 43") {
		t.Errorf("got:\n%s", text)
	}
}

func TestSelected(t *testing.T) {
	none := func(in *check.Input) { in.Selected = func(a spec.Addr) bool { return a.Kind == "kafka_topic" } }
	if got, _, text := run(t, unkeyed, none); len(got) > 0 {
		t.Errorf("a finding about a block that is not selected:\n%s", text)
	}
	only := func(in *check.Input) { in.Selected = func(a spec.Addr) bool { return a.Kind == "producer" } }
	if got, _, _ := run(t, unkeyed, only); !slices.Equal(got, []string{"key-order"}) {
		t.Errorf("got %v", got)
	}
}

// The diagnostic holds the ranges of both ends.
func TestBothEnds(t *testing.T) {
	stack, _, diags, _ := runIn(t, "<<<<\n  path      = \"kafka-messages/\"\n====\n  path      = \"messages/\"\n>>>>", nil)
	if len(diags) != 1 {
		t.Fatalf("got %d findings", len(diags))
	}
	related := diags[0].Extra.(check.Related)
	text := func(r hcl.Range) string { return string(r.SliceBytes(stack.Files[r.Filename].Bytes)) }
	if got := text(*diags[0].Subject); got != `"messages/"` {
		t.Errorf("the subject is %s", got)
	}
	if len(related.Ends) == 0 || text(related.Ends[0]) != `"kafka-messages/"` {
		t.Errorf("the other end is %+v", related.Ends)
	}
}

// Where values are unknown or sensitive, nothing is said, and nothing of them is shown.
func TestUnknownAndSensitive(t *testing.T) {
	unknown := `<<<<
  path      = "kafka-messages/"
====
  path      = "${kafka_topic.market_data.topic_id}/"
>>>>
<<<<
  partitions         = 6
====
>>>>
`
	if got, _, text := run(t, unknown, nil); len(got) > 0 {
		t.Errorf("unknown values:\n%s", text)
	}
	sensitive := `<<<<
  path      = "kafka-messages/"
====
  path      = var.where
>>>>
<<<<
====
variable "where" {
  type      = string
  default   = "hunter2/"
  sensitive = true
}
>>>>
`
	if got, _, text := run(t, sensitive, nil); len(got) > 0 || strings.Contains(text, "hunter2") {
		t.Errorf("sensitive values:\n%s", text)
	}
}

// Unreadable sources are nobody's fault yet: the files may come later.
func TestSourceFails(t *testing.T) {
	fails := func(in *check.Input) {
		in.Source = func(check.SourceConfig) ([]check.SourceFile, error) { return nil, fmt.Errorf("no such file") }
	}
	if got, _, text := run(t, "<<<<\n    rename = { \"Adj Close\" = \"Adj_Close\" }\n====\n>>>>", fails); len(got) > 0 {
		t.Errorf("got:\n%s", text)
	}
}

func TestReference(t *testing.T) {
	page := check.Reference()
	for _, r := range check.Rules() {
		if !strings.Contains(page, "\n## "+r.ID+"\n") {
			t.Errorf("the page lacks %s", r.ID)
		}
	}
	if page != check.Reference() {
		t.Error("the page is not the same twice")
	}
}

// many is a stack of n pipelines, each with its own topic, container path and table.
func many(t testing.TB, n int) *spec.Stack {
	t.Helper()
	var b strings.Builder
	b.WriteString(`
azure_container "c" { name = "files" }
azure_queue "q" { name = "events" }
snowflake_database "d" {}
snowflake_schema "s" { database = snowflake_database.d }
snowflake_file_format "json" {
  schema = snowflake_schema.s
  type   = "JSON"
}
snowflake_notification_integration "i" {
  queue     = azure_queue.q
  tenant_id = "00000000-0000-0000-0000-000000000000"
}
azure_event_subscription "created" {
  container = azure_container.c
  queue     = azure_queue.q
}
`)
	for i := range n {
		fmt.Fprintf(&b, `
kafka_topic "t%[1]d" {}
schema_subject "t%[1]d" {
  name   = "t%[1]d-value"
  schema = jsonencode({ type = "record", name = "Row", fields = [{ name = "id", type = "string" }, { name = "n", type = "double" }] })
}
snowflake_table "t%[1]d" {
  schema = snowflake_schema.s
  column "id" { type = "VARCHAR" }
  column "n" { type = "FLOAT" }
}
snowflake_stage "t%[1]d" {
  schema    = snowflake_schema.s
  container = azure_container.c
  path      = "p%[1]d/"
  sas {}
}
snowflake_pipe "t%[1]d" {
  schema      = snowflake_schema.s
  auto_ingest = true
  integration = snowflake_notification_integration.i
  copy {
    into                 = snowflake_table.t%[1]d
    from                 = snowflake_stage.t%[1]d
    file_format          = snowflake_file_format.json
    match_by_column_name = "CASE_INSENSITIVE"
  }
}
producer "t%[1]d" {
  topic   = kafka_topic.t%[1]d
  subject = schema_subject.t%[1]d
  key     = row.id
  source "csv" { path = "none.csv" }
}
consumer "t%[1]d" {
  topic     = kafka_topic.t%[1]d
  container = azure_container.c
  prefix    = "p%[1]d/"
}
`, i)
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "stack.hcl"), b.String())
	return load(t, dir)
}

// Pipelines beside each other in one container, over one queue, are kept apart.
func TestManyPipelines(t *testing.T) {
	s := many(t, 50)
	if diags := check.Run(check.Input{Stack: s, Scope: planned(t, s)}); len(diags) > 0 {
		t.Fatalf("%d findings, first: %s: %s", len(diags), diags[0].Summary, diags[0].Detail)
	}
}

// The checks are a small part of a plan: seven blocks a pipeline, and linear in their number.
func BenchmarkRun(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := many(b, n)
			scope := planned(b, s)
			b.ReportAllocs()
			for b.Loop() {
				check.Run(check.Input{Stack: s, Scope: scope})
			}
		})
	}
}

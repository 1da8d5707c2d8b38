package snowflake_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mkt/planner"
	"mkt/providers/providertest"
	"mkt/spec"
)

var thePipe = spec.Addr{Kind: "snowflake_pipe", Name: "p"}

// TestPipeIsMadeAgain changes what needs another pipe, in each of the ways there are, while files come: each row is in the table once,
// and the history still has every file although each pipe took its own with it.
func TestPipeIsMadeAgain(t *testing.T) {
	f := newFeed(t)
	b := f.bench(20 * time.Second)
	b.MustApply(t, f.stack(nil))
	vars := map[string]string{}
	for _, change := range []struct{ name, value, why string }{
		{"ON_ERROR", "CONTINUE", "drained, paused and made again"},
		{"STAGE", "s2", "drained"},
		{"PATH", "", "STOPPED_STAGE_ALTERED"}, // a wider path has the same files
		{"PATH", "in", "STOPPED_STAGE_ALTERED"},
	} {
		what := change.name + " = " + change.value
		f.write(true)
		f.write(true)
		vars[change.name] = change.value
		p := b.MustPlan(t, f.stack(vars))
		if c := p.Change(thePipe); c.Action != planner.Replace || !strings.Contains(providertest.Dump(p), change.why) {
			t.Fatalf("%s: %s", what, providertest.Dump(p))
		}
		if _, diags := b.Apply(t, p); diags.HasErrors() {
			t.Fatalf("%s: %s", what, providertest.Text(diags))
		}
		f.exactly("T", what)
		f.known(b, what)
		b.MustBeEmpty(t, f.stack(vars))
		f.write(true)
		f.exactly("T", what+", the next file")
		f.known(b, what+", the next file")
	}
}

// TestPipeIsMadeAgainThroughFormat replaces the file format, which the pipe has from its stage: one apply is enough.
func TestPipeIsMadeAgainThroughFormat(t *testing.T) {
	for _, by := range []map[string]string{
		{"BY_PIPE": "file_format = snowflake_file_format.lines"},
		{"BY_PIPE": "", "BY_STAGE": "file_format = snowflake_file_format.lines"},
	} {
		f := newFeed(t)
		b := f.bench(20 * time.Second)
		by["FORMAT"] = "JSON"
		b.MustApply(t, f.stack(by))
		f.write(true)
		f.exactly("T", "at first")
		by["FORMAT"] = "AVRO"
		p := b.MustPlan(t, f.stack(by))
		if c := p.Change(thePipe); c.Action != planner.Replace {
			t.Fatal(providertest.Dump(p))
		}
		if _, diags := b.Apply(t, p); diags.HasErrors() {
			t.Fatal(providertest.Text(diags))
		}
		b.MustBeEmpty(t, f.stack(by))
		by["FORMAT"] = "JSON"
		b.MustApply(t, f.stack(by))
		f.write(true)
		f.exactly("T", "with JSON again")
		f.known(b, "with JSON again")
	}
}

// TestPipeIsMadeAgainAfterEachCut cuts the power at each step of making a pipe again, and has files come then, of which one is never
// announced. The next apply ends the same way every time.
func TestPipeIsMadeAgainAfterEachCut(t *testing.T) {
	f := newFeed(t)
	for cut := 1; ; cut++ {
		f.power(0)
		b := f.bench(20 * time.Second)
		b.MustApply(t, f.stack(nil))
		f.files, f.rows = cut*100, nil
		f.write(true)
		f.write(true)
		f.power(cut)
		f.mu.Lock()
		f.at = map[string]func(){"before DROP PIPE IF EXISTS MARKET.RAW.P": func() { f.write(false) }}
		f.mu.Unlock()
		after := f.stack(map[string]string{"ON_ERROR": "CONTINUE"})
		f.cutApply(b, after)
		over := !f.off()
		at := fmt.Sprintf("cut %d of %s", cut, strings.Join(f.log, ", "))
		f.power(0)
		f.write(true)
		if f.pipeState() != "RUNNING" { // a running pipe would be waited for until it has it
			f.write(false)
		}
		b.MustApply(t, after)
		f.write(true)
		f.exactly("T", at)
		b.MustBeEmpty(t, after)
		if l := b.Ledger(t); len(l.Intents) > 0 {
			t.Fatalf("%s: intents are left: %v", at, l.Intents)
		}
		sql(t, f.direct, "DROP DATABASE MARKET", "DROP INTEGRATION AZURE")
		f.clear()
		if over {
			want := "before ALTER PIPE MARKET.RAW.P SET PIPE_EXECUTION_PAUSED = TRUE, after ALTER PIPE MARKET.RAW.P SET PIPE_EXECUTION_PAUSED = TRUE, " +
				"before keep, after keep, before DROP PIPE IF EXISTS MARKET.RAW.P, after DROP PIPE IF EXISTS MARKET.RAW.P, " +
				"before CREATE PIPE MARKET.RAW.P, after CREATE PIPE MARKET.RAW.P, " +
				"before ALTER PIPE MARKET.RAW.P REFRESH, after ALTER PIPE MARKET.RAW.P REFRESH, before keep, after keep"
			at = regexp.MustCompile(` PREFIX = '[^']*'`).ReplaceAllString(at, "") // as the files' times fall into seconds
			if _, got, _ := strings.Cut(at, " of "); got != want {
				t.Errorf("the steps are\n%s\nnot\n%s", got, want)
			}
			return
		}
	}
}

// pipeState is the state of the pipe, "" where there is none.
func (f *feed) pipeState() string {
	db, err := f.direct.Open(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	var text string
	if err := db.QueryRowContext(f.t.Context(), "SELECT SYSTEM$PIPE_STATUS('MARKET.RAW.P')").Scan(&text); err != nil {
		return ""
	}
	_, text, _ = strings.Cut(text, `"executionState":"`)
	text, _, _ = strings.Cut(text, `"`)
	return text
}

// TestPausedPipeIsMadeAgain replaces a pipe that was paused, with files that wait for it: the new one loads them.
func TestPausedPipeIsMadeAgain(t *testing.T) {
	f := newFeed(t)
	b := f.bench(20 * time.Second)
	b.MustApply(t, f.stack(nil))
	f.write(true)
	f.exactly("T", "at first")
	sql(t, f.direct, "ALTER PIPE MARKET.RAW.P SET PIPE_EXECUTION_PAUSED = TRUE")
	time.Sleep(2100 * time.Millisecond) // the times of files are whole seconds: now one time tells these from the first
	f.write(false)                      // without an event: the new pipe would load one that has an event before it is told of it
	f.write(false)
	f.power(0)
	b.MustApply(t, f.stack(map[string]string{"ON_ERROR": "CONTINUE"}))
	if !slices.Contains(f.log, "after ALTER PIPE MARKET.RAW.P REFRESH") {
		t.Errorf("no refresh by time: %s", strings.Join(f.log, ", "))
	}
	f.exactly("T", "after the pause")
	f.known(b, "after the pause")
}

// TestPipeNotAtRestStays replaces a pipe whose stage has a file that it never heard of: nothing is done, and it is said what to do.
func TestPipeNotAtRestStays(t *testing.T) {
	f := newFeed(t)
	b := f.bench(time.Second)
	b.MustApply(t, f.stack(nil))
	f.write(true)
	f.exactly("T", "at first")
	f.write(false)
	after := f.stack(map[string]string{"ON_ERROR": "CONTINUE"})
	report, diags := b.Apply(t, b.MustPlan(t, after))
	text := providertest.Text(diags)
	if _, failed, _ := report.Counts(); failed != 1 || !strings.Contains(text, "1 file that it has not loaded") || !strings.Contains(text, "00002.json") || !strings.Contains(text, "mkt stream") {
		t.Fatal(text)
	}
	if state := f.pipeState(); state != "RUNNING" {
		t.Errorf("the pipe is %q", state)
	}
	// What the advice says: paused, it goes, and the new one loads the file.
	sql(t, f.direct, "ALTER PIPE MARKET.RAW.P SET PIPE_EXECUTION_PAUSED = TRUE")
	b.MustApply(t, after)
	f.exactly("T", "after the pause")
}

// TestFilesFromBeforeThePipe are none of its business, also when it is made again.
func TestFilesFromBeforeThePipe(t *testing.T) {
	f := newFeed(t)
	f.write(false)
	f.rows = nil
	time.Sleep(1100 * time.Millisecond) // the times of files are whole seconds
	b := f.bench(20 * time.Second)
	b.MustApply(t, f.stack(nil))
	f.write(true)
	b.MustApply(t, f.stack(map[string]string{"ON_ERROR": "CONTINUE"}))
	f.exactly("T", "one of two")
}

// TestWaitingForConsent applies while the tenant has not consented: the pipe waits and says what to do, and the apply after the
// consent makes it. Its integration replaced, the pipe waits again, and loads what came meanwhile.
func TestWaitingForConsent(t *testing.T) {
	f := newFeed(t)
	b := f.bench(20 * time.Second)
	f.holdConsent(true)
	waits := func(stack string) {
		t.Helper()
		report, diags := b.Apply(t, b.MustPlan(t, stack))
		if diags.HasErrors() {
			t.Fatal(providertest.Text(diags))
		}
		w := report.Waiting()
		if _, failed, not := report.Counts(); failed+not > 0 || len(w) != 1 || w[0].Change.Addr != thePipe || w[0].Wait == nil {
			t.Fatalf("%d failed, %d not started, waiting: %+v", failed, not, w)
		}
		steps := strings.Join(w[0].Wait.Steps, "\n")
		for _, want := range []string{"https://login.microsoftonline.com/" + tenantID, "azure_snowflake_local", "Storage Queue Data Contributor", "https://acct.queue.core.windows.net/"} {
			if !strings.Contains(steps, want) {
				t.Errorf("%q is not in\n%s", want, steps)
			}
		}
	}
	waits(f.stack(nil))
	waits(f.stack(nil))
	f.holdConsent(false)
	b.MustApply(t, f.stack(nil))
	b.MustBeEmpty(t, f.stack(nil))
	f.write(true)
	f.exactly("T", "after the consent")

	f.holdConsent(true)
	sql(t, f.direct, "ALTER PIPE MARKET.RAW.P SET PIPE_EXECUTION_PAUSED = TRUE") // it does not come to rest without its queue
	other := f.stack(map[string]string{"QUEUE": "others"})
	waits(other)
	f.write(false)
	f.holdConsent(false)
	b.MustApply(t, other)
	b.MustBeEmpty(t, other)
	f.exactly("T", "after the second consent")
	f.known(b, "after the second consent")
}

// TestNoConsentIsAnErrorOfOthers has CREATE PIPE fail for a reason that no person's consent removes.
func TestNoConsentIsAnErrorOfOthers(t *testing.T) {
	f := newFeed(t)
	b := f.bench(20 * time.Second)
	f.holdConsent(true)
	disabled := strings.Replace(f.stack(nil), `tenant_id = "`, "enabled = false\n\ttenant_id = \"", 1)
	report, diags := b.Apply(t, b.MustPlan(t, disabled))
	if _, failed, _ := report.Counts(); failed != 1 || !strings.Contains(providertest.Text(diags), "could not locate queue") {
		t.Errorf("%d failed: %s", failed, providertest.Text(diags))
	}
}

// TestStageStaysUnderForeignPipes replaces and moves a stage on which somebody else's pipe stands: both are refused.
func TestStageStaysUnderForeignPipes(t *testing.T) {
	f := newFeed(t)
	b := f.bench(20 * time.Second)
	b.MustApply(t, f.stack(nil))
	sql(t, f.direct, "CREATE SCHEMA MARKET.THEIRS", "CREATE PIPE MARKET.THEIRS.Q AS COPY INTO MARKET.RAW.T FROM @MARKET.RAW.S FILE_FORMAT = (FORMAT_NAME = MARKET.RAW.LINES) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
	for _, vars := range []map[string]string{{"STAGE": "s2"}, {"PATH": "other"}, {"FORMAT": "AVRO"}} {
		stack := f.stack(vars)
		_, diags := b.Apply(t, b.MustPlan(t, stack))
		if text := providertest.Text(diags); !strings.Contains(text, "MARKET.THEIRS.Q") {
			t.Fatalf("%v: %s", vars, text)
		}
		b.MustApply(t, f.stack(nil))
		b.MustBeEmpty(t, f.stack(nil))
		f.write(true)
		f.exactly("T", fmt.Sprint(vars))
	}
	if state := f.ask("SELECT SYSTEM$PIPE_STATUS('MARKET.THEIRS.Q')"); !strings.Contains(state, "RUNNING") {
		t.Error(state)
	}
	sql(t, f.direct, "DROP PIPE MARKET.THEIRS.Q")
	b.MustApply(t, f.stack(map[string]string{"STAGE": "s2"}))
}

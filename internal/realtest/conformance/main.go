// Command conformance runs the table of suites on the embedded servers and on
// the real ones that .ci/real/run has started, and writes what passes where,
// and what cannot pass and why, as docs/reference/conformance.md. It fails when
// a test fails, and with -check when the page would change.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/rogpeppe/go-internal/diff"

	"mkt/internal/realtest"
)

var all = []realtest.System{realtest.Kafka, realtest.Registry, realtest.Azurite}

// suite is tests that say nothing about which server they run on.
type suite struct {
	title string
	pkg   string
	run   string // of -test.run
	needs []realtest.System
	one   string // likewise, of what is run on a cluster of one broker, too
}

var suites = []suite{
	{"kafka_topic", "./providers/kafka", "^TestTopicConforms$", []realtest.System{realtest.Kafka}, "^TestTopicConforms$"},
	{"kafka_acl", "./providers/kafka", "^TestACLConforms$", []realtest.System{realtest.Kafka}, "^TestACLConforms$"},
	{"kafka_quota", "./providers/kafka", "^TestQuotaConforms$", []realtest.System{realtest.Kafka}, "^TestQuotaConforms$"},
	{"schema_subject", "./providers/kafka", "^TestSubjectConforms$", []realtest.System{realtest.Registry}, ""},
	{"azure_container", "./providers/azure", "^TestContainerConforms$", []realtest.System{realtest.Azurite}, ""},
	{"azure_queue", "./providers/azure", "^TestQueueConforms$", []realtest.System{realtest.Azurite}, ""},
	{"azure_event_subscription", "./providers/azure", "^TestEventSubscriptionConforms$", []realtest.System{realtest.Azurite}, ""},
	{"A team's ledger in Azure Blob", "./ledger/blob", "^TestConformance$", []realtest.System{realtest.Azurite}, ""},
	{"Delivery of the stream", "./stream",
		"^Test(WholePath|KillNine|BrokerLost|LostUploadAnswer|StorageFails|StorageRefuses|ZombieOverlap|DeadLettersAreRepaired|PoisonStops|Rebalance|" +
			"DrainAndAbort|OffsetOutOfRangeStops|TopicRecreated|TruncatedTopicStops|PartitionsAdded|Fenced|SchemaChange|Several|Policies|SourceChanged)$",
		all, "^Test(WholePath|KillNine|BrokerLost|ZombieOverlap|DeadLettersAreRepaired|Rebalance|TopicRecreated|Fenced)$"},
	{"Audit", "./audit", "^Test", all, ""},
	{"The demo, with the embedded warehouse", "./cmd/mkt", "^TestDemo$", all, ""},
	{"Plan and apply under faults, with the embedded warehouse", "./cmd/mkt",
		"^Test(FireAtEveryRequest|KillAtEveryRequest|TwoAppliesAtOnce|StalePlanUnderFire|LedgerUnderFire)$", all, ""},
}

// alone are the suites that run on the embedded servers only, with "go test", since there is no other server to run them on.
var alone = []struct{ title, pkg, run, why string }{
	{"azure_lifecycle_policy, azure_role_assignment", "./providers/azure", "^Test(LifecyclePolicy|RoleAssignment)Conforms$", "Azurite has no resource manager"},
	{"every kind of Snowflake", "./providers/snowflake", "Conforms$", "nothing else that can be run on a machine serves its protocol; [its statements are parsed by a grammar of others](../../.ci/clients), and clients of others drive the embedded warehouse"},
}

// servers says what is behind a system, for the page.
var servers = map[realtest.System]string{
	realtest.Kafka:    "Apache Kafka 4.1.1 in KRaft mode: three brokers, and a cluster of one",
	realtest.Registry: "Apicurio Registry 3.3.3 by its `ccompat/v7` API",
	realtest.Azurite:  "Azurite 3.37.0",
}

const (
	page         = "docs/reference/conformance.md"
	suiteTimeout = 12 * time.Minute
)

// outcome of a test: "pass", "skip" or "fail", and the reason of a skip.
type outcome struct{ action, reason string }

func main() {
	check := flag.Bool("check", false, "fail when "+page+" would change")
	tags := flag.String("tags", "minicore_disabled,grpcnotrace", "build tags")
	flag.Parse()
	if err := run(*tags, *check); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(tags string, check bool) error {
	dir, err := os.MkdirTemp("", "mkt-conformance")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var table, exceptions strings.Builder
	var failures []error
	complete := true
	for _, s := range suites {
		lacking := slices.DeleteFunc(slices.Clone(s.needs), func(n realtest.System) bool { return os.Getenv(n.Variable()) != "" })
		columns := []column{{"embedded", s.run, nil}}
		if len(lacking) == 0 {
			columns = append(columns, column{"real", s.run, os.Environ()})
		}
		if len(lacking) == 0 && s.one != "" {
			columns = append(columns, column{"real, one broker", s.one, append(os.Environ(),
				realtest.Kafka.Variable()+"="+os.Getenv(realtest.OneBroker), realtest.KafkaPIDs+"="+os.Getenv(realtest.OneBrokerPIDs))})
		}
		var results []map[string]outcome
		for _, c := range columns {
			r, err := s.test(dir, tags, c)
			if err != nil {
				failures = append(failures, fmt.Errorf("%s, %s: %w", s.title, c.title, err))
			}
			results = append(results, r)
		}
		if len(lacking) > 0 {
			complete = false
			fmt.Printf("NOT TESTED on real servers: %s, which needs %v\n", s.title, lacking)
			continue
		}
		s.write(&table, &exceptions, columns, results)
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if !complete {
		fmt.Println(page + " is left as it is: not every system was there")
		return nil
	}
	text := pageOf(table.String(), exceptions.String())
	present, err := os.ReadFile(page)
	switch {
	case err == nil && string(present) == text:
		return nil
	case check:
		return fmt.Errorf("%s is not what the tests say: run `make test-real`\n%s", page, diff.Diff(page, present, "what the tests say", []byte(text)))
	}
	return renameio.WriteFile(page, []byte(text), 0o644)
}

// column is where a suite runs.
type column struct {
	title string
	run   string   // of -test.run
	env   []string // nil for the embedded servers
}

// test runs the suite and returns the outcome of each test by name.
func (s suite) test(dir, tags string, c column) (map[string]outcome, error) {
	binary := filepath.Join(dir, strings.ReplaceAll(s.pkg, "/", "_"))
	if _, err := os.Stat(binary); err != nil {
		build := exec.Command("go", "test", "-c", "-tags", tags, "-o", binary, s.pkg)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("build the tests: %w", err)
		}
	}
	args := []string{"tool", "test2json", "-p", s.pkg, binary, "-test.v=test2json", "-test.run", c.run, "-test.timeout", suiteTimeout.String()}
	cmd := exec.Command("go")
	if c.env != nil {
		cmd.Env = c.env
		args = append(args, "-test.parallel", "1") // they share topics, subjects and containers
	} else {
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MKT_TEST_") })
	}
	cmd.Args, cmd.Dir, cmd.Stderr = append(cmd.Args, args...), s.pkg, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	results, logs, scanErr := collect(out)
	err = errors.Join(scanErr, cmd.Wait())
	count := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(results)) {
		count[results[name].action]++
		if results[name].action == "fail" {
			fmt.Printf("--- FAIL: %s (%s)\n%s", name, c.title, logs[name])
		}
	}
	if err == nil && count["pass"]+count["skip"] == 0 {
		err = errors.New("no test ran")
	}
	fmt.Printf("%-40.40s %-16s %d passed, %d failed, %d skipped  %.1fs\n", s.title, c.title, count["pass"], count["fail"], count["skip"], time.Since(start).Seconds())
	return results, err
}

// collect reads the events of test2json: outcomes and output by test.
func collect(r io.Reader) (map[string]outcome, map[string]string, error) {
	results, logs := map[string]outcome{}, map[string]string{}
	last := map[string]string{} // the last line that a test logged; of a skipped one, the reason
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if err := json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &e); err != nil {
			return results, logs, fmt.Errorf("read what the tests say: %w", err)
		}
		switch e.Action {
		case "output":
			logs[e.Test] += e.Output
			if _, text, ok := strings.Cut(e.Output, ".go:"); ok {
				_, last[e.Test], _ = strings.Cut(strings.TrimSpace(text), ": ")
			}
		case "pass", "fail":
			if e.Test != "" {
				results[e.Test] = outcome{action: e.Action}
			} else if e.Action == "fail" {
				fmt.Print(logs[""]) // a panic, or a time-out
			}
		case "skip":
			results[e.Test] = outcome{"skip", last[e.Test]}
		}
	}
	return results, logs, lines.Err()
}

// pageOf is the page with the rows of its two tables.
func pageOf(table, exceptions string) string {
	var b strings.Builder
	b.WriteString("# Conformance\n\nThe same tests on the embedded servers and on servers that nobody here wrote. `make test-real` runs them and writes this page, and CI requires it.\n\n" +
		"| system | real server |\n|---|---|\n")
	for _, s := range slices.Sorted(maps.Keys(servers)) {
		fmt.Fprintf(&b, "| %s | %s |\n", s, servers[s])
	}
	b.WriteString("\n## What passes where\n\n| suite | tests | embedded | real | real, Kafka of one broker |\n|---|---|---|---|---|\n" + table)
	b.WriteString("\n## What a server cannot pass\n\n| suite | test | where | why |\n|---|---|---|---|\n" + exceptions)
	b.WriteString("\n## What has no other server\n\n| suite | why it runs on the embedded one alone |\n|---|---|\n")
	for _, s := range alone {
		fmt.Fprintf(&b, "| %s | %s |\n", s.title, s.why)
	}
	return b.String()
}

// write adds the suite's row to the table, and its tests that were skipped to the exceptions.
func (s suite) write(table, exceptions io.Writer, columns []column, results []map[string]outcome) {
	tests := map[string]bool{}
	cells := []string{"passes", "passes", "not run"}
	for i, c := range columns {
		skipped := 0
		for _, name := range slices.Sorted(maps.Keys(results[i])) {
			top, sub, _ := strings.Cut(strings.TrimPrefix(name, "Test"), "/")
			tests[top] = true
			if o := results[i][name]; o.action == "skip" {
				if sub == "" {
					sub = top
				}
				skipped++
				fmt.Fprintf(exceptions, "| %s | %s | %s | %s |\n", s.title, strings.ReplaceAll(sub, "_", " "), c.title, o.reason)
			}
		}
		cells[i] = "passes"
		switch {
		case skipped > 0 && skipped == leaves(results[i]):
			cells[i] = "cannot"
		case skipped > 0:
			cells[i] = "passes, with exceptions"
		}
	}
	fmt.Fprintf(table, "| %s | %s | %s |\n", s.title, strings.Join(slices.Sorted(maps.Keys(tests)), ", "), strings.Join(cells, " | "))
}

// leaves counts the tests that have no subtests.
func leaves(results map[string]outcome) int {
	names := slices.Sorted(maps.Keys(results))
	n := 0
	for i, name := range names {
		if i+1 == len(names) || !strings.HasPrefix(names[i+1], name+"/") {
			n++
		}
	}
	return n
}

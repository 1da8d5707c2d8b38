package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mkt/local"
)

// stack is a folder with the stack of testdata/pipeline and an embedded stack of its own, which ends with the test.
type stack struct {
	t   *testing.T
	dir string
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{t, t.TempDir()}
	if err := os.CopyFS(s.dir, os.DirFS("testdata/pipeline")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stopDaemons(s.dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

// command is mkt with the stack; what it prints goes to output.
func (s *stack) command(output *bytes.Buffer, args ...string) *exec.Cmd {
	cmd := exec.Command("mkt", args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "MKT_LOCAL=1", "MKT_STACK=stack.hcl")
	if output != nil {
		cmd.Stdout, cmd.Stderr = output, output
	}
	return cmd
}

// run runs mkt, which must end with the exit code, and returns what it printed.
func (s *stack) run(code int, args ...string) string {
	s.t.Helper()
	var out bytes.Buffer
	err := s.command(&out, args...).Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if got := exitCode(exit); got != code {
		s.t.Fatalf("mkt %s: exit code %d instead of %d\n%s", strings.Join(args, " "), got, code, out.String())
	}
	return out.String()
}

func exitCode(err *exec.ExitError) int {
	if err == nil {
		return 0
	}
	return err.ExitCode()
}

// killAfter starts mkt and kills it after the time, unless it has ended: then it must have ended well.
func (s *stack) killAfter(after time.Duration, args ...string) (killed bool) {
	s.t.Helper()
	var out bytes.Buffer
	cmd := s.command(&out, args...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	killed = !timer.Stop()
	if err != nil && !killed {
		s.t.Fatalf("mkt %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return killed && err != nil
}

// exactlyOnce checks that the table has each of the rows 1 to n once.
func (s *stack) exactlyOnce(n int) {
	s.t.Helper()
	got := s.run(0, "query", "-csv", "SELECT COUNT(*), COUNT(DISTINCT Volume), MIN(Volume), MAX(Volume), SUM(Volume) FROM market.raw.prices")
	_, got, _ = strings.Cut(strings.TrimSpace(got), "\n")
	if want := fmt.Sprintf("%d,%d,1,%d,%d", n, n, n, n*(n+1)/2); got != want {
		var audit bytes.Buffer
		_ = s.command(&audit, "audit").Run()
		s.t.Fatalf("rows, distinct, first, last and sum are %s, not %s\n%s", got, want, audit.String())
	}
	perIndex := s.run(0, "query", "-csv", "SELECT Index, COUNT(*) FROM market.raw.prices GROUP BY Index")
	for i, index := range indexes {
		want := n / len(indexes)
		if i > 0 && i <= n%len(indexes) {
			want++
		}
		if !strings.Contains(perIndex, fmt.Sprintf("\n%s,%d\n", index, want)) {
			s.t.Errorf("index %s has not %d rows:\n%s", index, want, perIndex)
		}
	}
}

// random returns a generator whose seed is in the test's log; MKT_TEST_SEED repeats a run.
func random(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MKT_TEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed: MKT_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestKillStream kills `mkt stream` at twenty random moments and runs it to the end: each row is in the table once.
func TestKillStream(t *testing.T) {
	t.Parallel()
	r := random(t)
	s := newStack(t)
	const rows = 20_000
	if err := writePrices(filepath.Join(s.dir, "data", "prices.csv"), rows); err != nil {
		t.Fatal(err)
	}
	s.run(0, "apply", "-auto-approve")
	kills := 0
	for range 20 {
		// From before it has read the stack until files are written: at these rates no life sends all.
		if s.killAfter(time.Duration(50+r.IntN(1200))*time.Millisecond, "stream", "-var", "rate="+[]string{"300/s", "1200/s"}[r.IntN(2)]) {
			kills++
		}
	}
	if kills < 18 {
		t.Errorf("it was killed %d times", kills)
	}
	start := time.Now()
	out := s.run(0, "stream")
	t.Logf("killed %d times; the run after them took %s\n%s", kills, time.Since(start).Round(time.Millisecond), out)
	s.exactlyOnce(rows)
	s.run(0, "stream")
	s.exactlyOnce(rows)
}

// TestKillDaemon kills the embedded stack under a stream and starts it again: the stream survives that or ends with an
// error, and the next one completes.
func TestKillDaemon(t *testing.T) {
	t.Parallel()
	r := random(t)
	s := newStack(t)
	const rows = 20_000
	if err := writePrices(filepath.Join(s.dir, "data", "prices.csv"), rows); err != nil {
		t.Fatal(err)
	}
	s.run(0, "apply", "-auto-approve")
	for range 3 {
		p := s.start("stream", "-var", "rate=8000/s")
		time.Sleep(time.Duration(300+r.IntN(1200)) * time.Millisecond)
		s.killDaemon()
		if _, err := local.Status(s.localDir()); !errors.Is(err, local.ErrNotRunning) {
			t.Fatalf("the embedded stack is there although it was killed: %v", err)
		}
		time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
		s.run(0, "local", "start")
		code := p.wait(90 * time.Second)
		t.Logf("the stream ended with exit code %d\n%s", code, p.text())
		// What may end it is the warehouse, whose session is gone. It must not take a broker that has lost its transaction for
		// another process.
		if text := p.text(); code > 1 || strings.Contains(text, "goroutine ") || strings.Contains(text, "has taken over") {
			t.Fatalf("exit code %d\n%s", code, text)
		}
	}
	t.Log(s.run(0, "stream"))
	s.exactlyOnce(rows)
	s.run(0, "plan", "-detailed-exitcode")
}

func (s *stack) localDir() string { return filepath.Join(s.dir, ".mkt", "local") }

func (s *stack) killDaemon() {
	s.t.Helper()
	d, err := local.Status(s.localDir())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Kill(d.PID, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if _, err := local.Status(s.localDir()); errors.Is(err, local.ErrNotRunning) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("process %d is still there", d.PID)
}

// TestKillApply kills `mkt apply` and `mkt destroy` at random moments: run again they converge without a manual step.
func TestKillApply(t *testing.T) {
	t.Parallel()
	r := random(t)
	s := newStack(t)
	s.run(0, "local", "start")
	// How long an apply takes here says when it can be killed.
	start := time.Now()
	s.run(0, "apply", "-auto-approve")
	took := time.Since(start)
	s.run(0, "destroy", "-auto-approve", "-allow-destroy=all")
	for round := range 4 {
		for range 2 {
			s.killAfter(time.Duration(r.Int64N(int64(took))), "apply", "-auto-approve", "-parallelism", strconv.Itoa(1+r.IntN(8)))
		}
		s.run(0, "apply", "-auto-approve")
		s.run(0, "plan", "-detailed-exitcode")
		if round%2 == 0 {
			s.killAfter(time.Duration(r.Int64N(int64(took))), "destroy", "-auto-approve", "-allow-destroy=all")
		}
		s.run(0, "destroy", "-auto-approve", "-allow-destroy=all")
		if left := s.run(0, "ledger", "list"); left != "" {
			t.Fatalf("after destroy the ledger has %s", left)
		}
	}
	s.run(2, "plan", "-detailed-exitcode")
}

// TestKillInit kills `mkt init` at random moments and runs it again: the stack is whole, and nothing else is there.
func TestKillInit(t *testing.T) {
	t.Parallel()
	r := random(t)
	whole := t.TempDir()
	files, err := writeInitial(whole)
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		dir := t.TempDir()
		cmd := exec.Command("mkt", "init", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if out, err := exec.Command("mkt", "init", dir).CombinedOutput(); err != nil && !strings.Contains(string(out), "stack.hcl is there already") {
			t.Fatalf("run again: %v\n%s", err, out)
		}
		for _, name := range files {
			rel, _ := filepath.Rel(whole, name)
			want, _ := os.ReadFile(name)
			if got, err := os.ReadFile(filepath.Join(dir, rel)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v, %d bytes of %d", rel, err, len(got), len(want))
			}
		}
	}
}

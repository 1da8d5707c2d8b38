package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running mkt.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu  sync.Mutex
	out bytes.Buffer
}

// Write takes what the process prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (s *stack) start(args ...string) *process {
	s.t.Helper()
	return s.startWith(nil, args...)
}

// startWith starts it with a standard input, nil for none.
func (s *stack) startWith(in *os.File, args ...string) *process {
	s.t.Helper()
	p := &process{t: s.t, done: make(chan struct{})}
	p.cmd = s.command(nil, args...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if in != nil {
		p.cmd.Stdin = in
	}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		var exit *exec.ExitError
		if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
			s.t.Error(err)
		}
	}()
	return p
}

// says waits until the process has printed something that matches.
func (p *process) says(pattern string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.Now().Add(30 * time.Second)
	for !re.MatchString(p.text()) {
		select {
		case <-p.done:
			if re.MatchString(p.text()) {
				return
			}
			p.t.Fatalf("it ended without saying %s:\n%s", pattern, p.text())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			_ = p.cmd.Process.Kill()
			p.t.Fatalf("it does not say %s:\n%s", pattern, p.text())
		}
	}
}

func (p *process) interrupt() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatalf("%v\n%s", err, p.text())
	}
}

// wait returns the exit code, which has to come within limit.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.done
		p.t.Fatalf("it has not ended after %s:\n%s", limit, p.text())
	}
	return p.cmd.ProcessState.ExitCode()
}

// TestInterruptStream: the first interrupt drains, the second one cuts off, both end with 130, and no row is lost or
// doubled by either. A second one also ends a stream whose systems are gone.
func TestInterruptStream(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const rows = 12_000
	if err := writePrices(filepath.Join(s.dir, "data", "prices.csv"), rows); err != nil {
		t.Fatal(err)
	}
	s.run(0, "apply", "-auto-approve")
	const underway = `"producers":\[\{[^]]*"rows":[1-9]`

	p := s.start("stream", "-json", "-var", "rate=1000/s")
	p.says(underway)
	p.interrupt()
	p.says("Interrupt again to cut it off")
	if code := p.wait(20 * time.Second); code != exitInterrupted {
		t.Errorf("drained: exit code %d\n%s", code, p.text())
	}
	if got := p.text(); !regexp.MustCompile(`"type":"report".*` + underway).MatchString(got) {
		t.Errorf("drained without a report of what was done:\n%s", got)
	}

	p = s.start("stream", "-json", "-var", "rate=1000/s")
	p.says(underway)
	p.interrupt()
	p.says("Interrupt again to cut it off")
	p.interrupt()
	if code := p.wait(10 * time.Second); code != exitInterrupted {
		t.Errorf("cut off: exit code %d\n%s", code, p.text())
	}

	p = s.start("stream", "-json", "-var", "rate=1000/s")
	p.says(underway)
	s.killDaemon()
	p.interrupt()
	p.says("Interrupt again to cut it off")
	p.interrupt()
	if code := p.wait(20 * time.Second); code != exitInterrupted {
		t.Errorf("cut off without its systems: exit code %d\n%s", code, p.text())
	}

	s.run(0, "stream")
	s.exactlyOnce(rows)
}

// TestInterruptApply: an interrupted apply finishes what it has begun, records it, ends with 130, and goes on from there.
func TestInterruptApply(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	p := s.start("apply", "-auto-approve", "-parallelism", "1")
	p.says(`done in`)
	p.interrupt()
	if code := p.wait(20 * time.Second); code != exitInterrupted {
		t.Fatalf("exit code %d\n%s", code, p.text())
	}
	p.says(`Apply interrupted: \d+ done, \d+ not started`)
	if s.run(0, "ledger", "list") == "" {
		t.Error("nothing is recorded")
	}
	s.run(0, "apply", "-auto-approve")
	s.run(0, "plan", "-detailed-exitcode")

	p = s.start("destroy", "-auto-approve", "-allow-destroy=all", "-parallelism", "1")
	p.says(`done in`)
	p.interrupt()
	if code := p.wait(20 * time.Second); code != exitInterrupted {
		t.Fatalf("exit code %d\n%s", code, p.text())
	}
	s.run(0, "destroy", "-auto-approve", "-allow-destroy=all")
	s.run(2, "plan", "-detailed-exitcode")
}

// TestInterruptQuestion: who is asked and interrupts has answered. Nothing is waited for, nothing is changed and the lock is let go.
func TestInterruptQuestion(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for _, c := range []struct{ args, says, then string }{
		{"apply", `Only "yes" will do: $`, "interrupted before an answer, nothing was changed"},
		{"console", `^$`, "Interrupted."}, // reads expressions from a pipe that nobody writes to
	} {
		in, nobody, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer nobody.Close()
		p := s.startWith(in, c.args)
		in.Close()
		p.says(c.says)
		if c.args == "console" { // that it reads by now cannot be seen from outside
			time.Sleep(time.Second)
		}
		p.interrupt()
		if code := p.wait(10 * time.Second); code != exitInterrupted {
			t.Errorf("%s: exit code %d\n%s", c.args, code, p.text())
		}
		p.says(regexp.QuoteMeta(c.then))
	}
	s.run(0, "apply", "-auto-approve")
}

// TestReaderGone: an apply whose reader goes away is done all the same. A disk that is full is no success.
func TestReaderGone(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := s.command(nil, "apply", "-auto-approve", "-json")
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, errs.String())
	}
	s.run(0, "plan", "-detailed-exitcode")

	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this machine has no /dev/full:", err)
	}
	defer full.Close()
	for _, args := range [][]string{{"plan"}, {"status", "-json"}, {"version"}, {"output"}} {
		cmd := s.command(nil, args...)
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &errs
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !strings.Contains(errs.String(), "write the results: ") {
			t.Errorf("%v: %v\n%s", args, err, errs.String())
		}
	}
}

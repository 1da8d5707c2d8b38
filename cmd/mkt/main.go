// Command mkt describes, builds and runs streaming pipelines: see README.md. This package is flags and wiring, one file
// per command; it is the only one that knows both the embedded stack and the systems it stands in for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// version is set by the linker.
var version = "dev"

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitChanges     = 2 // -detailed-exitcode
	exitWaiting     = 3 // apply did all that it could, and waits for a person
	exitInterrupted = 130
)

// abortGrace is what a second interrupt leaves for closing connections. Some calls of librdkafka listen to nobody for up
// to a minute; every command may be killed, so nothing is lost by not waiting for them.
const abortGrace = 3 * time.Second

// Garbage is collected when it is so many hundredths of what is in use. A quarter less than Go's 100 costs the plan of
// ten thousand objects a twentieth more time and saves an eighth of its memory; a stream it costs a twentieth of its
// CPU for 10 MB.
const (
	gcPercent       = 75
	streamGCPercent = 100
)

// collect sets when garbage is collected, unless the environment does.
func collect(percent int) {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(percent)
	}
}

// exitError ends the process with a code after everything worth saying was said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// command is what main does: run, or in a program that is built to be profiled, run with a profile.
var command = run

func main() {
	collect(gcPercent)
	os.Exit(command(os.Args[1:]))
}

// run executes one command line and returns its exit code.
//
// The first interrupt ends the command's context: nothing new is started, what runs is finished and saved. The
// second ends stopped: what runs is cut off, by abortGrace at the latest.
func run(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\nStopping: finishing what is under way. Interrupt again to cut it off.")
		cancel()
		<-signals
		stop()
		time.Sleep(abortGrace)
		os.Exit(exitInterrupted)
	}()

	logTo(os.Stderr, os.Getenv("MKT_LOG"))
	return newCLI(stopped).execute(ctx, args)
}

// logTo writes developer logs of a level, such as "debug", and above to w; without one the default stays.
func logTo(w io.Writer, level string) {
	var at slog.Level
	if level == "" || at.UnmarshalText([]byte(level)) != nil {
		return
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: at})))
}

// execute runs a command line within ctx and returns its exit code.
func (c *cli) execute(ctx context.Context, args []string) int {
	root := newRoot(c)
	root.SetArgs(longFlags(args))
	err := root.ExecuteContext(ctx)
	if r, ok := c.out.(*results); ok && r.err() != nil && (err == nil || errors.Is(err, r.err())) {
		c.view(c.err).Error(fmt.Errorf("write the results: %w", r.err()))
		return exitFailed
	}
	var code exitError
	switch {
	case ctx.Err() != nil:
		switch {
		case err == nil || errors.As(err, &code):
		case cutOff(err) && !c.json:
			c.view(c.err).Printf("Interrupted.\n")
		default:
			c.fail(err)
		}
		return exitInterrupted
	case errors.As(err, &code):
		return int(code)
	case err != nil:
		c.fail(err)
		return exitFailed
	}
	return exitDone
}

// cutOff reports whether an error says no more than that the command was interrupted.
func cutOff(err error) bool {
	text := err.Error()
	return strings.HasSuffix(text, context.Canceled.Error()) && !strings.Contains(text, "\n")
}

// longFlags lets -json stand for --json, as people who come from Terraform type it. mkt has no one-letter flags but -h.
func longFlags(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if a == "--" {
			copy(out[i:], args[i:])
			break
		}
		if len(a) > 2 && a[0] == '-' && a[1] != '-' && !strings.ContainsAny(a[1:2], "0123456789.") {
			a = "-" + a
		}
		out[i] = a
	}
	return out
}

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const (
	daemonFile = "daemon.json"
	lockFile   = "lock"
	logFile    = "daemon.log"

	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
	pollEvery    = 50 * time.Millisecond
)

// ErrNotRunning says that no process serves the folder.
var ErrNotRunning = errors.New("the embedded stack is not running")

// Daemon is the process that serves a folder.
type Daemon struct {
	Dir       string    `json:"dir"` // absolute; another one's than the folder it is found in is that of a copy
	PID       int       `json:"pid"`
	Since     time.Time `json:"since"`
	Build     string    `json:"build"` // of the binary that serves; another one restarts it
	Endpoints Endpoints `json:"endpoints"`
}

// Options says which folder to serve and how.
type Options struct {
	Dir   string // absolute; everything is kept below it
	Build string // identifies the binary
}

// Serve runs the embedded stack in this process until ctx ends. It is what the daemon's process calls.
func Serve(ctx context.Context, o Options, log *slog.Logger) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(o.Dir, lockFile))
	// Status holds the lock shared for an instant; only an owner holds it for longer.
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if ok, err := lock.TryLockContext(wait, pollEvery); !ok {
		return fmt.Errorf("%s is served by another process already (%w)", o.Dir, err)
	}
	defer lock.Unlock() //nolint:errcheck // the process ends and the lock with it

	// What a killed predecessor left must not be taken for this process.
	if err := os.Remove(filepath.Join(o.Dir, daemonFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r, err := open(ctx, o.Dir, log)
	if err != nil {
		return err
	}
	d := Daemon{Dir: o.Dir, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second), Build: o.Build, Endpoints: r.Endpoints}
	if err := writeJSON(filepath.Join(o.Dir, daemonFile), d); err != nil {
		return errors.Join(err, r.close())
	}
	log.Info("serving", "dir", o.Dir, "pid", d.PID)
	select {
	case <-ctx.Done():
	case err = <-r.failed:
	}
	return errors.Join(err, os.Remove(filepath.Join(o.Dir, daemonFile)), r.close())
}

// Status returns the process that serves dir, an absolute path, or ErrNotRunning.
func Status(dir string) (Daemon, error) {
	if held, err := locked(dir); err != nil || !held {
		return Daemon{}, errors.Join(err, ErrNotRunning)
	}
	data, err := os.ReadFile(filepath.Join(dir, daemonFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Daemon{}, ErrNotRunning // starting or stopping
	}
	if err != nil {
		return Daemon{}, err
	}
	var d Daemon
	if err := json.Unmarshal(data, &d); err != nil {
		return Daemon{}, fmt.Errorf("read %s: %w", daemonFile, err)
	}
	if d.Dir != dir || syscall.Kill(d.PID, 0) != nil {
		return Daemon{}, ErrNotRunning // copied, or left by a process that was killed; the owner of the lock is starting
	}
	return d, nil
}

// locked tells whether a process owns dir.
func locked(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, lockFile)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	free, err := lock.TryRLock()
	if err != nil {
		return false, fmt.Errorf("look at the lock of %s: %w", dir, err)
	}
	if free {
		return false, lock.Unlock()
	}
	return true, nil
}

// Ensure returns the process that serves o.Dir, starting it where there is none or where it is of another build. serve is the command line that ends in Serve; it is started in a session of its own, so that Ctrl-C does not
// reach it, and outlives this process.
func Ensure(ctx context.Context, o Options, serve []string) (Daemon, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	d, err := Status(o.Dir)
	if err == nil {
		if d.Build == o.Build {
			return d, nil
		}
		if err := Stop(ctx, o.Dir); err != nil {
			return Daemon{}, err
		}
	} else if !errors.Is(err, ErrNotRunning) {
		return Daemon{}, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return Daemon{}, err
	}
	exited, err := spawn(o.Dir, serve)
	if err != nil {
		return Daemon{}, err
	}
	for {
		if d, err := Status(o.Dir); err == nil {
			return d, nil
		}
		select {
		case <-exited:
			// Another process may have won the race for the lock; then it is the one to wait for.
			if held, err := locked(o.Dir); err != nil || !held {
				return Daemon{}, fmt.Errorf("the embedded stack did not start; the end of %s says:\n%s",
					filepath.Join(o.Dir, logFile), tail(filepath.Join(o.Dir, logFile)))
			}
			exited = nil
		case <-ctx.Done():
			return Daemon{}, fmt.Errorf("the embedded stack did not start in %s: see %s", startTimeout, filepath.Join(o.Dir, logFile))
		case <-time.After(pollEvery):
		}
	}
}

// spawn starts the daemon; the channel is closed when it ends.
func spawn(dir string, serve []string) (<-chan struct{}, error) {
	out, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(serve[0], serve[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the embedded stack: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	return exited, nil
}

func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return string(data[max(0, len(data)-most):])
}

// Stop ends the process that serves dir and waits until it is gone; ErrNotRunning when there is none.
func Stop(ctx context.Context, dir string) error {
	d, err := Status(dir)
	if err != nil {
		return err
	}
	if err := syscall.Kill(d.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop process %d: %w", d.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	for {
		if held, err := locked(dir); err != nil || !held {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d has not ended: %w", d.PID, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// Reset stops the process that serves dir and removes everything it kept.
func Reset(ctx context.Context, dir string) error {
	if err := Stop(ctx, dir); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	if held, err := locked(dir); err != nil || held {
		return errors.Join(err, fmt.Errorf("%s is still served: stop that process first", dir))
	}
	return os.RemoveAll(dir)
}

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	Build     string    `json:"build"` // of the program that serves, as Build says; another one restarts it
	Endpoints Endpoints `json:"endpoints"`
}

// Owner is the one process that may serve a folder.
type Owner struct {
	dir  string
	lock *flock.Flock
}

// Claim makes this process the owner of dir, an absolute path, which it creates if need be. It is the caller's until Release or
// the end of the process.
func Claim(ctx context.Context, dir string) (*Owner, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	// Status holds the lock shared for an instant; only an owner holds it for longer.
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if ok, err := lock.TryLockContext(wait, pollEvery); !ok {
		return nil, fmt.Errorf("%s is served by another process already (%w)", dir, err)
	}
	o := &Owner{dir: dir, lock: lock}
	// What a killed predecessor left must not be taken for this process.
	if err := o.Withdraw(); err != nil {
		return nil, errors.Join(err, o.Release())
	}
	return o, nil
}

// Announce tells everybody that asks Status that the folder is served.
func (o *Owner) Announce(d Daemon) error { return WriteJSON(filepath.Join(o.dir, daemonFile), d) }

// Withdraw takes the announcement back, if there is one.
func (o *Owner) Withdraw() error {
	if err := os.Remove(filepath.Join(o.dir, daemonFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Release gives the folder up.
func (o *Owner) Release() error { return o.lock.Unlock() }

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
	if !sameFolder(d.Dir, dir) || syscall.Kill(d.PID, 0) != nil {
		return Daemon{}, ErrNotRunning // copied, or left by a process that was killed; the owner of the lock is starting
	}
	return d, nil
}

// sameFolder tells whether two paths lead to one folder, which may have several by symbolic links.
func sameFolder(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
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

// Ensure returns the process that serves dir, an absolute path, starting it where there is none or where it is of another build.
// serve is the command line that does; it is started in a session of its own, so that Ctrl-C does not reach it, and outlives
// this process.
func Ensure(ctx context.Context, dir, build string, serve []string) (Daemon, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	d, err := Status(dir)
	if err == nil {
		if d.Build == build {
			return d, nil
		}
		if err := Stop(ctx, dir); err != nil {
			return Daemon{}, err
		}
	} else if !errors.Is(err, ErrNotRunning) {
		return Daemon{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Daemon{}, err
	}
	exited, err := spawn(dir, serve)
	if err != nil {
		return Daemon{}, err
	}
	for {
		if d, err := Status(dir); err == nil {
			return d, nil
		}
		select {
		case <-exited:
			// Another process may have won the race for the lock; then it is the one to wait for.
			if held, err := locked(dir); err != nil || !held {
				return Daemon{}, fmt.Errorf("the embedded stack did not start; the end of %s says:\n%s",
					filepath.Join(dir, logFile), tail(filepath.Join(dir, logFile)))
			}
			exited = nil
		case <-ctx.Done():
			return Daemon{}, fmt.Errorf("the embedded stack did not start in %s: see %s", startTimeout, filepath.Join(dir, logFile))
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

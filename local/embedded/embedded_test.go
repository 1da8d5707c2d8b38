package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mkt/local"
)

// TestMain serves a folder where a test has started this binary as a daemon.
func TestMain(m *testing.M) {
	if dir := os.Getenv("MKT_TEST_SERVE"); dir != "" {
		ctx := context.Background()
		if err := Serve(ctx, dir, "test", slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// daemon starts the embedded stack of dir as Ensure does for everybody; the test ends it.
func daemon(t *testing.T, dir string) local.Daemon {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d, err := local.Ensure(t.Context(), dir, "test", []string{"env", "MKT_TEST_SERVE=" + dir, self})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := local.Stop(ctx, dir); err != nil && !errors.Is(err, local.ErrNotRunning) {
			t.Error(err)
		}
	})
	return d
}

func TestDaemonLife(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "local")
	if _, err := local.Status(dir); !errors.Is(err, local.ErrNotRunning) {
		t.Fatalf("status of nothing: %v", err)
	}
	if err := local.Stop(t.Context(), dir); !errors.Is(err, local.ErrNotRunning) {
		t.Fatalf("stop of nothing: %v", err)
	}
	first := daemon(t, dir)
	if again := daemon(t, dir); again.PID != first.PID {
		t.Errorf("a second process %d was started beside %d", again.PID, first.PID)
	}

	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := local.Status(dir); errors.Is(err, local.ErrNotRunning) {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal("the killed process is still said to run")
		}
	}
	second := daemon(t, dir)
	if second.Endpoints != first.Endpoints {
		t.Errorf("endpoints changed over a restart:\n%+v\n%+v", first.Endpoints, second.Endpoints)
	}
	if err := local.Reset(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reset left %s: %v", dir, err)
	}
}

// A folder that was copied while it was served must not lead to the original's process.
func TestCopyIsItsOwn(t *testing.T) {
	base := t.TempDir()
	original, copied := filepath.Join(base, "a"), filepath.Join(base, "b")
	first := daemon(t, original)
	if out, err := exec.Command("cp", "-r", original, copied).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v\n%s", err, out)
	}
	if _, err := local.Status(copied); !errors.Is(err, local.ErrNotRunning) {
		t.Fatalf("the copy is said to run: %v", err)
	}
	second := daemon(t, copied)
	if second.PID == first.PID || second.Endpoints.KafkaBootstrap == first.Endpoints.KafkaBootstrap || second.Endpoints.BlobURL == first.Endpoints.BlobURL {
		t.Errorf("the copy is served by the original's process or ports:\n%+v\n%+v", first.Endpoints, second.Endpoints)
	}
}

func TestOneOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "local")
	daemon(t, dir)
	err := Serve(t.Context(), dir, "test", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "served by another process") {
		t.Errorf("a second owner got %v", err)
	}
}

func TestEnsureSaysWhyItDidNotStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "local")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, configFile), []byte(`{"ports":`), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = local.Ensure(t.Context(), dir, "test", []string{"env", "MKT_TEST_SERVE=" + dir, self})
	if err == nil || !strings.Contains(err.Error(), "mkt local reset") {
		t.Errorf("a damaged configuration gave %v", err)
	}
}

// What stops it half-way through its start is said, and is no crash.
func TestStartInAFolderThatWillNotDo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "100%d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := Serve(t.Context(), dir, "test", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "a folder whose path has a % or ?") {
		t.Errorf("a folder that the warehouse cannot be in gave %v", err)
	}
}

func TestSecretsAreForTheOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "local")
	d := daemon(t, dir)
	for _, name := range []string{configFile, "daemon.json", "daemon.log"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if name == "daemon.log" && (bytes.Contains(text, []byte(d.Endpoints.Password)) || bytes.Contains(text, []byte(d.Endpoints.AccountKey))) {
			t.Error("a secret is in the log")
		}
	}
}

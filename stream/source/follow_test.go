package source

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// zipped puts what a file holds into one of the name with .gz.
func zipped(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text)
	z.Close()
	add(t, name+".gz", b.String())
}

func moved(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func removed(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// slowly is a followed source whose reader asks for rows when the test does.
func slowly(t *testing.T, cfg Config) *Reader {
	t.Helper()
	cfg.Follow, cfg.Done = true, t.Context().Done()
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// rows reads as many rows as are named and compares them.
func rows(t *testing.T, r *Reader, want ...string) {
	t.Helper()
	late := time.AfterFunc(20*time.Second, func() { panic("no row comes") })
	defer late.Stop()
	for _, w := range want {
		row, err := r.Next()
		if err != nil {
			t.Fatalf("before %q: %v", w, err)
		}
		if string(row.Raw) != w {
			t.Fatalf("row %d is %q, want %q", row.Number, row.Raw, w)
		}
	}
}

// gone reads on and wants the error that says to begin anew, and that the
// source is the same then.
func gone(t *testing.T, r *Reader, cfg Config, after ...string) {
	t.Helper()
	if row, err := r.Next(); !errors.Is(err, ErrGone) {
		t.Fatalf("got row %v and %v, want it to say that the file is gone", row, err)
	}
	last := r.row
	again := slowly(t, cfg)
	for {
		row, err := again.Next()
		if err != nil {
			t.Fatal(err)
		}
		if row.Number == last.Number {
			if row.Digest != last.Digest {
				t.Fatal("the source is another when it is read again")
			}
			break
		}
	}
	again.Follow()
	rows(t, again, after...)
}

var numbers = []string{"n"}

// While a compressed file is read, slowly, the files behind it get other names.
func TestFollowRotationUnderCompressed(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	add(t, log+".2", "1\n2\n")
	zipped(t, log+".2")
	removed(t, log+".2")
	add(t, log+".1", "3\n")
	add(t, log, "4\n")
	r := slowly(t, Config{Paths: []string{log + "*"}, Header: numbers})
	r.Follow()
	rows(t, r, "1")
	moved(t, log+".2.gz", log+".3.gz")
	moved(t, log+".1", log+".2")
	moved(t, log, log+".1")
	add(t, log, "5\n")
	rows(t, r, "2", "3", "4", "5")
}

// The file that is followed is rotated twice and compressed before its reader
// has come to its end: the one between must not be passed over.
func TestFollowRotatedTwiceAndCompressed(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	add(t, log, "1\n2\n")
	cfg := Config{Paths: []string{log + "*"}, Header: numbers}
	r := slowly(t, cfg)
	r.Follow()
	rows(t, r, "1")
	moved(t, log, log+".2")
	zipped(t, log+".2")
	removed(t, log+".2")
	add(t, log+".1", "3\n")
	add(t, log, "4\n")
	rows(t, r, "2")
	gone(t, r, cfg, "3", "4")
}

// A file that is being compressed is there twice.
func TestFollowWhileCompressing(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	add(t, log+".1", "1\n2\n")
	zipped(t, log+".1")
	add(t, log, "3\n")
	r := slowly(t, Config{Paths: []string{log + "*"}, Header: numbers})
	r.Follow()
	rows(t, r, "1", "2", "3")
}

// A file that takes the place of one with the same rows, as editors and rsync
// write it, has no rows twice.
func TestFollowReplaced(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(string){
		"by a longer one":     func(f string) { add(t, f+"~", "1\n2\n3\n"); moved(t, f+"~", f) },
		"by one of its size":  func(f string) { add(t, f+"~", "1\n2\n"); moved(t, f+"~", f); add(t, f, "3\n") },
		"a compressed by one": func(f string) { add(t, f+"~", "1\n2\n3\n"); zipped(t, f+"~"); moved(t, f+"~.gz", f+".gz") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "x.log")
			add(t, file, "1\n2\n")
			cfg := Config{Paths: []string{file}, Header: numbers}
			if name == "a compressed by one" {
				zipped(t, file)
				removed(t, file)
				cfg.Paths = []string{file + ".gz"}
			}
			r := slowly(t, cfg)
			r.Follow()
			rows(t, r, "1", "2")
			replace(file)
			gone(t, r, cfg, "3")
		})
	}
}

// A file that was cut and is longer again when it is looked at is found out.
func TestFollowCutAndGrown(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	add(t, log, "1\n2\n")
	r := slowly(t, Config{Paths: []string{log}, Header: numbers})
	r.Follow()
	rows(t, r, "1", "2")
	if err := os.WriteFile(log, []byte("3\n4\n5\n6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if row, err := r.Next(); !errors.Is(err, errCut) {
		t.Fatalf("row %v, %v", row, err)
	}
}

// A reader that has found where to go on in a file of a few bytes reads what is added.
func TestFollowShort(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	add(t, log, "1\n")
	r := slowly(t, Config{Paths: []string{log}, Header: numbers})
	rows(t, r, "1")
	r.Follow()
	add(t, log, "2\n")
	rows(t, r, "2")
}

// The writer has the old file open until it is told of the new one, which is
// there and empty. One that stays empty is passed over.
func TestFollowEmptySuccessor(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	add(t, log, "n\n1\n")
	cfg := Config{Paths: []string{log + "*"}}
	f := follow(t, cfg)
	defer close(f.stop)
	f.expect("1 1")
	moved(t, log, log+".1")
	add(t, log, "")
	f.none()
	add(t, log+".1", "2\n")
	f.expect("2 2")
	if got, err := dump(slowly(t, cfg)); err != nil || strings.Count(got, "\n") != 2 {
		t.Errorf("%q, %v", got, err)
	}
	moved(t, log+".1", log+".2")
	moved(t, log, log+".1")
	add(t, log, "n\n3\n")
	digest := f.expect("3 3")
	g := follow(t, cfg)
	defer close(g.stop)
	g.expect("1 1", "2 2")
	if again := g.expect("3 3"); again != digest {
		t.Errorf("digest %s, then %s", digest, again)
	}
}

// Rotated files that are named by the day come before the one that grows.
func TestFollowDated(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	add(t, log+"-20240131", "1\n")
	add(t, log, "2\n")
	r := slowly(t, Config{Paths: []string{log + "*"}, Header: numbers})
	r.Follow()
	rows(t, r, "1", "2")
	moved(t, log, log+"-20240201")
	add(t, log, "3\n")
	rows(t, r, "3")
}

package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestObjects(t *testing.T) {
	const in = "\xef\xbb\xbf" + `{"a":"x","b":1.50,"c":true}` + "\n\n" + ` { "b" : null , "a" : "q\"\u00e9\n" } ` + "\r\n" +
		"{}\n" + `{"a":1,"a":2}` + "\n" + `{"a":{"n":1}}` + "\n" + `{"z":1}` + "\n" + `{"a":1` + "\n[1]\n" + `{"dropped":[1,"}"],"c":"end"}`
	const want = `1:1 "x" "1.50" "true"
2:3 "q\"é\n" null none
3:4 none none none
4:5 !the object has two members "a"
5:6 !the member "a" is an object or an array, and the field takes a single value
6:7 !the member "z" is no field of the schema that a single value fills; rename it to one or drop it
7:8 !the line is no JSON object
8:9 !the line is no JSON object
9:10 none none "end"
`
	r, err := Open(Config{Paths: []string{write(t, "x.ndjson", in)}, Format: NDJSON, Header: []string{"a", "b", "c"}, Drop: []string{"dropped"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b strings.Builder
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d:%d", row.Number, row.Line)
		if row.Err != nil {
			fmt.Fprintf(&b, " !%v", row.Err)
		}
		for _, f := range row.Fields {
			switch {
			case f == nil:
				b.WriteString(" none")
			case string(f) == "null":
				b.WriteString(" null")
			default:
				fmt.Fprintf(&b, " %q", f)
			}
		}
		b.WriteByte('\n')
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestHeaderlessAndLimit(t *testing.T) {
	p := write(t, "x.csv", "\xef\xbb\xbf1,2\n3,4\n5\n6,7\n")
	for limit, want := range map[uint64]string{0: "1:1 1|2\n2:2 3|4\n3:3 !the row has 1 fields, the header has 2\n4:4 6|7\n", 2: "1:1 1|2\n2:2 3|4\n"} {
		r, err := Open(Config{Paths: []string{p}, Header: []string{"a", "b"}, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := dump(r); err != nil || got != want {
			t.Errorf("limit %d: %q, %v", limit, got, err)
		}
	}
}

func TestAge(t *testing.T) {
	files := []string{"a.log", "a.log.1", "a.log.10.gz", "a.log.2.zst", "b-2024-01-02.csv", "b-2024-01-01.csv.gz", "c.log", "c.log-20240131.gz", "c.log-20240201"}
	slices.SortStableFunc(files, age)
	if got := strings.Join(files, " "); got != "a.log.10.gz a.log.2.zst a.log.1 a.log b-2024-01-01.csv.gz b-2024-01-02.csv c.log-20240131.gz c.log-20240201 c.log" {
		t.Error(got)
	}
}

// follower reads a followed source and lets a test wait for rows.
type follower struct {
	t    *testing.T
	rows chan string
	end  chan error
	stop chan struct{}
}

func follow(t *testing.T, cfg Config) *follower {
	t.Helper()
	f := &follower{t, make(chan string, 100), make(chan error, 1), make(chan struct{})}
	cfg.Follow, cfg.Done = true, f.stop
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Follow()
	go func() {
		defer r.Close()
		for {
			row, err := r.Next()
			if err != nil {
				f.end <- err
				return
			}
			f.rows <- fmt.Sprintf("%d %s %x", row.Number, row.Raw, row.Digest)
		}
	}()
	return f
}

// next waits for a row and returns it without its digest, and the digest.
func (f *follower) next() (string, string) {
	f.t.Helper()
	select {
	case row := <-f.rows:
		i := strings.LastIndexByte(row, ' ')
		return row[:i], row[i+1:]
	case err := <-f.end:
		f.t.Fatal(err)
	case <-time.After(10 * time.Second):
		f.t.Fatal("no row comes")
	}
	return "", ""
}

func (f *follower) expect(want ...string) (digest string) {
	f.t.Helper()
	for _, w := range want {
		var got string
		if got, digest = f.next(); got != w {
			f.t.Fatalf("got %q, want %q", got, w)
		}
	}
	return digest
}

func (f *follower) none() {
	f.t.Helper()
	select {
	case row := <-f.rows:
		f.t.Fatalf("row %q", row)
	case err := <-f.end:
		f.t.Fatal(err)
	case <-time.After(2 * followPoll):
	}
}

func add(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// A successor that is listed and not there, as between two renamings, is waited for.
func TestFollowListedAndGone(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.log")
	add(t, log+".1", "a,b\n1,2\n")
	if err := os.Symlink("gone", log); err != nil {
		t.Fatal(err)
	}
	f := follow(t, Config{Paths: []string{log + "*"}})
	f.expect("1 1,2")
	f.none()
	add(t, filepath.Join(filepath.Dir(log), "gone"), "a,b\n3,4\n")
	f.expect("2 3,4")
	close(f.stop)
	if err := <-f.end; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// Rows come when their lines are whole, through rotations, and another reader
// that starts later sees the same rows under the same numbers and digests.
func TestFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "x.log")
	add(t, log, "a,b\n1,2\n3,")
	cfg := Config{Paths: []string{log + "*"}}
	f := follow(t, cfg)
	f.expect("1 1,2")
	f.none()
	add(t, log, "4\n")
	f.expect("2 3,4")
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	rename(log, log+".1")
	add(t, log+".1", "5,6\nlast,line") // its writer has it open still
	add(t, log, "a,b\n7,8\n")
	f.expect("3 5,6", "4 last,line", "5 7,8")
	rename(log+".1", log+".2")
	rename(log, log+".1")
	add(t, log, "b,a\n9,10\n")
	digest := f.expect("6 9,10")
	close(f.stop)
	if err := <-f.end; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	g := follow(t, cfg)
	for range 5 {
		g.next()
	}
	if again := g.expect("6 9,10"); again != digest {
		t.Errorf("digest %s, then %s", digest, again)
	}
	add(t, log, "half,")
	g.none()
	close(g.stop)
	// One that does not wait ends before the half line.
	cfg.Follow = true
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := dump(r); err != nil || strings.Count(got, "\n") != 6 {
		t.Errorf("%q, %v", got, err)
	}
}

// A fixed path is followed through a rotation, too; a file that is cut is an error.
func TestFollowOnePath(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "x.ndjson")
	add(t, log, `{"a":1}`+"\n")
	f := follow(t, Config{Paths: []string{log}, Format: NDJSON, Header: []string{"a"}})
	f.expect(`1 {"a":1}`)
	if err := os.Rename(log, filepath.Join(filepath.Dir(log), "old")); err != nil {
		t.Fatal(err)
	}
	f.none()
	add(t, log, `{"a":2}`+"\n"+`{"a":3}`+"\n")
	f.expect(`2 {"a":2}`, `3 {"a":3}`)
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-f.end:
		if !strings.Contains(err.Error(), "was cut") {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing is said of a file that was cut")
	}
	if _, err := Open(Config{Paths: []string{Stdin}, Follow: true}); err == nil {
		t.Error("standard input is followed")
	}
}

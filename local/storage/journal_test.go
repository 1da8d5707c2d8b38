package storage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"golang.org/x/sync/errgroup"
)

// start runs a storage account in a process of its own and returns its
// endpoints and the way to kill it.
func start(t *testing.T, dir string) (w *world, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out := must[interface{ Read([]byte) (int, error) }](t)(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() { _, _ = cmd.Process.Kill(), cmd.Wait() }
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	urls := strings.Fields(line)
	return &world{t: t, blobs: urls[0] + "/" + testAccount, queues: urls[1] + "/" + testAccount, arm: urls[2]}, kill
}

func TestKilledAfterUploads(t *testing.T) {
	dir := t.TempDir()
	w, kill := start(t, dir)
	w.container("data")
	if _, err := w.queueClient().CreateQueue(t.Context(), "events", nil); err != nil {
		t.Fatal(err)
	}
	w.subscribe("created", subscriptionFor("events", "data", ""))
	c := w.blobClient()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range 500 {
		g.Go(func() error {
			name := fmt.Sprintf("%03d", i)
			_, err := c.UploadBuffer(context.Background(), "data", name, []byte("body of "+name), nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	kill()

	w, _ = start(t, dir)
	c = w.blobClient()
	for i := range 500 {
		name := fmt.Sprintf("%03d", i)
		if got := read(t, c, "data", name, nil); got != "body of "+name {
			t.Fatalf("%s holds %q", name, got)
		}
	}
	subjects := map[any]bool{}
	for _, e := range w.events("events") {
		subjects[e["subject"]] = true
	}
	if len(subjects) != 500 {
		t.Fatalf("%d events for 500 uploads", len(subjects))
	}
}

// Killed while uploads run: whatever was acknowledged is there, with its event.
func TestKilledDuringUploads(t *testing.T) {
	dir := t.TempDir()
	w, kill := start(t, dir)
	w.container("data")
	if _, err := w.queueClient().CreateQueue(t.Context(), "events", nil); err != nil {
		t.Fatal(err)
	}
	w.subscribe("created", subscriptionFor("events", "data", ""))
	c := w.blobClient()
	var acknowledged [8]atomic.Int64
	var total atomic.Int64
	reached := make(chan struct{})
	var g errgroup.Group
	for n := range acknowledged {
		g.Go(func() error {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d/%d", n, i)
				if _, err := c.UploadBuffer(context.Background(), "data", name, []byte(name), nil); err != nil {
					return nil // killed
				}
				acknowledged[n].Store(int64(i + 1))
				if total.Add(1) == 100 {
					close(reached)
				}
			}
		})
	}
	<-reached
	kill()
	_ = g.Wait()

	w, _ = start(t, dir)
	c = w.blobClient()
	subjects := map[any]bool{}
	for _, e := range w.events("events") {
		subjects[e["subject"]] = true
	}
	for n := range acknowledged {
		for i := range acknowledged[n].Load() {
			name := fmt.Sprintf("%d/%d", n, i)
			if got := read(t, c, "data", name, nil); got != name {
				t.Fatalf("%s holds %q", name, got)
			}
			if !subjects["/blobServices/default/containers/data/blobs/"+name] {
				t.Fatalf("the event of %s is lost", name)
			}
		}
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	w := open(t, func(c *Config) { c.Dir = dir })
	ctx := t.Context()
	w.container("data")
	w.put("data", "kept", "2")
	w.put("data", "gone", "1")
	if _, err := w.blobClient().DeleteBlob(ctx, "data", "gone", nil); err != nil {
		t.Fatal(err)
	}
	q := w.queueClient().NewQueueClient("events")
	if _, err := q.Create(ctx, nil); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "b", "c"} {
		must[azqueue.EnqueueMessagesResponse](t)(q.EnqueueMessage(ctx, text, nil))
	}
	w.subscribe("created", subscriptionFor("events", "data", ""))
	taken := must[azqueue.DequeueMessagesResponse](t)(q.DequeueMessage(ctx, nil)).Messages[0]
	staged := w.blobClient().ServiceClient().NewContainerClient("data").NewBlockBlobClient("staged")
	if _, err := staged.StageBlock(ctx, "MDE=", streaming.NopCloser(strings.NewReader("part")), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.s.update(func(t *tx) error {
		t.put(kindLifecycle, []string{"account"}, &lifecycle{Policy: json.RawMessage(`{"rules":[]}`)})
		t.put(kindRole, []string{"assignment"}, &roleAssignment{Principal: "somebody"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	if _, err := Open(testConfig(dir)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("opened twice: %v", err)
	}
	before := dumped(w.s.state)
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(dir, blobsName, "ORPHAN")
	if err := os.WriteFile(orphan, []byte("never acknowledged"), 0o600); err != nil {
		t.Fatal(err)
	}
	w = open(t, func(c *Config) { c.Dir = dir })
	if after := dumped(w.s.state); !reflect.DeepEqual(before, after) {
		t.Errorf("state differs after reopening:\n%s\n%s", before, after)
	}
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Error("the orphan file is still there")
	}
	q = w.queueClient().NewQueueClient("events")
	if _, err := q.DeleteMessage(ctx, *taken.MessageID, *taken.PopReceipt, nil); err != nil {
		t.Errorf("pop receipt from before: %v", err)
	}

	// Rewritten by compaction it is the same again.
	w.s.compact = 0
	w.put("data", "last", "3")
	before = dumped(w.s.state)
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, func(c *Config) { c.Dir = dir })
	if after := dumped(w.s.state); !reflect.DeepEqual(before, after) {
		t.Errorf("state differs after compaction:\n%s\n%s", before, after)
	}
	if got := read(t, w.blobClient(), "data", "last", nil); got != "3" {
		t.Errorf("last holds %q", got)
	}
	staged = w.blobClient().ServiceClient().NewContainerClient("data").NewBlockBlobClient("staged")
	if _, err := staged.CommitBlockList(ctx, []string{"MDE="}, nil); err != nil || read(t, w.blobClient(), "data", "staged", nil) != "part" {
		t.Errorf("the staged block: %v", err)
	}
}

// The journal is rewritten again and again while uploads go on; none is lost.
func TestCompactionDuringUploads(t *testing.T) {
	dir := t.TempDir()
	w := open(t, func(c *Config) { c.Dir = dir })
	w.container("data")
	c := w.blobClient()
	var g errgroup.Group
	g.SetLimit(8)
	for i := range 200 {
		g.Go(func() error {
			if i%10 == 0 {
				w.s.mu.Lock()
				w.s.compact = 0
				w.s.mu.Unlock()
			}
			_, err := c.UploadBuffer(context.Background(), "data", fmt.Sprint(i%150), fmt.Append(nil, i), nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	before := dumped(w.s.state)
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	w = open(t, func(c *Config) { c.Dir = dir })
	if after := dumped(w.s.state); !reflect.DeepEqual(before, after) {
		t.Fatal("state differs after compaction")
	}
	for i := range 150 {
		read(t, w.blobClient(), "data", fmt.Sprint(i), nil)
	}
	if files := must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(dir, blobsName))); len(files) != 150 {
		t.Errorf("%d files for 150 blobs", len(files))
	}
}

// dumped is a state as its journal operations, in a comparable form.
func dumped(st *state) map[string]string {
	out := map[string]string{}
	st.dump(func(kind string, key []string, value any) {
		o := encodeOp(kind, key, value)
		out[kind+" "+strings.Join(key, " ")] = string(o.Value)
	})
	return out
}

func TestJournalCutShort(t *testing.T) {
	var whole []byte
	for i := range 5 {
		whole = append(whole, encodeLine(fmt.Appendf(nil, `[%d]`, i))...)
	}
	line := len(whole) / 5
	for cut := range len(whole) + 1 {
		n := 0
		valid, err := readJournal(bytes.NewReader(whole[:cut]), func([]byte) error { n++; return nil })
		if err != nil || n != cut/line || valid != int64(n*line) {
			t.Fatalf("cut at %d: %d lines, %d valid bytes, %v", cut, n, valid, err)
		}
	}
	damaged := bytes.Clone(whole)
	damaged[line+10] ^= 1
	if _, err := readJournal(bytes.NewReader(damaged), func([]byte) error { return nil }); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "line 2") {
		t.Fatalf("damaged line: %v", err)
	}
}

func TestFailedDisk(t *testing.T) {
	w := open(t)
	w.container("data")
	w.s.journal.file.Close() // from now on every write fails
	c := w.blobClient()
	_, err := c.UploadBuffer(t.Context(), "data", "x", []byte("1"), nil)
	wantCode(t, err, 500, "InternalError")
	_, err = c.DownloadStream(t.Context(), "data", "x", nil) // in memory, not on disk
	wantCode(t, err, 500, "InternalError")
}

func FuzzJournal(f *testing.F) {
	line := func(ops string) []byte { return encodeLine([]byte(ops)) }
	f.Add(line(`[{"k":"container","n":["a/c"],"v":{}},{"k":"blob","n":["a/c","x"],"v":{"Size":1}},{"k":"blob","n":["a/c","x"]}]`))
	f.Add(line(`[{"k":"queue","n":["a/q"],"v":{}},{"k":"message","n":["a/q","1"],"v":{}},{"k":"messages","n":["a/q"]}]`))
	f.Add(line(`[{"k":"clock","v":null}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		st := newState()
		if _, err := readJournal(bytes.NewReader(data), st.replay); err != nil {
			return
		}
		again := newState()
		var ops []op
		st.dump(func(kind string, key []string, value any) { ops = append(ops, encodeOp(kind, key, value)) })
		doc, err := json.Marshal(ops)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.replay(doc); err != nil {
			t.Fatalf("own dump refused: %v", err)
		}
		if !reflect.DeepEqual(dumped(st), dumped(again)) {
			t.Fatal("dump and replay differ")
		}
	})
}

func FuzzBlockList(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><BlockList><Latest>YQ==</Latest><Committed>Yg==</Committed></BlockList>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		refs, err := parseBlockList(body)
		for _, r := range refs {
			if err == nil && !validBlockID(r.id) {
				t.Fatalf("accepted block id %q", r.id)
			}
		}
	})
}

// Pages of any size, put together, are the whole listing.
func FuzzListNames(f *testing.F) {
	f.Add("a,b/1,b/2,c", "", "/", 1)
	f.Add("p/1,p/2,p/x/1", "p/", "/", 2)
	f.Fuzz(func(t *testing.T, joined, prefix, delimiter string, size int) {
		if size < 1 || size > 10 {
			t.Skip()
		}
		c := &container{blobs: map[string]*blob{}}
		for name := range strings.SplitSeq(joined, ",") {
			c.apply(kindBlob, []string{name}, &blob{})
		}
		wantNames, wantPrefixes, next := listNames(c.names, page{prefix: prefix, max: 1 << 20}, delimiter)
		if next != "" {
			t.Fatal("one large page has a next one")
		}
		var names, prefixes []string
		for p := (page{prefix: prefix, max: size}); ; p.marker = next {
			n, pre, more := listNames(c.names, p, delimiter)
			names, prefixes, next = append(names, n...), append(prefixes, pre...), more
			if more == "" {
				break
			}
			if len(n)+len(pre) == 0 {
				t.Fatal("a page without items has a next one")
			}
		}
		if strings.Join(names, "\x00") != strings.Join(wantNames, "\x00") || strings.Join(prefixes, "\x00") != strings.Join(wantPrefixes, "\x00") {
			t.Fatalf("pages of %d: %q %q, want %q %q", size, names, prefixes, wantNames, wantPrefixes)
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-5", int64(10))
	f.Add("bytes=-5", int64(10))
	f.Fuzz(func(t *testing.T, text string, size int64) {
		if size < 0 {
			t.Skip()
		}
		rg, _, err := parseRange(text, size)
		if err == nil && (rg.from < 0 || rg.from > rg.to || rg.to > size) {
			t.Fatalf("range %v of %d bytes", rg, size)
		}
	})
}

func BenchmarkUpload(b *testing.B) {
	w := open(b)
	w.container("data")
	c := w.blobClient()
	body := make([]byte, 64<<10)
	var n atomic.Int64
	b.SetParallelism(8)
	b.SetBytes(int64(len(body)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.UploadBuffer(context.Background(), "data", fmt.Sprint(n.Add(1)), body, (*azblob.UploadBufferOptions)(nil)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

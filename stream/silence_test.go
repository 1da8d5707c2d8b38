package stream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkt/internal/realtest"
	"mkt/stream/streamtest"
)

// A broker that does not answer to commits keeps no run from being aborted, and
// the next one goes on.
func TestCommitsHang(t *testing.T) {
	t.Parallel()
	if realtest.At(t, realtest.Kafka) != "" {
		t.Skip("the embedded broker is the one that can be made silent")
	}
	s := newStack(t, 2)
	const n = 3000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	hung, answer, abort := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var first, over sync.Once
	release := func() { over.Do(func() { close(answer) }) }
	defer release()
	s.Wire.Watch(func(m streamtest.Moment) bool {
		if m.Request == commitOffsets && m.When == streamtest.Before {
			first.Do(func() { close(hung) })
			<-answer
		}
		return false
	})
	silent := cfg
	silent.Abort = abort
	var aborted atomic.Int64
	go func() {
		<-hung
		time.Sleep(300 * time.Millisecond) // it waits for an answer by then
		aborted.Store(time.Now().UnixNano())
		close(abort)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := Run(ctx, silent, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("an aborted run: %v", err)
	}
	if took := time.Since(time.Unix(0, aborted.Load())); took > 10*time.Second {
		t.Errorf("the abort took %s", took)
	}
	release()
	s.Wire.Watch(nil)
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
}

// A registry that does not answer keeps nothing longer than its context.
func TestRegistryHangs(t *testing.T) {
	t.Parallel()
	answer := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answer }))
	defer server.Close()
	defer close(answer)
	schemas, err := NewSchemas(Registry{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for _, ask := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := schemas.Latest(ctx, "s"); return err },
		func(ctx context.Context) error { _, err := schemas.ByID(ctx, 1); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A storage account is not asked for ever where the caller sets no limit, and
// a download that breaks off is tried again from its start.
func TestStorageHasALimit(t *testing.T) {
	t.Parallel()
	err := retryBlob(context.Background(), nil, func(ctx context.Context) error {
		if end, ok := ctx.Deadline(); !ok || time.Until(end) > tryLimit {
			t.Errorf("a try ends at %s: %v", end, ok)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	s := newStack(t, 1)
	poison(t, s, 4)
	cfg := s.config(streamtest.Generate(t, s.Dir, 10, nil))
	cfg.Consumers[0].Compression = "none"
	s.run(cfg)
	broken := 0
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		res, err := next()
		if err == nil && req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/dead-letter/") && broken == 0 {
			broken++
			res.Body = half{res.Body}
		}
		return res, err
	})
	blobs, err := s.Open(s.Blobs)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(t.Context(), admin, "prices")
	if err != nil {
		t.Fatal(err)
	}
	dead, err := ReadDeadRecords(t.Context(), blobs, cfg.Consumers[0], topic)
	if err != nil || len(dead.Waiting) != 4 || broken != 1 {
		t.Errorf("%d dead letters, %d downloads broken off, %v", len(dead.Waiting), broken, err)
	}
}

// half is a body that breaks off after its first bytes.
type half struct{ io.ReadCloser }

func (h half) Read(p []byte) (int, error) {
	n, _ := h.ReadCloser.Read(p[:min(len(p), 10)])
	return n, errors.New("connection reset")
}

package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkt/stream/engine"
	"mkt/stream/streamtest"
)

// A run that is to end while the registry is asked for the schema of a record
// leaves that record, and those behind it, to the next run, although the end of
// the partition behind them was heard of.
func TestDrainWhileRegistryIsAsked(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	const n, late = engine.Most + 500, 50
	path := streamtest.Generate(t, s.Dir, n, nil)
	cfg := s.config(path)
	cfg.Consumers = nil
	s.run(cfg)
	second := s.Register(streamtest.Subject, strings.Replace(streamtest.Schema, `]}`, `,{"name":"Note","type":["null","string"],"default":null}]}`, 1))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for i := n + 1; i <= n+late; i++ {
		fmt.Fprintf(f, "NYA,2020-01-02,1,1,%d\r\n", i)
	}
	f.Close()
	s.run(cfg)

	at, err := url.Parse(s.Registry)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var first sync.Once
	var asked atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(at)
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, fmt.Sprintf("/ids/%d", second)) {
			asked.Store(true)
			cancel()
			<-r.Context().Done()
			return
		}
		// Meanwhile the client fetches the rest and hears of its end.
		first.Do(func() { time.Sleep(2 * time.Second) })
		proxy.ServeHTTP(w, r)
	}))
	defer registry.Close()
	defer registry.CloseClientConnections()
	cut := s.config(path)
	cut.Producers, cut.Follow, cut.Registry.URL = nil, true, registry.URL
	if _, err := Run(ctx, cut, nil); !errors.Is(err, context.Canceled) || !asked.Load() {
		t.Fatalf("%v, asked %v", err, asked.Load())
	}
	s.run(s.config(path))
	exactlyOnce(t, "files", s.fileRows(), n+late)
}

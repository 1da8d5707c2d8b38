package stream

import (
	"context"
	"strings"
	"testing"
	"time"

	"mkt/internal/realtest"
	"mkt/stream/streamtest"
)

// A token of Kafka that ends under way is renewed, and nothing stops.
func TestTokenRenewed(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 12_000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Producers[0].Rate = 1000
	cfg.Consumers[0].Roll = Roll{Rows: 500, Every: 200 * time.Millisecond}
	b := s.RequireBearer(4 * time.Second)
	s.run(cfg)
	exactlyOnce(t, "topic", s.topicRows("prices"), n)
	exactlyOnce(t, "files", s.fileRows(), n)
	tokens, closed := b.Asked()
	t.Logf("%d tokens, %d connections closed", tokens, closed)
	if tokens < 9 { // three clients, three lives
		t.Errorf("%d tokens", tokens)
	}
}

// A token that ends and is not renewed stops both halves with the reason; when
// it is, the next run goes on.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	for name, half := range map[string]func(*Config){
		"producer": func(c *Config) { c.Consumers = nil },
		"consumer": func(c *Config) { c.Producers, c.Follow = nil, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, 2)
			const n = 5000
			whole := s.config(streamtest.Generate(t, s.Dir, n, nil))
			cfg := whole
			half(&cfg)
			for i := range cfg.Producers {
				cfg.Producers[i].Rate = 200
			}
			b := s.RequireBearer(3 * time.Second)
			time.AfterFunc(2*time.Second, func() { b.Refuse(true) })
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			start := time.Now()
			rep, err := Run(ctx, cfg, nil)
			t.Logf("after %s: %v", time.Since(start), err)
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), `kafka refuses the credential of client "mkt"`) ||
				!strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "the secret") {
				t.Errorf("%v, %+v", err, rep)
			}
			b.Refuse(false)
			whole.Producers[0].Rate = 0
			s.run(whole)
			exactlyOnce(t, "topic", s.topicRows("prices"), n)
			exactlyOnce(t, "files", s.fileRows(), n)
		})
	}
}

// A token of Azure that ends under way is renewed, and nothing stops; one that
// is not stops the consumer with the reason, and the next run goes on.
func TestStorageTokenEnds(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	if realtest.At(t, realtest.Azurite) != "" {
		t.Skip("the tokens of real servers are not ours to give")
	}
	const n = 12_000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Producers[0].Rate = 2000
	cfg.Consumers[0].Roll = Roll{Rows: 300, Every: 100 * time.Millisecond}
	tokens := &streamtest.Tokens{Life: time.Second}
	signed := cfg
	signed.Blob = tokens.Open
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rep, err := Run(ctx, signed, observer(func(s Snapshot) {
		if s.Consumers[0].Rows > n/2 {
			tokens.Refuse("the client's secret has ended")
		}
	}))
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "the client's secret has ended") || !strings.Contains(err.Error(), `consumer "blobs"`) {
		t.Fatalf("%v, %+v", err, rep)
	}
	if rep.Consumers[0].Rows < n/2 || tokens.Given() < 3 {
		t.Errorf("%d tokens, %+v", tokens.Given(), rep)
	}
	tokens.Refuse("")
	signed.Producers[0].Rate = 0
	s.run(signed)
	exactlyOnce(t, "files", s.fileRows(), n)
}

package stream

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/internal/realtest"
	"mkt/stream/streamtest"
)

func TestProducerWithoutLimit(t *testing.T) {
	p := Producer{Name: "p", Topic: "t", Subject: "s"}
	if err := p.check(); err != nil {
		t.Errorf("a rate of 0: %v", err)
	}
	for _, rate := range []float64{-1, math.Inf(1)} {
		p.Rate = rate
		if p.check() == nil {
			t.Errorf("a rate of %v is taken", rate)
		}
	}
}

// Properties of a producer or consumer reach its client, and those that it
// does not take are refused before anything opens.
func TestClientProperties(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	const n = 100
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	bad := cfg
	bad.Producers, bad.Consumers = slices.Clone(cfg.Producers), slices.Clone(cfg.Consumers)
	bad.Producers[0].Properties = map[string]string{"acks": "1", "no.such": "1"}
	bad.Consumers[0].Properties = map[string]string{"isolation.level": "read_uncommitted"}
	s.fails(bad, `producer "prices": property "acks": it is "1"`, `producer "prices": property "no.such"`, `consumer "blobs": property "isolation.level"`)

	cfg.Producers[0].Properties = map[string]string{"message.max.bytes": "1000", "transaction.timeout.ms": "9000"}
	cfg.Consumers[0].Properties = map[string]string{"group.protocol": "consumer"}
	if realtest.At(t, realtest.Kafka) == "" {
		var beats atomic.Int64
		s.Wire.Watch(func(m streamtest.Moment) bool {
			if m.Request == kmsg.NameForKey(int16(kmsg.ConsumerGroupHeartbeat)) {
				beats.Add(1)
			}
			return false
		})
		defer func() {
			if beats.Load() == 0 {
				t.Error("the consumer is no member by KIP-848")
			}
		}()
	}
	for _, name := range []string{"session.timeout.ms", "heartbeat.interval.ms"} { // of the harness; the broker's with KIP-848
		delete(s.Props, name)
	}
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)

	long := filepath.Join(t.TempDir(), "long.csv")
	if err := os.WriteFile(long, []byte("Index,Date,Close,Adj_Close,Volume\n"+strings.Repeat("x", 1200)+",2020-01-02,1,1,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Consumers = nil
	cfg.Producers[0].Name, cfg.Producers[0].Paths, cfg.Producers[0].OnError = "long", []string{long}, Stop
	s.fails(cfg, "message.max.bytes is 1000")
}

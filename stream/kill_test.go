package stream

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/stream/streamtest"
)

// childConfig is what a child process streams.
type childConfig struct {
	Props     map[string]string
	Registry  Registry
	Producers []Producer
	Consumers []Consumer
	TxnAge    time.Duration // 0 is the usual
}

const childEnv = "MKT_STREAM_TEST_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		os.Exit(child(text))
	}
	os.Exit(m.Run())
}

func child(text string) int {
	var c childConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		panic(err)
	}
	if c.TxnAge > 0 {
		txnAge = c.TxnAge
	}
	_, err := Run(context.Background(), Config{Kafka: c.Props, Registry: c.Registry, Producers: c.Producers, Consumers: c.Consumers,
		Blob: func(url string) (*container.Client, error) { return streamtest.OpenContainer(url, nil) }}, nil)
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return 0
}

func (s *stack) child(cfg Config, age time.Duration) *exec.Cmd {
	s.t.Helper()
	text, err := json.Marshal(childConfig{cfg.Kafka, cfg.Registry, cfg.Producers, cfg.Consumers, age})
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd
}

// seeded is a seed that is in the test's log; MKT_TEST_SEED repeats a run.
func seeded(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MKT_TEST_SEED"); text != "" {
		if err := json.Unmarshal([]byte(text), &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed: MKT_TEST_SEED=%d", seed)
	return seed
}

// killAfter is early, while clients connect and find out where to go on, or
// late enough for transactions and uploads to be under way.
func killAfter(r *rand.Rand) time.Duration {
	if r.IntN(3) == 0 {
		return time.Duration(50+r.IntN(500)) * time.Millisecond
	}
	return time.Duration(900+r.IntN(1200)) * time.Millisecond
}

// TestKillNine kills the stream at random moments and runs it again: nothing
// is lost, nothing is doubled.
func TestKillNine(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(seeded(t), 0))
	s := newStack(t, 3)
	s.Props["session.timeout.ms"], s.Props["heartbeat.interval.ms"], s.Props["max.poll.interval.ms"] = "600", "100", "1000"
	const n = 120_000
	path := streamtest.Generate(t, s.Dir, n, func(i int) bool { return i%1000 == 7 })
	cfg := s.config(path)
	cfg.Producers[0].Rate = 12_000
	cfg.Consumers[0].Roll = Roll{Rows: 1500, Every: 150 * time.Millisecond}
	kills := 0
	for kills < 12 {
		cmd := s.child(cfg, 0)
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			kills = 100 // it got through
		case <-time.After(killAfter(r)):
			cmd.Process.Kill()
			<-done
			kills++
		}
	}
	if kills >= 100 {
		t.Log("the source was drained before all kills were done")
	}
	cfg.Producers[0].Rate = 0
	rep := s.run(cfg)
	t.Logf("%+v", rep)
	exactlyOnce(t, "topic", s.topicRows("prices", "prices-dead-letter"), n)
	rows := s.fileRows()
	for i := uint64(7); i <= n; i += 1000 {
		rows[i]++
	}
	exactlyOnce(t, "files", rows, n)
	for name := range s.blobsUnder("kafka-messages/") {
		if !strings.HasSuffix(name, ".json.gz") {
			t.Errorf("a file is named %s", name)
		}
	}
}

package stream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/internal/realtest"
	"mkt/stream/streamtest"
)

// killPoint is a moment at which a process dies: the nth time that it comes.
type killPoint struct {
	name    string
	request string // of Kafka, or the beginning of one of Blob behind the account
	when    streamtest.When
	most    int // n is at most this
}

var (
	produce, endTxn  = kmsg.NameForKey(int16(kmsg.Produce)), kmsg.NameForKey(int16(kmsg.EndTxn))
	commitOffsets    = kmsg.NameForKey(int16(kmsg.OffsetCommit))
	upload, deadFile = "PUT /acct/market-data/kafka-messages/", "PUT /acct/market-data/dead-letter/"

	killPoints = []killPoint{
		{"before the produce acknowledgement", produce, streamtest.Before, 6},
		{"after the produce acknowledgement", produce, streamtest.After, 6},
		{"before the transaction is committed", endTxn, streamtest.Before, 3},
		{"after the transaction is committed", endTxn, streamtest.After, 3},
		{"before the upload", upload, streamtest.Before, 6},
		{"in the middle of the upload", upload, streamtest.Within, 6},
		{"after the upload", upload, streamtest.After, 6},
		{"before the dead letters", deadFile, streamtest.Before, 1},
		{"before the offsets are committed", commitOffsets, streamtest.Before, 4},
		{"after the offsets are committed", commitOffsets, streamtest.After, 4},
		{"after fencing", kmsg.NameForKey(int16(kmsg.InitProducerID)), streamtest.After, 1},
		{"while looking where to go on", kmsg.NameForKey(int16(kmsg.ListOffsets)), streamtest.After, 4},
		{"while asking for the committed offsets", kmsg.NameForKey(int16(kmsg.OffsetFetch)), streamtest.After, 1},
	}
)

// TestKillPoints kills the stream with SIGKILL at 104 moments of what it says to
// Kafka and Blob, and at random ones where a moment does not come. At each the
// process is dead before it could hear an answer. Whatever it has done by then:
// each row is in the files or the dead letters once.
func TestKillPoints(t *testing.T) {
	t.Parallel()
	if realtest.At(t, realtest.Kafka) != "" {
		t.Skip("the moments are seen by the embedded servers; TestKillNine kills at random ones")
	}
	seed := seeded(t)
	const lines, each = 4, 2 // each process line dies at every point so often
	var mu sync.Mutex
	deaths := map[string]int{}
	var running sync.WaitGroup
	for i := range lines { // which wait more than they work
		running.Go(func() {
			protocol := []string{"classic", "consumer"}[i%2]
			compression := []string{"none", "none", "snappy", "zstd"}[i] // fetch answers end elsewhere with each
			t.Run(fmt.Sprint(i, protocol, compression), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				var points []killPoint
				for range each {
					points = append(points, killPoints...)
				}
				r.Shuffle(len(points), func(a, b int) { points[a], points[b] = points[b], points[a] })
				got := newStack(t, 3).killAt(r, protocol, compression, points)
				mu.Lock()
				defer mu.Unlock()
				for point, n := range got {
					deaths[point] += n
				}
			})
		})
	}
	running.Wait()
	total := 0
	for point, n := range deaths {
		t.Logf("%3d deaths %s", n, point)
		total += n
	}
	if total < 100 {
		t.Errorf("%d deaths", total)
	}
	for _, p := range killPoints {
		if deaths[p.name] == 0 {
			t.Errorf("nothing died %s", p.name)
		}
	}
}

// killAt runs the stream until it has died at each point, then to its end, and
// counts the deaths.
func (s *stack) killAt(r *rand.Rand, protocol, compression string, points []killPoint) map[string]int {
	s.t.Helper()
	s.groups(protocol, "600", "1000")
	const n, poisoned = 60_000, 6 // for each death beside the dead letters
	cfg := s.config(streamtest.Generate(s.t, s.Dir, n, func(i int) bool { return i%50 == 7 }))
	cfg.Producers[0].Properties = map[string]string{"compression.type": compression}
	cfg.Producers[0].Rate = 1500 // in all these lives it does not come to the end
	cfg.Consumers[0].Roll = Roll{Rows: 150, Every: 50 * time.Millisecond}
	deaths, letters := map[string]int{}, 0
	for i, p := range points {
		if p.request == deadFile {
			poison(s.t, s, poisoned)
			letters += poisoned
		}
		nth := 1 + r.IntN(p.most)
		atLast := time.Duration(500+r.IntN(2000)) * time.Millisecond
		where := s.dieAt(cfg, p, nth, atLast)
		if where == "" {
			s.t.Logf("the source was drained after %d of %d lives", i, len(points))
			break
		}
		deaths[where]++
	}
	cfg.Producers[0].Rate = 0
	rep := s.run(cfg)
	s.t.Logf("%+v", rep)
	sent := s.topicRows("prices", "prices-dead-letter")
	delete(sent, 0) // what is no row
	exactlyOnce(s.t, "topic", sent, n)
	if got := s.deadLetterLines(); got != letters {
		s.t.Errorf("%d dead letters of the consumer, want %d", got, letters)
	}
	rows := s.fileRows()
	for i := uint64(7); i <= n; i += 50 {
		rows[i]++
	}
	exactlyOnce(s.t, "files", rows, n)
	return deaths
}

// dieAt runs the stream until the nth time of a point, at most for a time, and
// says where it died: "" if it ended by itself.
func (s *stack) dieAt(cfg Config, p killPoint, nth int, atLast time.Duration) string {
	s.t.Helper()
	var mu sync.Mutex
	dead := false
	started := make(chan struct{})
	var kill func()
	s.Wire.Watch(func(m streamtest.Moment) bool {
		<-started
		mu.Lock()
		defer mu.Unlock()
		if dead {
			return true // it hears nothing any more
		}
		if m.When == p.when && strings.HasPrefix(m.Request, p.request) {
			if nth--; nth == 0 {
				dead = true
				kill()
			}
		}
		return dead
	})
	cmd := s.child(cfg, 100*time.Millisecond)
	kill = func() { _ = cmd.Process.Kill() }
	close(started)
	timer := time.AfterFunc(atLast, func() {
		mu.Lock()
		defer mu.Unlock()
		if !dead {
			kill()
		}
	})
	err := cmd.Wait()
	timer.Stop()
	s.Wire.Watch(nil)
	mu.Lock()
	defer mu.Unlock()
	switch {
	case dead:
		return p.name
	case err == nil:
		return ""
	case cmd.ProcessState.Exited():
		s.t.Fatalf("it ended by itself: %v", err)
	}
	return "at a random moment"
}

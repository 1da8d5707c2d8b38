package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/codec"
	"mkt/stream/streamtest"
)

func (s *stack) fails(cfg Config, want ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := Run(ctx, cfg, nil)
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			s.t.Fatalf("%v, want %q", err, w)
		}
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	bad := func(i int) bool { return i == 100 || i == 200 }
	for _, tt := range []struct {
		policy        OnError
		rows          int64
		dead, skipped int64
	}{{DeadLetter, 298, 2, 0}, {Skip, 298, 0, 2}, {Stop, 99, 0, 0}, {"", 99, 0, 0}} {
		s := newStack(t, 2)
		cfg := s.config(streamtest.Generate(t, s.Dir, 300, bad))
		cfg.Producers[0].OnError = tt.policy
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		rep, err := Run(ctx, cfg, nil)
		cancel()
		stops := tt.policy == Stop || tt.policy == ""
		if stops != (err != nil) || stops && !strings.Contains(err.Error(), `row 100: field "Close": "null" is null, and the schema does not allow null`) {
			t.Errorf("%s: %v", tt.policy, err)
		}
		p := rep.Producers[0]
		if p.Rows != tt.rows || p.DeadLetters != tt.dead || p.Skipped != tt.skipped {
			t.Errorf("%s: %+v", tt.policy, p)
		}
		if got := len(s.topicRows("prices")); got != int(tt.rows) {
			t.Errorf("%s: %d rows in the topic", tt.policy, got)
		}
		if tt.policy == DeadLetter {
			s.eachRecord("prices-dead-letter", func(m *kafka.Message) {
				if text := string(m.Value); !strings.Contains(text, `"row":100,`) && !strings.Contains(text, `"row":200,`) ||
					!strings.Contains(text, `data.csv","line":`) || !strings.Contains(text, "does not allow null") || !strings.Contains(text, `"raw":"NYA,2020`) {
					t.Errorf("dead letter %s", text)
				}
			})
		}
		if stops { // it can go on once the policy says how
			cfg.Producers[0].OnError = Skip
			s.run(cfg)
			if got := len(s.fileRows()); got != 298 {
				t.Errorf("%d rows after the policy changed", got)
			}
		}
	}
}

func TestNothingIsSentWhenTheHeaderDoesNotFit(t *testing.T) {
	s := newStack(t, 1)
	cfg := s.config(streamtest.Generate(t, s.Dir, 10, nil))
	cfg.Producers[0].Rename = nil
	s.fails(cfg, `producer "prices"`, "data.csv:1: the header does not fit", `rename = { "Adj Close" = "Adj_Close" }`)
	if n := len(s.topicRows("prices")); n != 0 {
		t.Errorf("%d rows were sent", n)
	}
	cfg = s.config(s.Dir + "/*.tsv")
	s.fails(cfg, "matches no file")
	cfg = s.config(s.Dir + "/data.csv")
	cfg.Producers[0].Subject = "nosuch"
	s.fails(cfg, `subject "nosuch"`)
	cfg = s.config(s.Dir + "/data.csv")
	cfg.Producers[0].Topic = "nosuch"
	s.fails(cfg, `topic "nosuch"`, "does not exist")
	cfg = s.config(s.Dir + "/data.csv")
	cfg.Producers[0].Key = "Nope"
	s.fails(cfg, `no column "Nope" to key by`)
	cfg = s.config(s.Dir + "/data.csv")
	cfg.Consumers[0].Format = "orc"
	s.fails(cfg, `format "orc" is not supported`)
	cfg.Consumers[0].Format, cfg.Consumers[0].Compression = "json", "snappy"
	s.fails(cfg, `compression "snappy" is not supported in files of format "json"`)
	cfg = s.config(s.Dir + "/data.csv")
	cfg.Consumers[0].ContainerURL += "-nosuch"
	s.fails(cfg, "ContainerNotFound")
}

func TestSourceChanged(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	path := streamtest.Generate(t, s.Dir, 1000, nil)
	cfg := s.config(path)
	s.run(cfg)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(b string) {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(strings.Replace(string(text), ",500\r\n", ",501\r\n", 1))
	s.fails(cfg, "the source changed before row 1000")
	put(string(text[:len(text)/2]))
	s.fails(cfg, "the source changed", "ends before it")
	put(string(text) + "NYA,2020-01-02,1,1,1001\r\n")
	if rep := s.run(cfg); rep.Producers[0].Rows != 1 || rep.Producers[0].ResumedAt != 1000 {
		t.Errorf("%+v", rep)
	}
	exactlyOnce(t, "files", s.fileRows(), 1001)
	if err := os.WriteFile(s.Dir+"/before.csv", []byte("Index,Date,Close,Adj Close,Volume\nNYA,2020-01-02,1,1,1002\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Producers[0].Paths = []string{s.Dir + "/*.csv"}
	s.fails(cfg, "the source changed before row 1001", "a new one comes last")
}

// What the topic does not hold any more cannot be resumed from.
func TestTruncatedTopicStops(t *testing.T) {
	s := newStack(t, 1)
	cfg := s.config(streamtest.Generate(t, s.Dir, 100, nil))
	s.run(cfg)
	if err := s.Cluster.DeleteRecords("prices", 0, -1); err != nil {
		t.Fatal(err)
	}
	s.fails(cfg, "cannot tell which rows were sent")
}

// Partitions may be added between runs: keys move, rows do not.
func TestPartitionsAdded(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 6000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Producers[0].Rate = 5000
	ctx, cancel := context.WithTimeout(context.Background(), 800*time.Millisecond)
	Run(ctx, cfg, nil)
	cancel()
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.CreatePartitions(context.Background(), []kafka.PartitionsSpecification{{Topic: "prices", IncreaseTo: 5}}); err != nil {
		t.Fatal(err)
	}
	cfg.Producers[0].Rate = 0
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
}

// Of two processes with one producer the older is fenced; together they send
// each row once.
func TestFenced(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 10_000
	cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
	cfg.Consumers = nil
	cfg.Producers[0].Rate = 4000
	var wg sync.WaitGroup
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := Run(ctx, cfg, nil); err == nil || !strings.Contains(err.Error(), "has taken over") {
			t.Errorf("the older process: %v", err)
		}
	})
	time.Sleep(700 * time.Millisecond)
	young := cfg
	young.Producers = []Producer{cfg.Producers[0]}
	young.Producers[0].Rate = 0
	s.run(young)
	wg.Wait()
	exactlyOnce(t, "topic", s.topicRows("prices"), n)
}

// A schema that changes between runs cuts the files at its id; older rows
// keep theirs.
func TestSchemaChange(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	path := streamtest.Generate(t, s.Dir, 1000, nil)
	cfg := s.config(path)
	cfg.Consumers = nil
	s.run(cfg)
	second := s.Register(streamtest.Subject, strings.Replace(streamtest.Schema, `]}`, `,{"name":"Note","type":["null","string"],"default":null}]}`, 1))
	text, _ := os.ReadFile(path)
	os.WriteFile(path, append(text, "NYA,2020-01-02,1,1,1001\r\n"...), 0o600)
	s.run(s.config(path))
	exactlyOnce(t, "files", s.fileRows(), 1001)
	files, err := ListTopicFiles(context.Background(), s.Container(), "kafka-messages/", "prices")
	if err != nil || len(files) != 2 || files[0].Rows != 1000 || files[1].Rows != 1 || files[1].Schema != second {
		t.Errorf("%+v, %v", files, err)
	}
}

// A slow source is visible promptly, and files are cut by time alone.
func TestSlowRate(t *testing.T) {
	s := newStack(t, 2)
	cfg := s.config(streamtest.Generate(t, s.Dir, 40, nil))
	cfg.Producers[0].Rate = 12
	cfg.Consumers[0].Roll.Every = 300 * time.Millisecond
	first := time.Time{}
	start := time.Now()
	obs := observer(func(snap Snapshot) {
		if first.IsZero() && snap.Consumers[0].Rows > 0 {
			first = time.Now()
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rep, err := Run(ctx, cfg, obs)
	if err != nil {
		t.Fatal(err)
	}
	exactlyOnce(t, "files", s.fileRows(), 40)
	if took := time.Since(start); took < 3200*time.Millisecond || took > 8*time.Second {
		t.Errorf("40 rows at 12 a second took %s", took)
	}
	if seen := first.Sub(start); first.IsZero() || seen > 2800*time.Millisecond {
		t.Errorf("the first row was in a file after %s", seen)
	}
	if rep.Consumers[0].Files < 4 {
		t.Errorf("%+v", rep)
	}
}

type observer func(Snapshot)

func (o observer) Progress(s Snapshot) { o(s) }
func (o observer) Took(Step)           {}

// Rows come as far apart as their times are, scaled, whatever it costs to send
// them; times that start over do not wait, and those without one go along.
func TestSpeed(t *testing.T) {
	schema, err := codec.Parse(1, `{"type":"record","name":"r","fields":[{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := codec.Compile(schema, []string{"at"}, codec.Options{TimestampFormat: "DD.MM.YYYY HH24:MI:SS"})
	if err != nil {
		t.Fatal(err)
	}
	clock, err := plan.Clock("at")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, speed := range []float64{60, 0.5, 86400} {
			p := pacer{speed: speed}
			first := time.Date(2020, 1, 2, 9, 30, 0, 0, time.UTC)
			series := func() (covered time.Duration) {
				at := first
				for i := range 500 {
					if i%50 == 7 {
						p.at(clock.At([][]byte{[]byte("")}))
						p.at(clock.At([][]byte{[]byte("nonsense")}))
					}
					p.at(clock.At([][]byte{[]byte(at.Format("02.01.2006 15:04:05"))}))
					before := time.Now()
					wait := p.due(before)
					if err := sleep(t.Context(), wait); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Duration(float64(time.Second) / speed / 10)) // what sending costs
					p.sent()
					covered = at.Sub(first)
					at = at.Add(time.Duration(1+i%5) * time.Second)
				}
				return covered
			}
			start := time.Now()
			covered := series() + series()
			got, want := time.Since(start), time.Duration(float64(covered)/speed)
			if off := float64(got-want) / float64(want); off < -0.001 || off > 0.01 {
				t.Errorf("at %vx %s took %s, want %s: %.2f%% off", speed, covered, got, want, 100*off)
			}
		}
		far := pacer{speed: 1e-9}
		far.at(time.Unix(0, 0))
		far.due(time.Now())
		far.sent()
		far.at(time.Unix(1<<33, 0))
		far.at(time.Unix(1<<34, 0))
		if far.due(time.Now()) < time.Hour {
			t.Error("a schedule that is too long to count does not wait")
		}
	})
	if _, err := plan.Clock("other"); err == nil {
		t.Error("there is no such field")
	}
}

func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{0.5, 3, 1000} {
			p := pacer{rate: rate}
			start := time.Now()
			const rows = 31
			for i := range rows {
				if err := sleep(t.Context(), p.due(time.Now())); err != nil {
					t.Fatal(err)
				}
				if i == 10 {
					time.Sleep(time.Duration(2.5 / rate * float64(time.Second))) // a hiccup is caught up with
				}
				p.sent()
			}
			want := time.Duration((rows - 1) / rate * float64(time.Second))
			if got := time.Since(start); got < want-time.Microsecond || got > want+time.Microsecond {
				t.Errorf("rate %v: %s, want %s", rate, got, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// Several producers and consumers in one run keep to themselves.
func TestSeveral(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	if err := s.Cluster.CreateTopic("other", 3, nil); err != nil {
		t.Fatal(err)
	}
	path := streamtest.Generate(t, s.Dir, 3000, nil)
	cfg := s.config(path)
	second := cfg.Producers[0]
	second.Name, second.Topic, second.Key = "second", "other", ""
	cfg.Producers = append(cfg.Producers, second)
	for i, topic := range []string{"other", "prices"} {
		c := cfg.Consumers[0]
		c.Name, c.Group, c.Topic, c.Prefix, c.Compression = fmt.Sprint("more", i), fmt.Sprint("g", i), topic, fmt.Sprintf("more%d/", i), []string{"zstd", "none"}[i]
		cfg.Consumers = append(cfg.Consumers, c)
	}
	rep := s.run(cfg)
	for _, c := range rep.Consumers {
		if c.Rows != 3000 {
			t.Errorf("%+v", c)
		}
	}
	exactlyOnce(t, "files", s.fileRows(), 3000)
}

// Rows from a pipe that falls silent are committed within a second or so, and
// a drain does not wait for it to speak again.
func TestStdin(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cfg := s.config("-")
	cfg.Stdin = r
	fmt.Fprintf(w, "Index,Date,Close,Adj Close,Volume\nNYA,2020-01-02,1,1,1\nNYA,2020-01-02,1,1,2\n")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rep, err := Run(ctx, cfg, observer(func(s Snapshot) {
		if s.Producers[0].Rows == 2 {
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) || rep.Producers[0].Rows != 2 {
		t.Fatalf("%v, %+v", err, rep)
	}
}

func TestUnreachableBroker(t *testing.T) {
	props := map[string]string{"bootstrap.servers": "127.0.0.1:1"}
	admin, err := NewAdmin(props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err = DescribeTopic(ctx, admin, "prices")
	if err = explain(props, err); err == nil || !strings.Contains(err.Error(), `no broker of "127.0.0.1:1" answers`) {
		t.Error(err)
	}
}

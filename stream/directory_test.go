package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/codec"
	"mkt/stream/streamtest"
)

// days writes rows of one index whose dates go on a month every hundred rows.
func days(t *testing.T, dir string, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("Index,Date,Close,Adj Close,Volume\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "I%d,20%02d-%02d-%02d,1,2,%d\n", i%5, 10+i/1200, 1+i/100%12, 1+i%28, i)
	}
	name := filepath.Join(dir, "days.csv")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// inTheirDirectories checks that every row is in the directory of its month.
func (s *stack) inTheirDirectories() (files int) {
	s.t.Helper()
	for name, text := range s.blobsUnder("kafka-messages/") {
		files++
		for line := range strings.Lines(text) {
			var row struct{ Date string }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				s.t.Fatal(err)
			}
			if want := "/by/month=" + row.Date[:7] + "/"; !strings.Contains(name, want) {
				s.t.Fatalf("%s has a row of %s", name, row.Date)
			}
		}
	}
	return files
}

func TestDirectories(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	const n = 3000
	cfg := s.config(days(t, s.Dir, n))
	c := &cfg.Consumers[0]
	c.By, c.Roll.Every = By{"month=%Y-%m", "Date"}, time.Minute
	// The answer to each third upload is lost: the file is found and adopted.
	var uploads atomic.Int64
	s.Fault.Set(func(req *http.Request, next streamtest.Next) (*http.Response, error) {
		res, err := next()
		if req.Method == http.MethodPut && err == nil && res.StatusCode == http.StatusCreated {
			if uploads.Add(1)%3 == 0 {
				res.Body.Close()
				return nil, errors.New("the answer is lost")
			}
		}
		return res, err
	})
	rep := s.run(cfg)
	s.Fault.Set(nil)
	exactlyOnce(t, "files", s.fileRows(), n)
	if files := s.inTheirDirectories(); files < 50 || rep.Consumers[0].Cuts != int64(files-2) || rep.Consumers[0].Adopted == 0 {
		t.Errorf("%d files, %+v", files, rep.Consumers[0])
	}
	// Another group goes on behind what is there.
	c.Group = "group2"
	if rep := s.run(cfg); rep.Consumers[0].Rows != 0 || rep.Consumers[0].Read != 0 {
		t.Errorf("%+v", rep.Consumers[0])
	}
}

// Files in directories that are not committed are gone past when they are
// divided in another way, or not at all, and the other way round.
func TestDirectoriesChange(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	const n = 1500
	cfg := s.config(days(t, s.Dir, n))
	c := &cfg.Consumers[0]
	c.Roll.Every = time.Minute
	ways := []By{{"month=%Y-%m", "Date"}, {}, {"year=%Y/i={Index}", "Date"}, {"%H", ""}}
	c.By = ways[0]
	s.run(cfg)
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(t.Context(), admin, "prices")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ListFiles(t.Context(), s.Container(), "kafka-messages/", topic, 0)
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for i := range 6 {
		// As if the consumer had died with five files uploaded and not committed.
		at := kafka.Offset(files[len(files)-5].Start)
		ask := []kafka.TopicPartition{{Topic: &c.Topic, Partition: 0, Offset: at, Metadata: &topic.ID}}
		for {
			res, err := admin.AlterConsumerGroupOffsets(t.Context(), []kafka.ConsumerGroupTopicPartitions{{Group: "group1", Partitions: ask}})
			if err == nil && res.ConsumerGroupsTopicPartitions[0].Partitions[0].Error == nil {
				break
			}
			if sleep(t.Context(), 50*time.Millisecond) != nil { // a member may be about to leave
				t.Fatal(err)
			}
		}
		c.By = ways[i%len(ways)]
		if rep := s.run(cfg); rep.Consumers[0].Rows != 0 {
			t.Errorf("%+v: %+v", c.By, rep.Consumers[0])
		}
	}
	exactlyOnce(t, "files", s.fileRows(), n)
}

func TestDirectoriesKilled(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(seeded(t), 0))
	s := newStack(t, 2)
	s.Props["session.timeout.ms"], s.Props["heartbeat.interval.ms"], s.Props["max.poll.interval.ms"] = "600", "100", "1000"
	const n = 20_000
	cfg := s.config(days(t, s.Dir, n))
	cfg.Producers[0].Rate = 5000
	cfg.Consumers[0].By, cfg.Consumers[0].Roll = By{"month=%Y-%m", "Date"}, Roll{Every: 150 * time.Millisecond}
	for range 5 {
		cmd := s.child(cfg, 0)
		time.Sleep(killAfter(r))
		cmd.Process.Kill()
		_ = cmd.Wait()
	}
	cfg.Producers[0].Rate = 0
	s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
	s.inTheirDirectories()
}

// A record that cannot be read begins a file of the directory without a value,
// and stands in the middle of any other.
func TestDirectoriesPoison(t *testing.T) {
	t.Parallel()
	s, cfg, learn := ofUnknownSchemas(t)
	learn()
	c := &cfg.Consumers[0]
	c.Group, c.Prefix, c.DeadLetterPrefix = "again", "other/", "other-dead/"
	c.By, c.Roll.Rows = By{"i={Index}", ""}, 1000
	rep := s.run(cfg)
	if got := rep.Consumers[0]; got.Rows != 60 || got.DeadLetters != 5 || got.Cuts > 4 {
		t.Fatalf("%+v", got)
	}
	for name := range s.blobsUnder("other/") {
		if !strings.Contains(name, "/by/i=A/") && !strings.Contains(name, "/by/i="+noValue+"/") && !strings.Contains(name, "/by/"+noValue+"/") {
			t.Error(name)
		}
	}
	c.By = By{"{Nothing}", ""}
	c.Group, c.Prefix = "more", "more/"
	s.fails(cfg, `has no field "Nothing"`)
}

func TestDirectoryNames(t *testing.T) {
	t.Parallel()
	schema, err := codec.Parse(1, streamtest.Schema)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := codec.Compile(schema, []string{"Index", "Date", "Close", "Adj_Close", "Volume"}, codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 2, 29, 23, 59, 0, 0, time.FixedZone("", -3600))
	for _, tt := range []struct{ by, time, index, want string }{
		{"date=%Y-%m-%d", "Date", "A", "date=2020-01-02/"},
		{"%Y/%m/%d/%H%M", "", "A", "2024/03/01/0059/"},
		{"i={Index}/v={Volume}/d={Date}", "", "A B/../é", "i=A_B_.._/v=7/d=2020-01-02/"},
		{"i={Index}", "", "..", "i=_/"},
		{"i={Index}", "", "Apple Inc..", "i=Apple_Inc_/"},
		{"i={Index}", "", "", "i=_/"},
		{"i={Index}", "", strings.Repeat("x", 300), "i=" + strings.Repeat("x", 100) + "/"},
	} {
		by := By{tt.by, tt.time}
		if err := by.Check(); err != nil {
			t.Fatal(err)
		}
		datum, err := plan.Encode(nil, [][]byte{[]byte(tt.index), []byte("2020-01-02"), []byte("1"), []byte("1"), []byte("7")})
		if err != nil {
			t.Fatal(err)
		}
		got, poison, err := newDirectories(by).of(schema, datum, at)
		if got != tt.want || poison != nil || err != nil {
			t.Errorf("%s: %q, %v, %v; want %q", tt.by, got, poison, err, tt.want)
		}
		name := strings.TrimPrefix(dirPath("p/", Topic{Name: "t", ID: "id"}, 3, got, 42), "p/t/") + ".json"
		if f, ok := parseName(name); !ok || f.Start != 42 || f.Partition != 3 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	d := newDirectories(By{"%Y", "Date"})
	if got, poison, _ := d.of(schema, []byte{1}, at); got != noValue+"/" || poison == nil {
		t.Error(got, poison)
	}
	for by, want := range map[By]string{{"date", ""}: "same for every record", {"%y", ""}: "%y", {"{a", ""}: "nor a field", {"a b%Y", ""}: "letters, digits",
		{"%Y//%m", ""}: "empty", {"../%Y", ""}: "empty", {"%Y./%m", ""}: "end with a dot", {"", "Date"}: "no partition_by", {"{}", ""}: "nor a field"} {
		if err := by.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", by, err, want)
		}
	}
	for by, want := range map[By]string{{"{Close}", ""}: "cannot name a directory", {"%Y", "Index"}: "cannot name a directory", {"%Y", "X"}: "has no field"} {
		if _, _, err := newDirectories(by).of(schema, nil, at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", by, err, want)
		}
	}
}

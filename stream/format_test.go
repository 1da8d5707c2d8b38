package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/streamtest"
)

// Every format keeps every row once, and what is no row beside it.
func TestFormats(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ format, compression, suffix, letters string }{
		{"avro", "zstd", ".avro", ".json.zst"}, {"avro", "snappy", ".avro", ".json.gz"}, {"parquet", "gzip", ".parquet", ".json.gz"}, {"parquet", "none", ".parquet", ".json"},
	} {
		s := newStack(t, 3)
		const n = 5000
		cfg := s.config(streamtest.Generate(t, s.Dir, n, nil))
		poison(t, s, 4)
		cfg.Consumers[0].Format, cfg.Consumers[0].Compression = tt.format, tt.compression
		cfg.Consumers[0].Roll.Rows = 700
		rep := s.run(cfg)
		exactlyOnce(t, tt.format, s.fileRows(), n)
		if c := rep.Consumers[0]; c.Rows != n || c.DeadLetters != 4 || c.Bytes == 0 {
			t.Errorf("%s: %+v", tt.format, c)
		}
		for prefix, suffix := range map[string]string{"kafka-messages/": tt.suffix, "dead-letter/": tt.letters} {
			files, err := ListTopicFiles(context.Background(), s.Container(), prefix, "prices")
			if err != nil || len(files) == 0 {
				t.Fatalf("%s: %v, %v", prefix, files, err)
			}
			for _, f := range files {
				if !strings.HasSuffix(f.Name, suffix) {
					t.Errorf("%s is not named %s", f.Name, suffix)
				}
			}
		}
	}
}

// A consumer whose format was changed goes on where the files of the former
// one end, even if those were not committed.
func TestFormatChangesBeforeTheCommit(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	const n = 3000
	path := streamtest.Generate(t, s.Dir, n, nil)
	cfg := s.config(path)
	cfg.Consumers[0].Roll.Rows = 500
	s.run(cfg)
	admin, err := NewAdmin(s.Props)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	topic, err := DescribeTopic(ctx, admin, "prices")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ListFiles(ctx, s.Container(), "kafka-messages/", topic, 0)
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	// As if the consumer had died with three files uploaded and not committed.
	back := func() {
		t.Helper()
		at := kafka.Offset(files[len(files)-3].Start)
		ask := []kafka.TopicPartition{{Topic: &cfg.Consumers[0].Topic, Partition: 0, Offset: at, Metadata: &topic.ID}}
		group := []kafka.ConsumerGroupTopicPartitions{{Group: "group1", Partitions: ask}}
		for { // a member may be about to leave
			res, err := admin.AlterConsumerGroupOffsets(ctx, group)
			if err == nil {
				err = res.ConsumerGroupsTopicPartitions[0].Partitions[0].Error
			}
			if err != nil {
				t.Log(err)
			}
			got, err := admin.ListConsumerGroupOffsets(ctx, group)
			if err == nil {
				p := got.ConsumerGroupsTopicPartitions[0].Partitions[0]
				if p.Offset == at && p.Metadata != nil && *p.Metadata == topic.ID {
					return
				}
			}
			if sleep(ctx, 50*time.Millisecond) != nil {
				t.Fatal(err)
			}
		}
	}
	back()
	cfg.Consumers[0].Format = "avro"
	rep := s.run(cfg)
	exactlyOnce(t, "files", s.fileRows(), n)
	if c := rep.Consumers[0]; c.Rows != 0 || c.Files != 0 {
		t.Errorf("%+v", c)
	}
	back()
	cfg.Consumers[0].Format = "json"
	if rep := s.run(cfg); rep.Consumers[0].Rows != 0 {
		t.Errorf("%+v", rep.Consumers[0])
	}
	exactlyOnce(t, "files", s.fileRows(), n)
}

// Objects are typed by the schema as columns are, go on where they were, and
// a bad one is a dead letter.
func TestObjects(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	path := filepath.Join(s.Dir, "data.ndjson")
	write := func(from, to int) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := from; i <= to; i++ {
			line := fmt.Sprintf(`{"Volume":%d,"Date":"02.01.2020","Index":"I%d","Adj Close":1e3,"Close":"1.5"}`, i, i%7)
			if i%100 == 50 {
				line = fmt.Sprintf(`{"Volume":%d,"Date":"2020-01-02","Index":"I"}`, i)
			}
			fmt.Fprintln(f, line)
		}
	}
	write(1, 1000)
	cfg := s.config(path)
	cfg.Producers[0].Format, cfg.Producers[0].DateFormat = "ndjson", "DD.MM.YYYY"
	if rep := s.run(cfg); rep.Producers[0].Rows != 990 || rep.Producers[0].DeadLetters != 10 {
		t.Errorf("%+v", rep.Producers[0])
	}
	write(1001, 1100)
	if rep := s.run(cfg); rep.Producers[0].Rows != 99 || rep.Producers[0].ResumedAt != 1000 {
		t.Errorf("%+v", rep.Producers[0])
	}
	if got := len(s.fileRows()); got != 1089 {
		t.Errorf("%d rows", got)
	}
	s.eachRecord("prices-dead-letter", func(m *kafka.Message) {
		if text := string(m.Value); !strings.Contains(text, `"reason":"field \"Date\": \"2020-01-02\" does not have the form DD.MM.YYYY"`) || !strings.Contains(text, `data.ndjson","line":`) {
			t.Errorf("dead letter %s", text)
		}
	})
	cfg.Producers[0].Rename = nil
	cfg.Producers[0].Name = "other"
	cfg.Producers[0].OnError = Stop
	s.fails(cfg, `data.ndjson:1: row 1: the member "Adj Close" is no field`)
}

// A followed source sends what is added, is stopped, and goes on.
func TestFollowedSource(t *testing.T) {
	t.Parallel()
	s := newStack(t, 2)
	log := filepath.Join(s.Dir, "x.log")
	add := func(from, to int) {
		t.Helper()
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := from; i <= to; i++ {
			fmt.Fprintf(f, "I%d,2020-01-02,1,1,%d\n", i%7, i)
		}
	}
	cfg := s.config(log + "*")
	src := &cfg.Producers[0].Source
	src.Follow, src.Rename, src.Header = true, nil, []string{"Index", "Date", "Close", "Adj_Close", "Volume"}
	cfg.Consumers[0].Roll.Every = 200 * time.Millisecond
	// until runs the stream until n rows are in files, and then ends it.
	until := func(n int, meanwhile func()) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			_, err := Run(ctx, cfg, nil)
			done <- err
		}()
		meanwhile()
		for len(s.fileRows()) < n {
			select {
			case err := <-done:
				t.Fatalf("the run ended: %v", err)
			case <-time.After(100 * time.Millisecond):
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	add(1, 500)
	until(1000, func() { add(501, 1000) })
	until(2000, func() {
		add(1001, 1500)
		if err := os.Rename(log, log+".1"); err != nil {
			t.Error(err)
		}
		add(1501, 2000)
	})
	exactlyOnce(t, "files", s.fileRows(), 2000)
	until(2100, func() { add(2001, 2100) })
	exactlyOnce(t, "files", s.fileRows(), 2100)
	until(2200, func() { // written anew with more rows, and moved to its place
		add(2101, 2150)
		for deadline := time.Now().Add(20 * time.Second); len(s.fileRows()) < 2150 && time.Now().Before(deadline); {
			time.Sleep(50 * time.Millisecond)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.Dir, "new"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(s.Dir, "new"), log); err != nil {
			t.Fatal(err)
		}
		add(2151, 2200)
	})
	exactlyOnce(t, "files", s.fileRows(), 2200)
	if err := os.Remove(log + ".1"); err != nil {
		t.Fatal(err)
	}
	s.fails(cfg, "the source changed")
}

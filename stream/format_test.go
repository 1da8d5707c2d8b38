package stream

import (
	"context"
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
		res, err := admin.AlterConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{{Group: "group1", Partitions: []kafka.TopicPartition{{
			Topic: &cfg.Consumers[0].Topic, Partition: 0, Offset: kafka.Offset(files[len(files)-3].Start), Metadata: &topic.ID}}}})
		if err != nil || res.ConsumerGroupsTopicPartitions[0].Partitions[0].Error != nil {
			t.Fatal(res, err)
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
	cfg.Consumers[0].Format = "json" // and with its own names it adopts them
	if rep := s.run(cfg); rep.Consumers[0].Adopted != 3 {
		t.Errorf("%+v", rep.Consumers[0])
	}
	exactlyOnce(t, "files", s.fileRows(), n)
}

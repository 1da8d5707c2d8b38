package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/klauspost/compress/gzip"

	"mkt/row"
	"mkt/stream/codec"
	"mkt/stream/rowfile"
	"mkt/stream/streamtest"
)

// stack is what a stream talks to, and ways to look into it.
type stack struct {
	*streamtest.Stack
	t *testing.T
}

func newStack(t *testing.T, partitions int32) *stack {
	t.Helper()
	return &stack{streamtest.New(t, partitions), t}
}

// config is a producer and a consumer over the files given.
func (s *stack) config(paths ...string) Config {
	return Config{Kafka: s.Props, Registry: Registry{URL: s.Registry},
		Blob: s.Open,
		Producers: []Producer{{Name: "prices", Topic: "prices", Subject: streamtest.Subject, Key: "Index", OnError: DeadLetter,
			Source: Source{Paths: paths, Rename: map[string]string{"Adj Close": "Adj_Close"}, Null: []string{"", "null"}}}},
		Consumers: []Consumer{{Name: "blobs", Topic: "prices", Group: "group1", ContainerURL: s.Blobs, Prefix: "kafka-messages/",
			DeadLetterPrefix: "dead-letter/", Roll: Roll{Every: time.Second}}}}
}

func (s *stack) run(cfg Config) Report {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	rep, err := Run(ctx, cfg, nil)
	if err != nil {
		s.t.Fatalf("%v (%+v)", err, rep)
	}
	return rep
}

// topicRows is how often each source row is in the committed records of the
// topics.
func (s *stack) topicRows(topics ...string) map[uint64]int {
	s.t.Helper()
	out := map[uint64]int{}
	for _, name := range topics {
		s.eachRecord(name, func(m *kafka.Message) {
			mark, _ := MarkOf(m, HeaderOf("prices"))
			out[mark.Row]++
		})
	}
	return out
}

func (s *stack) eachRecord(name string, f func(*kafka.Message)) {
	s.t.Helper()
	ctx := context.Background()
	admin, err := NewAdmin(s.Props)
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(ctx, admin, name)
	if err != nil {
		s.t.Fatal(err)
	}
	bounds, err := TopicOffsets(ctx, admin, topic)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := ReadTopic(ctx, s.Props, topic, bounds, func(m *kafka.Message) error { f(m); return nil }); err != nil {
		s.t.Fatal(err)
	}
}

// blobsUnder is the unpacked content of every blob under a prefix.
func (s *stack) blobsUnder(prefix string) map[string]string {
	s.t.Helper()
	ctx := context.Background()
	c := s.Container()
	out := map[string]string{}
	pages := c.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, b := range page.Segment.BlobItems {
			res, err := c.NewBlobClient(*b.Name).DownloadStream(ctx, nil)
			if err != nil {
				s.t.Fatal(err)
			}
			var in io.Reader = res.Body
			if strings.HasSuffix(*b.Name, ".gz") {
				if in, err = gzip.NewReader(res.Body); err != nil {
					s.t.Fatal(err)
				}
			}
			body, err := io.ReadAll(in)
			if err != nil {
				s.t.Fatal(err)
			}
			res.Body.Close()
			out[*b.Name] = s.lines(*b.Name, body)
		}
	}
	return out
}

// lines is a file's rows as JSON lines.
func (s *stack) lines(name string, body []byte) string {
	s.t.Helper()
	var out []byte
	var err error
	switch path.Ext(name) {
	case ".avro":
		err = rowfile.EachAvro(bytes.NewReader(body), func(schema *codec.Schema, datum []byte) (err error) {
			out, err = schema.AppendJSON(out, datum)
			out = append(out, '\n')
			return err
		})
	case ".parquet":
		fields := []row.Field{{Name: "Index", Type: row.String}, {Name: "Volume", Type: row.Int64}}
		err = rowfile.EachParquet(body, fields, func(v []codec.Value) error {
			out = fmt.Appendf(out, "{\"Index\":%q,\"Volume\":%d}\n", v[0].B, v[1].I)
			return nil
		})
	default:
		return string(body)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

// fileRows is how often each volume, which in generated data is the row's
// number, stands in the files. It checks every partition's chain as well.
func (s *stack) fileRows() map[uint64]int {
	s.t.Helper()
	out := map[uint64]int{}
	for name, text := range s.blobsUnder("kafka-messages/") {
		for line := range strings.Lines(text) {
			var row struct{ Volume uint64 }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				s.t.Fatalf("%s: %q: %v", name, line, err)
			}
			out[row.Volume]++
		}
	}
	s.checkChain()
	return out
}

func (s *stack) checkChain() {
	s.t.Helper()
	ctx := context.Background()
	admin, err := NewAdmin(s.Props)
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(ctx, admin, "prices")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range topic.Partitions {
		files, err := ListFiles(ctx, s.Container(), "kafka-messages/", topic, p)
		if err != nil {
			s.t.Fatal(err)
		}
		for i := 1; i < len(files); i++ {
			if files[i].Start != files[i-1].End {
				s.t.Errorf("partition %d: a file ends at %d, the next starts at %d", p, files[i-1].End, files[i].Start)
			}
		}
	}
}

// exactlyOnce fails unless rows 1 to n are each there once.
func exactlyOnce(t *testing.T, where string, got map[uint64]int, n int) {
	t.Helper()
	bad := 0
	for i := uint64(1); i <= uint64(n); i++ {
		if got[i] != 1 {
			if bad++; bad < 5 {
				t.Errorf("%s: row %d is there %d times", where, i, got[i])
			}
		}
	}
	if len(got) != n || bad > 0 {
		t.Errorf("%s: %d of %d rows, %d of them not once", where, len(got), n, bad)
	}
}

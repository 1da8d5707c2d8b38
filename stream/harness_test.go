package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/klauspost/compress/gzip"
	"github.com/twmb/franz-go/pkg/kfake"

	"mkt/local/registry"
	"mkt/local/storage"
)

const (
	testKey = "c2VjcmV0LWtleS1vZi10aGUtdGVzdC1hY2NvdW50" // base64, of this test alone
	subject = "prices-value"
	avsc    = `{"type":"record","name":"market_data","fields":[
		{"name":"Index","type":"string"},{"name":"Date","type":{"type":"int","logicalType":"date"}},
		{"name":"Close","type":"double"},{"name":"Adj_Close","type":"double"},{"name":"Volume","type":"long"},
		{"name":"CloseUSD","type":["null","double"],"default":null}]}`
)

// stack is a broker, a registry and a storage account that the real clients
// talk to over loopback.
type stack struct {
	t        *testing.T
	dir      string
	cluster  *kfake.Cluster
	props    map[string]string
	registry string
	blobs    string // container URL
	fault    *faultTransport
	storage  *httptest.Server
}

func newStack(t *testing.T, partitions int32) *stack {
	t.Helper()
	s := &stack{t: t, dir: t.TempDir(), fault: &faultTransport{}}
	var err error
	s.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "prices"),
		kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cluster.Close)
	s.props = map[string]string{"bootstrap.servers": strings.Join(s.cluster.ListenAddrs(), ","),
		"session.timeout.ms": "2000", "heartbeat.interval.ms": "200"}

	reg, err := registry.Open(registry.Config{Dir: filepath.Join(s.dir, "registry")})
	if err != nil {
		t.Fatal(err)
	}
	rs := httptest.NewServer(reg)
	t.Cleanup(rs.Close)
	s.registry = rs.URL
	s.register(avsc)

	st, err := storage.Open(storage.Config{Dir: filepath.Join(s.dir, "storage"), Account: "acct", Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s.storage = httptest.NewServer(st.BlobHandler())
	t.Cleanup(s.storage.Close)
	s.blobs = s.storage.URL + "/acct/market-data"
	if _, err := s.container().Create(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stack) register(text string) int {
	s.t.Helper()
	client, err := schemaregistry.NewClient(schemaregistry.NewConfig(s.registry))
	if err != nil {
		s.t.Fatal(err)
	}
	id, err := client.Register(subject, schemaregistry.SchemaInfo{Schema: text}, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// client opens a container with the account key; rt may be nil.
func openContainer(url string, rt http.RoundTripper) (*container.Client, error) {
	cred, err := container.NewSharedKeyCredential("acct", testKey)
	if err != nil {
		return nil, err
	}
	opts := &container.ClientOptions{ClientOptions: azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}}
	if rt != nil {
		opts.Transport = &http.Client{Transport: rt}
	}
	return container.NewClientWithSharedKeyCredential(url, cred, opts)
}

func (s *stack) container() *container.Client {
	s.t.Helper()
	c, err := openContainer(s.blobs, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// config is a producer and a consumer over the files given.
func (s *stack) config(paths ...string) Config {
	return Config{Kafka: s.props, Registry: Registry{URL: s.registry},
		Blob: func(url string) (*container.Client, error) { return openContainer(url, s.fault) },
		Producers: []Producer{{Name: "prices", Topic: "prices", Subject: subject, Key: "Index", OnError: DeadLetter,
			Source: Source{Paths: paths, Rename: map[string]string{"Adj Close": "Adj_Close"}, Null: []string{"", "null"}}}},
		Consumers: []Consumer{{Name: "blobs", Topic: "prices", Group: "group1", ContainerURL: s.blobs, Prefix: "kafka-messages/",
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
	admin, err := NewAdmin(s.props)
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
	if err := ReadTopic(ctx, s.props, topic, bounds, func(m *kafka.Message) error { f(m); return nil }); err != nil {
		s.t.Fatal(err)
	}
}

// blobsUnder is the unpacked content of every blob under a prefix.
func (s *stack) blobsUnder(prefix string) map[string]string {
	s.t.Helper()
	ctx := context.Background()
	c := s.container()
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
			text, err := io.ReadAll(in)
			if err != nil {
				s.t.Fatal(err)
			}
			res.Body.Close()
			out[*b.Name] = string(text)
		}
	}
	return out
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
	admin, err := NewAdmin(s.props)
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	topic, err := DescribeTopic(ctx, admin, "prices")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range topic.Partitions {
		files, err := ListFiles(ctx, s.container(), "kafka-messages/", topic, p)
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

// generate writes a CSV of n rows whose Volume is the row's number; bad says
// which rows the schema does not take.
func generate(t *testing.T, dir string, n int, bad func(row int) bool) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("\xc3\xaf\xc2\xbb\xc2\xbfIndex,Date,Close,Adj Close,Volume\r\n")
	r := rand.New(rand.NewPCG(1, 2))
	for i := 1; i <= n; i++ {
		if bad != nil && bad(i) {
			fmt.Fprintf(&b, "NYA,2020-01-02,null,null,%d\r\n", i)
			continue
		}
		fmt.Fprintf(&b, "I%02d,20%02d-%02d-%02d,%.6f,%.6f,%d\r\n", r.IntN(40), r.IntN(25), 1+r.IntN(12), 1+r.IntN(28), r.Float64()*20000, r.Float64(), i)
	}
	p := filepath.Join(dir, "data.csv")
	if err := os.WriteFile(p, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// faultTransport lets a test answer, delay or lose requests.
type faultTransport struct {
	mu sync.Mutex
	f  func(req *http.Request, next func() (*http.Response, error)) (*http.Response, error)
}

func (t *faultTransport) set(f func(req *http.Request, next func() (*http.Response, error)) (*http.Response, error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.f = f
}

func (t *faultTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	f := t.f
	t.mu.Unlock()
	next := func() (*http.Response, error) { return http.DefaultTransport.RoundTrip(req) }
	if f == nil {
		return next()
	}
	return f(req, next)
}

// Package streamtest runs what a stream talks to, for tests: a broker, a
// schema registry and a storage account over loopback, which the real clients
// use, and data to send. Each is embedded, or a real one where package realtest
// knows of one. It knows nothing of package stream.
package streamtest

import (
	"bytes"
	"context"
	"fmt"
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
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/twmb/franz-go/pkg/kfake"

	"mkt/internal/realtest"
	"mkt/local/broker"
	"mkt/local/registry"
	"mkt/local/storage"
)

const (
	embeddedAccount = "acct"
	accountKey      = "c2VjcmV0LWtleS1vZi10aGUtdGVzdC1hY2NvdW50" // base64, of this test account alone
	accountToken    = "token-of-the-test-account"
	// Topic is there when a stack starts, and Subject has the schema of what
	// Generate writes.
	Topic   = "prices"
	Subject = "prices-value"
	Schema  = `{"type":"record","name":"market_data","fields":[
		{"name":"Index","type":"string"},{"name":"Date","type":{"type":"int","logicalType":"date"}},
		{"name":"Close","type":"double"},{"name":"Adj_Close","type":"double"},{"name":"Volume","type":"long"},
		{"name":"CloseUSD","type":["null","double"],"default":null}]}`
)

// Stack is a broker, a registry and a storage account.
type Stack struct {
	T        testing.TB
	Dir      string
	Cluster  Cluster
	Props    map[string]string // of Kafka
	Registry string            // URL
	Blobs    string            // URL of a container that exists
	Fault    *Fault            // on the way of the clients that Open gives
	Wire     *Wire             // at the servers, if they are embedded
}

// New starts a stack that ends with the test.
func New(t testing.TB, partitions int32) *Stack {
	t.Helper()
	s := &Stack{T: t, Dir: t.TempDir(), Fault: &Fault{}, Wire: &Wire{}}
	s.startKafka(partitions)
	s.startRegistry()
	s.startStorage()
	return s
}

func (s *Stack) startKafka(partitions int32) {
	s.T.Helper()
	s.Props = map[string]string{"session.timeout.ms": "2000", "heartbeat.interval.ms": "200", "max.poll.interval.ms": "5000"}
	if servers := realtest.At(s.T, realtest.Kafka); servers != "" {
		s.Props["bootstrap.servers"] = servers
		s.Cluster = newRealCluster(s.T, servers)
		if err := s.Cluster.CreateTopic(Topic, partitions, nil); err != nil {
			s.T.Fatal(err)
		}
		return
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, Topic), kfake.ListenFn(s.Wire.listen),
		kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0",
			"group.consumer.session.timeout.ms": "600", "group.consumer.heartbeat.interval.ms": "100"}))
	if err != nil {
		s.T.Fatal(err)
	}
	broker.WholeFetches(c)
	s.T.Cleanup(c.Close)
	stop, err := broker.WatchMembers(c)
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(stop)
	s.Cluster, s.Props["bootstrap.servers"] = c, strings.Join(c.ListenAddrs(), ",")
}

func (s *Stack) startRegistry() {
	s.T.Helper()
	if s.Registry = realtest.At(s.T, realtest.Registry); s.Registry != "" {
		emptyRegistry(s.T, s.Registry)
	} else {
		reg, err := registry.Open(registry.Config{Dir: filepath.Join(s.Dir, "registry")})
		if err != nil {
			s.T.Fatal(err)
		}
		rs := httptest.NewServer(reg)
		s.T.Cleanup(rs.Close)
		s.Registry = rs.URL
	}
	s.Register(Subject, Schema)
}

func (s *Stack) startStorage() {
	s.T.Helper()
	if services := realtest.At(s.T, realtest.Azurite); services != "" {
		s.Blobs = realContainer(services)
	} else {
		st, err := storage.Open(storage.Config{Dir: filepath.Join(s.Dir, "storage"), Account: embeddedAccount, Key: accountKey, Token: accountToken})
		if err != nil {
			s.T.Fatal(err)
		}
		s.T.Cleanup(func() { st.Close() })
		ss := httptest.NewServer(s.Wire.handler(st.BlobHandler()))
		s.T.Cleanup(ss.Close)
		s.Blobs = ss.URL + "/" + embeddedAccount + "/market-data"
	}
	if _, err := s.Container().Create(context.Background(), nil); err != nil {
		s.T.Fatal(err)
	}
}

// Register adds a schema to a subject and returns its id.
func (s *Stack) Register(subject, text string) int {
	s.T.Helper()
	client, err := schemaregistry.NewClient(schemaregistry.NewConfig(s.Registry))
	if err != nil {
		s.T.Fatal(err)
	}
	id, err := client.Register(subject, schemaregistry.SchemaInfo{Schema: text}, false)
	if err != nil {
		s.T.Fatal(err)
	}
	return id
}

// OpenContainer opens a container of the account; rt may be nil.
func OpenContainer(url string, rt http.RoundTripper) (*container.Client, error) {
	parts, err := azblob.ParseURL(url) // path-style: the account comes first
	if err != nil {
		return nil, err
	}
	account := parts.IPEndpointStyleInfo.AccountName
	cred, err := container.NewSharedKeyCredential(account, keyOf(account))
	if err != nil {
		return nil, err
	}
	opts := &container.ClientOptions{ClientOptions: noRetries}
	if rt != nil {
		opts.Transport = &http.Client{Transport: rt}
	}
	return container.NewClientWithSharedKeyCredential(url, cred, opts)
}

// OpenSigned opens a container with a SAS of the account that ends at a time,
// of whole seconds.
func OpenSigned(url string, until time.Time) (*container.Client, error) {
	parts, err := azblob.ParseURL(url)
	if err != nil {
		return nil, err
	}
	account := parts.IPEndpointStyleInfo.AccountName
	cred, err := container.NewSharedKeyCredential(account, keyOf(account))
	if err != nil {
		return nil, err
	}
	parts.SAS, err = sas.AccountSignatureValues{Protocol: sas.ProtocolHTTPSandHTTP, ExpiryTime: until.UTC(),
		Permissions:   (&sas.AccountPermissions{Read: true, Create: true, Write: true, List: true}).String(),
		ResourceTypes: (&sas.AccountResourceTypes{Container: true, Object: true}).String()}.SignWithSharedKey(cred)
	if err != nil {
		return nil, err
	}
	return container.NewClientWithNoCredential(parts.String(), &container.ClientOptions{ClientOptions: noRetries})
}

// noRetries leaves it to the caller to try again.
var noRetries = azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}

// Open opens a container by way of s.Fault.
func (s *Stack) Open(url string) (*container.Client, error) { return OpenContainer(url, s.Fault) }

// Container is the stack's container without faults.
func (s *Stack) Container() *container.Client {
	s.T.Helper()
	c, err := OpenContainer(s.Blobs, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	return c
}

// Generate writes a CSV of n rows under dir. Volume is the row's number, from
// 1. Rows that bad names have nulls where the schema has none. The file has
// what files in the wild have: a mangled byte order mark, \r\n, quotes, and no
// column for a nullable field.
func Generate(t testing.TB, dir string, n int, bad func(row int) bool) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("\xc3\xaf\xc2\xbb\xc2\xbfIndex,Date,Close,Adj Close,Volume\r\n")
	r := rand.New(rand.NewPCG(1, 2))
	for i := 1; i <= n; i++ {
		if bad != nil && bad(i) {
			fmt.Fprintf(&b, "NYA,2020-01-02,null,null,%d\r\n", i)
			continue
		}
		index := fmt.Sprintf("I%02d", r.IntN(40))
		if i%50 == 3 {
			index = "\"" + index + "\r\n\"\"x\"\"\"" // a line end and quotes inside
		}
		fmt.Fprintf(&b, "%s,20%02d-%02d-%02d,%.6f,%.6f,%d\r\n", index, r.IntN(25), 1+r.IntN(12), 1+r.IntN(28), r.Float64()*20000, r.Float64(), i)
	}
	p := filepath.Join(dir, "data.csv")
	if err := os.WriteFile(p, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// Next sends a request on its way.
type Next func() (*http.Response, error)

// Fault is a transport that lets a test answer, delay or lose requests.
type Fault struct {
	mu sync.Mutex
	f  func(*http.Request, Next) (*http.Response, error)
}

// Set puts f in the way of every request; nil lets them pass.
func (t *Fault) Set(f func(*http.Request, Next) (*http.Response, error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.f = f
}

// RoundTrip implements http.RoundTripper.
func (t *Fault) RoundTrip(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	f := t.f
	t.mu.Unlock()
	next := func() (*http.Response, error) { return http.DefaultTransport.RoundTrip(req) }
	if f == nil {
		return next()
	}
	return f(req, next)
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// connectMain is Redpanda Connect with the parts that the work needs.
const connectMain = `package main

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/redpanda-data/connect/v4/public/components/azure"
	_ "github.com/redpanda-data/connect/v4/public/components/confluent"
	_ "github.com/redpanda-data/connect/v4/public/components/io"
	_ "github.com/redpanda-data/connect/v4/public/components/kafka"
	_ "github.com/redpanda-data/connect/v4/public/components/pure"
)

func main() { service.RunCLI(context.Background()) }
`

// buildConnect builds it in a checkout, which it leaves as it is.
func buildConnect(ctx context.Context, checkout, dir string) (string, error) {
	checkout, err := filepath.Abs(checkout)
	if err != nil {
		return "", err
	}
	main, overlay, out := filepath.Join(dir, "connect.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "connect")
	place, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(checkout, "cmd", "mkt-bench", "main.go"): main}})
	if err != nil {
		return "", err
	}
	for name, text := range map[string][]byte{main: []byte(connectMain), overlay: place} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", out, "./cmd/mkt-bench")
	cmd.Dir = checkout
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Redpanda Connect in %s: %w\n%s", checkout, err, text)
	}
	return out, nil
}

// The pipelines do what mkt does and no more: no dead letters, no chain of
// files, no transactions. Rows go through in batches, on all cores; batches of
// 100 cost the least: those of 5,000 take three times the CPU.
const (
	connectProduce = `
http: {enabled: false}
logger: {level: ERROR}
input:
  csv: {paths: [%[1]q], batch_count: 100}
pipeline:
  threads: -1
  processors:
    - mapping: |
        meta key = this.Index
        root.Index = this.Index
        root.Date = (this.Date.ts_parse("2006-01-02").ts_unix() / 86400).floor()
        root.Open = this.Open.number()
        root.High = this.High.number()
        root.Low = this.Low.number()
        root.Close = this.Close.number()
        root.Adj_Close = this.get("Adj Close").number()
        root.Volume = this.Volume.number()
        root.CloseUSD = if this.CloseUSD == "" { null } else { this.CloseUSD.number() }
    - schema_registry_encode:
        url: %[2]q
        subject: %[3]q
        avro: {raw_json: true}
        basic_auth: {enabled: true, username: %[5]q, password: %[6]q}
output:
  kafka_franz:
    seed_brokers: [%[4]q]
    sasl: [{mechanism: PLAIN, username: %[5]q, password: %[6]q}]
    topic: %[7]q
    key: ${! meta("key") }
    partitioner: murmur2_hash
    compression: none
    max_in_flight: 256
`
	connectConsume = `
http: {enabled: false}
logger: {level: ERROR}
input:
  kafka_franz:
    seed_brokers: [%[1]q]
    sasl: [{mechanism: PLAIN, username: %[2]q, password: %[3]q}]
    topics: [%[4]q]
    consumer_group: %[5]q
    transaction_isolation_level: read_committed
    fetch_max_wait: 100ms
    fetch_max_partition_bytes: 4MiB
    checkpoint_limit: 200000
    commit_period: 200ms
    batching: {count: 20000, period: 2s}
pipeline:
  threads: -1
  processors:
    - schema_registry_decode:
        url: %[6]q
        avro: {raw_unions: true}
        basic_auth: {enabled: true, username: %[2]q, password: %[3]q}
    - archive: {format: lines}
    - compress: {algorithm: gzip, level: 1}
output:
  azure_blob_storage:
    storage_connection_string: %[7]q
    container: files
    path: connect/%[4]s/${! meta("kafka_partition") }/${! meta("kafka_offset") }.json.gz
`
)

// runConnect measures Redpanda Connect.
func runConnect(ctx context.Context, s *stack, t *table, checkout string) error {
	if checkout == "" {
		fmt.Println("Redpanda Connect: not run; name a checkout with REDPANDA_CONNECT=path")
		return nil
	}
	bin, err := buildConnect(ctx, checkout, s.dir)
	if err != nil {
		return err
	}
	t.title("Redpanda Connect")
	produce := func(topic string) *exec.Cmd {
		return s.connect(ctx, bin, topic+"-produce", fmt.Sprintf(connectProduce, s.rows, s.at.RegistryURL, topic+"-value", s.at.KafkaBootstrap, s.at.User, s.at.Password, topic))
	}
	consume := func(topic, group string) *exec.Cmd {
		blobs := fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=mktbench;AccountKey=%s;BlobEndpoint=%s/mktbench;", s.at.AccountKey, s.at.BlobURL)
		return s.connect(ctx, bin, topic+"-consume", fmt.Sprintf(connectConsume, s.at.KafkaBootstrap, s.at.User, s.at.Password, topic, group, s.at.RegistryURL, blobs))
	}
	f, err := measure(connectProducer, s.n, produce(connectTopic))
	if err != nil {
		return err
	}
	t.add(f)
	if f, err = s.until(ctx, connectConsumer, connectTopic, nil, consume(connectTopic, "connect")); err != nil {
		return err
	}
	t.add(f)
	if f, err = s.until(ctx, connectHalves, connectBoth, produce(connectBoth), consume(connectBoth, "connect-both")); err != nil {
		return err
	}
	t.add(f)
	return nil
}

// connect is the command that runs a pipeline.
func (s *stack) connect(ctx context.Context, bin, name, pipeline string) *exec.Cmd {
	path := filepath.Join(s.dir, name+".yaml")
	if err := os.WriteFile(path, []byte(pipeline), 0o600); err != nil {
		panic(err) // the folder is ours, and the run has written to it before
	}
	return exec.CommandContext(ctx, bin, "run", path)
}

// until runs a consumer, and a producer beside it if there is one, until the
// group has committed all rows. The consumer, which has no end of its own, is
// then interrupted.
func (s *stack) until(ctx context.Context, name, topic string, producer, consumer *exec.Cmd) (figures, error) {
	client, err := franz(job{Props: s.properties()})
	if err != nil {
		return figures{}, err
	}
	defer client.Close()
	admin, group := kadm.NewClient(client), "connect"
	if producer != nil {
		group = "connect-both"
	}
	var said bytes.Buffer
	consumer.Stderr, consumer.Stdout = &said, &said
	f := figures{name: name, rows: s.n}
	began := time.Now()
	if err := consumer.Start(); err != nil {
		return f, err
	}
	ended := make(chan error, 1)
	go func() { ended <- consumer.Wait() }()
	if producer != nil {
		if out, err := producer.CombinedOutput(); err != nil {
			return f, fmt.Errorf("%s: %w\n%s", name, err, out)
		}
		f.add(producer.ProcessState)
	}
	for done := false; !done; {
		select {
		case err := <-ended:
			return f, fmt.Errorf("%s ended early: %w\n%s", name, err, said.String())
		case <-ctx.Done():
			return f, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		var committed int64
		if offsets, err := admin.FetchOffsets(ctx, group); err == nil {
			offsets.Each(func(o kadm.OffsetResponse) {
				if o.Topic == topic {
					committed += o.At
				}
			})
		}
		done = committed >= int64(s.n)
		f.elapsed = time.Since(began)
	}
	if err := consumer.Process.Signal(os.Interrupt); err != nil {
		return f, err
	}
	if err := <-ended; err != nil && ctx.Err() != nil { // otherwise it only says that it was interrupted
		return f, ctx.Err()
	}
	f.add(consumer.ProcessState)
	return f, nil
}

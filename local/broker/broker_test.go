package broker_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mkt/local/broker"
)

const user, password = "mkt", "local-secret"

func start(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{Dir: dir, User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func conf(addr string, extra ...string) *ck.ConfigMap {
	m := &ck.ConfigMap{
		"bootstrap.servers": addr, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
		"sasl.username": user, "sasl.password": password,
	}
	for i := 0; i < len(extra); i += 2 {
		_ = m.SetKey(extra[i], extra[i+1])
	}
	return m
}

func admin(t *testing.T, addr string) *ck.AdminClient {
	t.Helper()
	a, err := ck.NewAdminClient(conf(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func franz(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.SASL(plain()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func describe(t *testing.T, a *ck.AdminClient, topics ...string) []ck.TopicDescription {
	t.Helper()
	d, err := a.DescribeTopics(within(t, 10*time.Second), ck.NewTopicCollectionOfTopicNames(topics))
	if err != nil {
		t.Fatal(err)
	}
	return d.TopicDescriptions
}

func TestTopicLifecycle(t *testing.T) {
	b := start(t, t.TempDir())
	a := admin(t, b.Addr())
	ctx := within(t, 30*time.Second)

	res, err := a.CreateTopics(ctx, []ck.TopicSpecification{{
		Topic: "market_data", NumPartitions: 6, ReplicationFactor: 3,
		Config: map[string]string{"cleanup.policy": "delete", "retention.ms": "604800000"},
	}})
	if err != nil || res[0].Error.Code() != ck.ErrNoError {
		t.Fatal(err, res)
	}
	d := describe(t, a, "market_data")[0]
	if len(d.Partitions) != 6 || len(d.Partitions[0].Replicas) != 3 || len(d.Partitions[0].Isr) != 3 {
		t.Fatalf("described as %+v", d)
	}

	if res, err = a.CreateTopics(ctx, []ck.TopicSpecification{{Topic: "market_data", NumPartitions: 1}}); err != nil || res[0].Error.Code() != ck.ErrTopicAlreadyExists {
		t.Errorf("create again: %v %v", err, res)
	}
	grow := func(n int) ck.ErrorCode {
		res, err := a.CreatePartitions(ctx, []ck.PartitionsSpecification{{Topic: "market_data", IncreaseTo: n}})
		if err != nil {
			t.Fatal(err)
		}
		return res[0].Error.Code()
	}
	if got := grow(8); got != ck.ErrNoError {
		t.Errorf("grow to 8: %v", got)
	}
	for _, n := range []int{8, 4} {
		if got := grow(n); got != ck.ErrInvalidPartitions {
			t.Errorf("grow 8 to %d: %v, want InvalidPartitions", n, got)
		}
	}

	topic := ck.ConfigResource{Type: ck.ResourceTopic, Name: "market_data"}
	alter := topic
	alter.Config = []ck.ConfigEntry{
		{Name: "retention.ms", Value: "-1", IncrementalOperation: ck.AlterConfigOpTypeSet},
		{Name: "cleanup.policy", IncrementalOperation: ck.AlterConfigOpTypeDelete},
		{Name: "max.compaction.lag.ms", Value: "5", IncrementalOperation: ck.AlterConfigOpTypeSet},
	}
	if res, err := a.IncrementalAlterConfigs(ctx, []ck.ConfigResource{alter}); err != nil || res[0].Error.Code() != ck.ErrNoError {
		t.Fatal(err, res)
	}
	cfg, err := a.DescribeConfigs(ctx, []ck.ConfigResource{topic})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, e := range cfg[0].Config {
		if e.Source == ck.ConfigSourceDynamicTopic {
			got[name] = e.Value
		}
	}
	if fmt.Sprint(got) != "map[max.compaction.lag.ms:5 retention.ms:-1]" {
		t.Errorf("dynamic configs %v", got)
	}

	if res, err := a.DeleteTopics(ctx, []string{"market_data"}); err != nil || res[0].Error.Code() != ck.ErrNoError {
		t.Fatal(err, res)
	}
	if d := describe(t, a, "market_data")[0]; d.Error.Code() != ck.ErrUnknownTopicOrPart {
		t.Errorf("after delete: %+v", d)
	}
}

func TestRefusals(t *testing.T) {
	b := start(t, t.TempDir())
	a := admin(t, b.Addr())
	ctx := within(t, 30*time.Second)
	if _, err := a.CreateTopics(ctx, []ck.TopicSpecification{{Topic: "there", NumPartitions: 1}}); err != nil {
		t.Fatal(err)
	}
	good := ck.TopicSpecification{Topic: "t", NumPartitions: 1, ReplicationFactor: 1}
	with := func(key, value string) ck.TopicSpecification {
		s := good
		s.Config = map[string]string{key: value}
		return s
	}
	named := func(name string) ck.TopicSpecification { s := good; s.Topic = name; return s }
	for _, c := range []struct {
		spec    ck.TopicSpecification
		code    ck.ErrorCode
		message string
	}{
		{named("."), ck.ErrTopicException, "'.' or '..' is not allowed"},
		{named("a b"), ck.ErrTopicException, "ASCII alphanumerics"},
		{named("größe"), ck.ErrTopicException, "ASCII alphanumerics"},
		{named(strings.Repeat("x", 250)), ck.ErrTopicException, "max allowed length 249"},
		{ck.TopicSpecification{Topic: "t", NumPartitions: 1, ReplicationFactor: 4}, ck.ErrInvalidReplicationFactor, "only 3 broker(s)"},
		{with("retention.msec", "1"), ck.ErrInvalidConfig, "Unknown topic config name: retention.msec"},
		{with("retention.ms", "7d"), ck.ErrInvalidConfig, "Invalid value 7d for configuration retention.ms: Not a number of type LONG"},
		{with("retention.ms", "-2"), ck.ErrInvalidConfig, "Value must be at least -1"},
		{with("cleanup.policy", "remove"), ck.ErrInvalidConfig, "String must be one of: compact, delete"},
		{with("min.cleanable.dirty.ratio", "1.5"), ck.ErrInvalidConfig, "no more than 1"},
		{with("compression.gzip.level", "0"), ck.ErrInvalidConfig, "between 1 and 9 or equal to -1"},
		{with("preallocate", "yes"), ck.ErrInvalidConfig, "either true or false"},
	} {
		res, err := a.CreateTopics(ctx, []ck.TopicSpecification{c.spec})
		if err != nil {
			t.Fatal(err)
		}
		if e := res[0].Error; e.Code() != c.code || !strings.Contains(e.String(), c.message) {
			t.Errorf("create %.20q %v: %v %q, want %v %q", c.spec.Topic, c.spec.Config, e.Code(), e.String(), c.code, c.message)
		}
	}

	alter := ck.ConfigResource{Type: ck.ResourceTopic, Name: "there", Config: []ck.ConfigEntry{
		{Name: "retention.ms", Value: "soon", IncrementalOperation: ck.AlterConfigOpTypeSet}}}
	res, err := a.IncrementalAlterConfigs(ctx, []ck.ConfigResource{alter})
	if err != nil || res[0].Error.Code() != ck.ErrInvalidConfig || !strings.Contains(res[0].Error.String(), "Not a number of type LONG") {
		t.Errorf("alter: %v %v", err, res)
	}

	// A good topic beside a bad one is created, as Kafka does.
	both, err := a.CreateTopics(ctx, []ck.TopicSpecification{with("nope", "1"), named("good")})
	if err != nil || both[0].Error.Code() != ck.ErrInvalidConfig || both[1].Error.Code() != ck.ErrNoError {
		t.Errorf("mixed create: %v %v", err, both)
	}
	// The refusal was for that request only.
	if both, err = a.CreateTopics(ctx, []ck.TopicSpecification{good}); err != nil || both[0].Error.Code() != ck.ErrNoError {
		t.Errorf("create after a refused one: %v %v", err, both)
	}
	// Nor is a good change held up by a bad one, in the request of before KIP-339 as well.
	for days, change := range map[string]func(context.Context, []ck.ConfigResource, ...ck.AlterConfigsAdminOption) ([]ck.ConfigResourceResult, error){
		"1": a.IncrementalAlterConfigs, "2": a.AlterConfigs,
	} {
		value := days + "00000"
		fine := ck.ConfigResource{Type: ck.ResourceTopic, Name: "good", Config: []ck.ConfigEntry{
			{Name: "retention.ms", Value: value, IncrementalOperation: ck.AlterConfigOpTypeSet}}}
		res, err := change(ctx, []ck.ConfigResource{alter, fine})
		if err != nil || res[0].Error.Code() != ck.ErrInvalidConfig || res[1].Error.Code() != ck.ErrNoError {
			t.Errorf("mixed change: %v %v", err, res)
		}
		if res, err = change(ctx, []ck.ConfigResource{alter}); err != nil || !strings.Contains(res[0].Error.String(), "Not a number of type LONG") {
			t.Errorf("bad change: %v %v", err, res)
		}
		got, err := a.DescribeConfigs(ctx, []ck.ConfigResource{{Type: ck.ResourceTopic, Name: "good"}})
		if err != nil || got[0].Config["retention.ms"].Value != value {
			t.Errorf("after a mixed change: %v %v", err, got[0].Config["retention.ms"])
		}
	}
}

func TestValidateOnly(t *testing.T) {
	b := start(t, t.TempDir())
	adm := kadm.NewClient(franz(t, b.Addr()))
	ctx := within(t, 20*time.Second)
	bad := "x"
	res, err := adm.ValidateCreateTopics(ctx, 1, 3, map[string]*string{"retention.ms": &bad}, "t")
	if err != nil || res["t"].Err == nil {
		t.Errorf("bad config passed validation: %v %v", err, res)
	}
	if res, err = adm.ValidateCreateTopics(ctx, 1, 3, nil, "t"); err != nil || res["t"].Err != nil {
		t.Errorf("good topic: %v %v", err, res)
	}
	if l, err := adm.ListTopics(ctx); err != nil || l.Has("t") {
		t.Errorf("validation created a topic: %v %v", err, l)
	}
}

func TestRefusedPasswordSaysSo(t *testing.T) {
	b := start(t, t.TempDir())
	p, err := ck.NewProducer(conf(b.Addr(), "sasl.password", "wrong"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case e := <-p.Events():
			if err, ok := e.(ck.Error); ok && err.Code() == ck.ErrAuthentication {
				return
			}
		case <-deadline:
			t.Fatal("no authentication error")
		}
	}
}

func TestRestartKeepsAddressTopicsAndForgetsThePassword(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	if _, err := broker.Start(within(t, 200*time.Millisecond), broker.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("second owner: %v", err)
	}
	a := admin(t, b.Addr())
	if _, err := a.CreateTopics(within(t, 10*time.Second), []ck.TopicSpecification{{Topic: "t", NumPartitions: 2, ReplicationFactor: 3, Config: map[string]string{"retention.ms": "-1"}}}); err != nil {
		t.Fatal(err)
	}
	before, addr := describe(t, a, "t")[0], b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), password) {
			t.Errorf("%s holds the password", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b = start(t, dir)
	if b.Addr() != addr {
		t.Errorf("address moved from %s to %s", addr, b.Addr())
	}
	after := describe(t, admin(t, b.Addr()), "t")[0]
	if after.TopicID.String() != before.TopicID.String() || len(after.Partitions) != 2 || len(after.Partitions[0].Replicas) != 3 {
		t.Errorf("topic came back as %+v, was %+v", after, before)
	}
}

func TestTakenPort(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	addr := b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := broker.Start(t.Context(), broker.Config{Dir: dir, Addr: addr}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("on a taken address: %v", err)
	}
	if b = start(t, dir); b.Addr() == addr {
		t.Errorf("listens on %s, which is taken", addr)
	}
	describe(t, admin(t, b.Addr()), "t")
}

func TestBadStart(t *testing.T) {
	for _, c := range []struct{ addr, ports, want string }{
		{"10.0.0.1:9092", "", "not on loopback"},
		{"nonsense", "", "address"},
		{"", "[1", "does not hold 3 ports"},
	} {
		dir := t.TempDir()
		if c.ports != "" {
			if err := os.WriteFile(filepath.Join(dir, "ports.json"), []byte(c.ports), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := broker.Start(t.Context(), broker.Config{Dir: dir, Addr: c.addr}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

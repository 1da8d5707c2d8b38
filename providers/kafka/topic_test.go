package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/zclconf/go-cty/cty"

	"mkt/local/broker"
	"mkt/providers"
	"mkt/providers/kafka"
)

const user, password = "mkt", "local-s3cret"

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func provider(t *testing.T, conn kafka.Connection) *kafka.Provider {
	t.Helper()
	p, err := kafka.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// embedded starts a broker and returns the connection to it.
func embedded(t *testing.T) kafka.Connection {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{Dir: t.TempDir(), User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return kafka.Connection{BootstrapServers: b.Addr(), Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", User: user, Password: password}
}

func topic(name string, partitions, factor int, config ...string) cty.Value {
	settings := cty.MapValEmpty(cty.String)
	if len(config) > 0 {
		m := map[string]cty.Value{}
		for i := 0; i < len(config); i += 2 {
			m[config[i]] = cty.StringVal(config[i+1])
		}
		settings = cty.MapVal(m)
	}
	n := func(n int) cty.Value {
		if n == 0 {
			return cty.UnknownVal(cty.Number)
		}
		return cty.NumberIntVal(int64(n))
	}
	return cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(name), "partitions": n(partitions), "replication_factor": n(factor),
		"config": settings, "topic_id": cty.UnknownVal(cty.String),
	})
}

func create(v cty.Value) providers.Change {
	return providers.Change{ID: v.GetAttr("name").AsString(), After: v}
}

func TestTopicLife(t *testing.T) {
	r := provider(t, embedded(t)).Resource("kafka_topic")
	ctx := within(t, 60*time.Second)
	ref := []providers.Ref{{ID: "t"}}

	if got := r.Read(ctx, ref)[0]; got.Err != nil || got.State != cty.NilVal {
		t.Fatalf("before: %+v", got)
	}
	made := r.Create(ctx, []providers.Change{create(topic("t", 3, 3, "cleanup.policy", "delete", "retention.ms", "604800000")), create(topic("defaults", 0, 0))})
	if made[0].Err != nil || made[1].Err != nil || made[0].Incarnation == "" || !made[1].State.IsWhollyKnown() {
		t.Fatalf("create: %+v", made)
	}
	got := r.Read(ctx, ref)[0]
	if got.Err != nil || !got.State.RawEquals(made[0].State) || got.Incarnation != made[0].Incarnation {
		t.Fatalf("read %#v %v, created %#v", got.State, got.Err, made[0].State)
	}
	if again := r.Create(ctx, []providers.Change{create(topic("t", 1, 1))})[0]; providers.CodeOf(again.Err) != providers.Exists {
		t.Errorf("create again: %v", again.Err)
	}

	// More partitions, one setting changed, one gone, one new: in place.
	after := topic("t", 5, 3, "retention.ms", "-1", "cleanup.policy", "compact,delete")
	updated := r.Update(ctx, []providers.Change{{ID: "t", Before: got.State, After: after}})[0]
	if updated.Err != nil || updated.Incarnation != got.Incarnation || updated.State.GetAttr("partitions").Equals(cty.NumberIntVal(5)).False() ||
		!updated.State.GetAttr("config").RawEquals(after.GetAttr("config")) {
		t.Fatalf("update: %#v %v", updated.State, updated.Err)
	}
	dropped := topic("t", 5, 3)
	if res := r.Update(ctx, []providers.Change{{ID: "t", Before: updated.State, After: dropped}})[0]; res.Err != nil || res.State.GetAttr("config").LengthInt() != 0 {
		t.Errorf("settings dropped: %#v %v", res.State, res.Err)
	}

	gone := r.Delete(ctx, []providers.Change{{ID: "t", Before: updated.State}, {ID: "never", Before: updated.State}})
	if gone[0].Err != nil || gone[1].Err != nil {
		t.Errorf("delete: %+v", gone)
	}
	if got := r.Read(ctx, ref)[0]; got.Err != nil || got.State != cty.NilVal {
		t.Errorf("after: %+v", got)
	}
	if made := r.Create(ctx, []providers.Change{create(topic("t", 1, 3))})[0]; made.Err != nil || made.Incarnation == got.Incarnation {
		t.Errorf("the topic came back as the same one: %+v", made)
	}
}

func TestTopicRefusals(t *testing.T) {
	r := provider(t, embedded(t)).Resource("kafka_topic")
	ctx := within(t, 60*time.Second)
	res := r.Create(ctx, []providers.Change{
		create(topic("good", 1, 3)),
		create(topic("bad-setting", 1, 3, "retention.ms", "-7")),
		create(topic("too-many", 1, 5)),
		create(topic("a.b", 1, 1)),
		create(topic("bad name", 1, 1)),
	})
	for i, want := range []struct {
		code providers.Code
		path string
	}{{}, {providers.Invalid, "config"}, {providers.Invalid, "replication_factor"}, {}, {providers.Invalid, "name"}} {
		var path string
		if e := new(providers.Error); errors.As(res[i].Err, &e) && len(e.Path) > 0 {
			path = e.Path[0].(cty.GetAttrStep).Name
		}
		if providers.CodeOf(res[i].Err) != want.code || path != want.path {
			t.Errorf("%d: %v at %q, want %v", i, res[i].Err, path, want)
		}
	}
	// What Kafka says is in the message.
	one := r.Create(ctx, []providers.Change{create(topic("one", 1, 3, "no.such.thing", "1"))})[0]
	if one.Err == nil || !strings.Contains(one.Err.Error(), "Unknown topic config name: no.such.thing") {
		t.Errorf("message: %v", one.Err)
	}
	bad := r.Update(ctx, []providers.Change{{ID: "good", Before: res[0].State, After: topic("good", 1, 3, "cleanup.policy", "remove")}})[0]
	if providers.CodeOf(bad.Err) != providers.Invalid || !strings.Contains(bad.Err.Error(), "String must be one of") {
		t.Errorf("update: %v", bad.Err)
	}
}

func TestTopicHolds(t *testing.T) {
	conn := embedded(t)
	r := provider(t, conn).Resource("kafka_topic")
	ctx := within(t, 60*time.Second)
	for i, res := range r.Create(ctx, []providers.Change{create(topic("full", 3, 3)), create(topic("empty", 2, 3))}) {
		if res.Err != nil {
			t.Fatal(i, res.Err)
		}
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(conn.BootstrapServers), kgo.SASL(saslplain.Auth{User: user, Pass: password}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 1234 {
		c.Produce(ctx, &kgo.Record{Topic: "full", Key: fmt.Append(nil, i)}, nil)
	}
	if err := c.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	got := r.(providers.Holder).Holds(ctx, []providers.Ref{{ID: "full"}, {ID: "empty"}, {ID: "none"}})
	if fmt.Sprint(got) != "[{1,234 records <nil>} { <nil>} { <nil>}]" {
		t.Errorf("%+v", got)
	}
}

// requests counts what a cluster is asked, apart from what opens a connection.
type requests struct {
	mu sync.Mutex
	by map[string]int
}

func count(c *kfake.Cluster) *requests {
	r := &requests{by: map[string]int{}}
	c.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		name := kmsg.NameForKey(req.Key())
		if name != "ApiVersions" && !strings.HasPrefix(name, "SASL") {
			r.mu.Lock()
			r.by[name]++
			r.mu.Unlock()
		}
		return nil, nil, false
	})
	return r
}

func (r *requests) take() (int, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, k := range r.by {
		n += k
	}
	s := fmt.Sprint(r.by)
	r.by = map[string]int{}
	return n, s
}

func fake(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, kafka.Connection) {
	t.Helper()
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, kafka.Connection{BootstrapServers: c.ListenAddrs()[0], Protocol: "PLAINTEXT"}
}

func TestThousandTopicsInFewRequests(t *testing.T) {
	c, conn := fake(t)
	asked := count(c)
	ctx := within(t, 60*time.Second)
	p := provider(t, conn)
	var changes []providers.Change
	var refs []providers.Ref
	for i := range 1000 {
		name := fmt.Sprintf("topic-%04d", i)
		changes = append(changes, create(topic(name, 1, 3, "retention.ms", "-1")))
		refs = append(refs, providers.Ref{ID: name})
	}
	for _, res := range p.Resource("kafka_topic").Create(ctx, changes) {
		if res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	n, what := asked.take()
	t.Logf("create: %d requests %s", n, what)
	if n > 10 {
		t.Errorf("1,000 topics created in %d requests: %s", n, what)
	}
	cold := provider(t, conn)
	read := cold.Resource("kafka_topic").Read(ctx, refs)
	for _, got := range read {
		if got.Err != nil || got.State == cty.NilVal {
			t.Fatalf("%+v", got)
		}
	}
	n, what = asked.take()
	t.Logf("read: %d requests %s", n, what)
	if n > 5 {
		t.Errorf("1,000 topics read in %d requests: %s", n, what)
	}
	// More than one question asks for: each answer is at the place of its topic.
	parts := cold.Resource("kafka_topic").Read(ctx, slices.Concat(refs, []providers.Ref{{ID: "missing"}}, refs))
	for i, want := range slices.Concat(read, []providers.Reading{{}}, read) {
		if got := parts[i]; got.Err != nil || got.Incarnation != want.Incarnation || (got.State == cty.NilVal) != (i == len(read)) {
			t.Fatalf("topic %d: %+v instead of %+v", i, got, want)
		}
	}
	asked.take()
	var growing []providers.Change
	for i, ch := range changes {
		before := cold.Resource("kafka_topic").Read(ctx, refs[i:i+1])[0].State
		growing = append(growing, providers.Change{ID: ch.ID, Before: before, After: topic(ch.ID, 2, 3, "retention.ms", "5")})
		if len(growing) == 20 {
			break
		}
	}
	asked.take()
	for _, res := range cold.Resource("kafka_topic").Update(ctx, growing) {
		if res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	if n, what := asked.take(); n > 8 {
		t.Errorf("20 topics changed in %d requests: %s", n, what)
	}
}

func TestLostAnswersAndThrottling(t *testing.T) {
	c, conn := fake(t)
	ctx := within(t, 60*time.Second)
	r := provider(t, conn).Resource("kafka_topic")
	// The creation happens, its answer says it timed out: what is there is ours.
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "lost", Err: kerr.RequestTimedOut})
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "slow", Err: kerr.ThrottlingQuotaExceeded, Count: 2})
	for i, res := range r.Create(ctx, []providers.Change{create(topic("lost", 2, 3)), create(topic("slow", 1, 3)), create(topic("fine", 1, 3))}) {
		if res.Err != nil || res.State == cty.NilVal {
			t.Errorf("%d: %+v", i, res)
		}
	}
	before := r.Read(ctx, []providers.Ref{{ID: "lost"}})[0].State
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreatePartitions}, Topic: "lost", Err: kerr.RequestTimedOut})
	if res := r.Update(ctx, []providers.Change{{ID: "lost", Before: before, After: topic("lost", 4, 3)}})[0]; res.Err != nil {
		t.Errorf("grow: %v", res.Err)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteTopics}, Topic: "lost", Err: kerr.RequestTimedOut})
	if res := r.Delete(ctx, []providers.Change{{ID: "lost", Before: before}})[0]; res.Err != nil {
		t.Errorf("delete: %v", res.Err)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "fine", Err: kerr.TopicAuthorizationFailed, Count: -1})
	got := r.Read(ctx, []providers.Ref{{ID: "fine"}, {ID: "slow"}})
	if providers.CodeOf(got[0].Err) != providers.Denied || got[0].State != cty.NilVal || got[1].Err != nil {
		t.Errorf("denied: %+v", got)
	}
}

// TestCompactDeleteGoesByCompact: a cluster that refuses the direct step.
func TestCompactDeleteGoesByCompact(t *testing.T) {
	c, conn := fake(t)
	ctx := within(t, 60*time.Second)
	r := provider(t, conn).Resource("kafka_topic")
	made := r.Create(ctx, []providers.Change{create(topic("t", 1, 3, "cleanup.policy", "delete"))})[0]
	if made.Err != nil {
		t.Fatal(made.Err)
	}
	var mu sync.Mutex
	var steps []string
	current := "delete"
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.IncrementalAlterConfigs}, Err: kerr.InvalidConfig, Count: -1, When: func(req kmsg.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		policy := *req.(*kmsg.IncrementalAlterConfigsRequest).Resources[0].Configs[0].Value
		steps = append(steps, policy)
		if current == "delete" && policy == "compact,delete" {
			return true
		}
		current = policy
		return false
	}})
	res := r.Update(ctx, []providers.Change{{ID: "t", Before: made.State, After: topic("t", 1, 3, "cleanup.policy", "compact,delete")}})[0]
	mu.Lock()
	defer mu.Unlock()
	if res.Err != nil || fmt.Sprint(steps) != "[compact,delete compact compact,delete]" {
		t.Errorf("%v, steps %v", res.Err, steps)
	}
}

func TestDeniedUnreachableTimeout(t *testing.T) {
	conn := embedded(t)
	wrong := conn
	wrong.Password = "wrong-s3cret"
	start := time.Now()
	got := provider(t, wrong).Resource("kafka_topic").Read(within(t, 20*time.Second), []providers.Ref{{ID: "t"}})[0]
	if providers.CodeOf(got.Err) != providers.Denied || strings.Contains(got.Err.Error(), "s3cret") {
		t.Errorf("wrong password: %v", got.Err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a refused password took %s", took)
	}
	nobody := kafka.Connection{BootstrapServers: "127.0.0.1:1", Protocol: "PLAINTEXT"}
	for _, limit := range []time.Duration{2 * time.Second, time.Minute} {
		start = time.Now()
		got = provider(t, nobody).Resource("kafka_topic").Read(within(t, limit), []providers.Ref{{ID: "t"}})[0]
		if providers.CodeOf(got.Err) != providers.Unavailable || !strings.Contains(got.Err.Error(), "127.0.0.1:1") {
			t.Errorf("unreachable: %v", got.Err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("that nobody is there took %s", took)
		}
	}
	c, silent := fake(t)
	c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, nil, true // read, never answered
	})
	got = provider(t, silent).Resource("kafka_topic").Read(within(t, time.Second), []providers.Ref{{ID: "t"}})[0]
	if providers.CodeOf(got.Err) != providers.Unavailable {
		t.Errorf("silent: %v", got.Err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := provider(t, silent).Resource("kafka_topic").Read(ctx, []providers.Ref{{ID: "t"}})[0]; got.Err == nil {
		t.Error("a cancelled read succeeded")
	}
}

package engine

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/internal/clienttls/clienttlstest"
)

func cluster(t *testing.T, topic string) map[string]string {
	t.Helper()
	_, props := fake(t, topic)
	return props
}

func fake(t *testing.T, topic string) (*kfake.Cluster, map[string]string) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, map[string]string{"bootstrap.servers": strings.Join(c.ListenAddrs(), ",")}
}

func with(props map[string]string, more ...string) map[string]string {
	out := map[string]string{}
	for k, v := range props {
		out[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// TestRoundTrip sends records of every shape, more than a poll takes and larger
// than the first block, and receives those of committed transactions alone.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	props := cluster(t, "t")
	s, err := NewSender(with(props, "transactional.id", "x"), "t")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Init(ctx))
	var b Batch
	send := func(key, value []byte) {
		b.Add(0, key, value, Header{"a", []byte("1")}, Header{"bb", nil})
		if b.Len() == 500 {
			must(s.Send(ctx, &b))
		}
	}
	must(s.Begin(ctx))
	send([]byte("gone"), []byte("gone"))
	must(s.Send(ctx, &b))
	must(s.Flush(ctx))
	must(s.Abort(ctx))

	large := bytes.Repeat([]byte("x"), 2*firstBlock)
	want := [][2][]byte{{nil, []byte("v")}, {[]byte("k"), nil}, {[]byte{}, []byte{}}, {[]byte("k"), large}}
	for range 2 * Most {
		want = append(want, [2][]byte{[]byte("key"), []byte("value")})
	}
	must(s.Begin(ctx))
	for _, w := range want {
		send(w[0], w[1])
	}
	must(s.Send(ctx, &b))
	must(s.Commit(ctx))
	if b.Len() != 0 || b.Size() != 0 {
		t.Errorf("the batch still holds %d records", b.Len())
	}

	r, err := NewReceiver(with(props, "group.id", "g", "isolation.level", "read_committed", "enable.partition.eof", "true",
		"partition.assignment.strategy", "cooperative-sticky", "enable.auto.commit", "false", "auto.offset.reset", "error"), "t")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var records Records
	n, end := 0, int64(-1)
	next := int64(0)
	for end < 0 {
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records came", n, len(want))
		}
		event := r.Poll(100*time.Millisecond, &records)
		for i := range records.Len() {
			rec := records.At(i)
			if n == len(want) {
				t.Fatalf("record %q was not committed", rec.Key)
			}
			if w := want[n]; !bytes.Equal(rec.Key, w[0]) || !bytes.Equal(rec.Value, w[1]) || (rec.Key == nil) != (w[0] == nil) || (rec.Value == nil) != (w[1] == nil) {
				t.Fatalf("record %d: got %q = %.20q, want %q = %.20q", n, rec.Key, rec.Value, w[0], w[1])
			}
			if rec.Offset < next || time.Since(rec.Time) > time.Hour {
				t.Fatalf("record %d: offset %d at %s", n, rec.Offset, rec.Time)
			}
			next = rec.Offset + 1
			n++
		}
		switch e := event.(type) {
		case Assigned:
			must(r.Assign(map[int32]int64{0: 0}))
		case End:
			end = e.Offset
		case error:
			t.Fatal(e)
		}
	}
	if n != len(want) || end <= next-1 {
		t.Errorf("got %d of %d records; the end is %d behind %d", n, len(want), end, next)
	}
	done, err := r.Commit(ctx, []Position{{0, next, "id"}})
	if err != nil || len(done) != 1 || done[0].Offset != next {
		t.Errorf("commit: %v, %v", done, err)
	}
	at, err := r.Committed([]int32{0}, 10*time.Second)
	if err != nil || len(at) != 1 || at[0] != (Position{0, next, "id"}) {
		t.Errorf("committed: %v, %v", at, err)
	}
	must(r.Seek(0, next-1))
	for records.n = 0; records.Len() == 0 && ctx.Err() == nil; {
		r.Poll(100*time.Millisecond, &records)
	}
	if records.Len() != 1 || records.At(0).Offset != next-1 {
		t.Errorf("%d records came after a seek", records.Len())
	}
}

// TestNoAnswer: a coordinator that takes requests and does not answer holds up
// neither a commit longer than its context nor the end of the client.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	c, props := fake(t, "t")
	var silent atomic.Bool
	for _, key := range []kmsg.Key{kmsg.OffsetCommit, kmsg.LeaveGroup, kmsg.Heartbeat} {
		c.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			return nil, nil, silent.Load()
		})
	}
	r, err := NewReceiver(with(props, "group.id", "g", "partition.assignment.strategy", "cooperative-sticky", "enable.auto.commit", "false",
		"auto.offset.reset", "error", "session.timeout.ms", "45000"), "t")
	if err != nil {
		t.Fatal(err)
	}
	var records Records
	for assigned := false; !assigned; {
		if t.Context().Err() != nil {
			t.Fatal("no partition was assigned")
		}
		if _, assigned = r.Poll(100*time.Millisecond, &records).(Assigned); assigned {
			if err := r.Assign(map[int32]int64{0: 0}); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := r.Commit(ctx, []Position{{Partition: 0, Offset: 0}})
		return err
	}
	if err := commit(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	silent.Store(true)
	start := time.Now()
	if err := commit(300 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	start = time.Now()
	r.Close()
	if took := time.Since(start); took > closeLimit+3*time.Second {
		t.Errorf("the client took %s to end", took)
	}
}

// TestFenced: the second sender with an id is the one that goes on.
func TestFenced(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	props := with(cluster(t, "t"), "transactional.id", "x")
	var b Batch
	var all []Sender
	for range 2 {
		s, err := NewSender(props, "t")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := errors.Join(s.Init(ctx), s.Begin(ctx)); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for i, s := range all {
		b.Add(0, nil, []byte("v"))
		err := s.Send(ctx, &b)
		if err == nil {
			err = s.Commit(ctx)
		}
		var ke kafka.Error
		fenced := errors.As(err, &ke) && (ke.Code() == kafka.ErrProducerFenced || ke.Code() == kafka.ErrInvalidProducerEpoch)
		if fenced != (i == 0) || i == 1 && err != nil {
			t.Errorf("sender %d: %v", i, err)
		}
	}
}

// TestGivenUp: a transaction that is older than its timeout is begun again by
// its process, unless another one works under the id.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	for _, taken := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		props := with(cluster(t, "t"), "transactional.id", "x", "transaction.timeout.ms", "1000")
		open := func() Sender {
			s, err := NewSender(props, "t")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			var b Batch
			b.Add(0, nil, []byte("v"))
			if err := errors.Join(s.Init(ctx), s.Begin(ctx), s.Send(ctx, &b), s.Flush(ctx)); err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		time.Sleep(1200 * time.Millisecond) // there is nothing to poll: asking would not show what the sender is told
		if taken {
			open()
		}
		err := s.Commit(ctx)
		var ke kafka.Error
		if !errors.As(err, &ke) || taken != (ke.Code() == kafka.ErrProducerFenced || ke.Code() == kafka.ErrInvalidProducerEpoch) ||
			!taken && (!strings.Contains(err.Error(), "transaction.timeout.ms, 1s") || refusesEpoch(s.Abort(ctx))) {
			t.Errorf("taken %v: %v", taken, err)
		}
	}
}

// TestDeliveredAllocatesNothing for a record that arrived.
func TestDeliveredAllocatesNothing(t *testing.T) {
	b := &slab{s: &sender{}}
	b.left.Store(1 << 40)
	if n := testing.AllocsPerRun(1000, func() { b.delivered(nil, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTransactionTimeout: what a process that is killed leaves open is held for
// so long and no longer.
func TestTransactionTimeout(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]time.Duration{"": transactionTimeout, "2000": 2 * time.Second} {
		props := with(cluster(t, "t"), "transactional.id", "x")
		if set != "" {
			props["transaction.timeout.ms"] = set
		}
		s, err := NewSender(props, "t")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		req := kmsg.NewPtrDescribeTransactionsRequest()
		req.TransactionalIDs = []string{"x"}
		res, err := req.RequestWith(t.Context(), s.(*sender).c)
		if err != nil || time.Duration(res.TransactionStates[0].TimeoutMillis)*time.Millisecond != want {
			t.Errorf("%q: %+v, %v", set, res, err)
		}
	}
}

// TestSenderProperties: every property is taken over, is none of the sender's, or is
// refused by its name.
func TestSenderProperties(t *testing.T) {
	t.Parallel()
	base := map[string]string{"bootstrap.servers": "127.0.0.1:1", "transactional.id": "x"}
	for want, props := range map[string][]string{
		"": {"linger.ms", "0.5", "message.max.bytes", "2000000", "queue.buffering.max.messages", "500", "queue.buffering.max.kbytes", "1024",
			"message.timeout.ms", "60000", "retries", "3", "request.timeout.ms", "5000", "socket.timeout.ms", "5000", "retry.backoff.ms", "50",
			"compression.type", "zstd", "acks", "all", "enable.idempotence", "true", "partitioner", "murmur2_random", "transaction.timeout.ms", "20000",
			"session.timeout.ms", "6000", "fetch.wait.max.ms", "100", "go.events.channel.enable", "true", "sasl.username", "u"},
		`property "batch.num.messages": the client that sends has no equal of it`: {"batch.num.messages", "10"},
		`property "ssl.key.pem"`:                               {"ssl.key.pem", "secret"},
		`property "acks": it is "1", and that nothing is lost`: {"acks", "1"},
		`property "partitioner": it is "consistent_random"`:    {"partitioner", "consistent_random"},
		`property "transaction.timeout.ms": "soon" is not`:     {"transaction.timeout.ms", "soon"},
		`property "message.max.bytes": "-1" is not a number`:   {"message.max.bytes", "-1"},
		`"brotli" is none of gzip`:                             {"compression.codec", "brotli"},
	} {
		s, err := NewSender(with(base, props...), "t")
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%v: got %v, want %q", props, err, want)
		}
		if err == nil {
			s.Close()
		}
	}
	for name := range settings {
		if connection[name] || aside[name] || receiving[name] || fixed[name] != "" {
			t.Errorf("%s is said twice", name)
		}
	}
}

// TestCheckProperties: what somebody sets is refused by name and value before
// a client opens, and what is not refused opens one.
func TestCheckProperties(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, value        string
		producer, consumer string // what is said; "" is nothing
	}{
		{"linger.ms", "5", "", "a producer's"},
		{"linger.ms", "soon", "not a number of milliseconds", "a producer's"},
		{"acks", "1", "lost or doubled", "a producer's"},
		{"session.timeout.ms", "10000", "a consumer's", ""},
		{"session.timeout.ms", "soon", "a consumer's", "session.timeout.ms"},
		{"group.protocol", "consumer", "a consumer's", ""},
		{"group.protocol", "other", "a consumer's", "group.protocol"},
		{"client.rack", "eu-1a", "a consumer's", ""},
		{"socket.timeout.ms", "30000", "", ""},
		{"sasl.password", "p", "of the connection", "of the connection"},
		{"ssl.keystore.location", "f", "of the connection", "of the connection"},
		{"bootstrap.servers", "a:1", "of the connection", "of the connection"},
		{"isolation.level", "read_uncommitted", "not to be set", "not to be set"},
		{"transactional.id", "x", "not to be set", "not to be set"},
		{"plugin.library.paths", "x", "no equal", "no such property"},
		{"no.such", "x", "no equal", "no such property"},
	} {
		for i, got := range []error{CheckSender(tt.name, tt.value), CheckReceiver(tt.name, tt.value)} {
			want := []string{tt.producer, tt.consumer}[i]
			if (got == nil) != (want == "") || got != nil && !strings.Contains(got.Error(), want) {
				t.Errorf("%s = %s, client %d: got %v, want %q", tt.name, tt.value, i, got, want)
			}
		}
	}
	for _, words := range []map[string]bool{receiving, both} {
		for name := range words {
			if err := tryProperty(name, "no such value"); err != nil && strings.Contains(err.Error(), "No such configuration property") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name := range both {
		if settings[name] == nil {
			t.Errorf("%s is not a sender's", name)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	nothing := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(nothing, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, cert, key := clienttlstest.Authority(t)
	locked := clienttlstest.Lock(t, key, "the password")
	if _, err := franzOptions(map[string]string{"security.protocol": "SSL", "ssl.certificate.location": cert, "ssl.key.location": locked, "ssl.key.password": "the password"}); err != nil {
		t.Errorf("an encrypted key: %v", err)
	}
	for want, props := range map[string][]string{
		"":                              {"security.protocol", "sasl_plaintext", "sasl.mechanism", "SCRAM-SHA-512"},
		"a token endpoint, a client id": {"security.protocol", "SASL_SSL", "sasl.mechanism", "OAUTHBEARER", "sasl.oauthbearer.method", "oidc"},
		"only oidc is known":            {"security.protocol", "SASL_SSL", "sasl.mechanism", "OAUTHBEARER"},
		"mechanism \"GSSAPI\"":          {"security.protocol", "SASL_SSL", "sasl.mechanism", "GSSAPI"},
		"holds no certificate":          {"security.protocol", "SSL", "ssl.ca.location", nothing},
		"read the key of the client":    {"security.protocol", "SSL", "ssl.certificate.location", nothing},
		"the password is wrong":         {"security.protocol", "SSL", "ssl.certificate.location", cert, "ssl.key.location", locked, "ssl.key.password", "secret"},
		"to trust: open /no/such":       {"security.protocol", "SSL", "ssl.ca.location", "/no/such"},
	} {
		_, err := franzOptions(with(map[string]string{"bootstrap.servers": "a:1,b:2"}, props...))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", props, err, want)
		}
	}
	if opts, err := franzOptions(map[string]string{"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "i",
		"sasl.oauthbearer.client.secret": "s", "sasl.oauthbearer.token.endpoint.url": "https://idp.example/token"}); err != nil || len(opts) == 0 {
		t.Errorf("OAUTHBEARER: %v", err)
	}
	if _, err := NewReceiver(map[string]string{"no.such.property": "1"}, "t"); err == nil || !strings.Contains(err.Error(), "no.such.property") {
		t.Errorf("an unknown property: %v", err)
	}
}

package kafka_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/zclconf/go-cty/cty"

	"mkt/internal/realtest"
	"mkt/local/broker"
	"mkt/providers"
	"mkt/providers/kafka"
	"mkt/providers/providertest"
	"mkt/spec"
)

func TestQuotaConforms(t *testing.T) {
	lacks := map[string]string{}
	if realtest.At(t, realtest.Kafka) != "" {
		lacks["denied is not missing"] = "the cluster of the tests lets everybody in"
	}
	quota := func(attrs ...string) string { return "kafka_quota \"subject\" {\n" + strings.Join(attrs, "\n") + "\n}" }
	const user1, rate = `user = "CN=loader, O=mkt/1"`, "producer_byte_rate = 1048576"
	providertest.Run(t, providertest.Suite{
		Lacks: lacks,
		Kind:  kafka.Quota, Kinds: kafka.Kinds(),
		New:    emptied("kafka_quota"),
		Create: quota(user1, rate),
		Others: []string{
			quota(`client_id = "mkt"`, "consumer_byte_rate = 1", "request_percentage = 12.5"),
			quota(`user = "<default>"`, "controller_mutation_rate = 0.1"),
			quota(`client_id = "<default>"`, rate),
			quota(user1, `client_id = "100%"`, rate),
			quota(`user = "<default>"`, `client_id = "<default>"`, rate),
		},
		Unchanged: []providertest.Step{{Name: "another way to write a number", Stack: quota(user1, "producer_byte_rate = 1.048576e6")}},
		InPlace: []providertest.Step{
			{Name: "rates", Stack: quota(user1, "producer_byte_rate = 2097152", "consumer_byte_rate = 4194304", "request_percentage = 150.5", "controller_mutation_rate = 0.3"),
				Attrs: []string{"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"}},
			{Name: "one rate for another", Stack: quota(user1, "consumer_byte_rate = 1"), Attrs: []string{"producer_byte_rate", "consumer_byte_rate"}},
		},
		Replacements: []providertest.Step{
			{Name: "user", Stack: quota(`user = "other"`, rate), Attrs: []string{"user"}, Want: "belongs to"},
			{Name: "client id", Stack: quota(user1, `client_id = "mkt"`, rate), Attrs: []string{"client_id"}, Want: "belongs to"},
		},
		Outside: func(t *testing.T, w providertest.World, _ string) {
			c := foreign(t, w.Any.(kafka.Connection))
			name := "CN=loader, O=mkt/1"
			res, err := kadm.NewClient(c).AlterClientQuotas(within(t, 10*time.Second), []kadm.AlterClientQuotaEntry{{
				Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &name}}, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: 7}}}})
			if err != nil || res[0].Err != nil {
				t.Fatal(err, res)
			}
			ask := kmsg.NewPtrDescribeClientQuotasRequest()
			ask.Components = []kmsg.DescribeClientQuotasRequestComponent{{EntityType: "user", Match: &name}}
			shownEverywhere(t, c, ask, func(resp kmsg.Response) bool {
				entries := resp.(*kmsg.DescribeClientQuotasResponse).Entries
				return len(entries) == 1 && len(entries[0].Values) == 1 && entries[0].Values[0].Value == 7
			})
		},
		Denied: func(t *testing.T, w providertest.World) providers.Provider {
			conn := w.Any.(kafka.Connection)
			conn.Password = "wrong"
			return provider(t, conn)
		},
	})
}

// Quotas that may not be seen are not missing, and one of an address is none of mkt's.
func TestQuotasThatMayNotBeSeen(t *testing.T) {
	c, conn := fake(t)
	r := provider(t, conn).Resource("kafka_quota")
	ref := []providers.Ref{{ID: "users/u"}, {ID: "ips/::1"}, {ID: "clients/a/users/b"}, {ID: "users/"}}
	c.ControlKey(int16(kmsg.DescribeClientQuotas), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
		entry := kmsg.NewDescribeClientQuotasResponseEntry()
		entry.Entity = []kmsg.DescribeClientQuotasResponseEntryEntity{{Type: "ip", Name: kmsg.StringPtr("::1")}}
		entry.Values = []kmsg.DescribeClientQuotasResponseEntryValue{{Key: "connection_creation_rate", Value: 1}}
		resp.Entries = append(resp.Entries, entry)
		return resp, nil, true
	})
	for i, got := range r.Read(within(t, 20*time.Second), ref) {
		if bad := i > 0; got.State != cty.NilVal || (providers.CodeOf(got.Err) == providers.Invalid) != bad {
			t.Errorf("%s: %#v, %v", ref[i].ID, got.State, got.Err)
		}
	}
	c.ControlKey(int16(kmsg.DescribeClientQuotas), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return resp, nil, true
	})
	got := r.Read(within(t, 20*time.Second), ref[:1])[0]
	if d := providers.Detail(got.Err); d == nil || d.Code != providers.Denied || !strings.Contains(d.Hint, "DescribeConfigs") {
		t.Errorf("read as %#v, %+v", got.State, got.Err)
	}
}

// What was made and may not be looked at then is there all the same: else an apply after this one would take it for another's, as soon
// as the broker that it asks knows of it.
func TestMadeAndNotSeen(t *testing.T) {
	refuseSecond := func(c *kfake.Cluster, key kmsg.Key, refuse func(kmsg.Response)) {
		asked := 0
		c.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if asked++; asked != 2 {
				return nil, nil, false
			}
			resp := req.ResponseKind()
			refuse(resp)
			return resp, nil, true
		})
	}
	after := map[string]cty.Value{
		"kafka_quota": cty.ObjectVal(map[string]cty.Value{"user": cty.StringVal("u"), "client_id": cty.NullVal(cty.String), "producer_byte_rate": cty.NumberIntVal(1024),
			"consumer_byte_rate": cty.NullVal(cty.Number), "request_percentage": cty.NullVal(cty.Number), "controller_mutation_rate": cty.NullVal(cty.Number)}),
		"kafka_acl": cty.ObjectVal(map[string]cty.Value{"resource_type": cty.StringVal("TOPIC"), "resource_name": cty.StringVal("t"), "pattern": cty.StringVal("LITERAL"),
			"principal": cty.StringVal("User:u"), "host": cty.StringVal("*"), "operation": cty.StringVal("READ"), "permission": cty.StringVal("ALLOW")}),
	}
	for _, kind := range []*spec.Kind{kafka.Quota, kafka.ACL} {
		c, conn := fake(t)
		refuseSecond(c, kmsg.DescribeClientQuotas, func(r kmsg.Response) {
			r.(*kmsg.DescribeClientQuotasResponse).ErrorCode = kerr.ClusterAuthorizationFailed.Code
		})
		refuseSecond(c, kmsg.DescribeACLs, func(r kmsg.Response) {
			r.(*kmsg.DescribeACLsResponse).ErrorCode = kerr.ClusterAuthorizationFailed.Code
		})
		want := after[kind.Name]
		got := provider(t, conn).Resource(kind.Name).Create(within(t, 20*time.Second), []providers.Change{{ID: kind.ID(want), After: want}})[0]
		if providers.CodeOf(got.Err) != providers.Denied || got.State == cty.NilVal || !got.State.RawEquals(want) {
			t.Errorf("%s: %#v, %v", kind.Name, got.State, got.Err)
		}
	}
	c, conn := fake(t)
	r := provider(t, conn).Resource("kafka_topic")
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "t", Err: kerr.TopicAuthorizationFailed, Count: 1})
	got := r.Create(within(t, 20*time.Second), []providers.Change{create(topic("t", 1, 3))})[0]
	if providers.CodeOf(got.Err) != providers.Unknown || !strings.Contains(got.Err.Error(), "could not be read back") {
		t.Errorf("kafka_topic: %#v, %v", got.State, got.Err)
	}
}

// The embedded broker has its quotas after a restart.
func TestQuotaOutlivesTheBroker(t *testing.T) {
	config := broker.Config{Dir: t.TempDir(), User: user, Password: password}
	want := cty.ObjectVal(map[string]cty.Value{"user": cty.StringVal("u"), "client_id": cty.StringVal("<default>"), "producer_byte_rate": cty.NumberIntVal(1024),
		"consumer_byte_rate": cty.NullVal(cty.Number), "request_percentage": cty.NumberFloatVal(0.1), "controller_mutation_rate": cty.NullVal(cty.Number)})
	for restarted := range 2 {
		b, err := broker.Start(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		r := provider(t, kafka.Connection{BootstrapServers: b.Addr(), Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", User: user, Password: password}).Resource("kafka_quota")
		if restarted == 0 {
			if made := r.Create(within(t, 20*time.Second), []providers.Change{{ID: "users/u/clients/<default>", After: want}})[0]; made.Err != nil {
				t.Fatal(made.Err)
			}
		}
		if got := r.Read(within(t, 20*time.Second), []providers.Ref{{ID: "users/u/clients/<default>"}})[0]; got.Err != nil || got.State == cty.NilVal || !got.State.RawEquals(want) {
			t.Errorf("restarted %d times: %#v, %v", restarted, got.State, got.Err)
		}
		_ = b.Close()
	}
}

package kafka_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"mkt/internal/realtest"
	"mkt/local/registry"
	"mkt/providers"
	"mkt/providers/kafka"
	"mkt/providers/providertest"
)

// cluster is an embedded broker, or a real cluster without the topics of these
// tests.
func cluster(t *testing.T) kafka.Connection {
	servers := realtest.At(t, realtest.Kafka)
	if servers == "" {
		return embedded(t)
	}
	conn := kafka.Connection{BootstrapServers: servers, Protocol: "PLAINTEXT"}
	remove(t, conn, "kafka_topic", "subject", "another.name-1", "renamed")
	return conn
}

// foreign is a client that is none of the provider's.
func foreign(t *testing.T, conn kafka.Connection) *kgo.Client {
	t.Helper()
	opts := []kgo.Opt{kgo.SeedBrokers(strings.Split(conn.BootstrapServers, ",")...)}
	if conn.User != "" {
		opts = append(opts, kgo.SASL(plain.Auth{User: conn.User, Pass: conn.Password}.AsMechanism()))
	}
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// shownEverywhere waits until every broker answers as shows wants it: they learn of a change one after the other.
func shownEverywhere(t *testing.T, c *kgo.Client, ask kmsg.Request, shows func(kmsg.Response) bool) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	brokers, err := kadm.NewClient(c).ListBrokers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range brokers {
		for {
			resp, err := c.Broker(int(b.NodeID)).Request(ctx, ask)
			if err != nil {
				t.Fatalf("broker %d does not show the change: %v", b.NodeID, err)
			}
			if shows(resp) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// remove deletes objects that an earlier test may have left.
func remove(t *testing.T, conn kafka.Connection, kind string, ids ...string) {
	t.Helper()
	p, err := kafka.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var changes []providers.Change
	for _, id := range ids {
		changes = append(changes, providers.Change{ID: id})
	}
	for _, res := range p.Resource(kind).Delete(t.Context(), changes) {
		if res.Err != nil {
			t.Error(res.Err)
		}
	}
}

func TestTopicConforms(t *testing.T) {
	denied := func(t *testing.T, w providertest.World) providers.Provider {
		conn := w.Any.(kafka.Connection)
		conn.Password = "wrong"
		return provider(t, conn)
	}
	lacks := map[string]string{}
	if realtest.At(t, realtest.Kafka) != "" {
		lacks["denied is not missing"] = "the cluster of the tests lets everybody in"
	}
	brokers := realtest.Brokers(t)
	if brokers == 1 {
		for _, step := range []string{"fewer replicas", "one replica and a setting that allows it", "more replicas",
			"more replicas, partitions and settings at once", "fewer replicas and more partitions"} {
			lacks["in place/"+step] = "a cluster of one broker has one replica"
		}
	}
	providertest.Run(t, providertest.Suite{
		Lacks: lacks,
		Kind:  kafka.Topic, Kinds: kafka.Kinds(),
		New: func(t *testing.T) providertest.World {
			conn := cluster(t)
			return providertest.World{Provider: provider(t, conn), Any: conn}
		},
		Create: fmt.Sprintf(`kafka_topic "subject" {
			partitions         = 3
			replication_factor = %d
			config = { "cleanup.policy" = "delete", "retention.ms" = "7d" }
		}`, brokers),
		Others: []string{
			`kafka_topic "subject" {}`,
			`kafka_topic "subject" {
				name       = "another.name-1"
				partitions = 1
				config = {
					"cleanup.policy"    = "delete,compact"
					"retention.ms"      = "-1"
					"retention.bytes"   = "1GiB"
					"segment.ms"        = "12h"
					"max.message.bytes" = 2097152
					"preallocate"       = "FALSE"
				}
			}`,
		},
		Unchanged: []providertest.Step{
			{Name: "other spellings", Stack: `kafka_topic "subject" {
				name       = "subject"
				config = { "cleanup.policy" = " delete", "retention.ms" = "168h" }
			}`},
			{Name: "numbers", Stack: `kafka_topic "subject" {
				partitions = 3
				config = { "cleanup.policy" = "delete", "retention.ms" = 604800000 }
			}`},
		},
		InPlace: []providertest.Step{
			{Name: "more partitions", Stack: `kafka_topic "subject" {
				partitions = 5
				config = { "cleanup.policy" = "delete", "retention.ms" = "7d" }
			}`, Attrs: []string{"partitions"}},
			{Name: "settings", Stack: `kafka_topic "subject" {
				config = { "retention.ms" = "1d", "max.message.bytes" = "1MiB" }
			}`, Attrs: []string{`config["retention.ms"]`, `config["cleanup.policy"]`, `config["max.message.bytes"]`}},
			{Name: "no settings", Stack: `kafka_topic "subject" {}`, Attrs: []string{`config["retention.ms"]`}},
			{Name: "delete to compact,delete", Stack: `kafka_topic "subject" {
				config = { "cleanup.policy" = "compact,delete", "retention.ms" = "7d" }
			}`, Attrs: []string{`config["cleanup.policy"]`}},
			{Name: "fewer replicas", Stack: `kafka_topic "subject" {
				replication_factor = 2
				config = { "cleanup.policy" = "delete", "retention.ms" = "7d" }
			}`, Attrs: []string{"replication_factor"}},
			{Name: "one replica and a setting that allows it", From: `kafka_topic "subject" {
				replication_factor = 3
				config = { "min.insync.replicas" = 2 }
			}`, Stack: `kafka_topic "subject" {
				replication_factor = 1
				config = { "min.insync.replicas" = 1 }
			}`, Attrs: []string{"replication_factor", `config["min.insync.replicas"]`}},
			{Name: "more replicas", From: `kafka_topic "subject" {
				partitions         = 5
				replication_factor = 1
			}`, Stack: `kafka_topic "subject" {
				replication_factor = 3
			}`, Attrs: []string{"replication_factor"}},
			{Name: "more replicas, partitions and settings at once", From: `kafka_topic "subject" {
				partitions         = 2
				replication_factor = 1
			}`, Stack: `kafka_topic "subject" {
				partitions         = 4
				replication_factor = 2
				config             = { "min.insync.replicas" = 2 }
			}`, Attrs: []string{"replication_factor", "partitions", `config["min.insync.replicas"]`}},
			{Name: "fewer replicas and more partitions", From: `kafka_topic "subject" {
				partitions         = 2
				replication_factor = 3
			}`, Stack: `kafka_topic "subject" {
				partitions         = 4
				replication_factor = 1
			}`, Attrs: []string{"replication_factor", "partitions"}},
			{Name: "unlimited", Stack: `kafka_topic "subject" {
				partitions = 4
				config = { "cleanup.policy" = "delete", "retention.ms" = "-1" }
			}`, Attrs: []string{"partitions", `config["retention.ms"]`}},
		},
		Replacements: []providertest.Step{
			{Name: "name", Stack: `kafka_topic "subject" {
				name       = "renamed"
				partitions = 3
				config = { "cleanup.policy" = "delete", "retention.ms" = "7d" }
			}`, Attrs: []string{"name"}, Want: "cannot be renamed"},
		},
		Refused: []providertest.Step{
			{Name: "fewer partitions", Stack: `kafka_topic "subject" {
				partitions = 2
				config = { "cleanup.policy" = "delete", "retention.ms" = "7d" }
			}`, Want: "make a new topic"},
			{Name: "more replicas than brokers", Stack: `kafka_topic "subject" {
				replication_factor = 4
				config = { "cleanup.policy" = "delete", "retention.ms" = "7d" }
			}`, Want: fmt.Sprintf("the cluster has %d live broker", brokers)},
		},
		Outside: func(t *testing.T, w providertest.World, id string) {
			config := ck.ConfigMap{}
			for key, value := range w.Any.(kafka.Connection).ClientConfig() {
				config[key] = value
			}
			a, err := ck.NewAdminClient(&config)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			res, err := a.IncrementalAlterConfigs(within(t, 10*time.Second), []ck.ConfigResource{{Type: ck.ResourceTopic, Name: id, Config: []ck.ConfigEntry{
				{Name: "retention.ms", Value: "1000", IncrementalOperation: ck.AlterConfigOpTypeSet}}}})
			if err != nil || res[0].Error.Code() != ck.ErrNoError {
				t.Fatal(err, res)
			}
			ask := kmsg.NewPtrDescribeConfigsRequest()
			ask.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: id, ConfigNames: []string{"retention.ms"}}}
			shownEverywhere(t, foreign(t, w.Any.(kafka.Connection)), ask, func(resp kmsg.Response) bool {
				resources := resp.(*kmsg.DescribeConfigsResponse).Resources
				return len(resources) == 1 && len(resources[0].Configs) == 1 && *resources[0].Configs[0].Value == "1000"
			})
		},
		Denied: denied,
	})
}

func TestACLConforms(t *testing.T) {
	lacks := map[string]string{}
	if realtest.At(t, realtest.Kafka) != "" {
		lacks["denied is not missing"] = "the cluster of the tests lets everybody in"
	}
	acl := func(more string) string {
		return `kafka_acl "subject" {
			resource_type = "TOPIC"
			resource_name = "market_data"
			principal     = "User:reader"
			operation     = "READ"
			` + more + `
		}`
	}
	other := func(attr, value string) string {
		return regexp.MustCompile(attr+` +=.*`).ReplaceAllString(acl(""), attr+` = "`+value+`"`)
	}
	providertest.Run(t, providertest.Suite{
		Lacks: lacks,
		Kind:  kafka.ACL, Kinds: kafka.Kinds(),
		New:    emptied("kafka_acl"),
		Create: acl(""),
		Others: []string{
			acl(`
			pattern    = "prefixed"
			host       = "127.0.0.1"
			permission = "DENY"`),
			`kafka_topic "subject" {}
			kafka_acl "subject" {
				resource_type = "topic"
				resource_name = kafka_topic.subject
				principal     = "User:*"
				operation     = "describe_configs"
			}`,
			`kafka_acl "subject" {
				resource_type = "CLUSTER"
				resource_name = "kafka-cluster"
				principal     = "User:mkt"
				operation     = "IDEMPOTENT_WRITE"
			}`,
			`kafka_acl "subject" {
				resource_type = "TRANSACTIONAL_ID"
				resource_name = "*"
				principal     = "User:mkt"
				operation     = "ALL"
			}`,
		},
		Unchanged: []providertest.Step{{Name: "case and defaults", Stack: other("operation", "read")}},
		Replacements: []providertest.Step{
			{Name: "resource type", Stack: other("resource_type", "GROUP"), Attrs: []string{"resource_type"}},
			{Name: "resource name", Stack: other("resource_name", "other"), Attrs: []string{"resource_name"}},
			{Name: "pattern", Stack: acl(`pattern = "PREFIXED"`), Attrs: []string{"pattern"}},
			{Name: "principal", Stack: other("principal", "User:writer"), Attrs: []string{"principal"}},
			{Name: "host", Stack: acl(`host = "127.0.0.1"`), Attrs: []string{"host"}},
			{Name: "operation", Stack: other("operation", "WRITE"), Attrs: []string{"operation"}},
			{Name: "permission", Stack: acl(`permission = "DENY"`), Attrs: []string{"permission"}},
		},
		Denied: func(t *testing.T, w providertest.World) providers.Provider {
			conn := w.Any.(kafka.Connection)
			conn.Password = "wrong"
			return provider(t, conn)
		},
	})
}

// subjectRegistry is an embedded registry, or a real one without the subjects
// of these tests.
func subjectRegistry(t *testing.T) kafka.Connection {
	if url := realtest.At(t, realtest.Registry); url != "" {
		conn := kafka.Connection{RegistryURL: url}
		empty(t, url)
		return conn
	}
	r, err := registry.Open(registry.Config{Dir: t.TempDir(), User: user, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r)
	t.Cleanup(func() { s.Close(); _ = r.Close() })
	return kafka.Connection{RegistryURL: s.URL, RegistryUser: user, RegistryPassword: password}
}

// empty deletes every subject of a registry for good, those that others refer
// to last.
func empty(t *testing.T, url string) {
	t.Helper()
	c, err := schemaregistry.NewClient(schemaregistry.NewConfig(url))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		subjects, err := c.GetAllSubjects()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range subjects {
			if _, err = c.DeleteSubject(name, false); err == nil {
				_, err = c.DeleteSubject(name, true)
			}
			if err != nil {
				t.Log(err)
			}
		}
	}
}

func TestSubjectConforms(t *testing.T) {
	stack := func(schema string, more ...string) string {
		return "schema_subject \"subject\" {\n schema = <<-END\n" + schema + "\nEND\n" + strings.Join(more, "\n") + "\n}\n"
	}
	const (
		reference = "reference \"m.Row\" {\n subject = schema_subject.row\n version = schema_subject.row.version\n}"
		rowBlock  = "schema_subject \"row\" {\n schema = file(\"${path.stack}/row.avsc\")\n}\n"
	)
	denied := func(t *testing.T, w providertest.World) providers.Provider {
		conn := w.Any.(kafka.Connection)
		conn.RegistryPassword = "wrong"
		return provider(t, conn)
	}
	lacks := map[string]string{}
	if realtest.At(t, realtest.Registry) != "" {
		const normalize = "Apicurio takes the setting normalize and does not give it back"
		lacks["create other b"], lacks["in place/mode, normalization and deletion"], lacks["in place/no normalization any more"] = normalize, normalize, normalize
		lacks["denied is not missing"] = "the registry of the tests lets everybody in"
	}
	providertest.Run(t, providertest.Suite{
		Lacks: lacks,
		Kind:  kafka.Subject, Kinds: kafka.Kinds(),
		New: func(t *testing.T) providertest.World {
			conn := subjectRegistry(t)
			return providertest.World{Provider: provider(t, conn), Any: conn, Files: map[string]string{"row.avsc": row}}
		},
		Create: stack(row, `name = "market_data-value"`, `compatibility = "BACKWARD"`),
		Others: []string{
			stack(row),
			stack(rowMore, `name = "s"`, `format = "AVRO"`, `compatibility = "full_transitive"`, `mode = "READONLY"`, `normalize = true`, `deletion = "hard"`),
			rowBlock + stack(`{"type":"array","items":"m.Row"}`, reference),
			stack(rowMore, `name = "s"`, `mode = "READONLY"`, `deletion = "hard"`),
		},
		Unchanged: []providertest.Step{
			{Name: "white space, order and wrapped types", Stack: stack(rowOther, `name = "market_data-value"`, `compatibility = "backward"`)},
			{Name: "nothing said", Stack: stack(row, `name = "market_data-value"`)},
		},
		InPlace: []providertest.Step{
			{Name: "a new version", Stack: stack(rowMore, `name = "market_data-value"`, `compatibility = "BACKWARD"`), Attrs: []string{"schema", "id", "version"}},
			{Name: "another level", Stack: stack(row, `name = "market_data-value"`, `compatibility = "FULL"`), Attrs: []string{"compatibility"}},
			{Name: "a level that lets the schema pass", Stack: stack(rowBroken, `name = "market_data-value"`, `compatibility = "NONE"`), Attrs: []string{"schema", "compatibility"}},
			{Name: "mode, normalization and deletion", Stack: stack(row, `name = "market_data-value"`, `mode = "READONLY"`, `normalize = true`, `deletion = "hard"`),
				Attrs: []string{"mode", "normalize", "deletion"}},
			{Name: "mode", Stack: stack(row, `name = "market_data-value"`, `compatibility = "BACKWARD"`, `mode = "READONLY"`), Attrs: []string{"mode"}},
			{Name: "a reference", From: rowBlock + stack(`{"type":"array","items":"m.Row"}`, reference),
				Stack: rowBlock + "schema_subject \"more\" {\n schema = <<-END\n" + rowMore + "\nEND\n}\n" +
					stack(`{"type":"array","items":"m.Row"}`, strings.ReplaceAll(reference, "schema_subject.row", "schema_subject.more"))},
			{Name: "no normalization any more", From: stack(row, `normalize = true`), Stack: stack(row, `normalize = false`), Attrs: []string{"normalize"}},
		},
		Replacements: []providertest.Step{
			{Name: "name", Stack: stack(row, `name = "other-value"`), Attrs: []string{"name"}, Want: "cannot be renamed"},
		},
		Refused: []providertest.Step{
			{Name: "incompatible", Stack: stack(rowBroken, `name = "market_data-value"`, `compatibility = "BACKWARD"`), Want: "BACKWARD"},
		},
		Outside: func(t *testing.T, w providertest.World, id string) {
			c, err := schemaregistry.NewClient(w.Any.(kafka.Connection).RegistryConfig())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.UpdateCompatibility(id, schemaregistry.None); err != nil {
				t.Fatal(err)
			}
		},
		Denied: denied,
	})
}

// emptied makes a world without objects of a kind, of which a test before this one may have left some.
func emptied(kind string) func(*testing.T) providertest.World {
	return func(t *testing.T) providertest.World {
		conn := cluster(t)
		p := provider(t, conn)
		r := p.Resource(kind)
		ids, err := r.(providers.Lister).List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if res := r.Delete(t.Context(), []providers.Change{{ID: id}}); res[0].Err != nil {
				t.Fatal(res[0].Err)
			}
		}
		return providertest.World{Provider: p, Any: conn}
	}
}

package kafka_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mkt/providers"
	"mkt/providers/kafka"
)

// Brokers say what a user may do, and a topic is not created by asking.
func TestAbilities(t *testing.T) {
	t.Parallel()
	acl := func(kind kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Principal: "User:app", Allow: true, Resource: kind, Name: name, Operation: op, Pattern: kmsg.ACLResourcePatternTypeLiteral}
	}
	_, there := fake(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", user, password), kfake.User("PLAIN", "app", password,
		acl(kmsg.ACLResourceTypeTopic, "prices", kmsg.ACLOperationWrite),
		acl(kmsg.ACLResourceTypeTopic, "mine", kmsg.ACLOperationCreate), acl(kmsg.ACLResourceTypeTopic, "mine", kmsg.ACLOperationDescribe),
		acl(kmsg.ACLResourceTypeGroup, "loaders", kmsg.ACLOperationRead),
		acl(kmsg.ACLResourceTypeCluster, "kafka-cluster", kmsg.ACLOperationDescribe),
	), kfake.SeedTopics(1, "prices"))
	there.Protocol, there.Mechanism, there.User, there.Password = "SASL_PLAINTEXT", "PLAIN", "app", password
	for _, tt := range []struct {
		need providers.Need
		may  providers.Answer
	}{
		{providers.Need{On: kafka.OnTopic, Name: "prices", Do: "WRITE"}, providers.Yes},
		{providers.Need{On: kafka.OnTopic, Name: "prices", Do: "ALTER_CONFIGS"}, providers.No},
		{providers.Need{On: kafka.OnTopic, Name: "prices", Do: "CREATE"}, providers.Yes},
		{providers.Need{On: kafka.OnTopic, Name: "mine", Do: "CREATE"}, providers.Yes},
		{providers.Need{On: kafka.OnTopic, Name: "mine", Do: "READ"}, providers.Unclear},
		{providers.Need{On: kafka.OnTopic, Name: "theirs", Do: "CREATE"}, providers.No},
		{providers.Need{On: kafka.OnGroup, Name: "loaders", Do: "READ"}, providers.Yes},
		{providers.Need{On: kafka.OnGroup, Name: "others", Do: "READ"}, providers.No},
		{providers.Need{On: kafka.OnCluster, Do: "ALTER"}, providers.No},
	} {
		if got := there.Abilities(within(t, 20*time.Second), []providers.Need{tt.need})[0]; got.May != tt.may {
			t.Errorf("%v: %s (%s), want %s", tt.need, got.May, got.Why, tt.may)
		}
	}
	if _, topics, err := there.Ping(within(t, 20*time.Second)); err != nil || topics != 1 {
		t.Errorf("%d topics after asking, %v", topics, err)
	}
	wrong := there
	wrong.Password = "wrong"
	if got := wrong.Abilities(within(t, 3*time.Second), []providers.Need{{On: kafka.OnCluster, Do: "ALTER"}})[0]; got.May != providers.Unclear || strings.Contains(got.Why, password) {
		t.Errorf("refused: %+v", got)
	}
}

func TestRegistryAbilities(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		switch r.URL.Path {
		case "/mode/frozen":
			_, _ = fmt.Fprint(w, `{"mode":"READONLY"}`)
		case "/mode/prices":
			_, _ = fmt.Fprint(w, `{"mode":"READWRITE"}`)
		case "/subjects/prices/versions":
			_, _ = fmt.Fprint(w, `[1]`)
		case "/subjects/hidden/versions":
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"error_code":40301,"message":"User is denied operation Read on Subject: hidden"}`)
		case "/config":
			_, _ = fmt.Fprint(w, `{"compatibilityLevel":"BACKWARD"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"error_code":40401,"message":"Subject not found."}`)
		}
	}))
	defer s.Close()
	conn := kafka.Connection{RegistryURL: s.URL}
	for need, want := range map[providers.Need]string{
		{Name: "prices", Do: "read"}:     "yes",
		{Name: "new", Do: "read"}:        "yes the subject is not there yet",
		{Name: "hidden", Do: "read"}:     "no list the versions: User is denied",
		{Name: "prices", Do: "register"}: "unknown the mode is READWRITE",
		{Name: "frozen", Do: "register"}: "no the mode is READONLY",
		{Do: "compatibility"}:            "yes the level is BACKWARD",
	} {
		got := conn.RegistryAbilities(within(t, 10*time.Second), []providers.Need{need})[0]
		if text := strings.TrimSpace(string(got.May) + " " + got.Why); !strings.HasPrefix(text, want) {
			t.Errorf("%v: %s, want %s", need, text, want)
		}
	}
}

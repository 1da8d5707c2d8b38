package stream

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"mkt/stream/engine"
)

// Topic is a topic as it stands now.
type Topic struct {
	Name       string
	ID         string // the incarnation: a re-created topic has another
	Partitions []int32
}

// merged is librdkafka properties, later ones over earlier ones.
func merged(layers ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, l := range layers {
		maps.Copy(out, l)
	}
	return out
}

// configMap is merged for the public Go client, whose own properties ("go.…")
// are booleans, not text.
func configMap(layers ...map[string]string) *kafka.ConfigMap {
	out := kafka.ConfigMap{}
	for k, v := range merged(layers...) {
		out[k] = v
		if strings.HasPrefix(k, "go.") {
			out[k] = v == "true"
		}
	}
	return &out
}

// logged sends what librdkafka logs to slog at debug level instead of standard
// error.
func logged(conf *kafka.ConfigMap) *kafka.ConfigMap {
	drainLogs()
	(*conf)["go.logs.channel.enable"] = true
	(*conf)["go.logs.channel"] = clientLogs
	return conf
}

var (
	clientLogs = make(chan kafka.LogEvent, 1000)
	drainLogs  = sync.OnceFunc(func() {
		go func() {
			for e := range clientLogs {
				slog.Debug("librdkafka", "client", e.Name, "tag", e.Tag, "level", e.Level, "message", e.Message)
			}
		}()
	})
)

// quiet keeps librdkafka's log short: what matters comes back as errors.
var quiet = map[string]string{"log_level": "0", "client.id": "mkt"}

// NewAdmin opens an admin client with the properties given.
func NewAdmin(props map[string]string) (*kafka.AdminClient, error) {
	a, err := kafka.NewAdminClient(logged(configMap(quiet, props)))
	if err != nil {
		return nil, fmt.Errorf("kafka admin client: %w", err)
	}
	return a, nil
}

// ErrNoTopic says that a topic does not exist.
var ErrNoTopic = errors.New("the topic does not exist")

// DescribeTopic reads the id and partitions of a topic, trying again while
// the brokers cannot be reached, for at most contactLimit.
func DescribeTopic(ctx context.Context, admin *kafka.AdminClient, name string) (Topic, error) {
	t, err := retry(ctx, answerLimit, func(ctx context.Context) (Topic, error) {
		res, err := admin.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames([]string{name}))
		if err != nil {
			return Topic{}, err
		}
		d := res.TopicDescriptions[0]
		switch d.Error.Code() {
		case kafka.ErrNoError:
		case kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic:
			return Topic{}, ErrNoTopic
		default:
			return Topic{}, d.Error
		}
		out := Topic{Name: name, ID: topicID(d.TopicID)}
		for _, p := range d.Partitions {
			out.Partitions = append(out.Partitions, int32(p.Partition))
		}
		return out, nil
	})
	if err != nil {
		return t, fmt.Errorf("describe topic %q: %w", name, err)
	}
	return t, nil
}

// topicID is Kafka's own text form of a UUID: base64, URL-safe, no padding.
func topicID(id kafka.UUID) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(id.GetMostSignificantBits()))
	binary.BigEndian.PutUint64(b[8:], uint64(id.GetLeastSignificantBits()))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Offsets is where the partitions of a topic start and end. Committed is the
// end as a reader of committed records sees it.
type Offsets struct{ Start, Committed map[int32]int64 }

// TopicOffsets reads the bounds of all partitions of t.
func TopicOffsets(ctx context.Context, admin *kafka.AdminClient, t Topic) (Offsets, error) {
	start, err := listOffsets(ctx, admin, t, kafka.EarliestOffsetSpec, kafka.IsolationLevelReadCommitted)
	if err != nil {
		return Offsets{}, err
	}
	end, err := listOffsets(ctx, admin, t, kafka.LatestOffsetSpec, kafka.IsolationLevelReadCommitted)
	return Offsets{start, end}, err
}

// settledOffsets is TopicOffsets once no transaction is open that was so when
// this was called. Until then records that are committed already may lie behind
// one of another producer that is open, and a reader does not see them. It waits
// as long as a broker lets a transaction stay open unless told otherwise.
func settledOffsets(ctx context.Context, admin *kafka.AdminClient, t Topic) (Offsets, error) {
	ends, err := topicEnds(ctx, admin, t)
	if err != nil {
		return Offsets{}, err
	}
	for until := time.Now().Add(2 * rpcLimit); ; {
		bounds, err := TopicOffsets(ctx, admin, t)
		if err != nil {
			return bounds, err
		}
		hidden := int32(-1)
		for p, end := range ends {
			if bounds.Committed[p] < end {
				hidden = p
			}
		}
		if hidden < 0 {
			return bounds, nil
		}
		if time.Now().After(until) {
			return bounds, fmt.Errorf("topic %q, partition %d: a transaction of another producer stays open at offset %d, and hides what was"+
				" committed behind it; run again when it has ended", t.Name, hidden, bounds.Committed[hidden])
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return bounds, err
		}
	}
}

// topicEnds reads where the partitions of t end, open transactions included. Kafka answers a commit before its markers are
// in the log (KIP-98): the end of what is committed may still lie before records that a producer was told are.
func topicEnds(ctx context.Context, admin *kafka.AdminClient, t Topic) (map[int32]int64, error) {
	return listOffsets(ctx, admin, t, kafka.LatestOffsetSpec, kafka.IsolationLevelReadUncommitted)
}

func listOffsets(ctx context.Context, admin *kafka.AdminClient, t Topic, spec kafka.OffsetSpec, isolation kafka.IsolationLevel) (map[int32]int64, error) {
	ask := map[kafka.TopicPartition]kafka.OffsetSpec{}
	for _, p := range t.Partitions {
		ask[kafka.TopicPartition{Topic: &t.Name, Partition: p}] = spec
	}
	out, err := retry(ctx, answerLimit, func(ctx context.Context) (map[int32]int64, error) {
		res, err := admin.ListOffsets(ctx, ask, kafka.SetAdminIsolationLevel(isolation))
		if err != nil {
			return nil, err
		}
		out := map[int32]int64{}
		for tp, info := range res.ResultInfos {
			if info.Error.Code() != kafka.ErrNoError {
				// The client would ask again with the leader that it knows, who may be gone.
				_, _ = admin.GetMetadata(&t.Name, false, 5000)
				return nil, info.Error
			}
			out[tp.Partition] = int64(info.Offset)
		}
		return out, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets of topic %q: %w", t.Name, err)
	}
	return out, nil
}

// retry calls f, each time with the limit given, until it succeeds, fails for
// good, or contactLimit is over.
func retry[T any](ctx context.Context, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	return backoff.Retry(ctx, func() (T, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		v, err := f(ctx)
		if err != nil && !transient(err) {
			return v, backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(&backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond,
		RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 5 * time.Second}), backoff.WithMaxElapsedTime(contactLimit))
}

// explain says in words what a broker's refusal or its silence can mean.
func explain(props map[string]string, err error) error {
	switch {
	case err == nil:
	case refusal(err):
		return fmt.Errorf("kafka refuses %s: %w", credential(props), err)
	case transient(err):
		return fmt.Errorf("no broker of %q answers: it cannot be reached, or refuses the credential: %w", props["bootstrap.servers"], err)
	}
	return err
}

// refusal says whether brokers, or who gives tokens, do not let the credential
// in, or not do what was asked.
func refusal(err error) bool {
	var ke kafka.Error
	if !errors.As(err, &ke) {
		return false
	}
	switch ke.Code() {
	case kafka.ErrAuthentication, kafka.ErrSaslAuthenticationFailed, kafka.ErrTopicAuthorizationFailed, kafka.ErrGroupAuthorizationFailed,
		kafka.ErrClusterAuthorizationFailed, kafka.ErrTransactionalIDAuthorizationFailed:
		return true
	}
	return false
}

// credential names what signs in, and no secret.
func credential(props map[string]string) string {
	switch mechanism := cmp.Or(props["sasl.mechanism"], props["sasl.mechanisms"]); {
	case !strings.HasPrefix(strings.ToUpper(props["security.protocol"]), "SASL_") && props["ssl.certificate.location"] != "":
		return fmt.Sprintf("the credential, the certificate %s", props["ssl.certificate.location"])
	case !strings.HasPrefix(strings.ToUpper(props["security.protocol"]), "SASL_"):
		return "a client without a credential"
	case props["sasl.oauthbearer.token.endpoint.url"] != "":
		return fmt.Sprintf("the credential of client %q (%s, tokens of %s)", props["sasl.oauthbearer.client.id"], mechanism, props["sasl.oauthbearer.token.endpoint.url"])
	default:
		return fmt.Sprintf("the credential of user %q (%s)", props["sasl.username"], mechanism)
	}
}

// transient says whether an error of Kafka may pass by itself. A refused
// credential is none, and its message names the broker, not the secret.
func transient(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var ee *engine.Error
	if errors.As(err, &ee) && (ee.Abort || ee.Fatal || ee.Retriable) {
		return ee.Retriable && !ee.Abort && !ee.Fatal
	}
	var ke kafka.Error
	if !errors.As(err, &ke) || ke.IsFatal() || ke.TxnRequiresAbort() {
		return false
	}
	if ke.IsRetriable() || ke.IsTimeout() {
		return true
	}
	switch ke.Code() {
	case kafka.ErrTransport, kafka.ErrDestroyBroker, kafka.ErrAllBrokersDown, kafka.ErrResolve, kafka.ErrTimedOut, kafka.ErrTimedOutQueue,
		kafka.ErrCoordinatorLoadInProgress, kafka.ErrCoordinatorNotAvailable, kafka.ErrNotCoordinator,
		kafka.ErrLeaderNotAvailable, kafka.ErrNotLeaderForPartition, kafka.ErrRequestTimedOut,
		kafka.ErrFencedLeaderEpoch, kafka.ErrUnknownLeaderEpoch, kafka.ErrOffsetNotAvailable, // while a leader is replaced
		kafka.ErrNetworkException, kafka.ErrConcurrentTransactions, kafka.ErrUnstableOffsetCommit, kafka.ErrWaitCoord:
		return true
	}
	return false
}

// ensureTopic creates a topic of one partition when it is missing.
func ensureTopic(ctx context.Context, admin *kafka.AdminClient, name string) error {
	_, err := DescribeTopic(ctx, admin, name)
	if !errors.Is(err, ErrNoTopic) {
		return err
	}
	_, err = retry(ctx, answerLimit, func(ctx context.Context) (struct{}, error) {
		res, err := admin.CreateTopics(ctx, []kafka.TopicSpecification{{Topic: name, NumPartitions: 1, ReplicationFactor: -1}})
		if err != nil {
			return struct{}{}, err
		}
		if e := res[0].Error; e.Code() != kafka.ErrNoError && e.Code() != kafka.ErrTopicAlreadyExists {
			return struct{}{}, e
		}
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("create dead-letter topic %q: %w", name, err)
	}
	// A topic is known to all brokers only a little later.
	_, err = retry(ctx, answerLimit, func(ctx context.Context) (Topic, error) {
		t, err := DescribeTopic(ctx, admin, name)
		if errors.Is(err, ErrNoTopic) {
			err = context.DeadlineExceeded
		}
		return t, err
	})
	return err
}

// usesNewProtocol says whether the properties ask for KIP-848 groups, which
// set their own timeouts and strategy.
func usesNewProtocol(props map[string]string) bool {
	return strings.EqualFold(props["group.protocol"], "consumer")
}

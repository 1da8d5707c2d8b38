package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// everywhereFor bounds the wait for the slowest broker. What does not show by then is left to it.
const everywhereFor = 10 * time.Second

// everywhere waits until every broker shows the changes. The brokers learn of them from the controller one after the other, and
// librdkafka asks any of them: without this, a plan right after an apply may find a topic as it was before. One request to
// each broker is enough, since each learns of everything in the same order: that for what was done last. A broker that does not
// answer is passed over; the error is that of one that refuses to.
func (t *topics) everywhere(ctx context.Context, changes []providers.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var described, configured []providers.Change
	for _, ch := range changes {
		if settingsLast(ch) {
			configured = append(configured, ch)
		} else {
			described = append(described, ch)
		}
	}
	return t.second.onEach(ctx, func(ctx context.Context, broker *kgo.Broker) error {
		policy := backoff.NewExponentialBackOff()
		policy.InitialInterval, policy.MaxInterval = 20*time.Millisecond, time.Second
		_, err := backoff.Retry(ctx, func() (struct{}, error) {
			shows, err := describes(ctx, broker, described)
			if err == nil && shows {
				shows, err = configures(ctx, broker, configured)
			}
			switch {
			case err != nil:
				return struct{}{}, backoff.Permanent(err)
			case !shows:
				return struct{}{}, errors.New("the broker does not show the change yet")
			}
			return struct{}{}, nil
		}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(everywhereFor))
		return err
	})
}

// onEach calls fn for every broker at once, if there are several, for at most everywhereFor. The error is that of a broker that
// refuses; what others fail with is left to them.
func (s *second) onEach(ctx context.Context, fn func(context.Context, *kgo.Broker) error) error {
	ctx, cancel := context.WithTimeout(ctx, everywhereFor)
	defer cancel()
	brokers, err := askSecond(ctx, s, "list the brokers", func(ctx context.Context, a *kadm.Client) (kadm.BrokerDetails, error) { return a.ListBrokers(ctx) })
	if err != nil || len(brokers) < 2 {
		slog.Debug("not asked of every broker", "component", "kafka", "brokers", len(brokers), "error", err)
		return nil
	}
	return errors.Join(providers.Each(ctx, len(brokers), brokers, func(ctx context.Context, b kadm.BrokerDetail) error {
		err := fn(ctx, s.client.Broker(int(b.NodeID)))
		if err != nil {
			slog.Debug("a broker does not show the change", "component", "kafka", "broker", b.NodeID, "error", err)
		}
		if providers.CodeOf(err) != providers.Denied {
			err = nil
		}
		return err
	})...)
}

// settingsLast tells whether settings are the last thing that Update did of a change.
func settingsLast(ch providers.Change) bool {
	if ch.Before == cty.NilVal || ch.After == cty.NilVal || maps.Equal(settings(ch.Before), settings(ch.After)) {
		return false
	}
	return number(ch.After.GetAttr(factorAttr), 0) >= number(ch.Before.GetAttr(factorAttr), 0)
}

// refusal is the error of a topic that one broker may not tell of.
func refusal(code int16) error {
	if err := franzError("look at the topic on every broker", kerr.ErrorForCode(code), ""); providers.CodeOf(err) == providers.Denied {
		return err
	}
	return nil
}

// describes asks one broker whether it shows partitions and replicas, or none.
func describes(ctx context.Context, broker *kgo.Broker, changes []providers.Change) (bool, error) {
	if len(changes) == 0 {
		return true, nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for _, ch := range changes {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(ch.ID)
		req.Topics = append(req.Topics, topic)
	}
	resp, err := req.RequestWith(ctx, broker)
	if err != nil {
		return false, err
	}
	topics := map[string]kmsg.MetadataResponseTopic{}
	for _, topic := range resp.Topics {
		if err := refusal(topic.ErrorCode); err != nil {
			return false, err
		}
		if topic.Topic != nil && topic.ErrorCode != kerr.UnknownTopicOrPartition.Code {
			topics[*topic.Topic] = topic
		}
	}
	for _, ch := range changes {
		topic, there := topics[ch.ID]
		if gone := ch.After == cty.NilVal; gone == there {
			return false, nil
		} else if gone {
			continue
		}
		if len(topic.Partitions) != number(ch.After.GetAttr("partitions"), len(topic.Partitions)) {
			return false, nil
		}
		for _, p := range topic.Partitions {
			if len(p.Replicas) != number(ch.After.GetAttr(factorAttr), len(p.Replicas)) {
				return false, nil
			}
		}
	}
	return true, nil
}

// configures asks one broker whether it shows settings.
func configures(ctx context.Context, broker *kgo.Broker, changes []providers.Change) (bool, error) {
	if len(changes) == 0 {
		return true, nil
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, ch := range changes {
		resource := kmsg.NewDescribeConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, ch.ID
		req.Resources = append(req.Resources, resource)
	}
	resp, err := req.RequestWith(ctx, broker)
	if err != nil {
		return false, err
	}
	byName := map[string]map[string]string{}
	for _, r := range resp.Resources {
		if err := refusal(r.ErrorCode); err != nil {
			return false, err
		}
		if r.ErrorCode != 0 {
			continue
		}
		byName[r.ResourceName] = map[string]string{}
		for _, c := range r.Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig && c.Value != nil {
				byName[r.ResourceName][c.Name] = normSetting(c.Name, *c.Value)
			}
		}
	}
	for _, ch := range changes {
		if now, there := byName[ch.ID]; !there || !showsSettings(ch, now) {
			return false, nil
		}
	}
	return true, nil
}

// awaitShown polls until every broker tells of the changes without an error as shows wants it: the brokers learn of them from the
// controller one after the other. all gives states by ID, none for what does not exist, as the broker asked knows them; one that
// does not answer is passed over. What was made and cannot be looked at is given as it was wanted, with the error: it is there, also if
// the next broker to be asked does not know of it yet. noun is for messages.
func awaitShown(ctx context.Context, s *second, noun string, changes []providers.Change, errs []error,
	all func(context.Context, kmsg.Requestor) (map[string]cty.Value, error), shows func(ch providers.Change, state cty.Value) bool) []providers.Result {
	results := make([]providers.Result, len(changes))
	await := func(ctx context.Context, broker kmsg.Requestor) (map[string]cty.Value, error) {
		policy := backoff.NewExponentialBackOff()
		policy.InitialInterval, policy.MaxInterval = 20*time.Millisecond, time.Second
		return backoff.Retry(ctx, func() (map[string]cty.Value, error) {
			found, err := all(ctx, broker)
			if err != nil {
				return nil, backoff.Permanent(err)
			}
			for i, ch := range changes {
				if errs[i] == nil && !shows(ch, found[ch.ID]) {
					return nil, errors.New("the brokers took the change and do not show it")
				}
			}
			return found, nil
		}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(providers.LimitsOf(ctx).Retry))
	}
	var found map[string]cty.Value
	var err error
	if slices.ContainsFunc(errs, func(err error) bool { return err == nil }) {
		if found, err = await(ctx, s.client); err == nil {
			err = s.onEach(ctx, func(ctx context.Context, broker *kgo.Broker) error {
				_, err := await(ctx, broker)
				return err
			})
		}
	}
	for i, ch := range changes {
		if results[i].Err = errs[i]; errs[i] == nil && err != nil {
			results[i] = providers.Result{State: ch.After, Err: fmt.Errorf("%s %s: %w", noun, ch.ID, err)}
		}
		if results[i].Err == nil {
			results[i].State = found[ch.ID]
		}
	}
	return results
}

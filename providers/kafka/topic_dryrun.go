package kafka

import (
	"context"
	"maps"
	"slices"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// DryRun implements providers.DryRunner: the requests of Create and Update with validate_only, one for each kind of change.
// It is asked once, since a plan goes on without an answer.
func (t *topics) DryRun(ctx context.Context, changes []providers.Change) []error {
	errs := make([]error, len(changes))
	ctx, cancel := context.WithTimeout(ctx, providers.CallTimeout)
	defer cancel()
	ask := func(want func(providers.Change) bool, do func(context.Context, []providers.Change) ([]error, error)) {
		var at []int
		var chosen []providers.Change
		for i, ch := range changes {
			// Unknown numbers are the cluster's own, as far as a question goes.
			if ch.After.GetAttr("config").IsWhollyKnown() && errs[i] == nil && want(ch) {
				at, chosen = append(at, i), append(chosen, ch)
			}
		}
		if len(chosen) == 0 {
			return
		}
		answers, err := do(ctx, chosen)
		for j, i := range at {
			errs[i] = oneError(answers, j, err)
		}
	}
	ask(func(ch providers.Change) bool { return ch.Before == cty.NilVal }, t.tryCreate)
	ask(func(ch providers.Change) bool {
		return ch.Before != cty.NilVal && number(ch.After.GetAttr("partitions"), -1) > number(ch.Before.GetAttr("partitions"), -1)
	}, t.tryGrow)
	ask(func(ch providers.Change) bool {
		return ch.Before != cty.NilVal && !maps.Equal(settings(ch.Before), settings(ch.After))
	}, t.tryConfigure)
	return errs
}

func (t *topics) tryCreate(ctx context.Context, some []providers.Change) ([]error, error) {
	specs := make([]ck.TopicSpecification, len(some))
	for i, ch := range some {
		specs[i] = ck.TopicSpecification{
			Topic:             ch.ID,
			NumPartitions:     number(ch.After.GetAttr("partitions"), -1),
			ReplicationFactor: number(ch.After.GetAttr("replication_factor"), -1),
			Config:            settings(ch.After),
		}
	}
	return ask(ctx, t.cluster, "validate topics", func(ctx context.Context, a *ck.AdminClient) ([]error, error) {
		res, err := a.CreateTopics(ctx, specs, ck.SetAdminValidateOnly(true), ck.SetAdminRequestTimeout(left(ctx)))
		return topicErrors("create topic", some, res), err
	})
}

func (t *topics) tryGrow(ctx context.Context, some []providers.Change) ([]error, error) {
	specs := make([]ck.PartitionsSpecification, len(some))
	for i, ch := range some {
		specs[i] = ck.PartitionsSpecification{Topic: ch.ID, IncreaseTo: number(ch.After.GetAttr("partitions"), -1)}
	}
	return ask(ctx, t.cluster, "validate partitions", func(ctx context.Context, a *ck.AdminClient) ([]error, error) {
		res, err := a.CreatePartitions(ctx, specs, ck.SetAdminValidateOnly(true), ck.SetAdminRequestTimeout(left(ctx)))
		return topicErrors("add partitions to topic", some, res), err
	})
}

// tryConfigure leaves out the policy, which some clusters take in two steps only: see configure.
func (t *topics) tryConfigure(ctx context.Context, some []providers.Change) ([]error, error) {
	resources := make([]ck.ConfigResource, len(some))
	for i, ch := range some {
		before, after := settings(ch.Before), settings(ch.After)
		resources[i] = ck.ConfigResource{Type: ck.ResourceTopic, Name: ch.ID}
		for _, key := range slices.Sorted(maps.Keys(after)) {
			if key != policy && before[key] != after[key] {
				resources[i].Config = append(resources[i].Config, ck.ConfigEntry{Name: key, Value: after[key], IncrementalOperation: ck.AlterConfigOpTypeSet})
			}
		}
	}
	at := slices.DeleteFunc(slices.Clone(resources), func(r ck.ConfigResource) bool { return len(r.Config) == 0 })
	if len(at) == 0 {
		return make([]error, len(some)), nil
	}
	return ask(ctx, t.cluster, "validate topic settings", func(ctx context.Context, a *ck.AdminClient) ([]error, error) {
		res, err := a.IncrementalAlterConfigs(ctx, at, ck.SetAdminValidateOnly(true), ck.SetAdminRequestTimeout(left(ctx)))
		byName := map[string]error{}
		for _, r := range res {
			byName[r.Name] = kafkaError("alter the settings of topic \""+r.Name+"\"", r.Error)
		}
		errs := make([]error, len(some))
		for i, ch := range some {
			errs[i] = byName[ch.ID]
		}
		return errs, err
	})
}

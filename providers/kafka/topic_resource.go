package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/dustin/go-humanize"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"mkt/providers"
)

// What the client makes of the answer is many times what is kept of it, so one question is about so many topics.
const (
	topicsADescribe = 1000
	describesAtOnce = 2
)

// topics manages kafka_topic. A batch is one request for each kind of question:
// all descriptions, all settings, all creations, and so on.
type topics struct{ *cluster }

// Complete implements providers.Resource; a topic's defaults are the cluster's.
func (t *topics) Complete(v cty.Value) (cty.Value, error) { return v, nil }

// Read implements providers.Resource: for topicsADescribe topics one request for the descriptions and one for the
// settings.
func (t *topics) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	readings := make([]providers.Reading, len(refs))
	var parts errgroup.Group
	parts.SetLimit(describesAtOnce)
	for at := 0; at < len(refs); at += topicsADescribe {
		end := min(at+topicsADescribe, len(refs))
		parts.Go(func() error {
			t.readPart(ctx, refs[at:end], readings[at:end])
			return nil
		})
	}
	_ = parts.Wait()
	return readings
}

func (t *topics) readPart(ctx context.Context, refs []providers.Ref, readings []providers.Reading) {
	names := make([]string, len(refs))
	for i, ref := range refs {
		names[i] = ref.ID
	}
	states, err := retry(ctx, func(ctx context.Context) (map[string]topicState, error) { return t.describe(ctx, names) })
	for i, name := range names {
		s := states[name]
		if err != nil {
			s = topicState{err: err}
		}
		readings[i] = providers.Reading{State: s.value, Incarnation: s.id, Err: s.err}
	}
}

// Create implements providers.Resource: one request for all.
func (t *topics) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	// A topic whose creation got no answer may exist when we ask again; it is
	// ours if it is what we asked for.
	doubt := map[string]bool{}
	errs := batch(ctx, changes, func(ctx context.Context, some []providers.Change) ([]error, error) {
		specs := make([]ck.TopicSpecification, len(some))
		for i, ch := range some {
			specs[i] = ck.TopicSpecification{
				Topic:             ch.ID,
				NumPartitions:     number(ch.After.GetAttr("partitions"), -1),
				ReplicationFactor: number(ch.After.GetAttr("replication_factor"), -1),
				Config:            settings(ch.After),
			}
		}
		answers, err := ask(ctx, t.cluster, "create topics", func(ctx context.Context, a *ck.AdminClient) ([]error, error) {
			res, err := a.CreateTopics(ctx, specs, ck.SetAdminOperationTimeout(left(ctx)), ck.SetAdminRequestTimeout(left(ctx)))
			return topicErrors("create topic", some, res), err
		})
		for i, ch := range some {
			switch one := oneError(answers, i, err); {
			case providers.CodeOf(one) == providers.Unavailable:
				doubt[ch.ID] = true
			case providers.CodeOf(one) == providers.Exists && doubt[ch.ID]:
				answers[i] = nil
			}
		}
		return answers, err
	})
	return t.await(ctx, changes, errs, func(ch providers.Change, s topicState) bool {
		return shows(ch, s.value)
	})
}

// Update implements providers.Resource: one request for all new partitions, one
// for all settings, one for all replicas. Copies come before settings that may need
// them (min.insync.replicas), and go after those that may have needed them.
func (t *topics) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	errs := make([]error, len(changes))
	t.refactor(ctx, changes, errs, func(before, after int) bool { return after > before })
	t.some(ctx, changes, errs, func(ch providers.Change) bool {
		return number(ch.After.GetAttr("partitions"), -1) > number(ch.Before.GetAttr("partitions"), -1)
	}, t.grow)
	altered := func(ch providers.Change) bool { return !maps.Equal(settings(ch.Before), settings(ch.After)) }
	t.some(ctx, changes, errs, altered, t.configure)
	t.refactor(ctx, changes, errs, func(before, after int) bool { return after < before })
	return t.await(ctx, changes, errs, func(ch providers.Change, s topicState) bool {
		return shows(ch, s.value)
	})
}

// Delete implements providers.Resource: one request for all.
func (t *topics) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	errs := batch(ctx, changes, func(ctx context.Context, some []providers.Change) ([]error, error) {
		answers, err := ask(ctx, t.cluster, "delete topics", func(ctx context.Context, a *ck.AdminClient) ([]error, error) {
			res, err := a.DeleteTopics(ctx, ids(some), ck.SetAdminOperationTimeout(left(ctx)), ck.SetAdminRequestTimeout(left(ctx)))
			return topicErrors("delete topic", some, res), err
		})
		for i := range answers {
			if providers.CodeOf(answers[i]) == providers.NotFound {
				answers[i] = nil
			}
		}
		return answers, err
	})
	return t.await(ctx, changes, errs, func(_ providers.Change, s topicState) bool { return s.value == cty.NilVal })
}

// some calls do for those changes that want it and have no error yet.
func (t *topics) some(ctx context.Context, changes []providers.Change, errs []error, want func(providers.Change) bool,
	do func(context.Context, []providers.Change) ([]error, error)) {
	var at []int
	var chosen []providers.Change
	for i, ch := range changes {
		if errs[i] == nil && want(ch) {
			at, chosen = append(at, i), append(chosen, ch)
		}
	}
	if len(chosen) == 0 {
		return
	}
	for j, err := range batch(ctx, chosen, do) {
		errs[at[j]] = err
	}
}

// grow adds partitions. A topic that has them already (an answer was lost) is done.
func (t *topics) grow(ctx context.Context, some []providers.Change) ([]error, error) {
	return ask(ctx, t.cluster, "add partitions", func(ctx context.Context, a *ck.AdminClient) ([]error, error) {
		specs := make([]ck.PartitionsSpecification, len(some))
		for i, ch := range some {
			specs[i] = ck.PartitionsSpecification{Topic: ch.ID, IncreaseTo: number(ch.After.GetAttr("partitions"), -1)}
		}
		res, err := a.CreatePartitions(ctx, specs, ck.SetAdminOperationTimeout(left(ctx)), ck.SetAdminRequestTimeout(left(ctx)))
		errs := topicErrors("add partitions to topic", some, res)
		if slices.ContainsFunc(res, func(r ck.TopicResult) bool { return r.Error.Code() == ck.ErrInvalidPartitions }) {
			now, describeErr := t.describe(ctx, ids(some))
			for i, ch := range some {
				if describeErr == nil && now[ch.ID].value != cty.NilVal && now[ch.ID].value.GetAttr("partitions").RawEquals(ch.After.GetAttr("partitions")) {
					errs[i] = nil
				}
			}
		}
		return errs, err
	})
}

// configure sends the settings that differ. Confluent Cloud takes the step from
// delete to compact,delete only by way of compact.
func (t *topics) configure(ctx context.Context, some []providers.Change) ([]error, error) {
	errs, err := t.alter(ctx, some, func(ch providers.Change) map[string]string { return settings(ch.After) })
	var at []int
	var stepped []providers.Change
	for i, ch := range some {
		if err == nil && providers.CodeOf(errs[i]) == providers.Invalid && settings(ch.After)[policy] == "compact,delete" && settings(ch.Before)[policy] != "compact" {
			at, stepped = append(at, i), append(stepped, ch)
		}
	}
	if len(stepped) == 0 {
		return errs, err
	}
	first, err := t.alter(ctx, stepped, func(ch providers.Change) map[string]string {
		step := maps.Clone(settings(ch.Before))
		step[policy] = "compact"
		return step
	})
	if err != nil {
		return errs, err
	}
	second, err := t.alter(ctx, stepped, func(ch providers.Change) map[string]string { return settings(ch.After) })
	for j, i := range at {
		if first[j] == nil { // else the first refusal stands
			errs[i] = oneError(second, j, err)
		}
	}
	return errs, nil
}

const policy = "cleanup.policy"

func (t *topics) alter(ctx context.Context, some []providers.Change, want func(providers.Change) map[string]string) ([]error, error) {
	resources := make([]ck.ConfigResource, len(some))
	for i, ch := range some {
		before, after := settings(ch.Before), want(ch)
		r := ck.ConfigResource{Type: ck.ResourceTopic, Name: ch.ID}
		for _, key := range slices.Sorted(maps.Keys(after)) {
			if old, ok := before[key]; !ok || old != after[key] || key == policy {
				r.Config = append(r.Config, ck.ConfigEntry{Name: key, Value: after[key], IncrementalOperation: ck.AlterConfigOpTypeSet})
			}
		}
		for _, key := range slices.Sorted(maps.Keys(before)) {
			if _, ok := after[key]; !ok {
				r.Config = append(r.Config, ck.ConfigEntry{Name: key, IncrementalOperation: ck.AlterConfigOpTypeDelete})
			}
		}
		resources[i] = r
	}
	return ask(ctx, t.cluster, "alter topic settings", func(ctx context.Context, a *ck.AdminClient) ([]error, error) {
		res, err := a.IncrementalAlterConfigs(ctx, resources, ck.SetAdminRequestTimeout(left(ctx)))
		byName := map[string]error{}
		for _, r := range res {
			byName[r.Name] = kafkaError(fmt.Sprintf("alter the settings of topic %q", r.Name), r.Error)
		}
		errs := make([]error, len(some))
		for i, ch := range some {
			errs[i] = byName[ch.ID]
		}
		return errs, err
	})
}

// await reads the topics without an error until each shows what was done: the
// brokers' answers lag behind the controller.
func (t *topics) await(ctx context.Context, changes []providers.Change, errs []error, shown func(providers.Change, topicState) bool) []providers.Result {
	results := make([]providers.Result, len(changes))
	waiting := map[int]bool{}
	for i, err := range errs {
		results[i].Err = err
		if err == nil {
			waiting[i] = true
		}
	}
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = 20*time.Millisecond, time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if len(waiting) == 0 {
			return struct{}{}, nil
		}
		at := slices.Sorted(maps.Keys(waiting))
		names := make([]string, len(at))
		for j, i := range at {
			names[j] = changes[i].ID
		}
		callCtx, cancel := context.WithTimeout(ctx, providers.LimitsOf(ctx).Call)
		defer cancel()
		states, err := t.describe(callCtx, names)
		if err != nil {
			if !providers.Transient(err) {
				err = backoff.Permanent(err)
			}
			return struct{}{}, err
		}
		for _, i := range at {
			if s := states[changes[i].ID]; s.err != nil || shown(changes[i], s) {
				results[i].State, results[i].Incarnation = s.value, s.id
				if s.err != nil {
					results[i].Err = unseen(fmt.Sprintf("topic %q: the broker", changes[i].ID), s.err)
				}
				delete(waiting, i)
			}
		}
		if len(waiting) > 0 {
			return struct{}{}, errors.New("the change does not show yet")
		}
		return struct{}{}, nil
	}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(providers.LimitsOf(ctx).Retry))
	var at []int
	var done []providers.Change
	for i := range results {
		if results[i].Err == nil && !waiting[i] {
			at, done = append(at, i), append(done, changes[i])
		}
	}
	if err := t.everywhere(ctx, done); err != nil {
		for _, i := range at {
			results[i].Err = err
		}
	}
	for i := range waiting {
		results[i].Err = &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("topic %q: the broker took the change and does not show it: %w", changes[i].ID, err),
			Hint: "Run apply again; it goes on from what is there."}
	}
	return results
}

// unseen is the error of a change that was taken and that one of the servers does not let be looked at. who took it is for the message.
func unseen(who string, err error) error {
	return unsettled(fmt.Errorf("%s took the change and it could not be read back: %w", who, err))
}

// unsettled keeps an error from saying that there is nothing, also if the next server to be asked does not know of the object yet.
func unsettled(err error) error {
	e := &providers.Error{Code: providers.Unknown, Err: err}
	if d := providers.Detail(err); d != nil {
		e.Path, e.Hint = d.Path, d.Hint
	}
	return e
}

// Holds implements providers.Holder: the records between the first and the last
// offset of every partition, in two requests to each leader.
func (t *topics) Holds(ctx context.Context, refs []providers.Ref) []providers.Holding {
	names := make([]string, len(refs))
	for i, ref := range refs {
		names[i] = ref.ID
	}
	counts, err := retry(ctx, func(ctx context.Context) (map[string]int64, error) { return t.records(ctx, names) })
	holdings := make([]providers.Holding, len(refs))
	for i, name := range names {
		holdings[i].Err = err
		if n := counts[name]; n == 1 {
			holdings[i].Loss = "1 record"
		} else if n > 1 {
			holdings[i].Loss = humanize.Comma(n) + " records"
		}
	}
	return holdings
}

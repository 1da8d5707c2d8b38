package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// reassignFor bounds how long one apply waits for replicas to be copied. The brokers go on without it.
var reassignFor = 30 * time.Minute

// replicaBroker is a broker that can hold replicas; rack is "" where none is known.
type replicaBroker struct {
	id   int32
	rack string
}

// replicaSet is where one partition lies. The first replica is the preferred leader.
type replicaSet struct {
	leader           int32
	replicas, inSync []int32
}

// assign returns the replicas that a partition has with another factor. What it keeps, it keeps in order, so that the
// preferred leader stays. New replicas go to racks that the partition does not have, then to the brokers that hold least
// (load, which assign keeps), then to the next in order of ids. Those that go are the ones out of sync, then those that share
// a rack, then the last ones; never the leader. Brokers are in order of ids.
func assign(p replicaSet, factor int, brokers []replicaBroker, load map[int32]int) []int32 {
	rack := map[int32]string{}
	for _, b := range brokers {
		rack[b.id] = b.rack
	}
	sharing := func(replicas []int32, id int32) int { // how many of the replicas are in the broker's rack, itself not counted
		n := 0
		for _, r := range replicas {
			if r != id && rack[r] != "" && rack[r] == rack[id] {
				n++
			}
		}
		return n
	}
	chosen := slices.Clone(p.replicas)
	for len(chosen) > factor {
		worst := slices.MaxFunc(slices.DeleteFunc(slices.Clone(chosen), func(id int32) bool { return id == p.leader && len(chosen) > 1 }), func(a, b int32) int {
			return cmp.Or(
				compareBool(!slices.Contains(p.inSync, a), !slices.Contains(p.inSync, b)),
				cmp.Compare(sharing(chosen, a), sharing(chosen, b)),
				cmp.Compare(slices.Index(chosen, a), slices.Index(chosen, b)),
			)
		})
		chosen = slices.DeleteFunc(chosen, func(id int32) bool { return id == worst })
		load[worst]--
	}
	for len(chosen) < factor {
		free := slices.DeleteFunc(slices.Clone(brokers), func(b replicaBroker) bool { return slices.Contains(chosen, b.id) })
		if len(free) == 0 {
			break
		}
		after := func(id int32) int { // how far behind the preferred leader in the circle of brokers
			at := func(id int32) int {
				return max(slices.IndexFunc(brokers, func(b replicaBroker) bool { return b.id == id }), 0)
			}
			first := 0
			if len(chosen) > 0 {
				first = at(chosen[0])
			}
			return (at(id) - first + len(brokers)) % len(brokers)
		}
		best := slices.MinFunc(free, func(a, b replicaBroker) int {
			return cmp.Or(cmp.Compare(sharing(chosen, a.id), sharing(chosen, b.id)), cmp.Compare(load[a.id], load[b.id]), cmp.Compare(after(a.id), after(b.id)))
		})
		chosen = append(chosen, best.id)
		load[best.id]++
	}
	return chosen
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Refine implements providers.Refiner: a factor that the cluster has too few brokers for is refused at plan.
func (t *topics) Refine(ctx context.Context, changes []providers.Change) []providers.Result {
	results := make([]providers.Result, len(changes))
	var asked bool
	var brokers int
	var err error
	for i, ch := range changes {
		results[i].State = ch.After
		want := number(ch.After.GetAttr(factorAttr), 0)
		if want <= number(ch.Before.GetAttr(factorAttr), 0) {
			continue
		}
		if !asked {
			asked = true
			brokers, err = retry(ctx, t.brokers)
		}
		if results[i].Err = err; err == nil && want > brokers {
			results[i].Err = tooFew(ch.ID, want, brokers)
		}
	}
	return results
}

const factorAttr = "replication_factor"

func tooFew(topic string, want, brokers int) error {
	return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath(factorAttr),
		Err:  fmt.Errorf("topic %q cannot have %d copies: the cluster has %d live brokers", topic, want, brokers),
		Hint: "Each copy is on a broker of its own. Name a smaller replication_factor, or add brokers."}
}

// brokers counts the live ones.
func (t *topics) brokers(ctx context.Context) (int, error) {
	return ask(ctx, t.cluster, "describe the cluster", func(ctx context.Context, a *ck.AdminClient) (int, error) {
		d, err := a.DescribeCluster(ctx, ck.SetAdminRequestTimeout(left(ctx)))
		return len(d.Nodes), err
	})
}

// refactor changes the replication factor of those changes that want it and waits until the replicas are there.
func (t *topics) refactor(ctx context.Context, changes []providers.Change, errs []error, want func(before, after int) bool) {
	wants := func(ch providers.Change) bool {
		after := number(ch.After.GetAttr(factorAttr), 0)
		return after > 0 && want(number(ch.Before.GetAttr(factorAttr), after), after)
	}
	t.some(ctx, changes, errs, wants, t.reassign)
	waiting := map[string]int{}
	for i, ch := range changes {
		if errs[i] == nil && wants(ch) {
			waiting[ch.ID] = i
		}
	}
	for name, err := range t.awaitReassigned(ctx, waiting) {
		errs[waiting[name]] = err
	}
}

// reassign starts what is not under way yet (KIP-455), one request for all topics. It can be called again after its answer
// was lost: a reassignment that ends with the wanted factor is taken for its own.
func (t *topics) reassign(ctx context.Context, some []providers.Change) ([]error, error) {
	if err := t.canReassign(ctx); err != nil {
		return nil, err
	}
	meta, err := askSecond(ctx, t.second, "describe the cluster", func(ctx context.Context, a *kadm.Client) (kadm.Metadata, error) {
		return a.Metadata(ctx, ids(some)...)
	})
	if err != nil {
		return nil, err
	}
	moving, err := t.reassignments(ctx, meta.Topics)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(some))
	var req kadm.AlterPartitionAssignmentsReq
	for i, ch := range some {
		var targets map[int32][]int32
		if targets, errs[i] = targetsOf(ch, meta, moving[ch.ID]); errs[i] == nil {
			for p, replicas := range targets {
				req.Assign(ch.ID, p, replicas)
			}
		}
	}
	answers, err := askSecond(ctx, t.second, "reassign replicas", func(ctx context.Context, a *kadm.Client) (kadm.AlterPartitionAssignmentsResponses, error) {
		return a.AlterPartitionAssignments(ctx, req)
	})
	if err != nil {
		return nil, refusedReassign(err)
	}
	for _, answer := range answers.Sorted() {
		i := slices.IndexFunc(some, func(ch providers.Change) bool { return ch.ID == answer.Topic })
		if i >= 0 && errs[i] == nil {
			errs[i] = refusedReassign(franzError(fmt.Sprintf("reassign the replicas of partition %d of topic %q", answer.Partition, answer.Topic), answer.Err, answer.ErrMessage))
		}
	}
	return errs, nil
}

// targetsOf returns the new replicas of a topic's partitions that need some.
func targetsOf(ch providers.Change, meta kadm.Metadata, moving map[int32]kadm.ListPartitionReassignmentsResponse) (map[int32][]int32, error) {
	topic, factor := meta.Topics[ch.ID], number(ch.After.GetAttr(factorAttr), 0)
	if topic.Err != nil {
		return nil, franzError(fmt.Sprintf("describe topic %q", ch.ID), topic.Err, "")
	}
	if n := number(ch.After.GetAttr("partitions"), 0); factor < number(ch.Before.GetAttr(factorAttr), 0) && len(topic.Partitions) < n {
		return nil, providers.Errorf(providers.Unavailable, "topic %q: %d of %d partitions show yet", ch.ID, len(topic.Partitions), n)
	}
	if factor > len(meta.Brokers) {
		return nil, tooFew(ch.ID, factor, len(meta.Brokers))
	}
	var brokers []replicaBroker
	racks := true
	for _, b := range meta.Brokers {
		racks = racks && b.Rack != nil && *b.Rack != ""
	}
	for _, b := range meta.Brokers {
		broker := replicaBroker{id: b.NodeID}
		if racks { // a rack that only some brokers name says nothing of the others
			broker.rack = *b.Rack
		}
		brokers = append(brokers, broker)
	}
	slices.SortFunc(brokers, func(a, b replicaBroker) int { return cmp.Compare(a.id, b.id) })
	load := map[int32]int{}
	for _, p := range topic.Partitions {
		for _, id := range p.Replicas {
			load[id]++
		}
	}
	targets := map[int32][]int32{}
	for _, p := range topic.Partitions.Sorted() {
		if m, ok := moving[p.Partition]; ok {
			end := slices.DeleteFunc(slices.Clone(m.Replicas), func(id int32) bool { return slices.Contains(m.RemovingReplicas, id) })
			if len(end) == factor {
				continue // ours, from before a kill or a lost answer, or as good as ours
			}
			return nil, &providers.Error{Code: providers.Conflict, Path: cty.GetAttrPath(factorAttr),
				Err:  fmt.Errorf("partition %d of topic %q is being moved to the brokers %v by somebody else", p.Partition, ch.ID, end),
				Hint: "Run apply again when that is done (kafka-reassign-partitions --list shows it), or cancel it first."}
		}
		if len(p.Replicas) != factor {
			targets[p.Partition] = assign(replicaSet{leader: p.Leader, replicas: p.Replicas, inSync: p.ISR}, factor, brokers, load)
		}
	}
	return targets, nil
}

// canReassign refuses brokers older than Kafka 2.4.
func (t *topics) canReassign(ctx context.Context) error {
	versions, err := askSecond(ctx, t.second, "ask what the brokers can do", func(ctx context.Context, a *kadm.Client) (kadm.BrokersApiVersions, error) {
		return a.ApiVersions(ctx)
	})
	for _, v := range versions.Sorted() {
		if _, ok := v.KeyMaxVersion(int16(kmsg.AlterPartitionAssignments)); v.Err == nil && !ok {
			return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath(factorAttr),
				Err:  fmt.Errorf("broker %d does not take reassignments of replicas", v.NodeID),
				Hint: "Kafka takes them since 2.4, and some services never do. Set replication_factor to what the topic has."}
		}
	}
	return err
}

// refusedReassign says whose decision a refusal is.
func refusedReassign(err error) error {
	e := providers.Detail(err)
	if e == nil {
		return err
	}
	e.Path = cty.GetAttrPath(factorAttr)
	if e.Code == providers.Denied || e.Code == providers.Invalid {
		e.Hint = "To change replication_factor, the user needs the rights Describe and Alter on the cluster. Managed services such as Confluent Cloud place " +
			"replicas themselves and give these rights to nobody: set replication_factor to what the topic has there."
	}
	return err
}

// reassignments lists those under way by topic and partition.
func (t *topics) reassignments(ctx context.Context, topics kadm.TopicDetails) (kadm.ListPartitionReassignmentsResponses, error) {
	moving, err := askSecond(ctx, t.second, "list reassignments", func(ctx context.Context, a *kadm.Client) (kadm.ListPartitionReassignmentsResponses, error) {
		set := kadm.TopicsSet{}
		for _, topic := range topics {
			for p := range topic.Partitions {
				set.Add(topic.Topic, p)
			}
		}
		return a.ListPartitionReassignments(ctx, set)
	})
	return moving, refusedReassign(err)
}

// awaitReassigned polls until nothing of the topics is under way, and returns an error for each where that takes too long.
func (t *topics) awaitReassigned(ctx context.Context, names map[string]int) map[string]error {
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reassignFor)
	defer cancel()
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = 50*time.Millisecond, 5*time.Second
	started, last := time.Now(), -1
	var moving kadm.ListPartitionReassignmentsResponses // what the brokers said last; nil before they said anything
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		now, err := providers.Retry(ctx, func(ctx context.Context) (kadm.ListPartitionReassignmentsResponses, error) {
			return t.moving(ctx, names)
		})
		if err != nil {
			return struct{}{}, backoff.Permanent(err)
		}
		n := len(now.Sorted())
		if n == 0 {
			return struct{}{}, nil
		}
		moving = now
		if n != last {
			slog.Debug("replicas are being copied", "component", "kafka", "partitions", n, "since", time.Since(started).Round(time.Second))
			policy.Reset()
		}
		last = n
		return struct{}{}, errors.New("replicas are being copied")
	}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(0))
	if err == nil {
		return nil
	}
	errs := map[string]error{}
	for name := range names {
		if n := len(moving[name]); n > 0 || moving == nil {
			what := fmt.Sprintf("topic %q: %d partitions are still being copied after %s", name, n, time.Since(started).Round(time.Second))
			if moving == nil {
				what = fmt.Sprintf("topic %q: replicas are being copied", name)
			}
			errs[name] = &providers.Error{Code: providers.Unavailable, Err: fmt.Errorf("%s: %w", what, err),
				Hint: "The brokers go on with it by themselves. Run apply again; it goes on waiting."}
		}
	}
	return errs
}

// moving lists what is under way for topics of which only the names are known.
func (t *topics) moving(ctx context.Context, names map[string]int) (kadm.ListPartitionReassignmentsResponses, error) {
	var list []string
	for name := range names {
		list = append(list, name)
	}
	slices.SortFunc(list, strings.Compare)
	meta, err := askSecond(ctx, t.second, "describe topics", func(ctx context.Context, a *kadm.Client) (kadm.Metadata, error) { return a.Metadata(ctx, list...) })
	if err != nil {
		return nil, err
	}
	return t.reassignments(ctx, meta.Topics)
}

// arriving counts, by topic and partition, the replicas that are named already and not copied yet. It asks only about topics
// that have replicas out of sync, and finds nothing where it may not ask.
func (t *topics) arriving(ctx context.Context, described []ck.TopicDescription) kadm.ListPartitionReassignmentsResponses {
	behind := map[string]int{}
	for _, d := range described {
		for _, p := range d.Partitions {
			if len(p.Isr) < len(p.Replicas) {
				behind[d.Name] = 0
			}
		}
	}
	if len(behind) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	moving, err := t.moving(ctx, behind)
	if err != nil {
		slog.Debug("reassignments are not known", "component", "kafka", "error", err)
	}
	return moving
}

package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// quotaDefault stands for all users, or all client ids, without a quota of their own (Apache Kafka, "Setting quotas").
const quotaDefault = "<default>"

// quotaEntity are the attributes that say whose quota it is: the names of KIP-546 and the parts of an ID.
var quotaEntity = []struct{ attr, kafka, part string }{{"user", "user", "users"}, {"client_id", "client-id", "clients"}}

// quotaRates are a quota's limits, which are Kafka's keys too.
var quotaRates = []string{"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"}

var quotaReplaced = spec.Replaced("a quota belongs to its user and client id; another one takes its place")

// Quota describes kafka_quota.
var Quota = &spec.Kind{
	Name:   "kafka_quota",
	System: "kafka",
	Doc: "How much each broker lets clients do before it slows them down: the clients of a user, those with a client id, or those with both. " +
		"Confluent Cloud has client quotas of its own, which are not these.",
	Example: `kafka_quota "loader" {
  user               = "loader"
  producer_byte_rate = 10485760
}
`,
	Attrs: []spec.Attr{
		{Name: "user", Type: cty.String, Check: checkQuotaName, Change: quotaReplaced,
			Doc: "The user, without `User:`; `" + quotaDefault + "` for all users without a quota of their own."},
		{Name: "client_id", Type: cty.String, Check: checkQuotaName, Change: quotaReplaced,
			Doc: "The client id; `" + quotaDefault + "` for all client ids without a quota of their own. With user too, the client id of that user."},
		{Name: "producer_byte_rate", Type: cty.Number, Check: checkWhole, Change: spec.Updated, Doc: "Bytes per second to each broker."},
		{Name: "consumer_byte_rate", Type: cty.Number, Check: checkWhole, Change: spec.Updated, Doc: "Bytes per second from each broker."},
		{Name: "request_percentage", Type: cty.Number, Check: checkRate, Norm: normRate, Change: spec.Updated,
			Doc: "Time of each broker's network and request threads, in percent of one thread; 200 is two threads."},
		{Name: "controller_mutation_rate", Type: cty.Number, Check: checkRate, Norm: normRate, Change: spec.Updated,
			Doc: "Partitions created and deleted per second."},
	},
	ID:    quotaID,
	Check: checkQuota,
}

func checkQuotaName(v cty.Value) error {
	if v.AsString() == "" {
		return fmt.Errorf("a name is never empty; leave the attribute out, or write %q", quotaDefault)
	}
	return nil
}

func checkRate(v cty.Value) error {
	if f, _ := v.AsBigFloat().Float64(); f <= 0 || math.IsInf(f, 0) {
		return errors.New("must be more than 0; leave it out for no limit")
	}
	return nil
}

func checkWhole(v cty.Value) error {
	if f := v.AsBigFloat(); !f.IsInt() {
		return errors.New("must be a whole number of bytes per second")
	}
	return checkRate(v)
}

// normRate rounds to what Kafka keeps, a double.
func normRate(v cty.Value) cty.Value {
	f, _ := v.AsBigFloat().Float64()
	return cty.NumberFloatVal(f)
}

func checkQuota(v cty.Value) []spec.Problem {
	lacks := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !v.GetAttr(name).IsKnown() || !v.GetAttr(name).IsNull() })
	}
	if lacks("user", "client_id") {
		return []spec.Problem{{Summary: "Nobody's quota", Detail: fmt.Sprintf("A quota limits a user, a client id or both. Set user or client_id; %q is whoever has no quota of their own.", quotaDefault)}}
	}
	if lacks(quotaRates...) {
		return []spec.Problem{{Summary: "No limit", Detail: "Kafka keeps no quota without a limit. Set at least one of " + strings.Join(quotaRates, ", ") + "."}}
	}
	return nil
}

// quotaID is the entity as Kafka's own path has it: users/NAME/clients/NAME, with names as in URLs.
func quotaID(v cty.Value) string {
	var parts []string
	for _, e := range quotaEntity {
		name := v.GetAttr(e.attr)
		switch {
		case !name.IsKnown():
			return ""
		case name.IsNull():
		case name.AsString() == quotaDefault:
			parts = append(parts, e.part, quotaDefault)
		default:
			parts = append(parts, e.part, url.PathEscape(name.AsString()))
		}
	}
	return strings.Join(parts, "/")
}

// parseQuotaID reads an ID.
func parseQuotaID(id string) (kadm.ClientQuotaEntity, error) {
	bad := providers.Errorf(providers.Invalid, "%q is not the ID of a quota: write users/NAME, clients/NAME or users/NAME/clients/NAME", id)
	parts := strings.Split(id, "/")
	var entity kadm.ClientQuotaEntity
	for _, e := range quotaEntity {
		if len(parts) < 2 || parts[0] != e.part {
			continue
		}
		part := kadm.ClientQuotaEntityComponent{Type: e.kafka}
		if parts[1] != quotaDefault {
			name, err := url.PathUnescape(parts[1])
			if err != nil || name == "" {
				return nil, bad
			}
			part.Name = &name
		}
		entity, parts = append(entity, part), parts[2:]
	}
	if len(parts) > 0 || entity == nil {
		return nil, bad
	}
	return entity, nil
}

// quotaState is the value of a quota that a broker told of; NilVal for one that says nothing which mkt knows, such as that of an address.
func quotaState(entity kadm.ClientQuotaEntity, values kadm.ClientQuotaValues) cty.Value {
	o := map[string]cty.Value{}
	for _, e := range quotaEntity {
		o[e.attr] = cty.NullVal(cty.String)
	}
	for _, c := range entity {
		at := slices.IndexFunc(quotaEntity, func(e struct{ attr, kafka, part string }) bool { return e.kafka == c.Type })
		switch {
		case at < 0:
			return cty.NilVal
		case c.Name == nil:
			o[quotaEntity[at].attr] = cty.StringVal(quotaDefault)
		default:
			o[quotaEntity[at].attr] = cty.StringVal(*c.Name)
		}
	}
	some := false
	for _, rate := range quotaRates {
		o[rate] = cty.NullVal(cty.Number)
		for _, v := range values {
			if v.Key == rate {
				o[rate], some = cty.NumberFloatVal(v.Value), true
			}
		}
	}
	if !some {
		return cty.NilVal
	}
	return cty.ObjectVal(o)
}

// quotas manages kafka_quota. librdkafka has no requests for quotas, so the second client makes them.
type quotas struct{ *cluster }

// Complete implements providers.Resource.
func (r *quotas) Complete(v cty.Value) (cty.Value, error) { return v, nil }

// all asks for every quota of the cluster, by ID, in one request.
func (r *quotas) all(ctx context.Context) (map[string]cty.Value, error) {
	if _, err := r.second.admin(); err != nil {
		return nil, err
	}
	return r.allOf(ctx, r.second.client)
}

// allOf is all, of one broker or any.
func (r *quotas) allOf(ctx context.Context, broker kmsg.Requestor) (map[string]cty.Value, error) {
	return retry(ctx, func(ctx context.Context) (map[string]cty.Value, error) {
		resp, err := kmsg.NewPtrDescribeClientQuotasRequest().RequestWith(ctx, broker)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			return nil, quotaError(franzError("describe quotas", err, ""))
		}
		found := map[string]cty.Value{}
		for _, q := range resp.Entries {
			var entity kadm.ClientQuotaEntity
			for _, e := range q.Entity {
				entity = append(entity, kadm.ClientQuotaEntityComponent{Type: e.Type, Name: e.Name})
			}
			var values kadm.ClientQuotaValues
			for _, v := range q.Values {
				values = append(values, kadm.ClientQuotaValue{Key: v.Key, Value: v.Value})
			}
			if state := quotaState(entity, values); state != cty.NilVal {
				found[quotaID(state)] = state
			}
		}
		return found, nil
	})
}

// quotaError says which rights are missing.
func quotaError(err error) error {
	var k ck.Error
	if d := providers.Detail(err); d != nil && errors.As(err, &k) && k.Code() == ck.ErrClusterAuthorizationFailed {
		d.Hint = "The user needs the rights DescribeConfigs and AlterConfigs on the cluster."
	}
	return err
}

// Read implements providers.Resource.
func (r *quotas) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	found, err := r.all(ctx)
	readings := make([]providers.Reading, len(refs))
	for i, ref := range refs {
		if readings[i].Err = err; err == nil {
			if _, readings[i].Err = parseQuotaID(ref.ID); readings[i].Err == nil {
				readings[i].State = found[ref.ID]
			}
		}
	}
	return readings
}

// Create implements providers.Resource: one request for all. Kafka would alter a quota that exists, so they are looked up first.
func (r *quotas) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	found, err := r.all(ctx)
	errs := make([]error, len(changes))
	for i, ch := range changes {
		if _, there := found[ch.ID]; err != nil {
			errs[i] = err
		} else if there {
			errs[i] = providers.Errorf(providers.Exists, "quota %s exists already", ch.ID)
		}
	}
	return r.alter(ctx, changes, errs, "create quota")
}

// Update implements providers.Resource.
func (r *quotas) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return r.alter(ctx, changes, make([]error, len(changes)), "alter quota")
}

// Delete implements providers.Resource. What mkt does not know of a quota stays.
func (r *quotas) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	gone := slices.Clone(changes)
	for i := range gone {
		gone[i].After = cty.NilVal
	}
	return r.alter(ctx, gone, make([]error, len(changes)), "delete quota")
}

// alter makes the changes without an error true in one request, which can be made twice, and waits until the brokers show them.
func (r *quotas) alter(ctx context.Context, changes []providers.Change, errs []error, what string) []providers.Result {
	var chosen []int
	for i := range changes {
		if errs[i] == nil {
			chosen = append(chosen, i)
		}
	}
	answers := batch(ctx, chosen, func(ctx context.Context, some []int) ([]error, error) {
		entries := make([]kadm.AlterClientQuotaEntry, len(some))
		for j, i := range some {
			entity, err := parseQuotaID(changes[i].ID)
			if err != nil {
				return nil, err
			}
			entries[j] = kadm.AlterClientQuotaEntry{Entity: entity, Ops: quotaOps(changes[i].After)}
		}
		got, err := askSecond(ctx, r.second, what, func(ctx context.Context, a *kadm.Client) (kadm.AlteredClientQuotas, error) {
			return a.AlterClientQuotas(ctx, entries)
		})
		if err != nil {
			return nil, quotaError(err)
		}
		out := make([]error, len(some))
		for j, i := range some {
			at := slices.IndexFunc(got, func(a kadm.AlteredClientQuota) bool { return sameEntity(a.Entity, entries[j].Entity) })
			if at < 0 {
				out[j] = providers.Errorf(providers.Unknown, "%s %s: the broker does not say what became of it", what, changes[i].ID)
				continue
			}
			out[j] = quotaError(franzError(what+" "+changes[i].ID, got[at].Err, got[at].ErrMessage))
		}
		return out, nil
	})
	for j, i := range chosen {
		errs[i] = answers[j]
	}
	results := awaitShown(ctx, r.second, "quota", changes, errs, r.allOf, func(ch providers.Change, state cty.Value) bool {
		switch {
		case ch.After == cty.NilVal || state == cty.NilVal:
			return ch.After == state
		default:
			return state.RawEquals(normQuota(ch.After))
		}
	})
	for i, ch := range changes {
		if results[i].Err != nil && ch.Before != cty.NilVal {
			results[i].State = ch.Before
		}
	}
	return results
}

// normQuota is a quota with the numbers as Kafka keeps them.
func normQuota(v cty.Value) cty.Value {
	o := v.AsValueMap()
	for _, rate := range quotaRates {
		if n := o[rate]; !n.IsNull() && n.IsKnown() {
			o[rate] = normRate(n)
		}
	}
	return cty.ObjectVal(o)
}

// quotaOps sets what a quota says and removes what it does not; NilVal says nothing.
func quotaOps(after cty.Value) []kadm.AlterClientQuotaOp {
	ops := make([]kadm.AlterClientQuotaOp, len(quotaRates))
	for i, rate := range quotaRates {
		ops[i] = kadm.AlterClientQuotaOp{Key: rate, Remove: true}
		if after == cty.NilVal || after.GetAttr(rate).IsNull() {
			continue
		}
		ops[i].Remove = false
		ops[i].Value, _ = after.GetAttr(rate).AsBigFloat().Float64()
	}
	return ops
}

// sameEntity compares without order.
func sameEntity(a, b kadm.ClientQuotaEntity) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x kadm.ClientQuotaEntityComponent) bool {
		return !slices.ContainsFunc(b, func(y kadm.ClientQuotaEntityComponent) bool { return x.String() == y.String() })
	})
}

// List implements providers.Lister: the quotas of users or client ids whose names begin so.
func (r *quotas) List(ctx context.Context, prefix string) ([]string, error) {
	found, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for id, state := range found {
		for _, e := range quotaEntity {
			if name := state.GetAttr(e.attr); !name.IsNull() && strings.HasPrefix(name.AsString(), prefix) {
				ids = append(ids, id)
				break
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	ck "github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// An ACL is all of its fields: there is nothing to alter.
var aclReplaced = spec.Replaced("an ACL is what it says; another one takes its place")

// aclFields are an ACL's attributes, in the order of its ID.
var aclFields = []string{"resource_type", "resource_name", "pattern", "principal", "host", "operation", "permission"}

const aclSeparator = "|"

// clusterResource is the name of the one resource of type CLUSTER (Apache Kafka, "Authorization and ACLs").
const clusterResource = "kafka-cluster"

// aclTypes are the resource types by Kafka's names. librdkafka calls the cluster a broker.
var aclTypes = map[string]ck.ResourceType{
	"TOPIC": ck.ResourceTopic, "GROUP": ck.ResourceGroup, "CLUSTER": ck.ResourceBroker, "TRANSACTIONAL_ID": ck.ResourceTransactionalID,
}

var aclOperations = []string{"ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE"}

// ACL describes kafka_acl.
var ACL = &spec.Kind{
	Name:   "kafka_acl",
	System: "kafka",
	Doc: "A right of one principal to do one thing with topics, consumer groups, transactional ids or the cluster, or its denial. Which of them " +
		"make a right whole is in Kafka's documentation, \"Authorization and ACLs\".",
	Example: `kafka_acl "reader" {
  resource_type = "TOPIC"
  resource_name = "market_data"
  principal     = "User:reader"
  operation     = "READ"
}
`,
	Attrs: []spec.Attr{
		{Name: "resource_type", Type: cty.String, Required: true, Doc: "`TOPIC`, `GROUP`, `CLUSTER` or `TRANSACTIONAL_ID`.",
			Check: oneOfAnyCase("TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID"), Norm: upper, Change: aclReplaced},
		{Name: "resource_name", Type: cty.String, Required: true, Refs: []string{"kafka_topic"}, Check: checkACLField, Change: aclReplaced,
			Doc: "The topic, group or transactional id, or its beginning with pattern `PREFIXED`; `*` for all. `" + clusterResource + "` for the cluster."},
		{Name: "pattern", Type: cty.String, Default: cty.StringVal("LITERAL"), Doc: "`LITERAL`, or `PREFIXED` for all names that begin with resource_name.",
			Check: oneOfAnyCase("LITERAL", "PREFIXED"), Norm: upper, Change: aclReplaced},
		{Name: "principal", Type: cty.String, Required: true, Check: checkPrincipal, Change: aclReplaced,
			Doc: "Who: `User:NAME`, in Confluent Cloud `User:sa-…`; `User:*` for everybody."},
		{Name: "host", Type: cty.String, Default: cty.StringVal("*"), Check: checkACLField, Change: aclReplaced, Doc: "The address that requests come from; `*` for any."},
		{Name: "operation", Type: cty.String, Required: true, Check: oneOfAnyCase(aclOperations...), Norm: upper, Change: aclReplaced,
			Doc: "What: `" + strings.Join(aclOperations, "`, `") + "`."},
		{Name: "permission", Type: cty.String, Default: cty.StringVal("ALLOW"), Doc: "`ALLOW`, or `DENY`, which is stronger.",
			Check: oneOfAnyCase("ALLOW", "DENY"), Norm: upper, Change: aclReplaced},
	},
	ID:    aclID,
	Check: checkACL,
}

func aclID(v cty.Value) string {
	var parts []string
	for _, name := range aclFields {
		part := v.GetAttr(name)
		if !part.IsKnown() || part.IsNull() {
			return ""
		}
		parts = append(parts, part.AsString())
	}
	return strings.Join(parts, aclSeparator)
}

func checkACLField(v cty.Value) error {
	if s := v.AsString(); s == "" || strings.Contains(s, aclSeparator) {
		return fmt.Errorf("%q is empty or has a %s", s, aclSeparator)
	}
	return nil
}

func checkPrincipal(v cty.Value) error {
	kind, name, ok := strings.Cut(v.AsString(), ":")
	if !ok || kind == "" || name == "" {
		return fmt.Errorf("%q is no principal: write it like User:NAME", v.AsString())
	}
	return checkACLField(v)
}

func checkACL(v cty.Value) []spec.Problem {
	typ, name, pattern := v.GetAttr("resource_type"), v.GetAttr("resource_name"), v.GetAttr("pattern")
	for _, part := range []cty.Value{typ, name, pattern} {
		if !part.IsKnown() || part.IsNull() {
			return nil
		}
	}
	if strings.EqualFold(typ.AsString(), "CLUSTER") && (name.AsString() != clusterResource || !strings.EqualFold(pattern.AsString(), "LITERAL")) {
		return []spec.Problem{{Path: cty.GetAttrPath("resource_name"), Summary: "No such resource",
			Detail: fmt.Sprintf("There is one cluster, and its name is %q, with the pattern LITERAL.", clusterResource)}}
	}
	return nil
}

// binding reads an ID.
func binding(id string) (ck.ACLBinding, error) {
	parts := strings.Split(id, aclSeparator)
	if len(parts) != len(aclFields) {
		return ck.ACLBinding{}, providers.Errorf(providers.Invalid, "%q is not the ID of an ACL: write %s", id, strings.Join(aclFields, aclSeparator))
	}
	b := ck.ACLBinding{Type: aclTypes[parts[0]], Name: parts[1], Principal: parts[3], Host: parts[4]}
	var errs [3]error
	b.ResourcePatternType, errs[0] = ck.ResourcePatternTypeFromString(parts[2])
	b.Operation, errs[1] = ck.ACLOperationFromString(parts[5])
	b.PermissionType, errs[2] = ck.ACLPermissionTypeFromString(parts[6])
	if err := errors.Join(errs[:]...); err != nil || b.Type == ck.ResourceUnknown {
		return b, providers.Errorf(providers.Invalid, "%q is not the ID of an ACL: %w", id, errors.Join(err, errors.New("write "+strings.Join(aclFields, aclSeparator))))
	}
	return b, nil
}

// aclState is the value of an ACL that a broker told of.
func aclState(res kmsg.DescribeACLsResponseResource, one kmsg.DescribeACLsResponseResourceACL) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"resource_type": cty.StringVal(res.ResourceType.String()), "resource_name": cty.StringVal(res.ResourceName), "pattern": cty.StringVal(res.ResourcePatternType.String()),
		"principal": cty.StringVal(one.Principal), "host": cty.StringVal(one.Host), "operation": cty.StringVal(one.Operation.String()), "permission": cty.StringVal(one.PermissionType.String()),
	})
}

// acls manages kafka_acl.
type acls struct{ *cluster }

// Complete implements providers.Resource.
func (r *acls) Complete(v cty.Value) (cty.Value, error) { return v, nil }

// all asks for every ACL of the cluster, by ID, in one request. It goes through the second client: librdkafka takes a refusal
// for an empty list, so that what may not be seen would be taken for missing.
func (r *acls) all(ctx context.Context) (map[string]cty.Value, error) {
	if _, err := r.second.admin(); err != nil {
		return nil, err
	}
	return r.allOf(ctx, r.second.client)
}

// allOf is all, of one broker or any.
func (r *acls) allOf(ctx context.Context, broker kmsg.Requestor) (map[string]cty.Value, error) {
	return retry(ctx, func(ctx context.Context) (map[string]cty.Value, error) {
		const what = "describe ACLs"
		req := kmsg.NewPtrDescribeACLsRequest()
		req.ResourceType, req.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
		req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		resp, err := req.RequestWith(ctx, broker)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			return nil, aclError(what, franzError(what, err, ""))
		}
		found := map[string]cty.Value{}
		for _, res := range resp.Resources {
			for _, one := range res.ACLs {
				state := aclState(res, one)
				found[aclID(state)] = state
			}
		}
		return found, nil
	})
}

// aclError is kafkaError with what to do about rights to ACLs.
func aclError(what string, err error) error {
	err = kafkaError(what, err)
	var k ck.Error
	if d := providers.Detail(err); d != nil && errors.As(err, &k) {
		switch k.Code() {
		case ck.ErrSecurityDisabled:
			d.Code, d.Hint = providers.Invalid, "The cluster checks no rights. Its brokers need an authorizer (authorizer.class.name) before they keep ACLs."
		case ck.ErrClusterAuthorizationFailed:
			d.Hint = "The user needs the rights Describe and Alter on the cluster, in Confluent Cloud the role CloudClusterAdmin."
		}
	}
	return err
}

// Read implements providers.Resource.
func (r *acls) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	found, err := r.all(ctx)
	readings := make([]providers.Reading, len(refs))
	for i, ref := range refs {
		if readings[i].Err = err; err == nil {
			if _, readings[i].Err = binding(ref.ID); readings[i].Err == nil {
				readings[i].State = found[ref.ID]
			}
		}
	}
	return readings
}

// Create implements providers.Resource: one request for all. Kafka takes an ACL that exists for a new one, so they are looked up first.
func (r *acls) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	found, err := r.all(ctx)
	errs := make([]error, len(changes))
	var chosen []providers.Change
	for i, ch := range changes {
		_, there := found[ch.ID]
		switch {
		case err != nil:
			errs[i] = err
		case there:
			errs[i] = providers.Errorf(providers.Exists, "ACL %s exists already", ch.ID)
		default:
			chosen = append(chosen, ch)
		}
	}
	r.send(ctx, changes, errs, chosen, "create ACL", func(ctx context.Context, a *ck.AdminClient, bindings ck.ACLBindings) ([]ck.Error, error) {
		res, err := a.CreateACLs(ctx, bindings, ck.SetAdminRequestTimeout(left(ctx)))
		var answers []ck.Error
		for _, one := range res {
			answers = append(answers, one.Error)
		}
		return answers, err
	})
	return r.await(ctx, changes, errs, true)
}

// Update implements providers.Resource; nothing of an ACL can be altered.
func (r *acls) Update(_ context.Context, changes []providers.Change) []providers.Result {
	results := make([]providers.Result, len(changes))
	for i, ch := range changes {
		results[i] = providers.Result{State: ch.Before, Err: providers.Errorf(providers.Invalid, "ACL %s cannot be altered", ch.ID)}
	}
	return results
}

// Delete implements providers.Resource: one request for all.
func (r *acls) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	errs := make([]error, len(changes))
	r.send(ctx, changes, errs, changes, "delete ACL", func(ctx context.Context, a *ck.AdminClient, bindings ck.ACLBindings) ([]ck.Error, error) {
		res, err := a.DeleteACLs(ctx, ck.ACLBindingFilters(bindings), ck.SetAdminRequestTimeout(left(ctx)))
		var answers []ck.Error
		for _, one := range res {
			answers = append(answers, one.Error)
		}
		return answers, err
	})
	return r.await(ctx, changes, errs, false)
}

// send makes one request for the chosen changes and puts what becomes of them into errs. Both requests can be made twice.
func (r *acls) send(ctx context.Context, changes []providers.Change, errs []error, chosen []providers.Change, what string,
	do func(context.Context, *ck.AdminClient, ck.ACLBindings) ([]ck.Error, error)) {
	if len(chosen) == 0 {
		return
	}
	answers := batch(ctx, chosen, func(ctx context.Context, some []providers.Change) ([]error, error) {
		bindings := make(ck.ACLBindings, len(some))
		for i, ch := range some {
			var err error
			if bindings[i], err = binding(ch.ID); err != nil {
				return nil, err
			}
		}
		return ask(ctx, r.cluster, what, func(ctx context.Context, a *ck.AdminClient) ([]error, error) {
			res, err := do(ctx, a, bindings)
			if err != nil {
				return nil, aclError(what, err)
			}
			errs := make([]error, len(some))
			for i := range res {
				errs[i] = aclError(what+" "+some[i].ID, res[i])
			}
			return errs, nil
		})
	})
	for i, ch := range chosen {
		at := slices.IndexFunc(changes, func(c providers.Change) bool { return c.ID == ch.ID })
		errs[at] = answers[i]
	}
}

// await polls until the ACLs without an error are there, or gone.
func (r *acls) await(ctx context.Context, changes []providers.Change, errs []error, there bool) []providers.Result {
	return awaitShown(ctx, r.second, "ACL", changes, errs, r.allOf, func(_ providers.Change, state cty.Value) bool { return (state != cty.NilVal) == there })
}

// List implements providers.Lister: the ACLs of resources whose names begin so.
func (r *acls) List(ctx context.Context, prefix string) ([]string, error) {
	found, err := r.all(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for id, state := range found {
		if strings.HasPrefix(state.GetAttr("resource_name").AsString(), prefix) {
			names = append(names, id)
		}
	}
	slices.Sort(names)
	return names, nil
}

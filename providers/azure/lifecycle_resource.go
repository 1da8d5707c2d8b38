package azure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// policies implements providers.Resource for azure_lifecycle_policy.
type policies struct{ *Provider }

// managementPolicy ends the resource id of an account's one policy.
const managementPolicy = "/managementPolicies/default"

// Complete sets account and resource id, and holds the rules' containers against the account: without one it is that of the
// first rule's container.
func (r *policies) Complete(v cty.Value) (cty.Value, error) {
	if err := r.managed(); err != nil {
		return v, err
	}
	account, rules := v.GetAttr("account"), v.GetAttr("rule")
	if account.IsNull() {
		account = cty.UnknownVal(cty.String)
	}
	for i := 0; rules.IsKnown() && !rules.IsNull() && i < rules.LengthInt(); i++ {
		watched := rules.Index(cty.NumberIntVal(int64(i))).GetAttr("container")
		if !watched.IsKnown() || watched.IsNull() {
			continue
		}
		owner, _, err := ParseContainerURL(watched.AsString())
		switch {
		case err != nil:
		case !account.IsKnown():
			account = cty.StringVal(owner)
		case owner != account.AsString():
			err = fmt.Errorf("the container is in the storage account %q, the policy in %q: make another policy for it", owner, account.AsString())
		}
		if err != nil {
			return v, &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("rule").IndexInt(i).GetAttr("container"), Err: err}
		}
	}
	id := cty.UnknownVal(cty.String)
	if account.IsKnown() {
		id = cty.StringVal(r.scope(account.AsString()) + managementPolicy)
	}
	return with(v, map[string]cty.Value{"account": account, "id": id}), nil
}

func parsePolicyID(id string) (scope, error) {
	head := len(id) - len(managementPolicy)
	if head < 0 || !strings.EqualFold(id[head:], managementPolicy) {
		return scope{}, &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("%q is not the resource id of a lifecycle policy, which ends with %s", id, managementPolicy)}
	}
	s, err := parseScope(id[:head])
	if err != nil {
		return s, &providers.Error{Code: providers.Invalid, Err: err}
	}
	return s, nil
}

// policyBody is what the resource manager is asked for.
func policyBody(v cty.Value) (armstorage.ManagementPolicy, error) {
	schema := &armstorage.ManagementPolicySchema{}
	for _, rule := range v.GetAttr("rule").AsValueSlice() {
		_, container, err := ParseContainerURL(rule.GetAttr("container").AsString())
		if err != nil {
			return armstorage.ManagementPolicy{}, err
		}
		after := func(step string) *armstorage.DateAfterModification {
			if rule.GetAttr(step).IsNull() {
				return nil
			}
			d, perr := spec.ParseDuration(rule.GetAttr(step).AsString())
			err = errors.Join(err, perr)
			return &armstorage.DateAfterModification{DaysAfterModificationGreaterThan: to.Ptr(float32(d / dayLength))}
		}
		base := &armstorage.ManagementPolicyBaseBlob{TierToCool: after("cool_after"), TierToArchive: after("archive_after"), Delete: after("delete_after")}
		if err != nil {
			return armstorage.ManagementPolicy{}, err
		}
		schema.Rules = append(schema.Rules, &armstorage.ManagementPolicyRule{
			Name: to.Ptr(rule.GetAttr("name").AsString()), Type: to.Ptr(armstorage.RuleTypeLifecycle), Enabled: to.Ptr(rule.GetAttr("enabled").True()),
			Definition: &armstorage.ManagementPolicyDefinition{
				Actions: &armstorage.ManagementPolicyAction{BaseBlob: base},
				Filters: &armstorage.ManagementPolicyFilter{BlobTypes: to.SliceOfPtrs("blockBlob"), PrefixMatch: to.SliceOfPtrs(container + "/" + rule.GetAttr("prefix").AsString())},
			},
		})
	}
	return armstorage.ManagementPolicy{Properties: &armstorage.ManagementPolicyProperties{Policy: schema}}, nil
}

// value is what the resource manager shows. What mkt would not write so is put into words where it stands, so that a plan shows
// it as a difference and an update mends it.
func (r *policies) value(at scope, id string, got armstorage.ManagementPolicy) cty.Value {
	rules := cty.ListValEmpty(LifecyclePolicy.Blocks[0].Type().ElementType())
	var list []cty.Value
	if got.Properties != nil && got.Properties.Policy != nil {
		for _, rule := range got.Properties.Policy.Rules {
			list = append(list, r.rule(at, rule))
		}
	}
	if list != nil {
		rules = cty.ListVal(list)
	}
	return cty.ObjectVal(map[string]cty.Value{"account": cty.StringVal(at.account), "id": cty.StringVal(id), "rule": rules})
}

func (r *policies) rule(at scope, rule *armstorage.ManagementPolicyRule) cty.Value {
	v := map[string]cty.Value{"name": cty.StringVal(deref(rule.Name)), "enabled": cty.BoolVal(rule.Enabled == nil || *rule.Enabled),
		"container": cty.StringVal("(all containers)"), "prefix": cty.StringVal("")}
	for _, step := range lifecycleSteps {
		v[step] = cty.NullVal(cty.String)
	}
	d := rule.Definition
	if d == nil {
		return cty.ObjectVal(v)
	}
	if f := d.Filters; f != nil {
		prefixes, types := derefAll(f.PrefixMatch), derefAll(f.BlobTypes)
		switch {
		case len(types) != 1 || types[0] != "blockBlob" || len(f.BlobIndexMatch) > 0:
			v["container"] = cty.StringVal(fmt.Sprintf("(blobs of types %s with %d tags that begin with %s)", strings.Join(types, ", "), len(f.BlobIndexMatch), strings.Join(prefixes, ", ")))
		case len(prefixes) == 1:
			container, prefix, _ := strings.Cut(prefixes[0], "/")
			v["container"], v["prefix"] = cty.StringVal(storageID(at.account, blobService, r.conn.suffix(), container)), cty.StringVal(prefix)
		case len(prefixes) > 1:
			v["container"] = cty.StringVal("(blobs that begin with " + strings.Join(prefixes, ", ") + ")")
		}
	}
	if a := d.Actions; a != nil && a.BaseBlob != nil {
		for step, after := range map[string]*armstorage.DateAfterModification{"cool_after": a.BaseBlob.TierToCool, "archive_after": a.BaseBlob.TierToArchive, "delete_after": a.BaseBlob.Delete} {
			switch {
			case after == nil:
			case after.DaysAfterModificationGreaterThan != nil && after.DaysAfterCreationGreaterThan == nil && after.DaysAfterLastAccessTimeGreaterThan == nil && after.DaysAfterLastTierChangeGreaterThan == nil:
				v[step] = cty.StringVal(spec.FormatDuration(time.Duration(float64(*after.DaysAfterModificationGreaterThan) * float64(dayLength))))
			default:
				v[step] = cty.StringVal("(not by the time of the last change alone)")
			}
		}
	}
	if a := d.Actions; a != nil && (a.Snapshot != nil || a.Version != nil || a.BaseBlob != nil && (a.BaseBlob.TierToCold != nil || a.BaseBlob.TierToHot != nil || a.BaseBlob.EnableAutoTierToHotFromCool != nil)) {
		v["container"] = cty.StringVal("(with steps that mkt does not describe) " + v["container"].AsString())
	}
	return cty.ObjectVal(v)
}

func (r *policies) client(subscription string) (*armstorage.ManagementPoliciesClient, error) {
	if r.conn.Token == nil {
		return nil, &providers.Error{Code: providers.Denied, Err: errors.New("there is no credential for the resource manager"), Hint: signInHint}
	}
	opts := options(&r.Provider.client, r.conn.ResourceManager)
	opts.Cloud = r.conn.cloud()
	return armstorage.NewManagementPoliciesClient(subscription, r.conn.Token, &arm.ClientOptions{ClientOptions: opts})
}

// policyCall makes one call about the policy with this id.
func policyCall[R any](ctx context.Context, r *policies, doing, id string, fn func(context.Context, *armstorage.ManagementPoliciesClient, scope) (R, error)) (got R, at scope, err error) {
	if at, err = parsePolicyID(id); err != nil {
		return got, at, err
	}
	client, err := r.client(at.subscription)
	if err != nil {
		return got, at, err
	}
	got, _, err = call(ctx, r.Provider, doing+" the lifecycle policy of "+at.account, managementHint, func(ctx context.Context) (R, error) { return fn(ctx, client, at) })
	return got, at, err
}

func (r *policies) readOne(ctx context.Context, id string) (cty.Value, error) {
	got, at, err := policyCall(ctx, r, "read", id, func(ctx context.Context, c *armstorage.ManagementPoliciesClient, at scope) (armstorage.ManagementPoliciesClientGetResponse, error) {
		return c.Get(ctx, at.group, at.account, armstorage.ManagementPolicyNameDefault, nil)
	})
	if err != nil {
		return cty.NilVal, err
	}
	return r.value(at, id, got.ManagementPolicy), nil
}

// Read implements providers.Resource.
func (r *policies) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	return providers.Each(ctx, parallel, refs, func(ctx context.Context, ref providers.Ref) providers.Reading {
		state, err := r.readOne(ctx, ref.ID)
		if providers.CodeOf(err) == providers.NotFound {
			return providers.Reading{}
		}
		return providers.Reading{State: state, Err: err}
	})
}

// Create looks first: the resource manager has one call for creating and updating, which would take over what is there.
func (r *policies) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		_, err := r.readOne(ctx, c.ID)
		switch {
		case err == nil:
			return providers.Result{Err: providers.Errorf(providers.Exists, "create the lifecycle policy %s: the storage account has one already", c.ID)}
		case providers.CodeOf(err) != providers.NotFound:
			return providers.Result{Err: err}
		}
		return r.put(ctx, c)
	})
}

// Update implements providers.Resource.
func (r *policies) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, r.put)
}

// put says what is to be, so that repeating it is safe.
func (r *policies) put(ctx context.Context, c providers.Change) providers.Result {
	body, err := policyBody(c.After)
	if err != nil {
		return providers.Result{State: c.Before, Err: &providers.Error{Code: providers.Invalid, Err: err}}
	}
	got, at, err := policyCall(ctx, r, "write", c.ID, func(ctx context.Context, client *armstorage.ManagementPoliciesClient, at scope) (armstorage.ManagementPoliciesClientCreateOrUpdateResponse, error) {
		return client.CreateOrUpdate(ctx, at.group, at.account, armstorage.ManagementPolicyNameDefault, body, nil)
	})
	if err != nil {
		return providers.Result{State: c.Before, Err: err}
	}
	return providers.Result{State: r.value(at, c.ID, got.ManagementPolicy)}
}

// Delete implements providers.Resource.
func (r *policies) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		_, _, err := policyCall(ctx, r, "delete", c.ID, func(ctx context.Context, client *armstorage.ManagementPoliciesClient, at scope) (armstorage.ManagementPoliciesClientDeleteResponse, error) {
			return client.Delete(ctx, at.group, at.account, armstorage.ManagementPolicyNameDefault, nil)
		})
		return r.gone(ctx, deleted(err, ""), func(ctx context.Context) bool {
			_, err := r.readOne(ctx, c.ID)
			return err != nil
		})
	})
}

// List implements providers.Lister; scope is a storage account of the provider's resource group, which has a policy or none.
func (r *policies) List(ctx context.Context, scope string) ([]string, error) {
	account, err := r.accountOr(scope)
	if err != nil {
		return nil, err
	}
	if err := r.managed(); err != nil {
		return nil, err
	}
	id := r.scope(account) + managementPolicy
	_, err = r.readOne(ctx, id)
	if providers.CodeOf(err) == providers.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []string{id}, nil
}

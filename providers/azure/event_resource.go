package azure

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/eventgrid/armeventgrid/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// subscriptions implements providers.Resource.
type subscriptions struct{ *Provider }

// Complete sets the schema and, from the container's account, the resource id.
func (r *subscriptions) Complete(v cty.Value) (cty.Value, error) {
	id, name, watched := cty.UnknownVal(cty.String), v.GetAttr("name"), v.GetAttr("container")
	if err := r.managed(); err != nil {
		return v, err
	}
	if name.IsKnown() && watched.IsKnown() && !name.IsNull() && !watched.IsNull() {
		account, _, err := ParseContainerURL(watched.AsString())
		if err != nil {
			return v, &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("container"), Err: err}
		}
		id = cty.StringVal(r.scope(account) + eventSubscriptions + name.AsString())
	}
	return with(v, map[string]cty.Value{"schema": cty.StringVal(eventGridSchema), "id": id}), nil
}

// managed says what the resource manager has to know besides the account.
func (r *Provider) managed() error {
	if r.conn.SubscriptionID != "" && r.conn.ResourceGroup != "" {
		return nil
	}
	return &providers.Error{Code: providers.Invalid, Err: errors.New("the storage account's subscription and resource group are not known"),
		Hint: "Set subscription_id and resource_group in the provider \"azure\", or AZURE_SUBSCRIPTION_ID and AZURE_RESOURCE_GROUP."}
}

func (r *Provider) scope(account string) string {
	return accountScope(r.conn.SubscriptionID, r.conn.ResourceGroup, account)
}

func subjectPrefix(container string) string {
	return "/blobServices/default/containers/" + container + "/"
}

// body is what the resource manager is asked for.
func (r *subscriptions) body(v cty.Value) (armeventgrid.EventSubscription, error) {
	_, container, err := ParseContainerURL(v.GetAttr("container").AsString())
	if err != nil {
		return armeventgrid.EventSubscription{}, err
	}
	owner, queue, err := parseStorageID(v.GetAttr("queue").AsString(), queueService)
	if err != nil {
		return armeventgrid.EventSubscription{}, err
	}
	p := &armeventgrid.EventSubscriptionProperties{
		Destination: &armeventgrid.StorageQueueEventSubscriptionDestination{
			EndpointType: to.Ptr(armeventgrid.EndpointTypeStorageQueue),
			Properties:   &armeventgrid.StorageQueueEventSubscriptionDestinationProperties{ResourceID: to.Ptr(r.scope(owner)), QueueName: &queue},
		},
		EventDeliverySchema: to.Ptr(armeventgrid.EventDeliverySchemaEventGridSchema),
		Filter: &armeventgrid.EventSubscriptionFilter{
			SubjectBeginsWith:  to.Ptr(subjectPrefix(container) + "blobs/" + v.GetAttr("prefix").AsString()),
			IncludedEventTypes: to.SliceOfPtrs(setStrings(v.GetAttr("event_types"))...),
			AdvancedFilters: []armeventgrid.AdvancedFilterClassification{&armeventgrid.StringInAdvancedFilter{
				Key: to.Ptr(apiKey), OperatorType: to.Ptr(armeventgrid.AdvancedFilterOperatorTypeStringIn), Values: to.SliceOfPtrs(setStrings(v.GetAttr("apis"))...),
			}},
		},
	}
	if suffix := v.GetAttr("suffix").AsString(); suffix != "" {
		p.Filter.SubjectEndsWith = &suffix
	}
	if dead := v.GetAttr("dead_letter"); !dead.IsNull() {
		account, name, err := ParseContainerURL(dead.AsString())
		if err != nil {
			return armeventgrid.EventSubscription{}, err
		}
		p.DeadLetterDestination = &armeventgrid.StorageBlobDeadLetterDestination{
			EndpointType: to.Ptr(armeventgrid.DeadLetterEndPointTypeStorageBlob),
			Properties:   &armeventgrid.StorageBlobDeadLetterDestinationProperties{ResourceID: to.Ptr(r.scope(account)), BlobContainerName: &name},
		}
	}
	return armeventgrid.EventSubscription{Properties: p}, nil
}

const apiKey = "data.api"

// value is what the resource manager shows. What mkt would not write so is put
// into words where it stands, so that a plan shows it as a difference and an
// update mends it.
func (r *subscriptions) value(id string, got armeventgrid.EventSubscription) (cty.Value, error) {
	at, name, err := parseEventSubscriptionID(id)
	if err != nil {
		return cty.NilVal, &providers.Error{Code: providers.Invalid, Err: err}
	}
	v := map[string]cty.Value{
		"name": cty.StringVal(name), "id": cty.StringVal(id), "container": cty.StringVal(""), "queue": cty.StringVal(""), "prefix": cty.StringVal(""),
		"suffix": cty.StringVal(""), "event_types": stringSet(), "apis": stringSet(), "dead_letter": cty.NullVal(cty.String), "schema": cty.StringVal(eventGridSchema),
	}
	p := got.Properties
	if p == nil {
		return cty.NilVal, providers.Errorf(providers.Unknown, "read event subscription %s: the answer has no properties", name)
	}
	state := armeventgrid.EventSubscriptionProvisioningStateSucceeded
	if p.ProvisioningState != nil {
		state = *p.ProvisioningState
	}
	if p.EventDeliverySchema != nil {
		v["schema"] = cty.StringVal(string(*p.EventDeliverySchema))
	}
	if q, ok := p.Destination.(*armeventgrid.StorageQueueEventSubscriptionDestination); ok && q.Properties != nil {
		v["queue"] = r.storageRef(q.Properties.ResourceID, queueService, q.Properties.QueueName)
	} else if p.Destination != nil {
		if d := p.Destination.GetEventSubscriptionDestination(); d.EndpointType != nil {
			v["queue"] = cty.StringVal("(a destination of type " + string(*d.EndpointType) + ")")
		}
	}
	switch state {
	case armeventgrid.EventSubscriptionProvisioningStateFailed, armeventgrid.EventSubscriptionProvisioningStateCanceled: // it tells nobody anything
		v["queue"] = cty.StringVal("(" + strings.ToLower(string(state)) + ") " + v["queue"].AsString())
	}
	if d, ok := p.DeadLetterDestination.(*armeventgrid.StorageBlobDeadLetterDestination); ok && d.Properties != nil {
		v["dead_letter"] = r.storageRef(d.Properties.ResourceID, blobService, d.Properties.BlobContainerName)
	}
	if f := p.Filter; f != nil {
		container, prefix := splitSubject(deref(f.SubjectBeginsWith))
		v["container"], v["prefix"] = cty.StringVal(container), cty.StringVal(prefix)
		if !strings.HasPrefix(container, "(") {
			v["container"] = cty.StringVal(storageID(at.account, blobService, r.conn.suffix(), container))
		}
		v["suffix"] = cty.StringVal(deref(f.SubjectEndsWith))
		v["event_types"] = stringSet(derefAll(f.IncludedEventTypes)...)
		v["apis"] = apis(f.AdvancedFilters)
	}
	return cty.ObjectVal(v), nil
}

// storageRef is the id of a queue or container in an account given by its
// resource id.
func (r *subscriptions) storageRef(resource *string, service string, name *string) cty.Value {
	at, err := parseScope(deref(resource))
	if err != nil {
		return cty.StringVal("(" + deref(resource) + ")")
	}
	return cty.StringVal(storageID(at.account, service, r.conn.suffix(), deref(name)))
}

// splitSubject cuts a subject's beginning into container and prefix.
func splitSubject(subject string) (container, prefix string) {
	rest, ok := strings.CutPrefix(subject, "/blobServices/default/containers/")
	container, rest, slash := strings.Cut(rest, "/")
	prefix, blobs := strings.CutPrefix(rest, "blobs/")
	if !ok || container == "" || !slash || rest != "" && !blobs {
		return fmt.Sprintf("(subjects that begin with %q)", subject), ""
	}
	return container, prefix
}

// apis are the values of the filter on data.api; other filters are named.
func apis(filters []armeventgrid.AdvancedFilterClassification) cty.Value {
	var out []string
	for _, f := range filters {
		in, ok := f.(*armeventgrid.StringInAdvancedFilter)
		if ok && strings.EqualFold(deref(in.Key), apiKey) {
			out = append(out, derefAll(in.Values)...)
			continue
		}
		base := f.GetAdvancedFilter()
		operator := ""
		if base.OperatorType != nil {
			operator = string(*base.OperatorType)
		}
		out = append(out, "(a filter "+operator+" on "+deref(base.Key)+")")
	}
	return stringSet(out...)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func derefAll(list []*string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, deref(s))
	}
	return out
}

func (r *subscriptions) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	count := map[scope]int{}
	for _, ref := range refs {
		if at, _, err := parseEventSubscriptionID(ref.ID); err == nil {
			count[at]++
		}
	}
	type listing struct {
		found map[string]providers.Reading
		err   error
	}
	listed := map[scope]listing{}
	for at, n := range count {
		if n >= listFrom {
			found, err := r.list(ctx, at)
			listed[at] = listing{found, err}
		}
	}
	return providers.Each(ctx, parallel, refs, func(ctx context.Context, ref providers.Ref) providers.Reading {
		at, _, err := parseEventSubscriptionID(ref.ID)
		if err != nil {
			return providers.Reading{Err: &providers.Error{Code: providers.Invalid, Err: err}}
		}
		if l, ok := listed[at]; ok {
			if l.err != nil {
				return providers.Reading{Err: l.err}
			}
			return l.found[strings.ToLower(ref.ID)]
		}
		got := r.readOne(ctx, ref.ID)
		if providers.CodeOf(got.Err) == providers.NotFound || errors.Is(got.Err, errGoing) {
			return providers.Reading{}
		}
		return got
	})
}

// list reads the event subscriptions of an account, by lower-cased id.
func (r *subscriptions) list(ctx context.Context, at scope) (map[string]providers.Reading, error) {
	client, err := r.conn.eventClient(at.subscription, &r.client)
	if err != nil {
		return nil, err
	}
	found := map[string]providers.Reading{}
	err = pages(ctx, r.Provider, "list event subscriptions of "+at.account, managementHint, func(last *listedSubscriptions) (*runtime.Pager[listedSubscriptions], error) {
		pager := client.NewListByResourcePager(at.group, "Microsoft.Storage", "storageAccounts", at.account, nil)
		if last == nil {
			return pager, nil
		}
		text, err := last.MarshalJSON()
		if err == nil {
			err = pager.UnmarshalJSON(text)
		}
		if err == nil {
			_, err = pager.NextPage(ctx) // the last one again, which it has
		}
		return pager, err
	}, func(page listedSubscriptions) (bool, error) {
		for _, item := range page.Value {
			if going(*item) {
				continue
			}
			id := at.String() + eventSubscriptions + deref(item.Name)
			v, err := r.value(id, *item)
			if err != nil {
				return false, err
			}
			found[strings.ToLower(id)] = providers.Reading{State: v, Incarnation: markOf(*item)}
		}
		return true, nil
	})
	return found, err
}

type listedSubscriptions = armeventgrid.EventSubscriptionsClientListByResourceResponse

func (r *subscriptions) readOne(ctx context.Context, id string) providers.Reading {
	at, name, err := parseEventSubscriptionID(id)
	if err != nil {
		return providers.Reading{Err: &providers.Error{Code: providers.Invalid, Err: err}}
	}
	client, err := r.conn.eventClient(at.subscription, &r.client)
	if err != nil {
		return providers.Reading{Err: err}
	}
	got, _, err := call(ctx, r.Provider, "read event subscription "+name, managementHint, func(ctx context.Context) (armeventgrid.EventSubscriptionsClientGetResponse, error) {
		return client.Get(ctx, at.String(), name, nil)
	})
	switch {
	case err != nil:
		return providers.Reading{Err: err}
	case going(got.EventSubscription):
		return providers.Reading{Err: providers.Errorf(providers.Conflict, "event subscription %s: %w", name, errGoing)}
	}
	state, err := r.value(id, got.EventSubscription)
	return providers.Reading{State: state, Incarnation: markOf(got.EventSubscription), Err: err}
}

// errGoing is said of what is being deleted. It shows until that has ended.
var errGoing = errors.New("it is being deleted")

func going(s armeventgrid.EventSubscription) bool {
	p := s.Properties
	return p != nil && p.ProvisioningState != nil && *p.ProvisioningState == armeventgrid.EventSubscriptionProvisioningStateDeleting
}

// The mark is a label that each create makes up: the resource manager knows no incarnation, and of two creates in one moment, which
// both succeed, the one whose mark is there afterwards has made it. privateMark keeps it for updates.
const (
	markLabel   = "mkt:"
	privateMark = "mark"
)

func markOf(s armeventgrid.EventSubscription) string {
	if s.Properties == nil {
		return ""
	}
	for _, label := range s.Properties.Labels {
		if mark, ok := strings.CutPrefix(deref(label), markLabel); ok {
			return mark
		}
	}
	return ""
}

// Create looks first: the resource manager has one call for creating and
// updating, which would take over what is there.
func (r *subscriptions) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		exists := providers.Result{Err: providers.Errorf(providers.Exists, "create event subscription %s: it exists already", c.ID)}
		var err error
		r.await(ctx, func(ctx context.Context) bool {
			err = r.readOne(ctx, c.ID).Err
			return !errors.Is(err, errGoing)
		})
		switch {
		case err == nil:
			return exists
		case providers.CodeOf(err) != providers.NotFound:
			return providers.Result{Err: err}
		}
		mark := rand.Text()
		made := r.put(ctx, c, mark)
		if made.Err == nil && made.Incarnation != mark { // another create came right after this one
			return exists
		}
		return made
	})
}

func (r *subscriptions) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		mark := c.Private[privateMark]
		if mark == "" { // it was made by somebody else, or by an mkt that knew no marks
			got := r.readOne(ctx, c.ID)
			if got.Err != nil {
				return providers.Result{Err: got.Err}
			}
			mark = cmp.Or(got.Incarnation, rand.Text())
		}
		return r.put(ctx, c, mark)
	})
}

// put creates or updates and waits for the end of it. Repeating it is safe: the
// call says what is to be, not what is to change.
func (r *subscriptions) put(ctx context.Context, c providers.Change, mark string) providers.Result {
	at, name, err := parseEventSubscriptionID(c.ID)
	if err != nil {
		return providers.Result{Err: &providers.Error{Code: providers.Invalid, Err: err}}
	}
	body, err := r.body(c.After)
	if err != nil {
		return providers.Result{Err: &providers.Error{Code: providers.Invalid, Err: err}}
	}
	body.Properties.Labels = []*string{to.Ptr(markLabel + mark)}
	client, err := r.conn.eventClient(at.subscription, &r.client)
	if err != nil {
		return providers.Result{Err: err}
	}
	what := "write event subscription " + name
	poller, _, err := call(ctx, r.Provider, what, managementHint, func(ctx context.Context) (*runtime.Poller[armeventgrid.EventSubscriptionsClientCreateOrUpdateResponse], error) {
		return client.BeginCreateOrUpdate(ctx, at.String(), name, body, nil)
	})
	if err != nil {
		return providers.Result{Err: err}
	}
	if err := finish(ctx, r.Provider, what, poller); err != nil {
		return providers.Result{Err: unsettled(err)}
	}
	var got providers.Reading
	r.await(ctx, func(ctx context.Context) bool {
		got = r.readOne(ctx, c.ID)
		return providers.CodeOf(got.Err) != providers.NotFound
	})
	if got.Err != nil {
		return providers.Result{Err: unsettled(fmt.Errorf("%s: it was written and could not be read back: %w", what, got.Err))}
	}
	return providers.Result{State: got.State, Incarnation: got.Incarnation, Private: map[string]string{privateMark: mark}}
}

func (r *subscriptions) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		at, name, err := parseEventSubscriptionID(c.ID)
		if err != nil {
			return providers.Result{Err: &providers.Error{Code: providers.Invalid, Err: err}}
		}
		client, err := r.conn.eventClient(at.subscription, &r.client)
		if err != nil {
			return providers.Result{Err: err}
		}
		what := "delete event subscription " + name
		poller, _, err := call(ctx, r.Provider, what, managementHint, func(ctx context.Context) (*runtime.Poller[armeventgrid.EventSubscriptionsClientDeleteResponse], error) {
			return client.BeginDelete(ctx, at.String(), name, nil)
		})
		if err == nil {
			err = finish(ctx, r.Provider, what, poller)
		}
		return r.gone(ctx, deleted(err, ""), func(ctx context.Context) bool {
			err := r.readOne(ctx, c.ID).Err
			return err != nil && !errors.Is(err, errGoing)
		})
	})
}

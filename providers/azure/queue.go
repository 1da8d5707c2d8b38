package azure

import (
	"context"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// Queue describes azure_queue.
var Queue = &spec.Kind{
	Name:   "azure_queue",
	System: system,
	Doc:    "A storage queue. Event Grid tells through it which blobs were written, and Snowpipe listens to it.",
	Example: `azure_queue "events" {
  name = "market-events"
}
`,
	Attrs: []spec.Attr{
		{
			Name: "name", Type: cty.String, Label: true, Check: checkName,
			Doc:    "The queue's name: 3 to 63 lower-case letters, digits and single hyphens. The block's label by default.",
			Change: spec.Replaced("a queue cannot be renamed; waiting messages are lost"),
		},
		accountAttr("a queue cannot move to another storage account; waiting messages are lost"),
		metadataAttr("queue"),
		{Name: "url", Type: cty.String, Computed: true, Doc: "The queue's public address, `https://ACCOUNT.queue.core.windows.net/NAME`."},
	},
	ID:        urlOf,
	HoldsData: true,
}

// queues implements providers.Resource and providers.Holder.
type queues struct{ *Provider }

func (r *queues) Complete(v cty.Value) (cty.Value, error) { return r.completeStorage(v, queueService) }

func queueValue(id string, metadata map[string]*string) cty.Value {
	account, name, _ := parseStorageID(id, queueService)
	return cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(name), "account": cty.StringVal(account), "metadata": metadataValue(metadata), "url": cty.StringVal(id),
	})
}

func (r *queues) open(id string) (*azqueue.QueueClient, error) {
	account, name, err := parseStorageID(id, queueService)
	if err != nil {
		return nil, &providers.Error{Code: providers.Invalid, Err: err}
	}
	client, err := r.conn.queueClient(account, &r.client)
	if err != nil {
		return nil, err
	}
	return client.NewQueueClient(name), nil
}

func (r *queues) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	return r.readStorage(ctx, refs, queueService, r.list, r.readOne)
}

// list reads the queues of an account whose names begin with prefix.
func (r *queues) list(ctx context.Context, account, prefix string) (map[string]cty.Value, error) {
	client, err := r.conn.queueClient(account, &r.client)
	if err != nil {
		return nil, err
	}
	found := map[string]cty.Value{}
	err = pages(ctx, r.Provider, "list queues of "+account, storageHint, func(last *azqueue.ListQueuesResponse) (*runtime.Pager[azqueue.ListQueuesResponse], error) {
		options := &azqueue.ListQueuesOptions{Prefix: &prefix, Include: azqueue.ListQueuesInclude{Metadata: true}}
		if last != nil {
			options.Marker = last.NextMarker
		}
		return client.NewListQueuesPager(options), nil
	}, func(page azqueue.ListQueuesResponse) (bool, error) {
		for _, item := range page.Queues {
			id := storageID(account, queueService, r.conn.suffix(), *item.Name)
			found[id] = queueValue(id, item.Metadata)
		}
		return true, nil
	})
	return found, err
}

func (r *queues) properties(ctx context.Context, id string) (azqueue.GetQueuePropertiesResponse, error) {
	client, err := r.open(id)
	if err != nil {
		return azqueue.GetQueuePropertiesResponse{}, err
	}
	got, _, err := call(ctx, r.Provider, fmt.Sprintf("read queue %s", id), storageHint, func(ctx context.Context) (azqueue.GetQueuePropertiesResponse, error) {
		return client.GetProperties(ctx, nil)
	})
	return got, err
}

func (r *queues) readOne(ctx context.Context, id string) (cty.Value, error) {
	got, err := r.properties(ctx, id)
	if err != nil {
		return cty.NilVal, err
	}
	return queueValue(id, got.Metadata), nil
}

func (r *queues) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		client, err := r.open(c.ID)
		if err != nil {
			return providers.Result{Err: err}
		}
		options := &azqueue.CreateOptions{Metadata: metadataHeaders(c.After.GetAttr("metadata"))}
		tries, err := r.whenFree(ctx, "QueueBeingDeleted", func() (int, error) {
			return do(ctx, r.Provider, fmt.Sprintf("create queue %s", c.ID), storageHint, func(ctx context.Context) error {
				var answer *http.Response
				_, err := client.Create(policy.WithCaptureResponse(ctx, &answer), options)
				if err == nil && answer != nil && answer.StatusCode == http.StatusNoContent {
					// The service calls it a success when the queue exists with the same metadata.
					return providers.Errorf(providers.Exists, "create queue %s: it exists already", c.ID)
				}
				return err
			})
		})
		return r.created(ctx, c, tries, err, r.readOne)
	})
}

func (r *queues) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		client, err := r.open(c.ID)
		if err != nil {
			return providers.Result{Err: err}
		}
		_, err = do(ctx, r.Provider, fmt.Sprintf("set metadata of queue %s", c.ID), storageHint, func(ctx context.Context) error {
			_, err := client.SetMetadata(ctx, &azqueue.SetMetadataOptions{Metadata: metadataHeaders(c.After.GetAttr("metadata"))})
			return err
		})
		if err != nil {
			return providers.Result{Err: err}
		}
		state, err := r.readOne(ctx, c.ID)
		return providers.Result{State: state, Err: err}
	})
}

// Delete returns before the name is free again; see containers.Delete.
func (r *queues) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		client, err := r.open(c.ID)
		if err != nil {
			return providers.Result{Err: err}
		}
		_, err = do(ctx, r.Provider, fmt.Sprintf("delete queue %s", c.ID), storageHint, func(ctx context.Context) error {
			_, err := client.Delete(ctx, nil)
			return err
		})
		return deleted(err, "QueueBeingDeleted")
	})
}

// Holds tells how many messages wait, as Azure knows it: about.
func (r *queues) Holds(ctx context.Context, refs []providers.Ref) []providers.Holding {
	return providers.Each(ctx, parallel, refs, func(ctx context.Context, ref providers.Ref) providers.Holding {
		got, err := r.properties(ctx, ref.ID)
		switch {
		case providers.CodeOf(err) == providers.NotFound:
			return providers.Holding{}
		case err != nil:
			return providers.Holding{Err: err}
		case got.ApproximateMessagesCount == nil || *got.ApproximateMessagesCount == 0:
			return providers.Holding{}
		}
		return providers.Holding{Loss: providers.Plural(*got.ApproximateMessagesCount, "waiting message")}
	})
}

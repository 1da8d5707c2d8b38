package azure

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/dustin/go-humanize"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// containers implements providers.Resource and providers.Holder.
type containers struct{ *Provider }

func (r *containers) Complete(v cty.Value) (cty.Value, error) {
	return r.completeStorage(v, blobService)
}

func containerValue(id, access string, metadata map[string]*string) cty.Value {
	account, name, _ := parseStorageID(id, blobService)
	return cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(name), "account": cty.StringVal(account), "access": cty.StringVal(cmp.Or(access, accessPrivate)),
		"metadata": metadataValue(metadata), "url": cty.StringVal(id),
	})
}

func (r *containers) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	return r.readStorage(ctx, refs, blobService, r.list, r.readOne)
}

// list reads the containers of an account whose names begin with prefix.
func (r *containers) list(ctx context.Context, account, prefix string) (map[string]cty.Value, error) {
	client, err := r.conn.blobClient(account, &r.client)
	if err != nil {
		return nil, err
	}
	found := map[string]cty.Value{}
	err = pages(ctx, r.Provider, "list containers of "+account, storageHint, func(last *service.ListContainersResponse) (*runtime.Pager[service.ListContainersResponse], error) {
		options := &service.ListContainersOptions{Prefix: &prefix, Include: service.ListContainersInclude{Metadata: true}}
		if last != nil {
			options.Marker = last.NextMarker
		}
		return client.NewListContainersPager(options), nil
	}, func(page service.ListContainersResponse) (bool, error) {
		for _, item := range page.ContainerItems {
			access := ""
			if item.Properties != nil && item.Properties.PublicAccess != nil {
				access = string(*item.Properties.PublicAccess)
			}
			id := storageID(account, blobService, r.conn.suffix(), *item.Name)
			found[id] = containerValue(id, access, item.Metadata)
		}
		return true, nil
	})
	return found, err
}

func (r *containers) readOne(ctx context.Context, id string) (cty.Value, error) {
	client, err := r.conn.ContainerClient(id, &r.client)
	if err != nil {
		return cty.NilVal, err
	}
	got, _, err := call(ctx, r.Provider, fmt.Sprintf("read container %s", id), storageHint, func(ctx context.Context) (container.GetPropertiesResponse, error) {
		return client.GetProperties(ctx, nil)
	})
	if err != nil {
		return cty.NilVal, err
	}
	access := ""
	if got.BlobPublicAccess != nil {
		access = string(*got.BlobPublicAccess)
	}
	return containerValue(id, access, got.Metadata), nil
}

func publicAccess(v cty.Value) *container.PublicAccessType {
	if access := v.GetAttr("access").AsString(); access != accessPrivate {
		return to.Ptr(container.PublicAccessType(access))
	}
	return nil
}

func (r *containers) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		client, err := r.conn.ContainerClient(c.ID, &r.client)
		if err != nil {
			return providers.Result{Err: err}
		}
		options := &container.CreateOptions{Metadata: metadataHeaders(c.After.GetAttr("metadata")), Access: publicAccess(c.After)}
		tries, err := r.whenFree(ctx, "ContainerBeingDeleted", func() (int, error) {
			return do(ctx, r.Provider, fmt.Sprintf("create container %s", c.ID), storageHint, func(ctx context.Context) error {
				_, err := client.Create(ctx, options)
				return err
			})
		})
		return r.created(ctx, c, tries, err, r.readOne)
	})
}

func (r *containers) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		err := r.update(ctx, c)
		state, readErr := r.readOne(ctx, c.ID)
		if err == nil {
			err = readErr
		}
		return providers.Result{State: state, Err: err}
	})
}

func (r *containers) update(ctx context.Context, c providers.Change) error {
	client, err := r.conn.ContainerClient(c.ID, &r.client)
	if err != nil {
		return err
	}
	if !c.Before.GetAttr("metadata").RawEquals(c.After.GetAttr("metadata")) {
		if _, err := do(ctx, r.Provider, fmt.Sprintf("set metadata of container %s", c.ID), storageHint, func(ctx context.Context) error {
			_, err := client.SetMetadata(ctx, &container.SetMetadataOptions{Metadata: metadataHeaders(c.After.GetAttr("metadata"))})
			return err
		}); err != nil {
			return err
		}
	}
	if c.Before.GetAttr("access").RawEquals(c.After.GetAttr("access")) {
		return nil
	}
	// Access and the stored access policies are one value to the service: the policies are kept.
	_, err = do(ctx, r.Provider, fmt.Sprintf("set access of container %s", c.ID), storageHint, func(ctx context.Context) error {
		present, err := client.GetAccessPolicy(ctx, nil)
		if err != nil {
			return err
		}
		_, err = client.SetAccessPolicy(ctx, &container.SetAccessPolicyOptions{Access: publicAccess(c.After), ContainerACL: present.SignedIdentifiers})
		return err
	})
	return err
}

// Delete returns before the name is free again, which takes about 30 s and
// which only a create can find out: Create waits for it.
func (r *containers) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, parallel, changes, func(ctx context.Context, c providers.Change) providers.Result {
		client, err := r.conn.ContainerClient(c.ID, &r.client)
		if err != nil {
			return providers.Result{Err: err}
		}
		_, err = do(ctx, r.Provider, fmt.Sprintf("delete container %s", c.ID), storageHint, func(ctx context.Context) error {
			_, err := client.Delete(ctx, nil)
			return err
		})
		return deleted(err, "ContainerBeingDeleted")
	})
}

// Bounds on counting what a delete would lose.
const (
	countFor  = 20 * time.Second
	countSize = 1_000_000 // blobs
)

// Holds counts the blobs of each container; it stops at a million or after 20 s
// and says so.
func (r *containers) Holds(ctx context.Context, refs []providers.Ref) []providers.Holding {
	return providers.Each(ctx, parallel, refs, func(ctx context.Context, ref providers.Ref) providers.Holding {
		client, err := r.conn.ContainerClient(ref.ID, &r.client)
		if err != nil {
			return providers.Holding{Err: err}
		}
		var count, bytes int64
		began, more := time.Now(), ""
		err = pages(ctx, r.Provider, fmt.Sprintf("count blobs of %s", ref.ID), storageHint, func(last *container.ListBlobsFlatResponse) (*runtime.Pager[container.ListBlobsFlatResponse], error) {
			options := &container.ListBlobsFlatOptions{}
			if last != nil {
				options.Marker = last.NextMarker
			}
			return client.NewListBlobsFlatPager(options), nil
		}, func(page container.ListBlobsFlatResponse) (bool, error) {
			for _, b := range page.Segment.BlobItems {
				count++
				if b.Properties != nil && b.Properties.ContentLength != nil {
					bytes += *b.Properties.ContentLength
				}
			}
			if marker := page.NextMarker; (count >= countSize || time.Since(began) > countFor) && marker != nil && *marker != "" {
				more = "more than "
				return false, nil
			}
			return true, nil
		})
		if providers.CodeOf(err) == providers.NotFound {
			return providers.Holding{}
		}
		if err != nil {
			return providers.Holding{Err: err}
		}
		if count == 0 {
			return providers.Holding{}
		}
		return providers.Holding{Loss: more + providers.Plural(count, "blob") + ", " + humanize.Bytes(uint64(bytes))}
	})
}

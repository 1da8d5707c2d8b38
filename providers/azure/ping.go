package azure

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"mkt/providers"
)

// Ping signs in to the storage account and counts the containers of the first page of its list.
func (c Connection) Ping(ctx context.Context) (containers int, err error) {
	if c.Account == "" {
		return 0, &providers.Error{Code: providers.Invalid, Err: errors.New("no storage account is named"),
			Hint: "Set account in the provider \"azure\", or AZURE_STORAGE_ACCOUNT."}
	}
	p, err := New(c)
	if err != nil {
		return 0, err
	}
	client, err := c.BlobClient(&p.client)
	if err != nil {
		return 0, err
	}
	page, _, err := call(ctx, p, "list containers of "+c.Account, storageHint, func(ctx context.Context) (service.ListContainersResponse, error) {
		return client.NewListContainersPager(nil).NextPage(ctx) // a pager that failed once fails for good
	})
	return len(page.ContainerItems), err
}

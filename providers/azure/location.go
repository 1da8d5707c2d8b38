package azure

import (
	"context"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mkt/providers"
)

// Location returns the region of a storage account, such as "westeurope". It asks the resource manager once, which takes a
// sign-in and the role Reader.
func (c Connection) Location(ctx context.Context, account string) (string, error) {
	if c.Token == nil || c.SubscriptionID == "" || c.ResourceGroup == "" {
		return "", noCredential()
	}
	opts := options(nil, c.ResourceManager)
	opts.Cloud = c.cloud()
	client, err := arm.NewClient("mkt", "v0.0.0", c.Token, &arm.ClientOptions{ClientOptions: opts})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, providers.CallTimeout)
	defer cancel()
	at := scope{subscription: c.SubscriptionID, group: c.ResourceGroup, account: account}
	req, err := runtime.NewRequest(ctx, http.MethodGet, runtime.JoinPaths(client.Endpoint(), at.String()))
	if err != nil {
		return "", err
	}
	query := req.Raw().URL.Query()
	query.Set("api-version", "2023-05-01")
	req.Raw().URL.RawQuery = query.Encode()
	resp, err := client.Pipeline().Do(req)
	if err != nil {
		return "", failure("read storage account "+account, managementHint, err)
	}
	defer resp.Body.Close()
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return "", failure("read storage account "+account, managementHint, runtime.NewResponseError(resp))
	}
	var answer struct{ Location string }
	if err := runtime.UnmarshalAsJSON(resp, &answer); err != nil {
		return "", err
	}
	return answer.Location, nil
}

package blob

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/internal/realtest"
	"mkt/ledger/ledgertest"
)

// TestConformance runs the suite of stores on the embedded account, or on Azurite where .ci/real/run has started it.
func TestConformance(t *testing.T) {
	services := realtest.At(t, realtest.Azurite)
	ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
		if services == "" {
			endpoint := serve(t)
			return harness(t, func() *container.Client { return clientOf(t, endpoint, account, accountKey, http.DefaultClient) })
		}
		blobs, _, _ := strings.Cut(services, ",")
		url := blobs + "/mktlocal/mkt-" + strings.ToLower(rand.Text())
		client := func() *container.Client {
			return clientOf(t, url, "mktlocal", os.Getenv(realtest.AzuriteKey), http.DefaultClient)
		}
		t.Cleanup(func() { _, _ = client().Delete(context.Background(), nil) })
		return harness(t, client)
	})
}

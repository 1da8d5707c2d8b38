package blob

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/ledger/ledgertest"
)

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
		endpoint := serve(t)
		return harness(t, func() *container.Client { return clientOf(t, endpoint, account, accountKey, http.DefaultClient) })
	})
}

// TestConformanceAzurite runs the same suite against Azurite, which is somebody else's idea of Azure. MKT_TEST_AZURITE
// is the URL of its blob service with the account, http://127.0.0.1:10000/devstoreaccount1.
func TestConformanceAzurite(t *testing.T) {
	url := os.Getenv("MKT_TEST_AZURITE")
	if url == "" {
		t.Log("NOT RUN against Azurite: MKT_TEST_AZURITE is not set. Set it to http://127.0.0.1:10000/devstoreaccount1 where one listens.")
		t.Skip("MKT_TEST_AZURITE is not set")
	}
	// The account and key of every Azurite ("Use the Azurite emulator", Azure Storage documentation).
	const (
		account = "devstoreaccount1"
		key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	)
	ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
		name := url + "/mkt-" + strings.ToLower(rand.Text())
		client := func() *container.Client { return clientOf(t, name, account, key, http.DefaultClient) }
		t.Cleanup(func() { _, _ = client().Delete(context.Background(), nil) })
		return harness(t, client)
	})
}

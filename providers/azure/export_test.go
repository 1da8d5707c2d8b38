package azure

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// Quick makes a provider give up after d, so that tests of what is down are fast.
func Quick(p *Provider, d time.Duration) *Provider {
	p.retryFor = d
	return p
}

// Through makes a provider send its requests through a transport.
func Through(p *Provider, t policy.Transporter) *Provider {
	p.client.Transport = t
	return p
}

// SignInThrough makes DefaultAzureCredential ask through a transport during a test.
func SignInThrough(t *testing.T, through policy.Transporter) {
	before := identity
	identity = through
	t.Cleanup(func() { identity = before })
}

// BlobsOf is a client of a container.
func (p *Provider) BlobsOf(url string) (*container.Client, error) {
	return p.conn.ContainerClient(url, &p.client)
}

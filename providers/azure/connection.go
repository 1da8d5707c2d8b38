package azure

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/eventgrid/armeventgrid/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// Connection is where a storage account and the resource manager are and what
// signs in. It holds secrets; printing it shows none.
type Connection struct {
	Account        string
	EndpointSuffix string // core.windows.net
	// Where the services are really reached; "" is the account's public address. On the loopback interface, and
	// where the path already is one, the account is a segment of the path.
	BlobEndpoint, QueueEndpoint string

	// One of Key (base64) and SAS (a query) signs in to storage; without either, Token does.
	Key, SAS string
	Token    azcore.TokenCredential // signs in to the resource manager

	ResourceManager               string // endpoint; "" is the cloud's
	Graph                         string // endpoint of the tenant's directory; "" is the cloud's
	SubscriptionID, ResourceGroup string
	Cloud                         string // public, usgovernment or china
}

// String tells where the connection leads.
func (c Connection) String() string {
	return fmt.Sprintf("azure storage account %s (%s)", c.Account, c.EndpointSuffix)
}

// GoString is String, so that no format prints secrets.
func (c Connection) GoString() string { return c.String() }

var clouds = map[string]struct {
	suffix string
	config cloud.Configuration
}{
	"public":       {"core.windows.net", cloud.AzurePublic},
	"usgovernment": {"core.usgovcloudapi.net", cloud.AzureGovernment},
	"china":        {"core.chinacloudapi.cn", cloud.AzureChina},
}

// cloud is the SDK's configuration, with the resource manager's endpoint
// replaced where one is given.
func (c Connection) cloud() cloud.Configuration {
	base := clouds[cmp.Or(c.Cloud, "public")].config
	if c.ResourceManager == "" {
		return base
	}
	return cloud.Configuration{
		ActiveDirectoryAuthorityHost: base.ActiveDirectoryAuthorityHost,
		Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			cloud.ResourceManager: {Endpoint: c.ResourceManager, Audience: base.Services[cloud.ResourceManager].Audience},
		},
	}
}

// suffix is the end of the account's canonical host names.
func (c Connection) suffix() string { return cmp.Or(c.EndpointSuffix, clouds["public"].suffix) }

// serviceURL is where a service of an account is really reached.
func (c Connection) serviceURL(account, service string) (string, error) {
	endpoint := map[string]string{blobService: c.BlobEndpoint, queueService: c.QueueEndpoint}[service]
	if endpoint == "" {
		return "https://" + account + "." + service + "." + c.suffix(), nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", providers.Errorf(providers.Invalid, "the %s endpoint is not a URL", service)
	}
	path := strings.Trim(u.Path, "/")
	switch {
	case path == c.Account && path != "" || path == "" && providers.Loopback(u.Hostname()):
		u.Path = "/" + account
	case strings.HasPrefix(u.Host, c.Account+"."):
		u.Host = account + strings.TrimPrefix(u.Host, c.Account)
	case account != c.Account:
		return "", &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("account"),
			Err: fmt.Errorf("the %s endpoint serves the account %q only, not %q", service, c.Account, account)}
	}
	return u.String(), nil
}

// plain tells whether a credential may be sent without TLS: only to this
// machine.
func plain(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && u.Scheme == "http" && providers.Loopback(u.Hostname())
}

// transport is shared by all clients; the SDK's own keeps too few idle
// connections for parallel work.
var transport = func() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.MaxIdleConns = 64, 256
	return &http.Client{Transport: t}
}()

// options completes a caller's options for a service at endpoint.
func options(o *policy.ClientOptions, endpoint string) policy.ClientOptions {
	var out policy.ClientOptions
	if o != nil {
		out = *o
	}
	if out.Transport == nil {
		out.Transport = transport
	}
	out.InsecureAllowCredentialWithHTTP = out.InsecureAllowCredentialWithHTTP || plain(endpoint)
	return out
}

// BlobClient returns a client of the Blob service of the connection's account.
// The SDK's client options may be nil; retries are the SDK's unless they say
// otherwise.
func (c Connection) BlobClient(o *policy.ClientOptions) (*service.Client, error) {
	return c.blobClient(c.Account, o)
}

// ContainerClient returns a client of the container with this id.
func (c Connection) ContainerClient(id string, o *policy.ClientOptions) (*container.Client, error) {
	account, name, err := ParseContainerURL(id)
	if err != nil {
		return nil, &providers.Error{Code: providers.Invalid, Err: err}
	}
	blobs, err := c.blobClient(account, o)
	if err != nil {
		return nil, err
	}
	return blobs.NewContainerClient(name), nil
}

func (c Connection) blobClient(account string, o *policy.ClientOptions) (*service.Client, error) {
	endpoint, err := c.serviceURL(account, blobService)
	if err != nil {
		return nil, err
	}
	opts := &service.ClientOptions{ClientOptions: options(o, endpoint)}
	switch {
	case c.Key != "":
		cred, err := service.NewSharedKeyCredential(account, c.Key)
		if err != nil {
			return nil, providers.Errorf(providers.Invalid, "the storage account's key is not base64")
		}
		return service.NewClientWithSharedKeyCredential(endpoint, cred, opts)
	case c.SAS != "":
		return service.NewClientWithNoCredential(endpoint+"?"+c.SAS, opts)
	case c.Token != nil:
		return service.NewClient(endpoint, c.Token, opts)
	}
	return nil, noCredential()
}

// QueueClient returns a client of the Queue service of the connection's account.
func (c Connection) QueueClient(o *policy.ClientOptions) (*azqueue.ServiceClient, error) {
	return c.queueClient(c.Account, o)
}

func (c Connection) queueClient(account string, o *policy.ClientOptions) (*azqueue.ServiceClient, error) {
	endpoint, err := c.serviceURL(account, queueService)
	if err != nil {
		return nil, err
	}
	opts := &azqueue.ClientOptions{ClientOptions: options(o, endpoint)}
	switch {
	case c.Key != "":
		cred, err := azqueue.NewSharedKeyCredential(account, c.Key)
		if err != nil {
			return nil, providers.Errorf(providers.Invalid, "the storage account's key is not base64")
		}
		return azqueue.NewServiceClientWithSharedKeyCredential(endpoint, cred, opts)
	case c.SAS != "":
		return azqueue.NewServiceClientWithNoCredential(endpoint+"?"+c.SAS, opts)
	case c.Token != nil:
		return azqueue.NewServiceClient(endpoint, c.Token, opts)
	}
	return nil, noCredential()
}

func noCredential() error {
	return &providers.Error{Code: providers.Denied, Err: fmt.Errorf("there is no credential for the storage account"), Hint: signInHint}
}

// eventClient returns a client of Event Grid in the resource manager.
func (c Connection) eventClient(subscription string, o *policy.ClientOptions) (*armeventgrid.EventSubscriptionsClient, error) {
	if c.Token == nil {
		return nil, &providers.Error{Code: providers.Denied, Err: fmt.Errorf("there is no credential for the resource manager"), Hint: signInHint}
	}
	opts := options(o, c.ResourceManager)
	opts.Cloud = c.cloud()
	return armeventgrid.NewEventSubscriptionsClient(subscription, c.Token, &arm.ClientOptions{ClientOptions: opts})
}

package azure

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// system is Azure's name in providers.Source.
const system = "azure"

// fromBlock is a Source's From for what the provider block says.
const fromBlock = "provider block"

// Resolve merges the provider's block, an object of Config's type, over the
// environment, and tells for each setting where it came from. getenv returns ""
// for what is not set. Of the credentials, the block's wins over the
// environment's, and those over signing in as the Azure tools do. What is
// missing is no error here, but when it is needed.
func Resolve(block cty.Value, getenv func(string) string) (Connection, []providers.Source, error) {
	r := &resolving{block: block, getenv: getenv}
	c := Connection{Cloud: cmp.Or(r.pick("cloud", "cloud"), "public")}
	c.EndpointSuffix = clouds[c.Cloud].suffix
	var err error
	if c, err = r.storage(c); err != nil {
		return Connection{}, r.sources, err
	}
	if endpoint := r.pick("blob_endpoint", "blob_endpoint", "AZURE_STORAGE_BLOB_ENDPOINT"); endpoint != "" {
		c.BlobEndpoint = endpoint
	}
	if endpoint := r.pick("queue_endpoint", "queue_endpoint", "AZURE_STORAGE_QUEUE_ENDPOINT"); endpoint != "" {
		c.QueueEndpoint = endpoint
	}
	c.ResourceManager = r.pick("resource_manager_endpoint", "resource_manager_endpoint", "AZURE_RESOURCE_MANAGER_ENDPOINT")
	c.Graph = r.pick("graph_endpoint", "graph_endpoint", "AZURE_GRAPH_ENDPOINT")
	c.SubscriptionID = r.pick("subscription_id", "subscription_id", "AZURE_SUBSCRIPTION_ID")
	c.ResourceGroup = r.pick("resource_group", "resource_group", "AZURE_RESOURCE_GROUP")
	r.signIn(&c)
	return c, r.sources, c.check()
}

type resolving struct {
	block   cty.Value
	getenv  func(string) string
	sources []providers.Source
}

func (r *resolving) took(setting, from string) {
	r.sources = append(r.sources, providers.Source{System: system, Setting: setting, From: from})
}

// fromBlock returns the block's value, or "".
func (r *resolving) inBlock(name string) string {
	if r.block == cty.NilVal || !r.block.IsKnown() || r.block.IsNull() || !r.block.Type().HasAttribute(name) {
		return ""
	}
	v := r.block.GetAttr(name)
	if !v.IsKnown() || v.IsNull() {
		return ""
	}
	return v.AsString()
}

// offered is what one setting could be, the strongest source first.
type offered struct {
	value  string
	source providers.Source
}

func (o *offered) offer(value, from string) {
	switch {
	case value == "":
	case o.value == "":
		o.value, o.source.From = value, from
	default:
		o.source.Over = append(o.source.Over, from)
	}
}

// pick returns the block's value, else that of the first variable that is set.
func (r *resolving) pick(setting, name string, variables ...string) string {
	o := offered{source: providers.Source{System: system, Setting: setting}}
	o.offer(r.inBlock(name), fromBlock)
	for _, variable := range variables {
		o.offer(r.getenv(variable), variable)
	}
	if o.value != "" {
		r.sources = append(r.sources, o.source)
	}
	return o.value
}

// storage finds account and storage credential.
func (r *resolving) storage(c Connection) (Connection, error) {
	account := r.pick("account", "account")
	given := map[string]string{}
	for _, name := range []string{"connection_string", "key", "sas_token"} {
		if v := r.inBlock(name); v != "" {
			given[name] = v
		}
	}
	if len(given) > 1 {
		return c, &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("the provider block has several credentials"),
			Hint: "Keep one of connection_string, key and sas_token."}
	}
	var o offered
	for _, v := range given {
		o.offer(v, fromBlock)
	}
	for _, c := range []struct{ name, variable string }{
		{"connection_string", "AZURE_STORAGE_CONNECTION_STRING"}, {"key", "AZURE_STORAGE_KEY"}, {"sas_token", "AZURE_STORAGE_SAS_TOKEN"},
	} {
		if v := r.getenv(c.variable); v != "" {
			if o.value == "" {
				given[c.name] = v
			}
			o.offer(v, c.variable)
		}
	}
	source := o.source.From
	if o.value != "" {
		o.source.System, o.source.Setting = system, "credential"
		r.sources = append(r.sources, o.source)
	}
	switch {
	case given["connection_string"] != "":
		if err := c.parseConnectionString(given["connection_string"]); err != nil {
			return c, err
		}
		if account != "" && c.Account != "" && c.Account != account {
			return c, &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("account"),
				Err:  fmt.Errorf("the connection string (%s) is for the storage account %q, the provider block names %q", source, c.Account, account),
				Hint: "Make them agree, or leave one out."}
		}
		if account == "" && c.Account != "" {
			r.took("account", source)
		}
	case given["key"] != "":
		c.Key = given["key"]
	case given["sas_token"] != "":
		c.SAS = strings.TrimPrefix(given["sas_token"], "?")
	}
	if account != "" {
		c.Account = account
	}
	if c.Account == "" {
		c.Account = r.pick("account", "", "AZURE_STORAGE_ACCOUNT")
	}
	return c, nil
}

// signIn finds the token credential, for the resource manager and for storage
// that has no credential of its own.
func (r *resolving) signIn(c *Connection) {
	from := "DefaultAzureCredential"
	if token := r.getenv("AZURE_ACCESS_TOKEN"); token != "" {
		c.Token, from = fixedToken(token), "AZURE_ACCESS_TOKEN"
	} else {
		config := c.cloud()
		c.Token = &chain{open: sync.OnceValues(func() (*azidentity.DefaultAzureCredential, error) {
			return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: azcore.ClientOptions{Cloud: config, Transport: identity}})
		})}
	}
	if c.Key == "" && c.SAS == "" {
		r.took("credential", from)
	}
	r.took("management credential", from)
}

// identity is what DefaultAzureCredential asks through; nil is the SDK's own transport. Tests stand in for Entra ID here.
var identity policy.Transporter

// chain is DefaultAzureCredential, looked for when it is first needed: what is
// wrong with it must not be in the way of who uses an account key.
type chain struct {
	open func() (*azidentity.DefaultAzureCredential, error)
}

func (c *chain) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	cred, err := c.open()
	if err != nil {
		return azcore.AccessToken{}, azidentity.NewCredentialUnavailableError(err.Error())
	}
	return cred.GetToken(ctx, o)
}

// fixedToken is a bearer token from elsewhere, used until it is refused.
type fixedToken string

func (t fixedToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// The account, key and addresses that UseDevelopmentStorage=true stands for
// ("Use the Azurite emulator", Azure Storage documentation). They are public.
const (
	developmentAccount = "devstoreaccount1"
	developmentKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// parseConnectionString reads a storage connection string ("Configure Azure
// Storage connection strings", Azure Storage documentation). Its errors show no
// part of it.
func (c *Connection) parseConnectionString(text string) error {
	invalid := func(why string) error {
		return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("connection_string"),
			Err: fmt.Errorf("the connection string is not usable: %s", why), Hint: "Copy it anew from the storage account's access keys."}
	}
	parts := map[string]string{}
	for field := range strings.SplitSeq(strings.TrimSpace(text), ";") {
		if field == "" {
			continue
		}
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return invalid("a part has no =")
		}
		parts[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	if parts["usedevelopmentstorage"] == "true" {
		parts["accountname"], parts["accountkey"] = developmentAccount, developmentKey
		parts["blobendpoint"] = "http://127.0.0.1:10000/" + developmentAccount
		parts["queueendpoint"] = "http://127.0.0.1:10001/" + developmentAccount
	}
	c.Account = parts["accountname"]
	c.Key, c.SAS = parts["accountkey"], strings.TrimPrefix(parts["sharedaccesssignature"], "?")
	c.BlobEndpoint, c.QueueEndpoint = parts["blobendpoint"], parts["queueendpoint"]
	if suffix := parts["endpointsuffix"]; suffix != "" {
		c.EndpointSuffix = suffix
	}
	if c.Account == "" {
		if u, err := url.Parse(c.BlobEndpoint); err == nil {
			if host, rest, _ := strings.Cut(u.Host, "."); strings.HasPrefix(rest, "blob.") {
				c.Account = host
			}
		}
	}
	if c.Key == "" && c.SAS == "" {
		return invalid("it has neither AccountKey nor SharedAccessSignature")
	}
	if c.Account == "" {
		return invalid("it names no account")
	}
	return nil
}

// check looks at what can be wrong without asking anybody.
func (c *Connection) check() error {
	if c.Account != "" && !accountName.MatchString(c.Account) {
		return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("account"), Err: checkAccount(cty.StringVal(c.Account))}
	}
	if _, err := base64.StdEncoding.DecodeString(c.Key); err != nil {
		return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("key"), Err: fmt.Errorf("the storage account's key is not base64"),
			Hint: "Copy it anew from the storage account's access keys."}
	}
	for setting, endpoint := range map[string]string{
		"blob_endpoint": c.BlobEndpoint, "queue_endpoint": c.QueueEndpoint, "resource_manager_endpoint": c.ResourceManager,
	} {
		if endpoint == "" {
			continue
		}
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" {
			return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath(setting), Err: fmt.Errorf("%s is not a URL", setting),
				Hint: "Write it like https://host:port, without a query."}
		}
	}
	return nil
}

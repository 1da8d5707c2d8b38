package azure

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"mkt/providers"
)

// maxDelegation is how long a user-delegation SAS can live ("Create a user
// delegation SAS", Azure Storage REST documentation).
const maxDelegation = 7 * 24 * time.Hour

// MintSAS makes a shared access signature for the container of this URL, valid
// until expiry, and returns it as a query without the question mark. permissions
// are words: read, list, write, create, add, delete. With the account's key it
// is a service SAS; with a sign-in a user-delegation SAS, which lives at most 7
// days. The token is a secret: do not log or keep it.
func (p *Provider) MintSAS(ctx context.Context, containerURL string, permissions []string, expiry time.Time) (token string, err error) {
	account, name, err := ParseContainerURL(containerURL)
	if err != nil {
		return "", &providers.Error{Code: providers.Invalid, Err: err}
	}
	allowed, err := sasPermissions(permissions)
	if err != nil {
		return "", &providers.Error{Code: providers.Invalid, Err: err}
	}
	if !expiry.After(time.Now()) {
		return "", providers.Errorf(providers.Invalid, "make a SAS for %s: its expiry %s is over", containerURL, expiry.UTC().Format(time.RFC3339))
	}
	endpoint, err := p.conn.serviceURL(account, blobService)
	if err != nil {
		return "", err
	}
	values := sas.BlobSignatureValues{ContainerName: name, Permissions: allowed, ExpiryTime: expiry.UTC(), Protocol: sas.ProtocolHTTPS}
	if u, err := url.Parse(endpoint); err == nil && u.Scheme == "http" {
		values.Protocol = sas.ProtocolHTTPSandHTTP
	}
	what := "make a SAS for " + containerURL
	var query sas.QueryParameters
	switch {
	case p.conn.Delegates():
		var cred *service.UserDelegationCredential
		if cred, err = p.delegation(ctx, what, account, expiry); err == nil {
			query, err = values.SignWithUserDelegation(cred)
		}
	case p.conn.Key != "":
		cred, cerr := service.NewSharedKeyCredential(account, p.conn.Key)
		if cerr != nil {
			return "", providers.Errorf(providers.Invalid, "%s: the storage account's key is not base64", what)
		}
		query, err = values.SignWithSharedKey(cred)
	default:
		return "", &providers.Error{Code: providers.Denied, Err: fmt.Errorf("%s: mkt itself signs in with a SAS, and none can be made from another", what),
			Hint: "Give mkt the account's key, or a sign-in with the role Storage Blob Delegator."}
	}
	if err != nil {
		return "", failure(what, storageHint, err)
	}
	return query.Encode(), nil
}

// Delegates reports whether shared access signatures are signed with a user delegation key, so that they live at most 7 days, and not
// with the account's key. There are none where the connection itself has only a SAS.
func (c Connection) Delegates() bool { return c.Key == "" && c.SAS == "" }

// delegation asks for a key that signs until expiry.
func (p *Provider) delegation(ctx context.Context, what, account string, expiry time.Time) (*service.UserDelegationCredential, error) {
	start := time.Now().UTC()
	if expiry.Sub(start) > maxDelegation {
		return nil, &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("%s: signed in by token, a SAS lives at most 7 days", what),
			Hint: "Set expires_in to at most \"7d\", or give mkt the storage account's key."}
	}
	client, err := p.conn.blobClient(account, &p.client)
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(client.URL()); err != nil || !strings.HasPrefix(u.Host, account+".") {
		// The SDK takes the account that it signs for from the host's name.
		return nil, &providers.Error{Code: providers.Invalid, Err: fmt.Errorf("%s: a sign-in by token needs an endpoint with the account in its host name", what),
			Hint: "Give mkt the storage account's key."}
	}
	info := service.KeyInfo{Start: to.Ptr(start.Format(sas.TimeFormat)), Expiry: to.Ptr(expiry.UTC().Format(sas.TimeFormat))}
	cred, _, err := call(ctx, p, what, "Signing a SAS needs the role Storage Blob Delegator on the storage account, or the account's key.",
		func(ctx context.Context) (*service.UserDelegationCredential, error) {
			return client.GetUserDelegationCredential(ctx, info, nil)
		})
	return cred, err
}

func sasPermissions(words []string) (string, error) {
	var p sas.ContainerPermissions
	known := map[string]*bool{"read": &p.Read, "list": &p.List, "write": &p.Write, "create": &p.Create, "add": &p.Add, "delete": &p.Delete}
	for _, word := range words {
		flag := known[word]
		if flag == nil {
			return "", fmt.Errorf("%q is no permission of a SAS; they are read, list, write, create, add, delete", word)
		}
		*flag = true
	}
	if len(words) == 0 {
		return "", errors.New("a SAS needs at least one permission")
	}
	return p.String(), nil
}

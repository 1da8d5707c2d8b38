package azure

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"time"

	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// SignedIn is who a token signs in as.
type SignedIn struct {
	Credential string // of the chain, such as "AzureCLICredential"; "" where there is no chain
	As         string // user or application that the token names; "" where it does not say
	Ends       time.Time
}

// WhoAmI asks for a token for storage, and tells which credential of the chain gave it and to whom. It listens to azidentity's log
// meanwhile, which is the whole process's: it is for one goroutine.
func (c Connection) WhoAmI(ctx context.Context) (SignedIn, error) {
	if c.Token == nil {
		return SignedIn{}, noCredential()
	}
	var mu sync.Mutex
	var who SignedIn
	azlog.SetEvents(azidentity.EventAuthentication)
	azlog.SetListener(func(_ azlog.Event, text string) {
		if _, name, ok := strings.Cut(text, "DefaultAzureCredential authenticated with "); ok {
			mu.Lock()
			who.Credential = strings.TrimSpace(name)
			mu.Unlock()
		}
	})
	defer azlog.SetListener(nil)
	token, err := c.Token.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}})
	if err != nil {
		return SignedIn{}, failure("ask for a token", "", err)
	}
	mu.Lock()
	defer mu.Unlock()
	who.As, who.Ends = identityOf(token.Token), token.ExpiresOn
	return who, nil
}

// identityOf is the user or application of a token of Entra ID ("Access token claims reference"). Nothing is verified.
func identityOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct {
		UPN   string `json:"upn"`
		Name  string `json:"unique_name"`
		AppID string `json:"appid"`
		OID   string `json:"oid"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return ""
	}
	switch {
	case claims.UPN != "":
		return "user " + cut(claims.UPN, 200)
	case claims.Name != "":
		return "user " + cut(claims.Name, 200)
	case claims.AppID != "":
		return "application " + cut(claims.AppID, 200)
	case claims.OID != "":
		return "object " + cut(claims.OID, 200)
	}
	return ""
}

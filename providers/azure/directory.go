package azure

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// graphs are the addresses of Microsoft Graph, the tenant's directory, by cloud ("Microsoft Graph national cloud deployments").
var graphs = map[string]string{"public": "https://graph.microsoft.com", "usgovernment": "https://graph.microsoft.us", "china": "https://microsoftgraph.chinacloudapi.cn"}

const graphHint = "Looking a principal up by its name needs the directory's permission Application.Read.All, which members of a tenant have unless it was taken from them; or give the object id: `az ad sp list --display-name NAME`."

// principal finds the object id of a principal that is given by its id or by the name of a Snowflake integration's application; "" where the
// directory has no such service principal. The service principal bears the part of the application's name before the underscore
// (Snowflake: "Configuring an Azure container for loading data", AZURE_MULTI_TENANT_APP_NAME).
func (p *Provider) principal(ctx context.Context, name string) (string, error) {
	if guid.MatchString(name) {
		return name, nil
	}
	if p.conn.Token == nil {
		return "", &providers.Error{Code: providers.Denied, Err: fmt.Errorf("there is no credential for the directory"), Hint: signInHint}
	}
	display, _, _ := strings.Cut(name, "_")
	audience := graphs[cmp.Or(p.conn.Cloud, "public")]
	endpoint := strings.TrimRight(cmp.Or(p.conn.Graph, audience), "/")
	opts := options(&p.client, endpoint)
	auth := runtime.NewBearerTokenPolicy(p.conn.Token, []string{audience + "/.default"}, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: plain(endpoint)})
	pipeline := runtime.NewPipeline("mkt", "v0.0.0", runtime.PipelineOptions{PerRetry: []policy.Policy{auth}}, &opts)
	var found struct {
		Value []struct {
			ID string `json:"id"`
		} `json:"value"`
	}
	query := url.Values{"$filter": {"displayName eq '" + display + "'"}, "$select": {"id"}}
	_, _, err := call(ctx, p, "look up the service principal "+display, graphHint, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, exchange(ctx, pipeline, http.MethodGet, endpoint+"/v1.0/servicePrincipals?"+query.Encode(), nil, &found)
	})
	switch {
	case err != nil:
		return "", err
	case len(found.Value) > 1:
		return "", &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("principal"), Err: fmt.Errorf("the directory has %d service principals of the name %s", len(found.Value), display),
			Hint: "Give the object id of the right one: `az ad sp list --display-name " + display + "`."}
	case len(found.Value) == 0:
		return "", nil
	}
	return strings.ToLower(found.Value[0].ID), nil
}

// noPrincipal is what is to be done where the directory has no service principal for an integration yet.
func noPrincipal(name string) error {
	display, _, _ := strings.Cut(name, "_")
	return &providers.Error{Code: providers.Waiting, Path: cty.GetAttrPath("principal"), Err: fmt.Errorf("the tenant has no service principal %s yet", display), Steps: []string{
		"Have an administrator of the tenant open the consent_url of the Snowflake integration whose app_name is " + name + " (`mkt show`), and accept.",
		"Wait until `az ad sp list --display-name " + display + "` shows it; that may take an hour.",
	}}
}

package azure

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Config describes the block provider "azure".
var Config = &spec.Kind{
	Name: "azure",
	Doc: "Which storage account to use and how to sign in. What the block leaves out comes from the environment: " +
		"`AZURE_STORAGE_CONNECTION_STRING`, `AZURE_STORAGE_ACCOUNT`, `AZURE_STORAGE_KEY`, `AZURE_STORAGE_SAS_TOKEN`, `AZURE_SUBSCRIPTION_ID`, " +
		"`AZURE_RESOURCE_GROUP`, `AZURE_ACCESS_TOKEN`; without any of the storage credentials, and for event subscriptions, lifecycle policies and role assignments always, mkt signs in as the " +
		"Azure tools do (DefaultAzureCredential: environment, workload identity, managed identity, `az login`).",
	Example: `provider "azure" {
  account         = "marketdata"
  subscription_id = "11111111-2222-3333-4444-555555555555"
  resource_group  = "market"
}
`,
	Attrs: []spec.Attr{
		{Name: "account", Type: cty.String, Check: checkAccount, Doc: "The storage account of objects that name none themselves."},
		{Name: "connection_string", Type: cty.String, Secret: true, Doc: "A storage connection string; it holds account, endpoints and credential."},
		{Name: "key", Type: cty.String, Secret: true, Doc: "The storage account's access key."},
		{Name: "sas_token", Type: cty.String, Secret: true, Doc: "A shared access signature for the account. No further signatures can be made with it."},
		{Name: "subscription_id", Type: cty.String, Doc: "The Azure subscription of the storage account. Event subscriptions, lifecycle policies and role assignments need it."},
		{Name: "resource_group", Type: cty.String, Doc: "The resource group of the storage account. Event subscriptions, lifecycle policies and role assignments need it."},
		{Name: "cloud", Type: cty.String, Check: checkCloud, Doc: "`public` (the default), `usgovernment` or `china`."},
		{Name: "blob_endpoint", Type: cty.String, Doc: "Where the Blob service is reached, if not at the account's public address."},
		{Name: "queue_endpoint", Type: cty.String, Doc: "Where the Queue service is reached, if not at the account's public address."},
		{Name: "resource_manager_endpoint", Type: cty.String, Doc: "Where the resource manager is reached, if not at the cloud's public address."},
		{Name: "graph_endpoint", Type: cty.String, Doc: "Where Microsoft Graph is reached, if not at the cloud's public address. Role assignments look principals up there."},
	},
}

func checkCloud(v cty.Value) error {
	if !slices.Contains([]string{"public", "usgovernment", "china"}, v.AsString()) {
		return fmt.Errorf("must be one of public, usgovernment, china")
	}
	return nil
}

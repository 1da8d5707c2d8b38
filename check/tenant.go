package check

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

var tenantRules = []Rule{
	{
		ID: "tenant", Severity: hcl.DiagWarning, Summary: "Integration of another tenant",
		Doc: "A notification or storage integration names the tenant in which the storage account lives: in any other, consent opens nothing. It speaks when two integrations of the stack name different tenants for one account, and, " +
			"in `plan` and `apply`, when an integration names another one than `AZURE_TENANT_ID`, where mkt signs in.",
		Check: checkTenant,
	},
	{
		ID: "region", Severity: hcl.DiagWarning, Summary: "Files are in another region than the warehouse",
		Doc: "The storage account and the Snowflake account are in one region. Snowpipe loads from any region of any cloud, but each file travels: it takes longer, and the cloud charges for what leaves its region. " +
			"Only `plan` and `apply` know the regions, and only where both systems tell.",
		Check: checkRegion,
	},
}

// tenancy is an integration with the storage account that it opens, "" where that is unknown.
type tenancy struct {
	node    *Node
	account string
}

func (p *Pipeline) tenancies() (list []tenancy) {
	for _, n := range p.Integrations {
		queue := p.ref(n, "azure_queue", "queue")
		account := accountOf(queue.ID)
		if queue.Node != nil {
			account, _ = queue.Node.text("account")
		}
		list = append(list, tenancy{n, account})
	}
	for _, n := range p.nodes("snowflake_storage_integration") {
		locations, _ := n.texts("allowed_locations")
		account := ""
		if len(locations) > 0 {
			account = accountOf(locations[0])
		}
		list = append(list, tenancy{n, account})
	}
	return list
}

// accountOf is the storage account in a URL such as https://ACCOUNT.queue.core.windows.net/NAME.
func accountOf(url string) string {
	_, host, _ := strings.Cut(url, "://")
	host, _, _ = strings.Cut(host, "/")
	account, _, dotted := strings.Cut(host, ".")
	if !dotted {
		return ""
	}
	return account
}

func checkTenant(p *Pipeline) (found []Finding) {
	list := p.tenancies()
	for i, a := range list {
		tenant, known := a.node.text("tenant_id")
		if !known || tenant == "" {
			continue
		}
		if here := p.Facts.Tenant; here != "" && !strings.EqualFold(here, tenant) {
			found = append(found, Finding{At: a.node.End("tenant_id"), Others: p.provider("azure", "account"),
				Detail: fmt.Sprintf("The integration is for the tenant %s, and mkt signs in to Azure in the tenant %s (AZURE_TENANT_ID). If the storage account is in the latter, consent in the former opens nothing to Snowflake.", tenant, here)})
			continue
		}
		for _, b := range list[:i] {
			other, known := b.node.text("tenant_id")
			if !known || a.account == "" || a.account != b.account || strings.EqualFold(other, tenant) {
				continue
			}
			found = append(found, Finding{At: a.node.End("tenant_id"), Others: []End{b.node.End("tenant_id")},
				Detail: fmt.Sprintf("The storage account %s is in one tenant, and %s names %s for it and %s names %s. One of them would never be let in.", a.account, a.node.Addr, tenant, b.node.Addr, other)})
		}
	}
	return found
}

// provider is where a provider's block sets an attribute, or the block; nothing where the stack has no block for it.
func (p *Pipeline) provider(name, attr string) []End {
	rng, ok := p.in.Stack.ProviderRange(name, path(attr))
	if !ok {
		return nil
	}
	return []End{{Block: rng}}
}

// regionWords makes Azure's "westeurope" and "West Europe" and Snowflake's "AZURE_WESTEUROPE" or "PUBLIC.AZURE_WESTEUROPE"
// one word; ok is false for a region of another cloud.
func regionWords(region string) (word string, azure bool) {
	word = strings.ToUpper(strings.ReplaceAll(region, " ", ""))
	word = word[strings.LastIndexByte(word, '.')+1:]
	for _, cloud := range []string{"AWS_", "GCP_"} {
		if strings.HasPrefix(word, cloud) {
			return word, false
		}
	}
	return strings.TrimPrefix(word, "AZURE_"), true
}

func checkRegion(p *Pipeline) (found []Finding) {
	if p.Facts.Region == "" {
		return nil
	}
	warehouse, azure := regionWords(p.Facts.Region)
	for _, stage := range p.Stages {
		container := p.ref(stage, "azure_container", "container")
		account := accountOf(container.ID)
		if container.Node != nil {
			account, _ = container.Node.text("account")
		}
		region := p.Facts.Accounts[account]
		if region == "" {
			continue
		}
		if word, _ := regionWords(region); azure && word == warehouse {
			continue
		}
		found = append(found, Finding{At: stage.End("container"), Others: append(ends(container), p.provider("snowflake", "account")...),
			Detail: fmt.Sprintf("The storage account %s is in %s and the Snowflake account in %s: every file travels between them, which takes time and is charged.", account, region, p.Facts.Region)})
	}
	return found
}

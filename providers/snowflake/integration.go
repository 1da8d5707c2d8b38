package snowflake

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// NotificationIntegration describes snowflake_notification_integration.
var NotificationIntegration = &spec.Kind{
	Name: "snowflake_notification_integration", System: System,
	Doc: "Lets Snowflake read the events of an Azure storage queue. One queue serves one integration. After it is made, a tenant's administrator " +
		"opens `consent_url` once and accepts, and the service principal `app_name` gets the role *Storage Queue Data Contributor* on the queue.",
	Example: `snowflake_notification_integration "azure" {
  queue     = "https://myaccount.queue.core.windows.net/market-events"
  tenant_id = "00000000-0000-0000-0000-000000000000"
}
`,
	ID: idOf(""), Namespace: "snowflake integration",
	Attrs: append(nameAttrs("Name of the integration.", "", "", ""),
		spec.Attr{Name: "queue", Type: cty.String, Required: true, Refs: []string{"azure_queue"}, Doc: "Queue with the events, or its URL.",
			Check: func(v cty.Value) error { _, err := parseStorageURL(v.AsString()); return err },
			Norm:  normStorageURL("queue"), Change: spec.Replaced("an integration stays with its queue; pipes on it must be made again, and consent be given again")},
		spec.Attr{Name: "tenant_id", Type: cty.String, Required: true, Doc: "Azure tenant of the storage account.",
			Check: checkTenant, Norm: func(v cty.Value) cty.Value { return text(strings.ToLower(v.AsString())) },
			Change: spec.Replaced("an integration stays with its tenant; pipes on it must be made again, and consent be given again")},
		spec.Attr{Name: "enabled", Type: cty.Bool, Default: cty.True, Doc: "Whether pipes may use it.", Change: spec.Updated},
		spec.Attr{Name: "consent_url", Type: cty.String, Computed: true, Follows: []string{"name", "queue", "tenant_id"}, Doc: "Where an administrator of the tenant gives consent."},
		spec.Attr{Name: "app_name", Type: cty.String, Computed: true, Follows: []string{"name", "queue", "tenant_id"}, Doc: "Snowflake's application in the tenant, to which the queue must be opened."},
		commentAttr(),
	),
}

var tenant = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func checkTenant(v cty.Value) error {
	if !tenant.MatchString(v.AsString()) {
		return fmt.Errorf("%q is no tenant: write its GUID, as in 00000000-0000-0000-0000-000000000000", v.AsString())
	}
	return nil
}

var integrationKind = &kind{spec: NotificationIntegration, noun: "INTEGRATION", plural: "NOTIFICATION INTEGRATIONS",
	read: func(ctx context.Context, p *Provider, n Name, r row, _ map[string]string) (object, error) {
		rows, err := p.client.query(ctx, "DESCRIBE INTEGRATION "+n.SQL())
		if err != nil {
			return nil, err
		}
		v := properties(rows, "")
		if d := v["DIRECTION"]; d != "" && !strings.EqualFold(d, "INBOUND") {
			return nil, providers.Errorf(providers.Conflict, "%s leads out of Snowflake (DIRECTION is %s): it reads no queue, and mkt does not describe such integrations", n, d)
		}
		return object{"queue": text(v["AZURE_STORAGE_QUEUE_PRIMARY_URI"]), "tenant_id": text(v["AZURE_TENANT_ID"]), "enabled": cty.BoolVal(truth(r["enabled"])),
			"consent_url": orNull(v["AZURE_CONSENT_URL"]), "app_name": orNull(v["AZURE_MULTI_TENANT_APP_NAME"])}, nil
	},
	carries: func(_ context.Context, _ *Provider, n Name, pipe row, _ copyInto) (bool, error) {
		return pipe["integration"] == string(n.Last()), nil
	},
	create: func(n Name, o object) []string {
		return []string{"CREATE NOTIFICATION INTEGRATION " + n.SQL() + " ENABLED = " + boolean(o.boolean("enabled")) + " TYPE = QUEUE" +
			" NOTIFICATION_PROVIDER = AZURE_STORAGE_QUEUE AZURE_STORAGE_QUEUE_PRIMARY_URI = " + literal(o.str("queue")) +
			" AZURE_TENANT_ID = " + literal(o.str("tenant_id")) + setComment(o)}
	},
	update: func(n Name, before, after object) []string {
		var set []string
		if before.differs(after, "enabled") {
			set = append(set, "ENABLED = "+boolean(after.boolean("enabled")))
		}
		if before.differs(after, "comment") {
			set = append(set, "COMMENT = "+literal(after.str("comment")))
		}
		if set == nil {
			return nil
		}
		return []string{"ALTER NOTIFICATION INTEGRATION " + n.SQL() + " SET " + strings.Join(set, " ")}
	},
}

// properties indexes the rows of DESCRIBE by property, of one parent property where there are some.
func properties(rows []row, parent string) map[string]string {
	out := map[string]string{}
	for _, r := range rows {
		if parent == "" || r["parent_property"] == parent {
			out[r["property"]] = r["property_value"]
		}
	}
	return out
}

// storageURL is a container or a queue of an Azure storage account.
type storageURL struct {
	host, name string // market.blob.core.windows.net or host:port/account, market-data
	pathStyle  bool
	account    string
}

// parseStorageURL reads https://ACCOUNT.SERVICE.core.windows.net/NAME, and the path style http://HOST:PORT/ACCOUNT/NAME of endpoints
// without a domain of their own.
func parseStorageURL(s string) (storageURL, error) {
	u, err := url.Parse(s)
	bad := fmt.Errorf("%q is no URL of Azure storage: write https://ACCOUNT.blob.core.windows.net/CONTAINER or https://ACCOUNT.queue.core.windows.net/QUEUE", s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "azure" {
		return storageURL{}, bad
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	account, _, domain := strings.Cut(u.Hostname(), ".")
	if !domain || strings.Trim(u.Hostname(), "0123456789.") == "" {
		if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
			return storageURL{}, bad
		}
		return storageURL{host: u.Host, account: parts[0], name: parts[1], pathStyle: true}, nil
	}
	if len(parts) != 1 || parts[0] == "" {
		return storageURL{}, bad
	}
	return storageURL{host: u.Hostname(), account: account, name: parts[0]}, nil
}

// normStorageURL writes the URL as Snowflake wants it: an account by its host name in Azure.
func normStorageURL(service string) func(cty.Value) cty.Value {
	return func(v cty.Value) cty.Value {
		u, err := parseStorageURL(v.AsString())
		if err != nil {
			return v
		}
		if u.pathStyle {
			u.host = u.account + "." + service + ".core.windows.net"
		}
		return text("https://" + strings.ToLower(u.host) + "/" + u.name)
	}
}

package azure

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

var (
	accountName      = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	resourceName     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	subscriptionName = regexp.MustCompile(`^[A-Za-z0-9-]{3,64}$`)
)

func checkAccount(v cty.Value) error {
	if !accountName.MatchString(v.AsString()) {
		return fmt.Errorf("a storage account's name has 3 to 24 lower-case letters and digits, not %q", v.AsString())
	}
	return nil
}

// checkName holds the name of a container or queue against Azure's rules
// ("Naming and referencing containers, blobs, and metadata", "Naming queues and
// metadata", Azure Storage REST documentation).
func checkName(v cty.Value) error {
	name := v.AsString()
	if len(name) >= 3 && len(name) <= 63 && resourceName.MatchString(name) {
		return nil
	}
	advice := ""
	if better := strings.Trim(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "-"); better != name && len(better) >= 3 && len(better) <= 63 && resourceName.MatchString(better) {
		advice = fmt.Sprintf("; %q would do", better)
	}
	return fmt.Errorf("the name has 3 to 63 lower-case letters, digits and single hyphens, not %q%s", name, advice)
}

// Services, as their host names have them.
const (
	blobService  = "blob"
	queueService = "queue"
)

// storageID is the canonical URL of a container or queue, wherever the account
// is reached.
func storageID(account, service, suffix, name string) string {
	return "https://" + account + "." + service + "." + suffix + "/" + name
}

// ParseContainerURL cuts https://ACCOUNT.blob.SUFFIX/NAME, a container's id,
// into account and name.
func ParseContainerURL(id string) (account, name string, err error) {
	return parseStorageID(id, blobService)
}

func parseStorageID(id, service string) (account, name string, err error) {
	u, perr := url.Parse(id)
	if perr == nil && u.Scheme == "https" {
		host, rest, _ := strings.Cut(u.Host, ".")
		name := strings.Trim(u.Path, "/")
		if accountName.MatchString(host) && strings.HasPrefix(rest, service+".") && name != "" && !strings.Contains(name, "/") {
			return host, name, nil
		}
	}
	return "", "", fmt.Errorf("%q is not the URL of a %s: write https://ACCOUNT.%s.core.windows.net/NAME, or refer to a block of the stack",
		id, map[string]string{blobService: "container", queueService: "queue"}[service], service)
}

func checkStorageID(service string) func(cty.Value) error {
	return func(v cty.Value) error {
		_, _, err := parseStorageID(v.AsString(), service)
		return err
	}
}

const eventSubscriptions = "/providers/Microsoft.EventGrid/eventSubscriptions/"

// accountScope is the resource id of a storage account.
func accountScope(subscription, group, account string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/Microsoft.Storage/storageAccounts/" + account
}

var scopePattern = regexp.MustCompile(`(?i)^/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Storage/storageAccounts/([^/]+)$`)

// scope is a parsed resource id of a storage account.
type scope struct{ subscription, group, account string }

func (s scope) String() string { return accountScope(s.subscription, s.group, s.account) }

func parseScope(id string) (scope, error) {
	m := scopePattern.FindStringSubmatch(id)
	if m == nil {
		return scope{}, fmt.Errorf("%q is not the resource id of a storage account", id)
	}
	return scope{m[1], m[2], m[3]}, nil
}

// parseEventSubscriptionID cuts an event subscription's resource id into the
// account that it watches and its name.
func parseEventSubscriptionID(id string) (scope, string, error) {
	at := strings.LastIndex(strings.ToLower(id), strings.ToLower(eventSubscriptions))
	if at < 0 {
		return scope{}, "", fmt.Errorf("%q is not the resource id of an event subscription", id)
	}
	s, err := parseScope(id[:at])
	return s, id[at+len(eventSubscriptions):], err
}

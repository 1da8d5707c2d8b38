package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/providers"
)

// What a Need of Azure is on. On containers and queues, by URL, Do is "create", "list", "read" or "write"; on an account, by name,
// it is an action of the resource manager, such as "Microsoft.EventGrid/eventSubscriptions/write".
const (
	OnContainer = "container"
	OnQueue     = "queue"
	OnAccount   = "account"
)

// neverWritten is the name of a blob that a write asks for under a condition that no blob meets.
const neverWritten = ".mkt-doctor"

// Abilities asks what the connection may do. Data is asked for by requests that change nothing: a list of one blob, and a write that
// must not happen because its condition (If-Match) is never met. What a SAS does not say, it cannot do.
func (c Connection) Abilities(ctx context.Context, needs []providers.Need) []providers.Ability {
	p, err := New(c)
	if err != nil {
		return providers.NotKnown(needs, err)
	}
	out := make([]providers.Ability, len(needs))
	actions := map[string]*permissions{}
	for i, n := range needs {
		switch {
		case n.On == OnAccount:
			if actions[n.Name] == nil {
				actions[n.Name] = p.permissions(ctx, n.Name)
			}
			out[i] = actions[n.Name].ask(n)
		case c.Key != "":
			out[i] = providers.Ability{Need: n, May: providers.Yes, Why: "the account's key may do everything with its data"}
		case c.SAS != "" && !sasAllows(c.SAS, n):
			out[i] = providers.Ability{Need: n, May: providers.No, Why: "the shared access signature does not say so: " + sasLacks(c.SAS, n)}
		default:
			out[i] = p.try(ctx, n)
		}
	}
	return out
}

// try makes a request that shows whether n is allowed.
func (p *Provider) try(ctx context.Context, n providers.Need) providers.Ability {
	a := providers.Ability{Need: n, May: providers.Yes}
	err := p.tryOnce(ctx, n)
	var answer *azcore.ResponseError
	errors.As(err, &answer)
	switch code := providers.CodeOf(failure("", "", err)); {
	case err == nil, answer != nil && answer.StatusCode == http.StatusPreconditionFailed:
	case code == providers.NotFound && p.conn.SAS != "":
		a.Why = "the shared access signature says so; it is not there yet"
	case code == providers.NotFound || errors.Is(err, errOnlyByDoing):
		a.May, a.Why = providers.Unclear, "it is not there yet, and only creating it would tell"
	case code == providers.Denied:
		a.May, a.Why = providers.No, failure("refused", "", err).Error()
	default:
		a.May, a.Why = providers.Unclear, failure("asked", "", err).Error()
	}
	return a
}

var errOnlyByDoing = errors.New("only doing it would tell")

func (p *Provider) tryOnce(ctx context.Context, n providers.Need) error {
	ctx, cancel := context.WithTimeout(ctx, providers.CallTimeout)
	defer cancel()
	if n.On == OnQueue {
		q, err := (&queues{p}).open(n.Name)
		if err == nil {
			_, err = q.GetProperties(ctx, nil)
		}
		return err
	}
	client, err := p.conn.ContainerClient(n.Name, &p.client)
	if err != nil {
		return err
	}
	switch n.Do {
	case "write":
		_, err = client.NewBlockBlobClient(neverWritten).Upload(ctx, streaming.NopCloser(strings.NewReader("")), &blockblob.UploadOptions{
			AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(`"0x0"`))}},
		})
	case "create":
		_, err = client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{MaxResults: to.Ptr[int32](1)}).NextPage(ctx)
		if err != nil {
			err = errOnlyByDoing
		}
	default:
		_, err = client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{MaxResults: to.Ptr[int32](1)}).NextPage(ctx)
	}
	return err
}

// sasLetters are the permissions of which a SAS needs one, and the resource types that an account SAS has to be for ("Create an
// account SAS", "Create a service SAS", Azure Storage REST documentation).
var sasLetters = map[string]struct{ any, resource string }{
	OnContainer + " create": {"cw", "c"}, OnContainer + " list": {"l", "c"}, OnContainer + " read": {"r", "o"}, OnContainer + " write": {"cw", "o"},
	OnQueue + " create": {"cw", "c"}, OnQueue + " read": {"r", "c"},
}

func sasAllows(sas string, n providers.Need) bool { return sasLacks(sas, n) == "" }

// sasLacks says what a SAS would have to say for n; "" where it says it. It shows no more of the SAS than its permissions.
func sasLacks(sas string, n providers.Need) string {
	q, err := url.ParseQuery(sas)
	want, known := sasLetters[n.On+" "+n.Do]
	if err != nil || !known {
		return ""
	}
	service := map[string]string{OnContainer: "b", OnQueue: "q"}[n.On]
	switch types := q.Get("srt"); {
	case !strings.ContainsAny(q.Get("sp"), want.any):
		return fmt.Sprintf("sp is %q, without any of %q", cut(q.Get("sp"), 20), want.any)
	case types != "" && !strings.Contains(q.Get("ss"), service):
		return fmt.Sprintf("ss is %q, without %q", cut(q.Get("ss"), 20), service)
	case types != "" && !strings.Contains(types, want.resource):
		return fmt.Sprintf("srt is %q, without %q", cut(types, 20), want.resource)
	case types == "" && n.Do == "create":
		return "it is for one object, which must be there"
	}
	return ""
}

// permissions are the actions that the resource manager allows the caller on one account.
type permissions struct {
	Value []struct {
		Actions    []string `json:"actions"`
		NotActions []string `json:"notActions"`
	} `json:"value"`
	err error
}

// permissions asks the resource manager ("Permissions - List For Resource", Azure REST documentation).
func (p *Provider) permissions(ctx context.Context, account string) *permissions {
	out := &permissions{}
	out.err = func() error {
		c := p.conn
		if c.Token == nil || c.SubscriptionID == "" || c.ResourceGroup == "" {
			return noCredential()
		}
		opts := options(&p.client, c.ResourceManager)
		opts.Cloud = c.cloud()
		client, err := arm.NewClient("mkt", "v0.0.0", c.Token, &arm.ClientOptions{ClientOptions: opts})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, providers.CallTimeout)
		defer cancel()
		at := scope{subscription: c.SubscriptionID, group: c.ResourceGroup, account: account}
		req, err := runtime.NewRequest(ctx, http.MethodGet, runtime.JoinPaths(client.Endpoint(), at.String(), "providers/Microsoft.Authorization/permissions"))
		if err != nil {
			return err
		}
		query := req.Raw().URL.Query()
		query.Set("api-version", "2022-04-01")
		req.Raw().URL.RawQuery = query.Encode()
		resp, err := client.Pipeline().Do(req)
		if err != nil {
			return failure("ask for permissions on "+account, managementHint, err)
		}
		defer resp.Body.Close()
		if !runtime.HasStatusCode(resp, http.StatusOK) {
			return failure("ask for permissions on "+account, managementHint, runtime.NewResponseError(resp))
		}
		return runtime.UnmarshalAsJSON(resp, out)
	}()
	return out
}

func (p *permissions) ask(n providers.Need) providers.Ability {
	if p.err != nil {
		return providers.Ability{Need: n, May: providers.Unclear, Why: p.err.Error()}
	}
	matches := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return actionMatches(pattern, n.Do) })
	}
	for _, role := range p.Value {
		if matches(role.Actions) && !matches(role.NotActions) {
			return providers.Ability{Need: n, May: providers.Yes}
		}
	}
	return providers.Ability{Need: n, May: providers.No, Why: "no role assignment on the account allows " + n.Do}
}

// actionMatches compares an action with a pattern in which * stands for anything ("Understand Azure role definitions").
func actionMatches(pattern, action string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	rest, ok := strings.CutPrefix(strings.ToLower(action), parts[0])
	for i, part := range parts[1:] {
		if !ok {
			return false
		}
		if i == len(parts)-2 {
			return strings.HasSuffix(rest, part)
		}
		_, rest, ok = strings.Cut(rest, part)
	}
	return ok && rest == ""
}

// SASEnds is when the connection's shared access signature ends; ok is false without one that says so.
func (c Connection) SASEnds() (end time.Time, ok bool) {
	q, err := url.ParseQuery(c.SAS)
	if err != nil || c.SAS == "" {
		return end, false
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z", "2006-01-02"} { // "Create a service SAS", Azure Storage REST documentation
		if end, err := time.Parse(form, q.Get("se")); err == nil {
			return end, true
		}
	}
	return end, false
}

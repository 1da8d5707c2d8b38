package snowflake

import (
	"context"
	"sync"
	"time"

	"mkt/providers"
	"mkt/spec"
)

// Options is what a provider needs besides its connection.
type Options struct {
	// MintSAS signs a token for a container (https://ACCOUNT.blob.core.windows.net/CONTAINER) with permissions such as "read"
	// and "list", good until expires. Needed by stages with a sas block only. It may be called concurrently.
	MintSAS func(ctx context.Context, containerURL string, permissions []string, expires time.Time) (string, error)
	// HashKey is the key of the hashes that stand for secrets in private data. Without one, no hash is kept.
	HashKey []byte
	// Notes keep the load histories of pipes that are made again. Without any they live as long as the provider.
	Notes Notes
	// Settle is how long a replacement waits for the pipe to load what is there; 2 minutes by default.
	Settle time.Duration
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Provider is one Snowflake account. It is safe for concurrent use.
type Provider struct {
	client    *client
	opts      Options
	resources map[string]providers.Resource
	noting    sync.Mutex // held from reading a note to writing it
}

// New returns a provider that connects when it is first asked something.
func New(conn Connection, opts Options) *Provider {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Notes == nil {
		opts.Notes = &memoryNotes{}
	}
	if opts.Settle == 0 {
		opts.Settle = settleFor
	}
	p := &Provider{client: &client{conn: conn}, opts: opts, resources: map[string]providers.Resource{}}
	for _, k := range kinds {
		r := &resource{kind: k, p: p}
		switch {
		case k == stageKind:
			p.resources[k.spec.Name] = &stageResource{r}
		case k == pipeKind:
			p.resources[k.spec.Name] = &pipeResource{&holder{r}}
		case k == streamKind:
			p.resources[k.spec.Name] = &streamResource{&holder{r}}
		case k == taskKind:
			p.resources[k.spec.Name] = &taskResource{r, &sync.Mutex{}}
		case k.holds != nil:
			p.resources[k.spec.Name] = &holder{r}
		default:
			p.resources[k.spec.Name] = r
		}
	}
	p.resources[Grant.Name] = &grants{p}
	return p
}

// Resource implements providers.Provider.
func (p *Provider) Resource(kind string) providers.Resource { return p.resources[kind] }

// Close implements providers.Provider.
func (p *Provider) Close() error { return p.client.close() }

// kinds are those that are made by CREATE, in the order of the reference.
var kinds = []*kind{
	warehouseKind, databaseKind, schemaKind, tableKind, viewKind, fileFormatKind, storageIntegrationKind, integrationKind, stageKind, pipeKind,
	dynamicTableKind, streamKind, taskKind,
}

// Kinds lists the kinds of resource that the provider serves.
func Kinds() []*spec.Kind {
	out := make([]*spec.Kind, 0, len(kinds)+1)
	for _, k := range kinds {
		out = append(out, k.spec)
	}
	return append(out, Grant)
}

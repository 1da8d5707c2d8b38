package main

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/ledger"
	"mkt/local"
	"mkt/providers"
	"mkt/providers/azure"
	"mkt/providers/kafka"
	"mkt/providers/snowflake"
	"mkt/spec"
)

func resourceKinds() []*spec.Kind {
	return append(append(kafka.Kinds(), azure.Kinds()...), snowflake.Kinds()...)
}

func providerKinds() []*spec.Kind {
	return []*spec.Kind{kafka.Config, azure.Config, snowflake.Config}
}

// systems are the providers of a stack and their connections, each made when it is first needed. It is for one goroutine.
type systems struct {
	c       *cli
	stack   *spec.Stack
	hashKey func() ([]byte, error) // of the keyed hashes that providers keep in the ledger
	notes   ledger.Notes           // what providers keep beside the ledger
	daemon  *local.Daemon          // nil without -local, and before it is needed
	down    hcl.Diagnostics        // why there is no daemon, where one was needed and could not be had
	opened  map[string]providers.Provider
}

func (c *cli) newSystems(stack *spec.Stack, hashKey func() ([]byte, error)) *systems {
	return &systems{c: c, stack: stack, hashKey: hashKey, opened: map[string]providers.Provider{}}
}

// Close releases the connections.
func (s *systems) Close() {
	for _, p := range s.opened {
		_ = p.Close() // nothing was left unfinished, and nobody could do anything about it
	}
}

// providerFunc is provider as the planner asks for it.
func (s *systems) providerFunc(ctx context.Context) func(string) (providers.Provider, error) {
	return func(system string) (providers.Provider, error) { return s.provider(ctx, system) }
}

// provider returns the configured provider of a system.
func (s *systems) provider(ctx context.Context, system string) (providers.Provider, error) {
	if p := s.opened[system]; p != nil {
		return p, nil
	}
	p, err := s.newProvider(ctx, system)
	if err != nil {
		return nil, err
	}
	s.opened[system] = p
	return p, nil
}

func (s *systems) newProvider(ctx context.Context, system string) (providers.Provider, error) {
	switch system {
	case kafka.Config.Name:
		conn, err := s.kafka(ctx)
		if err != nil {
			return nil, err
		}
		return kafka.New(conn)
	case azure.Config.Name:
		conn, err := s.azure(ctx)
		if err != nil {
			return nil, err
		}
		return azure.New(conn)
	case snowflake.Config.Name:
		conn, err := s.snowflake(ctx)
		if err != nil {
			return nil, err
		}
		key, err := s.hashKey()
		if err != nil {
			return nil, err
		}
		return snowflake.New(conn, snowflake.Options{MintSAS: s.mintSAS, HashKey: key, Notes: s.notes}), nil
	}
	return nil, fmt.Errorf("no provider serves %q", system)
}

// mintSAS lets the Snowflake provider have tokens of the Azure one.
func (s *systems) mintSAS(ctx context.Context, containerURL string, permissions []string, expires time.Time) (string, error) {
	conn, err := s.azure(ctx)
	if err != nil {
		return "", err
	}
	p, err := azure.New(conn)
	if err != nil {
		return "", err
	}
	return p.MintSAS(ctx, containerURL, permissions, expires)
}

// container returns the client of the container with this URL.
func (s *systems) container(url string) (*container.Client, error) {
	conn, err := s.azure(context.Background())
	if err != nil {
		return nil, err
	}
	return conn.ContainerClient(url, nil)
}

// config evaluates a provider's block; the error is hcl.Diagnostics.
func (s *systems) config(system string) (cty.Value, error) {
	v, diags := s.stack.ProviderConfig(system)
	if diags.HasErrors() {
		return v, diags
	}
	return v, nil
}

// resolved gives an error of Resolve its place in the provider's block, as hcl.Diagnostics.
func (s *systems) resolved(system string, err error) error {
	if err == nil {
		return nil
	}
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Provider " + system + " cannot be configured", Detail: err.Error()}
	if e := providers.Detail(err); e != nil {
		if e.Hint != "" {
			d.Detail += ". " + e.Hint
		}
		if rng, ok := s.stack.ProviderRange(system, e.Path); ok {
			d.Subject = &rng
		}
	}
	return hcl.Diagnostics{d}
}

// endpoints returns where the embedded stack listens, starting it if needed. That is tried once: every provider that asks gets the
// same diagnostic, which is hcl.Diagnostics.
func (s *systems) endpoints(ctx context.Context) (local.Endpoints, error) {
	if s.down != nil {
		return local.Endpoints{}, s.down
	}
	if s.daemon == nil {
		d, err := s.c.ensureLocal(ctx, s.stack.Dir)
		if err != nil {
			s.down = hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Embedded stack not usable", Detail: err.Error() + "."}}
			return local.Endpoints{}, s.down
		}
		s.daemon = &d
	}
	return s.daemon.Endpoints, nil
}

// The three connections. Under -local only endpoints and credentials are other ones than those of the provider's
// block and the environment.

func (s *systems) kafka(ctx context.Context) (kafka.Connection, error) {
	conn, _, err := s.kafkaSources()
	if err != nil || !s.c.local {
		return conn, err
	}
	e, err := s.endpoints(ctx)
	return kafka.Connection{
		BootstrapServers: e.KafkaBootstrap, Protocol: "SASL_PLAINTEXT", Mechanism: "PLAIN", User: e.User, Password: e.Password,
		RegistryURL: e.RegistryURL, RegistryUser: e.User, RegistryPassword: e.Password,
	}, err
}

func (s *systems) azure(ctx context.Context) (azure.Connection, error) {
	conn, _, err := s.azureSources()
	if err != nil || !s.c.local {
		return conn, err
	}
	e, err := s.endpoints(ctx)
	if conn.Account == "" {
		conn.Account = "mktlocal"
	}
	return azure.Connection{
		Account: conn.Account, EndpointSuffix: "core.windows.net",
		BlobEndpoint: e.BlobURL, QueueEndpoint: e.QueueURL, Key: e.AccountKey,
		Token: staticToken(e.ManagementToken), ResourceManager: e.ManagementURL, Graph: e.ManagementURL,
		SubscriptionID: "00000000-0000-0000-0000-000000000000", ResourceGroup: "local",
	}, err
}

func (s *systems) snowflake(ctx context.Context) (snowflake.Connection, error) {
	conn, _, err := s.snowflakeSources()
	if err != nil || !s.c.local {
		return conn, err
	}
	e, err := s.endpoints(ctx)
	return snowflake.Connection{
		Account: e.SnowflakeAccount, User: e.User, Password: e.Password,
		Role: conn.Role, Warehouse: conn.Warehouse, Database: conn.Database, Schema: conn.Schema,
		Host: e.SnowflakeHost, Port: e.SnowflakePort, Protocol: "http",
	}, err
}

// The connections as the provider's block and the environment have them, and where each setting came from.

func (s *systems) kafkaSources() (kafka.Connection, []providers.Source, error) {
	block, err := s.config(kafka.Config.Name)
	if err != nil {
		return kafka.Connection{}, nil, err
	}
	conn, sources, err := kafka.Resolve(block, s.env())
	return conn, sources, s.resolved(kafka.Config.Name, err)
}

func (s *systems) azureSources() (azure.Connection, []providers.Source, error) {
	block, err := s.config(azure.Config.Name)
	if err != nil {
		return azure.Connection{}, nil, err
	}
	conn, sources, err := azure.Resolve(block, s.env())
	return conn, sources, s.resolved(azure.Config.Name, err)
}

func (s *systems) snowflakeSources() (snowflake.Connection, []providers.Source, error) {
	block, err := s.config(snowflake.Config.Name)
	if err != nil {
		return snowflake.Connection{}, nil, err
	}
	conn, sources, err := snowflake.Resolve(block, s.env())
	return conn, sources, s.resolved(snowflake.Config.Name, err)
}

// env is the environment that connections are resolved with: none under -local, so that a half-set one of the clouds
// does not get in the way.
func (s *systems) env() func(string) string {
	if s.c.local {
		return func(string) string { return "" }
	}
	return s.c.getenv
}

// staticToken signs in to the embedded resource manager.
type staticToken string

// GetToken implements azcore.TokenCredential.
func (t staticToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

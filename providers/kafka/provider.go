package kafka

import (
	"mkt/providers"
	"mkt/spec"
)

// Kinds returns the kinds of resources that the provider manages.
func Kinds() []*spec.Kind { return []*spec.Kind{Topic, ACL, Quota, Subject} }

// Provider manages one Kafka cluster and one schema registry.
type Provider struct {
	cluster  *cluster
	registry *registryClient
}

// New returns a provider that connects when it is first used; a system without
// an address is an error then.
func New(conn Connection) (*Provider, error) {
	registry, err := newRegistryClient(conn)
	if err != nil {
		return nil, err
	}
	return &Provider{cluster: newCluster(conn), registry: registry}, nil
}

// Resource implements providers.Provider.
func (p *Provider) Resource(kind string) providers.Resource {
	switch kind {
	case Topic.Name:
		return &topics{p.cluster}
	case ACL.Name:
		return &acls{p.cluster}
	case Quota.Name:
		return &quotas{p.cluster}
	case Subject.Name:
		return &subjects{p.registry}
	}
	return nil
}

// Close implements providers.Provider.
func (p *Provider) Close() error {
	p.cluster.close()
	p.registry.close()
	return nil
}

package azure

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// List implements providers.Lister; scope is a storage account.
func (r *containers) List(ctx context.Context, scope string) ([]string, error) {
	return r.listAll(ctx, scope, r.list)
}

// List implements providers.Lister; scope is a storage account.
func (r *queues) List(ctx context.Context, scope string) ([]string, error) {
	return r.listAll(ctx, scope, r.list)
}

// List implements providers.Lister; scope is a storage account of the provider's resource group.
func (r *subscriptions) List(ctx context.Context, scope string) ([]string, error) {
	account, err := r.accountOr(scope)
	if err != nil {
		return nil, err
	}
	if err := r.managed(); err != nil {
		return nil, err
	}
	at, err := parseScope(r.scope(account))
	if err != nil {
		return nil, err
	}
	found, err := r.list(ctx, at)
	var ids []string
	for _, got := range found { // the keys are in lower case
		ids = append(ids, got.State.GetAttr("id").AsString())
	}
	slices.Sort(ids)
	return ids, err
}

func (p *Provider) listAll(ctx context.Context, scope string, list func(ctx context.Context, account, prefix string) (map[string]cty.Value, error)) ([]string, error) {
	account, err := p.accountOr(scope)
	if err != nil {
		return nil, err
	}
	found, err := list(ctx, account, "")
	return slices.Sorted(maps.Keys(found)), err
}

func (p *Provider) accountOr(account string) (string, error) {
	if account == "" {
		account = p.conn.Account
	}
	if account == "" {
		return "", &providers.Error{Code: providers.Invalid, Err: errors.New("no storage account is named"),
			Hint: "Name one, or set account in the provider \"azure\", or AZURE_STORAGE_ACCOUNT."}
	}
	return account, nil
}

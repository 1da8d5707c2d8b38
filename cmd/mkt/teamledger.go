package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"mkt/ledger"
	"mkt/ledger/blob"
	"mkt/providers"
	"mkt/render"
	"mkt/spec"
)

// teamLedger returns the store of a ledger block of type azure. It signs in as the provider does.
func (c *cli) teamLedger(stack *spec.Stack, l *spec.Ledger) (ledger.Store, error) {
	conn, _, err := c.newSystems(stack, nil).azureSources()
	if err != nil {
		return nil, err
	}
	wrong := func(summary, detail string, args ...any) error {
		return c.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &l.Range}}, stack.Files)
	}
	account := l.Account
	switch {
	case account == "":
		account = conn.Account
	case account != conn.Account && (conn.Key != "" || conn.SAS != ""):
		return nil, wrong("No credential for the ledger", "The ledger is in the storage account %q, but the key, connection string or SAS in use is of %q. "+
			"Keep the ledger in that account, or sign in with `az login` and use no key.", account, conn.Account)
	}
	if account == "" {
		return nil, wrong("No storage account for the ledger", "Name one: account in the ledger block or in the provider block, or AZURE_STORAGE_ACCOUNT.")
	}
	suffix := conn.EndpointSuffix
	if suffix == "" {
		suffix = "core.windows.net"
	}
	client, err := conn.ContainerClient(fmt.Sprintf("https://%s.blob.%s/%s", account, suffix, l.Container), nil)
	if err != nil {
		detail := err.Error()
		if e := providers.Detail(err); e != nil && e.Hint != "" {
			detail += ". " + e.Hint
		}
		return nil, wrong("The ledger cannot be reached", "%s", detail)
	}
	return blob.New(client, l.Key), nil
}

func newRestore(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "restore",
		Short: "Put the previous generation in place of a ledger that cannot be read",
		Long: `restore is for a ledger in Azure Blob that was cut short, overwritten or deleted. A ledger that can be read is left
alone. What the generation before does not know yet is found by the next plan.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := c.openLedger()
			if err != nil {
				return err
			}
			team, ok := store.(*blob.Store)
			if !ok {
				return c.restoreFile(cmd, store)
			}
			lock, err := team.Lock(cmd.Context(), ledger.Me("ledger restore"), 0)
			if err != nil {
				return err
			}
			defer c.unlock(lock)
			serial, err := team.Restore(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return render.JSON(c.out, map[string]uint64{"serial": serial})
			}
			c.view(c.out).Printf("The ledger is back at serial %d. Run `mkt plan` to see what it does not know.\n", serial)
			return nil
		},
	}
}

// restoreFile only gives advice: whoever has the file has cp.
func (c *cli) restoreFile(cmd *cobra.Command, store ledger.Store) error {
	_, err := store.Load(cmd.Context())
	var damaged *ledger.DamagedError
	if err == nil {
		return errors.New("the ledger can be read; there is nothing to restore")
	} else if errors.As(err, &damaged) && damaged.Previous != "" {
		return fmt.Errorf("the ledger is a file, restore it by hand: %w", err)
	}
	return err
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mkt/ledger"
	"mkt/render"
	"mkt/spec"
)

func newLedger(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Look at what mkt owns",
		Long: `The ledger says which objects are mkt's: address, name, incarnation and digests of what was last applied. It holds no
values and no secrets.`,
		RunE: group,
	}
	cmd.AddCommand(
		newRestore(c), newForget(c),
		&cobra.Command{
			Use: "list", Short: "List the addresses that mkt owns", Args: takes(0, 0),
			RunE: func(cmd *cobra.Command, _ []string) error {
				owned, err := c.loadLedger(cmd)
				if err != nil {
					return err
				}
				if c.json {
					return render.JSON(c.out, render.LedgerJSON(owned))
				}
				for _, addr := range owned.Addrs() {
					fmt.Fprintln(c.out, addr)
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "show ADDRESS", Short: "Show what the ledger has on an address", Args: takes(1, 1),
			RunE: func(cmd *cobra.Command, args []string) error {
				owned, err := c.loadLedger(cmd)
				if err != nil {
					return err
				}
				addr, ok := spec.ParseAddr(args[0])
				if !ok {
					return fmt.Errorf("%q is no address; write kafka_topic.prices", args[0])
				}
				entry := owned.Entries[addr]
				if entry == nil {
					return fmt.Errorf("the ledger has no %s; `mkt ledger list` shows what it has", addr)
				}
				return render.JSON(c.out, entry)
			},
		},
	)
	return cmd
}

func (c *cli) loadLedger(cmd *cobra.Command) (*ledger.Ledger, error) {
	store, err := c.openLedger()
	if err != nil {
		return nil, err
	}
	return store.Load(cmd.Context())
}

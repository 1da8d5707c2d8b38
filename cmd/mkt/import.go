package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mkt/planner"
	"mkt/render"
	"mkt/spec"
)

func newImport(c *cli) *cobra.Command {
	var lockTimeout time.Duration
	var all, out string
	cmd := &cobra.Command{
		Use:   "import ADDRESS [ID] | import -all SYSTEM [SCOPE]",
		Short: "Own an object that exists already, or write blocks for all that exist",
		Long: `import looks for the object that the block at ADDRESS describes and writes into the ledger that mkt owns it. Nothing
else changes: where the object differs from the block, the next plan shows it. With ID, the object's name as its system
knows it, import refuses when the block describes another one.

With -all, import writes blocks for all objects of a system that the stack does not describe, with references between
them, and an import block for each, so that the plan has nothing to change. It owns nothing by itself. SCOPE narrows it:
for kafka to names of topics and subjects that begin so, for azure to a storage account, and for snowflake to a schema,
which must be named.`,
		Example: `mkt import kafka_topic.prices
mkt import 'snowflake_table.prices["eu"]' MARKET.RAW.PRICES_EU
mkt import -all kafka market_ -out imported.hcl
mkt import -all snowflake MARKET.RAW`,
		Args: takes(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all != "" {
				if len(args) > 1 {
					return fmt.Errorf("import -all takes one scope: write `%s`", cmd.UseLine())
				}
				return c.importAll(cmd.Context(), all, strings.Join(args, ""), out)
			}
			if len(args) == 0 {
				return fmt.Errorf("import what? Write `%s`", cmd.UseLine())
			}
			addr, ok := spec.ParseAddr(args[0])
			if !ok {
				return fmt.Errorf("%q is no address; write kafka_topic.prices or kafka_topic.prices[\"eu\"]", args[0])
			}
			id := ""
			if len(args) == 2 {
				id = args[1]
			}
			return c.importOne(cmd.Context(), addr, id, lockTimeout)
		},
	}
	cmd.Flags().StringVar(&all, "all", "", "write blocks for all that this system holds: kafka, azure or snowflake")
	cmd.Flags().StringVar(&out, "out", "", "write them to this new file, not to the results")
	cmd.Flags().DurationVar(&lockTimeout, "lock-timeout", 0, "how long to wait while another process holds the ledger")
	return cmd
}

func (c *cli) importOne(ctx context.Context, addr spec.Addr, id string, wait time.Duration) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	block := s.stack.Block(addr)
	switch {
	case block == nil:
		return fmt.Errorf("the stack has no %s; write its block first: import owns what a block describes", addr)
	case block.Kind.Data != nil:
		return fmt.Errorf("%s is a data block, which only reads: there is nothing to own", addr)
	case block.App():
		return fmt.Errorf("%s is a part of the app: there is nothing to own", addr)
	case block.ForEach && !addr.Keyed:
		return fmt.Errorf("%s has for_each: name one of its instances, as in '%s[\"key\"]'", addr, addr)
	}
	lock, err := s.lock(ctx, "import", wait)
	if err != nil {
		return err
	}
	defer c.unlock(lock)
	p, diags, err := s.plan(ctx, planOptions{targets: []string{addr.String()}, adopt: []string{addr.String()}, look: true})
	if err != nil {
		return err
	}
	change := p.Change(addr)
	switch {
	case s.owned.Entries[addr] != nil:
		return fmt.Errorf("%s is mkt's already: %s", addr, s.owned.Entries[addr].ID)
	case change != nil && change.Moved.Kind != "":
		return fmt.Errorf("%s %q is mkt's already, as %s; apply renames it", addr.Kind, change.ID, change.Moved)
	case change != nil && id != "" && change.ID != "" && change.ID != id:
		return fmt.Errorf("%s describes the %s %q, not %q; change the block so that it describes that object", addr, addr.Kind, change.ID, id)
	case !p.TakesOver(addr):
		if err := c.report(diags, s.stack.Files); err != nil {
			return err
		}
		return fmt.Errorf("there is no %s %q to import", addr.Kind, change.ID)
	}
	if err := planner.Own(ctx, p, addr, s.store); err != nil {
		return err
	}
	differs := change.Action != planner.NoOp || len(change.Attrs) > 0
	if c.json {
		return render.JSON(c.out, map[string]any{"address": addr.String(), "id": change.ID, "differs": differs})
	}
	v := c.view(c.out)
	v.Printf("%s is mkt's now: %s.\n", addr, change.ID)
	if differs {
		v.Printf("It differs from its block: `mkt plan` shows how, and apply would change it.\n")
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mkt/ledger"
	"mkt/render"
	"mkt/spec"
)

func newForget(c *cli) *cobra.Command {
	var approve bool
	var lockTimeout time.Duration
	cmd := &cobra.Command{
		Use:   "forget ADDRESS",
		Short: "Own an object no more, and leave it as it is",
		Long: `forget takes an address out of the ledger; of a block with for_each, all its instances, and of a module, all that is in it.
The object stays as it is. While its block is in the stack, the next plan finds an object that exists already and is not mkt's.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, ok := spec.ParseTarget(args[0])
			if !ok {
				return fmt.Errorf("%q is no address; write kafka_topic.prices", args[0])
			}
			return c.forget(cmd.Context(), addr, approve, lockTimeout)
		},
	}
	cmd.Flags().BoolVar(&approve, "auto-approve", false, "do not ask")
	cmd.Flags().DurationVar(&lockTimeout, "lock-timeout", 0, "how long to wait while another process holds the ledger")
	return cmd
}

func (c *cli) forget(ctx context.Context, addr spec.Addr, approve bool, lockTimeout time.Duration) error {
	store, err := c.openLedger()
	if err != nil {
		return err
	}
	lock, err := store.Lock(ctx, ledger.Me("ledger forget"), lockTimeout)
	if err != nil {
		return err
	}
	defer c.unlock(lock)
	owned, err := store.Load(ctx)
	if err != nil {
		return err
	}
	addrs := covered(owned, addr)
	if len(addrs) == 0 {
		return fmt.Errorf("the ledger has no %s; `mkt ledger list` shows what it has", addr)
	}
	if !approve {
		if !c.json {
			for _, a := range addrs {
				c.view(c.out).Printf("%s\n", a)
			}
		}
		if err := c.ask(ctx, "forget"); err != nil {
			return err
		}
	}
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = a.String()
		owned.Forget(a)
	}
	for range 2 { // in both generations: going on from the older one must not bring it back
		if err := store.Save(ctx, owned); err != nil {
			return err
		}
	}
	if c.json {
		return render.JSON(c.out, map[string]any{"forgotten": names})
	}
	for _, name := range names {
		c.view(c.out).Printf("%s is mkt's no more; it stays as it is.\n", name)
	}
	return nil
}

// covered are the addresses of a ledger that a target names, or the one of a create that was interrupted.
func covered(owned *ledger.Ledger, target spec.Addr) (addrs []spec.Addr) {
	for _, a := range owned.Addrs() {
		if target.Covers(a) {
			addrs = append(addrs, a)
		}
	}
	if _, announced := owned.Intents[target]; announced && len(addrs) == 0 {
		addrs = append(addrs, target)
	}
	return addrs
}

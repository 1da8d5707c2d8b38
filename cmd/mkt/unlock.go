package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mkt/ledger"
	"mkt/ledger/blob"
	"mkt/render"
)

func newUnlock(c *cli) *cobra.Command {
	var approve bool
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Break the lock of the ledger",
		Long: `unlock shows who holds the lock of a ledger in Azure Blob, asks, and breaks it. It is seldom needed: the lock of a
process that died frees itself within a minute. A holder that lives is told within 20 seconds and stops; what it
began is in the ledger, so the next apply goes on from there. The lock of a ledger in a file cannot be broken: the
kernel releases it when its process ends.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := c.openLedger()
			if err != nil {
				return err
			}
			if team, ok := store.(*blob.Store); ok {
				return c.breakLock(cmd.Context(), team, approve)
			}
			return c.checkLock(cmd.Context(), store)
		},
	}
	cmd.Flags().BoolVar(&approve, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&approve, "force", false, "the same as -auto-approve")
	return cmd
}

// unlock lets a lock go at the end of a command. That it could not is said; a lock frees itself.
func (c *cli) unlock(lock ledger.Lock) {
	if err := lock.Unlock(); err != nil {
		c.view(c.err).Printf("Note: %v; the lock frees itself within a minute.\n", err)
	}
}

func (c *cli) breakLock(ctx context.Context, team *blob.Store, approve bool) error {
	held, err := team.Held(ctx)
	if err != nil {
		return err
	}
	if held == nil {
		return c.unlocked(nil, "Nobody holds the lock of the ledger.")
	}
	if !approve {
		if c.json {
			return errors.New("unlock -json cannot ask: add -auto-approve")
		}
		switch yes, err := c.yes(ctx, "The ledger is locked by %s.\nDo you want to break the lock?", held.Holder); {
		case errors.Is(err, errNobody):
			return fmt.Errorf("%w: unlock needs a terminal or -auto-approve", err)
		case err != nil:
			return fmt.Errorf("%w, the lock was not broken", err)
		case !yes:
			return errors.New("not approved, the lock was not broken")
		}
	}
	if err := team.Break(ctx, held); err != nil {
		return err
	}
	return c.unlocked(&held.Holder, fmt.Sprintf("The lock of %s is broken.", held.Holder))
}

// checkLock is unlock for a ledger in a file.
func (c *cli) checkLock(ctx context.Context, store ledger.Store) error {
	const why = "the ledger is a file, and the kernel releases its lock when the process that holds it ends"
	lock, err := store.Lock(ctx, ledger.Me("unlock"), 0)
	var held *ledger.HeldError
	if errors.As(err, &held) {
		return fmt.Errorf("%s: wait for %s, or end it", why, held.Holder)
	}
	if err != nil {
		return err
	}
	c.unlock(lock)
	return c.unlocked(nil, "There is nothing to unlock: "+why+".")
}

// unlocked says what came of it; holder is whose lock was broken, nil for nobody's.
func (c *cli) unlocked(holder *ledger.Holder, text string) error {
	if c.json {
		return render.JSON(c.out, map[string]any{"broken": holder != nil, "holder": holder})
	}
	c.view(c.out).Printf("%s\n", text)
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mkt/local"
	"mkt/render"
)

// localDir returns the folder in which the embedded stack of a stack keeps its data.
func localDir(stackDir string) (string, error) {
	return filepath.Abs(filepath.Join(stateDir(stackDir), "local"))
}

// ensureLocal returns the running embedded stack, starting it if needed.
func (c *cli) ensureLocal(ctx context.Context, stackDir string) (local.Daemon, error) {
	dir, err := localDir(stackDir)
	if err != nil {
		return local.Daemon{}, err
	}
	program, err := local.Program()
	if err != nil {
		return local.Daemon{}, err
	}
	build, err := local.Build(program)
	if err != nil {
		return local.Daemon{}, err
	}
	return local.Ensure(ctx, dir, build, []string{program, "-dir", dir})
}

func newLocal(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Start, stop, look at or empty the embedded stack",
		Long: `The embedded stack is a program of its own, mkt-local, that serves Kafka, a schema registry, Azure Blob and Queue and
a warehouse on the loopback interface. It keeps its data in .mkt/local beside the stack and may be killed at any moment.`,
		RunE: group,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "start", Short: "Start the embedded stack", Args: takes(0, 0),
			RunE: func(cmd *cobra.Command, _ []string) error {
				dir, err := c.stackDir()
				if err != nil {
					return err
				}
				d, err := c.ensureLocal(cmd.Context(), dir)
				if err != nil {
					return err
				}
				return c.showDaemon(d)
			},
		},
		&cobra.Command{
			Use: "status", Short: "Show whether it runs and where it listens; exit 1 if it does not", Args: takes(0, 0),
			RunE: func(*cobra.Command, []string) error {
				at, err := c.localDir()
				if err != nil {
					return err
				}
				d, err := local.Status(at)
				if errors.Is(err, local.ErrNotRunning) {
					return fmt.Errorf("%w; `mkt local start` starts it", err)
				}
				if err != nil {
					return err
				}
				return c.showDaemon(d)
			},
		},
		&cobra.Command{
			Use: "stop", Short: "Stop the embedded stack; its data stays", Args: takes(0, 0),
			RunE: func(cmd *cobra.Command, _ []string) error {
				at, err := c.localDir()
				if err != nil {
					return err
				}
				if err := local.Stop(cmd.Context(), at); !errors.Is(err, local.ErrNotRunning) {
					return err
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "reset", Short: "Stop it and remove its data and its ledger", Args: takes(0, 0),
			RunE: func(cmd *cobra.Command, _ []string) error {
				at, err := c.localDir()
				if err != nil {
					return err
				}
				if err := local.Reset(cmd.Context(), at); err != nil {
					return err
				}
				return os.RemoveAll(filepath.Join(filepath.Dir(at), "ledger"))
			},
		},
	)
	return cmd
}

// stackDir returns the directory of -stack, whether or not that stack loads.
func (c *cli) stackDir() (string, error) {
	info, err := os.Stat(c.stackPath)
	if err != nil {
		return "", noStack(c.stackPath, err)
	}
	if info.IsDir() {
		return c.stackPath, nil
	}
	return filepath.Dir(c.stackPath), nil
}

// localDir returns the folder of the embedded stack that belongs to -stack.
func (c *cli) localDir() (string, error) {
	dir, err := c.stackDir()
	if err != nil {
		return "", err
	}
	return localDir(dir)
}

func (c *cli) showDaemon(d local.Daemon) error {
	e := d.Endpoints
	rows := [][2]string{
		{"kafka", e.KafkaBootstrap},
		{"schema registry", e.RegistryURL},
		{"blob", e.BlobURL},
		{"queue", e.QueueURL},
		{"management", e.ManagementURL},
		{"snowflake", fmt.Sprintf("http://%s:%d", e.SnowflakeHost, e.SnowflakePort)},
	}
	if c.json {
		endpoints := map[string]string{}
		for _, r := range rows {
			endpoints[r[0]] = r[1]
		}
		return render.JSON(c.out, map[string]any{"pid": d.PID, "since": d.Since, "endpoints": endpoints})
	}
	fmt.Fprintf(c.out, "Running since %s, process %d.\n", d.Since.Format("2006-01-02 15:04:05 MST"), d.PID)
	for _, r := range rows {
		fmt.Fprintf(c.out, "  %-16s %s\n", r[0], r[1])
	}
	return nil
}

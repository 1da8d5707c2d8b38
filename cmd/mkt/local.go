package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mkt/local"
	"mkt/render"
)

// localOptions says where the embedded stack of a stack keeps its data.
func localOptions(stackDir string) (local.Options, error) {
	dir, err := filepath.Abs(filepath.Join(stateDir(stackDir), "local"))
	if err != nil {
		return local.Options{}, err
	}
	build, err := buildID()
	return local.Options{Dir: dir, Build: build}, err
}

// buildID tells this binary from another of the same version: a daemon of another build is restarted.
func buildID() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(self)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %d", version, info.Size(), info.ModTime().UnixNano()), nil
}

// ensureLocal returns the running embedded stack, starting it if needed.
func (c *cli) ensureLocal(ctx context.Context, stackDir string) (local.Daemon, error) {
	o, err := localOptions(stackDir)
	if err != nil {
		return local.Daemon{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return local.Daemon{}, err
	}
	return local.Ensure(ctx, o, []string{self, "local", "serve", "--dir", o.Dir})
}

func newLocal(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Start, stop, look at or empty the embedded stack",
		Long: `The embedded stack is a process of this same binary that serves Kafka, a schema registry, Azure Blob and Queue and
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
				o, err := c.localDir()
				if err != nil {
					return err
				}
				d, err := local.Status(o.Dir)
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
				o, err := c.localDir()
				if err != nil {
					return err
				}
				if err := local.Stop(cmd.Context(), o.Dir); !errors.Is(err, local.ErrNotRunning) {
					return err
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "reset", Short: "Stop it and remove its data and its ledger", Args: takes(0, 0),
			RunE: func(cmd *cobra.Command, _ []string) error {
				o, err := c.localDir()
				if err != nil {
					return err
				}
				if err := local.Reset(cmd.Context(), o.Dir); err != nil {
					return err
				}
				return os.RemoveAll(filepath.Join(filepath.Dir(o.Dir), "ledger"))
			},
		},
		newLocalServe(c),
	)
	return cmd
}

func newLocalServe(c *cli) *cobra.Command {
	var o local.Options
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the embedded stack in this process", Args: takes(0, 0), Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Build, err = buildID(); err != nil {
				return err
			}
			return local.Serve(cmd.Context(), o, slog.New(slog.NewTextHandler(c.err, nil)))
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "the folder to serve")
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

// localDir returns the options of the embedded stack that belongs to -stack.
func (c *cli) localDir() (local.Options, error) {
	dir, err := c.stackDir()
	if err != nil {
		return local.Options{}, err
	}
	return localOptions(dir)
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

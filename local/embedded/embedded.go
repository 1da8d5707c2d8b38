// Package embedded is the embedded stack itself: Kafka, a schema registry, Azure Blob and Queue with the management calls for
// event subscriptions, and a warehouse that speaks Snowflake's protocol on DuckDB, in one process. The very same clients that
// talk to the real systems talk to it over the wire.
//
// It knows wire protocols and nothing of mkt. It binds the loopback interface only, keeps everything below one folder that one
// process owns, and what it acknowledged is on disk: it may be killed at any moment and started again.
package embedded

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"mkt/local"
	"mkt/local/broker"
	"mkt/local/registry"
	"mkt/local/storage"
	"mkt/local/warehouse"
)

// config is what stays the same over restarts.
type config struct {
	AccountKey      string         `json:"account_key"`
	ManagementToken string         `json:"management_token"`
	User            string         `json:"user"`
	Password        string         `json:"password"`
	Ports           map[string]int `json:"ports"`
}

const (
	configFile  = "config.json"
	secretBytes = 24
	keyBytes    = 64 // an Azure account key's length
)

func secret(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(b)
}

// loadConfig reads dir's configuration, or makes one with fresh credentials.
func loadConfig(dir string) (config, error) {
	var c config
	data, err := os.ReadFile(filepath.Join(dir, configFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c = config{AccountKey: secret(keyBytes), ManagementToken: secret(secretBytes), User: "mkt", Password: secret(secretBytes)}
	case err != nil:
		return c, err
	default:
		if err := json.Unmarshal(data, &c); err != nil {
			return c, fmt.Errorf("read %s: %w; `mkt local reset` starts anew", filepath.Join(dir, configFile), err)
		}
	}
	if c.Ports == nil {
		c.Ports = map[string]int{}
	}
	return c, nil
}

// listen binds the port that name had before or, where it is taken or there is none, another.
func (c *config) listen(name string) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.Ports[name]))
	if err != nil && c.Ports[name] != 0 {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", name, err)
	}
	c.Ports[name] = l.Addr().(*net.TCPAddr).Port
	return l, nil
}

// Main runs the command line of mkt-local and returns its exit code.
func Main(args []string) int {
	flags := flag.NewFlagSet("mkt-local", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder to serve and to keep everything in")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "mkt-local takes no argument, and got %q\n", flags.Arg(0))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serveHere(ctx, *dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serveHere(ctx context.Context, dir string) error {
	if dir == "" {
		return errors.New("-dir is missing; `mkt local start` starts the embedded stack of a stack")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	build, err := local.Build(self)
	if err != nil {
		return err
	}
	return Serve(ctx, dir, build, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}

// Serve runs the embedded stack of dir, an absolute path, in this process until ctx ends. build is what local.Daemon says of
// the program. One process serves a folder; another gets an error.
func Serve(ctx context.Context, dir, build string, log *slog.Logger) error {
	owner, err := local.Claim(ctx, dir)
	if err != nil {
		return err
	}
	defer owner.Release() //nolint:errcheck // the process ends and the lock with it
	r, err := open(ctx, dir, log)
	if err != nil {
		return err
	}
	d := local.Daemon{Dir: dir, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second), Build: build, Endpoints: r.Endpoints}
	if err := owner.Announce(d); err != nil {
		return errors.Join(err, r.close())
	}
	log.Info("serving", "dir", dir, "pid", d.PID)
	select {
	case <-ctx.Done():
	case err = <-r.failed:
	}
	return errors.Join(err, owner.Withdraw(), r.close())
}

// run is the embedded stack while it runs.
type run struct {
	local.Endpoints
	closers []func() error
	failed  chan error // of a listener that stopped by itself
}

// open starts every server below dir; the caller owns dir.
func open(ctx context.Context, dir string, log *slog.Logger) (r *run, err error) {
	c, err := loadConfig(dir)
	if err != nil {
		return nil, err
	}
	r = &run{failed: make(chan error, 8)}
	opened := r // a failed open returns nil
	defer func() {
		if err != nil {
			_ = opened.close()
		}
	}()
	r.AccountKey, r.ManagementToken = c.AccountKey, c.ManagementToken
	r.SnowflakeAccount, r.User, r.Password = "local", c.User, c.Password

	kafka, err := broker.Start(ctx, broker.Config{Dir: filepath.Join(dir, "kafka"), User: c.User, Password: c.Password})
	if err != nil {
		return nil, fmt.Errorf("start the broker: %w", err)
	}
	r.closers = append(r.closers, kafka.Close)
	r.KafkaBootstrap = kafka.Addr()

	reg, err := registry.Open(registry.Config{Dir: filepath.Join(dir, "registry"), User: c.User, Password: c.Password})
	if err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	r.closers = append(r.closers, reg.Close)
	if r.RegistryURL, err = r.serve(&c, "registry", reg); err != nil {
		return nil, err
	}

	store, err := storage.Open(storage.Config{
		Dir: filepath.Join(dir, "storage"), Key: c.AccountKey, Token: c.ManagementToken, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the storage account: %w", err)
	}
	r.closers = append(r.closers, store.Close)
	if r.BlobURL, err = r.serve(&c, "blob", store.BlobHandler()); err != nil {
		return nil, err
	}
	if r.QueueURL, err = r.serve(&c, "queue", store.QueueHandler()); err != nil {
		return nil, err
	}
	if r.ManagementURL, err = r.serve(&c, "management", store.ManagementHandler()); err != nil {
		return nil, err
	}

	wh, err := warehouse.Open(warehouse.Config{
		Dir: filepath.Join(dir, "warehouse"), Account: r.SnowflakeAccount, User: c.User, Password: c.Password, Logger: log,
		Storage: func(account string) (warehouse.StorageEndpoint, bool) {
			return warehouse.StorageEndpoint{BlobURL: r.BlobURL + "/" + account, QueueURL: r.QueueURL + "/" + account, Key: c.AccountKey}, true
		},
	})
	if err != nil {
		return nil, fmt.Errorf("start the warehouse: %w", err)
	}
	r.closers = append(r.closers, wh.Close)
	if _, err = r.serve(&c, "snowflake", wh); err != nil {
		return nil, err
	}
	r.SnowflakeHost, r.SnowflakePort = "127.0.0.1", c.Ports["snowflake"]

	return r, local.WriteJSON(filepath.Join(dir, configFile), c)
}

// serve answers name's requests with h and returns its URL.
func (r *run) serve(c *config, name string, h http.Handler) (string, error) {
	l, err := c.listen(name)
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
	r.closers = append(r.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			return srv.Close()
		}
		return nil
	})
	return "http://" + l.Addr().String(), nil
}

// close stops the servers, the last one started first.
func (r *run) close() error {
	var errs []error
	for _, closer := range slices.Backward(r.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

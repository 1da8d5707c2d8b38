// Package broker runs an embedded Kafka cluster on this machine: franz-go's
// kfake with its state kept on disk, and with the checks that kfake leaves out
// (names of topics, names and values of topic configs, a refused password that
// says so).
//
// It is three brokers in one process, so that a topic with a replication
// factor of 3 is accepted and described as a real cluster would. They listen on
// loopback only, on ports that are chosen once and remembered in the data
// directory, because clients keep the addresses they were told.
//
// What a producer was acknowledged survives SIGKILL of the process (the write
// reached the operating system); a power loss is not covered, as with Kafka's
// own defaults. LogAppendTime and broker-side compression are stored as configs
// and have no effect. The package knows nothing of stacks, plans or providers.
package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// brokers is how many brokers the cluster has: as many as the replication
// factor that Confluent Cloud requires and most stacks name.
const brokers = 3

const clusterID = "mkt-local"

// lockWait bounds how long Start waits for a previous process to let go of
// the data directory.
const lockWait = 10 * time.Second

// Config says where an embedded cluster lives and who may use it.
type Config struct {
	// Dir holds the logs, the topics and the remembered ports. It is created
	// with mode 0700 if needed. One process owns it at a time.
	Dir string
	// Addr is the "127.0.0.1:port" the first broker must listen on. Empty
	// means the remembered port, or a free one the first time and when another
	// program has taken it.
	Addr string
	// User and Password, when User is not empty, are what SASL PLAIN
	// requires of every connection. Empty User means no authentication.
	User, Password string
}

// Broker is a running cluster. Its methods are safe for concurrent use.
type Broker struct {
	cluster   *kfake.Cluster
	commits   *commits
	members   *members
	lock      *flock.Flock
	dir, addr string
	close     sync.Once
}

// Start opens the data directory and serves it. ctx bounds the wait for the
// directory's lock. It fails if another process owns the directory or if a
// remembered port is taken.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	lock := flock.New(filepath.Join(cfg.Dir, "lock"))
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if ok, err := lock.TryLockContext(wait, 50*time.Millisecond); !ok {
		return nil, fmt.Errorf("start broker: %s is in use by another process: %w", cfg.Dir, err)
	}
	b, err := start(ctx, cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), lock.Unlock())
	}
	b.lock = lock
	return b, nil
}

func start(ctx context.Context, cfg Config) (*Broker, error) {
	ports, listeners, err := listen(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { // what kfake did not take over
		for _, ln := range listeners {
			_ = ln.Close()
		}
	}()
	data := filepath.Join(cfg.Dir, "kafka")
	// kfake remembers the passwords it was given in clear, and would prefer
	// the remembered ones over cfg.
	if err := forgetPasswords(data); err != nil {
		return nil, err
	}
	begun, err := loadCommits(cfg.Dir)
	if err != nil {
		return nil, err
	}
	newest, err := recoverData(ctx, cfg.Dir, data, begun)
	if err != nil {
		return nil, fmt.Errorf("recover the data of a process that was killed: %w", err)
	}
	opts := []kfake.Opt{
		kfake.DataDir(data),
		kfake.ClusterID(clusterID),
		kfake.Ports(ports...),
		kfake.DefaultNumPartitions(1),
		kfake.BrokerConfigs(map[string]string{
			// How often retention and compaction run; kfake's default is an
			// hour, Kafka's is five minutes and fifteen seconds.
			"log.cleaner.backoff.ms": "15000",
		}),
		kfake.WithLogger(logger{}),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			if ln, ok := listeners[address]; ok {
				delete(listeners, address)
				return handshakes{ln}, nil
			}
			ln, err := net.Listen(network, address)
			return handshakes{ln}, err
		}),
	}
	if cfg.User != "" {
		opts = append(opts, kfake.EnableSASL(), kfake.Superuser(mechanism, cfg.User, cfg.Password))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, err
	}
	if err := forgetPasswords(data); err != nil {
		cluster.Close()
		return nil, err
	}
	addChecks(cluster, cfg.User, cfg.Password)
	WholeFetches(cluster)
	begun.watch(cluster)
	factors, err := loadReplicas(cfg.Dir, cluster)
	if err != nil {
		cluster.Close()
		return nil, err
	}
	factors.watch()
	newest.watch(cluster)
	alive, err := newMembers(cluster)
	if err != nil {
		cluster.Close()
		return nil, err
	}
	alive.watch()
	if err := alive.start(hostport(ports[0]), cfg.User, cfg.Password); err != nil {
		cluster.Close()
		return nil, err
	}
	debug.FreeOSMemory() // loading reads whole segments; give that back
	return &Broker{cluster: cluster, commits: begun, members: alive, dir: data, addr: hostport(ports[0])}, nil
}

// Addr is the bootstrap address, "127.0.0.1:port".
func (b *Broker) Addr() string { return b.addr }

// Close writes the state down, closes every connection and frees the data
// directory. Calls after the first do nothing.
func (b *Broker) Close() error {
	var err error
	b.close.Do(func() {
		b.members.close()
		b.cluster.Close()
		err = errors.Join(forgetPasswords(b.dir), os.Remove(filepath.Join(filepath.Dir(b.dir), runFile)), b.lock.Unlock())
	})
	return err
}

func forgetPasswords(dir string) error {
	err := os.Remove(filepath.Join(dir, "sasl.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// listen opens one loopback listener for each broker, on the remembered ports
// if there are any, and remembers the ports.
func listen(cfg Config) ([]int, map[string]net.Listener, error) {
	path := filepath.Join(cfg.Dir, "ports.json")
	ports, err := loadPorts(path)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Addr != "" {
		host, port, err := net.SplitHostPort(cfg.Addr)
		if err != nil {
			return nil, nil, fmt.Errorf("address %q: %w", cfg.Addr, err)
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, nil, fmt.Errorf("address %q is not on loopback; the embedded broker serves this machine only", cfg.Addr)
		}
		if ports[0], err = strconv.Atoi(port); err != nil {
			return nil, nil, fmt.Errorf("address %q: %w", cfg.Addr, err)
		}
	}
	before := slices.Clone(ports)
	listeners := make(map[string]net.Listener, brokers)
	closeAll := func() {
		for _, ln := range listeners {
			_ = ln.Close()
		}
	}
	for i, port := range ports {
		ln, err := net.Listen("tcp", hostport(port))
		if err != nil && (i > 0 || cfg.Addr == "") { // taken meanwhile by another program
			ln, err = net.Listen("tcp", hostport(0))
		}
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("%w; stop what uses the port, or choose another address", err)
		}
		ports[i] = ln.Addr().(*net.TCPAddr).Port
		listeners[hostport(ports[i])] = ln
	}
	if !slices.Equal(before, ports) || cfg.Addr != "" {
		text, err := json.Marshal(ports)
		if err == nil {
			err = renameio.WriteFile(path, text, 0o600)
		}
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("remember ports: %w", err)
		}
	}
	return ports, listeners, nil
}

// loadPorts reads the remembered ports; zeros stand for "any free one".
func loadPorts(path string) ([]int, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return make([]int, brokers), nil
	}
	if err != nil {
		return nil, err
	}
	var ports []int
	if err := json.Unmarshal(text, &ports); err != nil || len(ports) != brokers {
		return nil, fmt.Errorf("%s does not hold %d ports; remove it to choose new ones", path, brokers)
	}
	return ports, nil
}

func hostport(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

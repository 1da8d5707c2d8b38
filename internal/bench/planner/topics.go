package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// serve starts a broker on loopback whose answers each come after the delay. Requests of one connection do not wait for each other's
// answers, as over a long wire.
func serve(delay time.Duration) (*kfake.Cluster, error) {
	return kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		if err != nil || delay == 0 {
			return l, err
		}
		return slowListener{l, delay}, nil
	}))
}

type slowListener struct {
	net.Listener
	delay time.Duration
}

func (l slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &slowConn{Conn: c, delay: l.delay, out: make(chan late, 1024), done: make(chan struct{})}
	go s.deliver()
	return s, nil
}

// slowConn hands on what is written to it after a delay.
type slowConn struct {
	net.Conn
	delay time.Duration
	out   chan late
	done  chan struct{}
	once  sync.Once
}

type late struct {
	at   time.Time
	data []byte
}

func (c *slowConn) Write(p []byte) (int, error) {
	select {
	case c.out <- late{time.Now().Add(c.delay), append([]byte(nil), p...)}:
		return len(p), nil
	case <-c.done:
		return 0, net.ErrClosed
	}
}

func (c *slowConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.Conn.Close()
}

func (c *slowConn) deliver() {
	for {
		select {
		case l := <-c.out:
			time.Sleep(time.Until(l.at))
			if _, err := c.Conn.Write(l.data); err != nil {
				c.Close()
				return
			}
		case <-c.done:
			return
		}
	}
}

// brokerEnv makes this program a broker, whose answers come after that delay.
const brokerEnv = "MKT_BENCH_BROKER"

// broker is a broker as a process of its own. Within the process that starts mkt it would be measured: what Linux reports as the
// most memory of a process counts in what its parent had when it was started (getrusage(2), exec).
type broker struct {
	addr string
	cmd  *exec.Cmd
	in   io.Closer
}

func startBroker(ctx context.Context, delay time.Duration) (*broker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env, cmd.Stderr = append(os.Environ(), brokerEnv+"="+delay.String()), os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b := &broker{cmd: cmd, in: in}
	if _, err := fmt.Fscanln(out, &b.addr); err != nil {
		b.Close()
		return nil, fmt.Errorf("start a broker: %w", err)
	}
	return b, nil
}

// Close ends the process.
func (b *broker) Close() {
	b.in.Close()
	_ = b.cmd.Wait() // of a process that has nothing to say at its end
}

// runBroker is that process. It ends with its standard input.
func runBroker(delay string) error {
	d, err := time.ParseDuration(delay)
	if err != nil {
		return err
	}
	c, err := serve(d)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println(c.ListenAddrs()[0])
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// topics creates 1,000 topics with both tools, each on a broker of its own, and plans them again.
func (b *bench) topics(ctx context.Context, delay time.Duration) error {
	const n = 1000
	broker, err := startBroker(ctx, delay)
	if err != nil {
		return err
	}
	defer broker.Close()
	dir, err := b.dir("stack.hcl", fmt.Sprintf("provider \"kafka\" {\n  bootstrap_servers = %q\n}\n", broker.addr)+each(n, "kafka_topic", topicBody))
	if err != nil {
		return err
	}
	create, _, err := once(ctx, dir, nil, b.mkt, "apply", "-auto-approve")
	if err != nil {
		return err
	}
	plan, err := b.median(ctx, "Nothing to do", dir, nil, b.mkt, "plan")
	if err != nil {
		return err
	}
	peerCreate, peerPlan, err := b.tofuTopics(ctx, n, delay)
	if err != nil {
		return err
	}
	row("create", create, peerCreate)
	row("plan with nothing to do", plan, peerPlan)
	return nil
}

func (b *bench) tofuTopics(ctx context.Context, n int, delay time.Duration) (create, plan *cost, err error) {
	if b.tofu == "" || b.providers == "" || !b.slow {
		return nil, nil, nil
	}
	broker, err := startBroker(ctx, delay)
	if err != nil {
		return nil, nil, err
	}
	defer broker.Close()
	text := fmt.Sprintf(`terraform {
  required_providers {
    kafka = { source = "Mongey/kafka" }
  }
}
provider "kafka" {
  bootstrap_servers = [%q]
  tls_enabled       = false
}
`, broker.addr)
	text += "locals {\n  all = {\n"
	for i := range n {
		text += fmt.Sprintf("    t%d = %d\n", i, i)
	}
	text += `  }
}
resource "kafka_topic" "t" {
  for_each           = local.all
  name               = each.key
  partitions         = 1
  replication_factor = 1
  config             = { "retention.ms" = "604800000" }
}
`
	dir, err := b.dir("main.tf", text)
	if err != nil {
		return nil, nil, err
	}
	rc := filepath.Join(dir, "tofurc")
	override := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"Mongey/kafka\" = %q\n  }\n  direct {}\n}\n", b.providers)
	if err := os.WriteFile(rc, []byte(override), 0o644); err != nil {
		return nil, nil, err
	}
	env := []string{"TF_CLI_CONFIG_FILE=" + rc}
	c, _, err := once(ctx, dir, env, b.tofu, "apply", "-auto-approve", "-no-color")
	if err != nil {
		return nil, nil, err
	}
	one := *b
	one.runs = 1
	p, err := one.median(ctx, "No changes", dir, env, b.tofu, "plan", "-no-color")
	return &c, &p, err
}

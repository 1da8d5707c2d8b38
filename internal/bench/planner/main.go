// Command planner measures what a plan costs, beside OpenTofu on the same machine in the same run, and prints a table in Markdown.
// It is what `make bench-planner` runs.
//
// Two things are measured. The first is a plan that finds nothing to do, without the network: mkt reads topics from a broker on
// loopback, OpenTofu has terraform_data, a resource without a server, so that the comparison is not in mkt's favour. The second is a
// thousand topics on a broker that answers each request after a delay, mkt against OpenTofu with the Mongey Kafka provider.
// It knows both tools only by their command lines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// peers are the programs to measure.
type peers struct {
	mkt, tofu, providers string // providers is the directory of terraform-provider-kafka; empty leaves that part out
}

func main() {
	if delay := os.Getenv(brokerEnv); delay != "" {
		if err := runBroker(delay); err != nil {
			fmt.Fprintln(os.Stderr, "broker:", err)
			os.Exit(1)
		}
		return
	}
	var p peers
	flag.StringVar(&p.mkt, "mkt", "bin/mkt", "mkt to measure")
	flag.StringVar(&p.tofu, "tofu", "", "OpenTofu to measure; empty measures mkt alone")
	flag.StringVar(&p.providers, "providers", "", "directory that holds terraform-provider-kafka")
	latency := flag.Duration("latency", 20*time.Millisecond, "delay of each answer of the broker in the second part")
	runs := flag.Int("runs", 3, "measure each command so often and take the median")
	slow := flag.Bool("slow", true, "include OpenTofu's runs of minutes: 10,000 resources, the chain, the topics")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, path := range []*string{&p.mkt, &p.tofu, &p.providers} {
		if *path != "" {
			*path, _ = filepath.Abs(*path)
		}
	}
	if err := run(ctx, p, *latency, *runs, *slow); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p peers, latency time.Duration, runs int, slow bool) error {
	work, err := os.MkdirTemp("", "mkt-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	// A copy, as an installed program is one. Pages of a file that the linker has just written are mapped in larger pieces, a third
	// more memory than those of a copy of the same program.
	if p.mkt, err = install(p.mkt, work); err != nil {
		return err
	}
	b := &bench{peers: p, work: work, runs: runs, slow: slow}
	fmt.Println("| a plan with nothing to do | mkt | OpenTofu | OpenTofu ÷ mkt |\n|---|---|---|---|")
	for _, s := range shapes() {
		if err := b.noOp(ctx, s); err != nil {
			return err
		}
	}
	fmt.Printf("\n| 1,000 topics, %v per answer | mkt | OpenTofu + Mongey | OpenTofu ÷ mkt |\n|---|---|---|---|\n", latency)
	return b.topics(ctx, latency)
}

// install copies a program into a directory and returns where it is. It does not read it into memory, which would be measured.
func install(program, dir string) (string, error) {
	from, err := os.Open(program)
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, filepath.Base(program)), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, from)
	return to.Name(), errors.Join(err, to.Close())
}

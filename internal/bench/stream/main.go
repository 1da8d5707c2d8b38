// Command stream measures what moving rows through a stream costs: mkt, and
// beside it in the same run what librdkafka can do from C, other ways to call
// a Kafka client, a client that waits for each message, and Redpanda Connect.
// All of them talk to one embedded stack, which is a process of its own; what
// counts is the time of the processes that move rows.
//
//	make bench-stream
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	if text := os.Getenv(childEnv); text != "" {
		if err := child(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	mkt := flag.String("mkt", "bin/mkt", "the binary to measure")
	n := flag.Int("rows", 1_000_000, "rows to move")
	data := flag.String("data", "", "a CSV whose rows are repeated; empty: made up")
	connect := flag.String("connect", "", "a checkout of Redpanda Connect, to build and to measure beside mkt")
	only := flag.String("only", "mkt,scale,peers,engines,connect", "the parts to run")
	flag.Parse()
	path, err := filepath.Abs(*mkt)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mkt-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rows := filepath.Join(dir, "rows.csv")
	if err := writeRows(rows, *data, *n); err != nil {
		return err
	}
	info, err := os.Stat(rows)
	if err != nil {
		return err
	}
	s, err := start(ctx, path, dir, rows, *n)
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("%d rows of %.1f bytes, %d partitions, %d cores, %s/%s\n\n", *n, float64(info.Size())/float64(*n), partitions, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	t := &table{}
	parts := strings.Split(*only, ",")
	for _, part := range []struct {
		name string
		run  func(context.Context, *stack, *table) error
	}{
		{"mkt", runMkt}, {"scale", runScale}, {"peers", runPeers}, {"engines", runEngines},
		{"connect", func(ctx context.Context, s *stack, t *table) error { return runConnect(ctx, s, t, *connect) }},
	} {
		for _, p := range parts {
			if p == part.name {
				if err := part.run(ctx, s, t); err != nil {
					return err
				}
			}
		}
	}
	t.targets()
	return nil
}

// runMkt measures the halves of the stream, and both at once.
func runMkt(ctx context.Context, s *stack, t *table) error {
	t.title("mkt stream")
	for _, r := range []struct{ name, parts string }{
		{mktProducer, "producer." + mktTopic}, {mktJSON, "consumer.json"}, {mktAvro, "consumer.avro"},
		{mktHalves, "producer." + mktBoth + " consumer.both"},
	} {
		f, err := s.stream(ctx, r.name, strings.Fields(r.parts)...)
		if err != nil {
			return err
		}
		t.add(f)
	}
	return nil
}

// runPeers measures the ceiling and the naive case.
func runPeers(ctx context.Context, s *stack, t *table) error {
	t.title("librdkafka from C with messages that are encoded already, acks=all, idempotent, no transactions")
	for _, r := range []struct {
		name, topic string
		header      bool
	}{{cProducer, cTopic, true}, {"C producer, no header", cBareTopic, false}} {
		f, err := job{What: "c", Props: s.properties(), Topic: r.topic, Rows: s.rows, N: s.n, Header: r.header}.run(ctx, r.name)
		if err != nil {
			return err
		}
		t.add(f)
	}
	t.title("a client that flushes after each record")
	n := min(s.n, 200) // 70 ms each
	f, err := job{What: "naive", Props: s.properties(), Topic: naiveTopic, Rows: s.rows, N: n}.run(ctx, fmt.Sprintf("naive producer, %d rows", n))
	t.add(f)
	return err
}

// runEngines measures three Kafka clients with the same messages.
func runEngines(ctx context.Context, s *stack, t *table) error {
	t.title("Kafka clients alone: messages that are encoded already, transactions of 100,000; committed records as a group's member")
	for _, r := range []struct{ what, name, topic string }{
		{"produce-engine", "produce: franz-go, as mkt does", franzTopic},
		{"produce-public", "produce: confluent-kafka-go", franzTopic},
		{"consume-engine", "consume: librdkafka by batches, as mkt does", franzTopic},
		{"consume-public", "consume: confluent-kafka-go", franzTopic},
		{"consume-franz", "consume: franz-go", franzTopic},
	} {
		f, err := job{What: r.what, Props: s.properties(), Topic: r.topic, Rows: s.rows, N: s.n, Header: true}.run(ctx, r.name)
		if err != nil {
			return err
		}
		t.add(f)
	}
	return nil
}

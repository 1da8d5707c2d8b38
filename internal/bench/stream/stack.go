package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"mkt/local"
)

// figures are what a run took.
type figures struct {
	name    string
	rows    int
	elapsed time.Duration
	cpu     time.Duration // user and system, of the processes that move the rows
	rss     int64         // most bytes resident, of the largest of them
}

func (f figures) perSecond() float64  { return float64(f.rows) / f.elapsed.Seconds() }
func (f figures) perMillion() float64 { return f.cpu.Seconds() * 1e6 / float64(f.rows) }

const schema = `{"type":"record","name":"MarketData","namespace":"mkt.bench","fields":[
  {"name":"Index","type":"string"},{"name":"Date","type":{"type":"int","logicalType":"date"}},
  {"name":"Open","type":"double"},{"name":"High","type":"double"},{"name":"Low","type":"double"},{"name":"Close","type":"double"},
  {"name":"Adj_Close","type":"double"},{"name":"Volume","type":"double"},{"name":"CloseUSD","type":["null","double"],"default":null}]}`

// The topics, one for each run that produces.
const (
	mktTopic     = "prices"
	mktBoth      = "prices-both"
	mktEven      = "prices-even"
	cTopic       = "from-c"
	cBareTopic   = "from-c-bare"
	franzTopic   = "from-franz"
	naiveTopic   = "from-naive"
	connectTopic = "from-connect"
	connectBoth  = "from-connect-both"
)

const partitions = 4

// evenTimes is how often the topic of equally long partitions has the rows: until a group is balanced takes seconds, whatever it has to do.
const evenTimes = 5

// stack is a stack file in a folder of its own, and the daemon that serves it.
type stack struct {
	mkt, dir, rows string
	n              int
	at             local.Endpoints
}

// start writes the stack file and applies it to an embedded stack, which is a
// process of its own.
func start(ctx context.Context, mkt, dir, rows string, n int) (*stack, error) {
	s := &stack{mkt: mkt, dir: dir, rows: rows, n: n}
	var b bytes.Buffer
	b.WriteString("provider \"kafka\" {}\nprovider \"azure\" {\n  account = \"mktbench\"\n}\nazure_container \"files\" {\n  name = \"files\"\n}\n")
	for _, topic := range []string{mktTopic, mktBoth, mktEven, cTopic, cBareTopic, franzTopic, naiveTopic, connectTopic, connectBoth} {
		fmt.Fprintf(&b, "kafka_topic %q {\n  name = %q\n  partitions = %d\n  replication_factor = 1\n}\n", topic, topic, partitions)
		fmt.Fprintf(&b, "schema_subject %q {\n  name = \"%s-value\"\n  schema = file(\"schema.avsc\")\n}\n", topic, topic)
	}
	for i := range evenTimes {
		if err := os.Link(rows, filepath.Join(dir, fmt.Sprintf("even-%d.csv", i))); err != nil {
			return nil, err
		}
	}
	for _, p := range [][3]string{{mktTopic, "Index", rows}, {mktBoth, "Index", rows}, {mktEven, "Date", filepath.Join(dir, "even-*.csv")}} {
		fmt.Fprintf(&b, "producer %[1]q {\n  topic = kafka_topic.%[1]s\n  subject = schema_subject.%[1]s\n  key = row.%[2]s\n", p[0], p[1])
		fmt.Fprintf(&b, "  source \"csv\" {\n    path = %q\n    rename = { \"Adj Close\" = \"Adj_Close\" }\n    null = [\"\", \"null\"]\n  }\n}\n", p[2])
	}
	for _, c := range [][4]string{{"json", mktTopic, "json", "gzip"}, {"avro", mktTopic, "avro", "zstd"}, {"one", mktEven, "json", "gzip"}, {"two", mktEven, "json", "gzip"}, {"both", mktBoth, "json", "gzip"}} {
		fmt.Fprintf(&b, "consumer %q {\n  topic = kafka_topic.%s\n  group = %q\n  container = azure_container.files\n  prefix = \"%s/\"\n  format = %q\n  compression = %q\n}\n",
			c[0], c[1], c[0], c[0], c[2], c[3])
	}
	for name, text := range map[string][]byte{"stack.hcl": b.Bytes(), "schema.avsc": []byte(schema)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	if out, err := s.command(ctx, "apply", "-auto-approve").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mkt apply: %w\n%s", err, out)
	}
	d, err := local.Status(filepath.Join(dir, ".mkt", "local"))
	s.at = d.Endpoints
	return s, err
}

// stop ends the daemon.
func (s *stack) stop() { _ = s.command(context.Background(), "local", "stop").Run() }

func (s *stack) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.mkt, args...)
	cmd.Env = append(os.Environ(), "MKT_LOCAL=1", "MKT_STACK="+filepath.Join(s.dir, "stack.hcl"))
	return cmd
}

// stream runs a part of the stack's app.
func (s *stack) stream(ctx context.Context, name string, parts ...string) (figures, error) {
	return measure(name, s.n, s.command(ctx, append([]string{"stream"}, parts...)...))
}

// measure runs a command to its end.
func measure(name string, n int, cmd *exec.Cmd) (figures, error) {
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return figures{}, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	f := figures{name: name, rows: n, elapsed: time.Since(began)}
	f.add(cmd.ProcessState)
	return f, nil
}

// add counts a process that has ended.
func (f *figures) add(p *os.ProcessState) {
	f.cpu += p.UserTime() + p.SystemTime()
	if usage, ok := p.SysUsage().(*syscall.Rusage); ok {
		f.rss = max(f.rss, usage.Maxrss*1024) // Linux counts KiB
	}
}

// properties are those of librdkafka for the daemon's broker.
func (s *stack) properties() map[string]string {
	return map[string]string{
		"bootstrap.servers": s.at.KafkaBootstrap, "security.protocol": "SASL_PLAINTEXT",
		"sasl.mechanisms": "PLAIN", "sasl.username": s.at.User, "sasl.password": s.at.Password,
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkt/internal/realtest/realstack"
	"mkt/local"
	"mkt/providers"
	"mkt/providers/providertest/wire"
)

// deep reports whether every case is to be tried, and not a random few: MKT_TEST_DEEP, as `make test-deep` sets it.
func deep() bool { return os.Getenv("MKT_TEST_DEEP") != "" }

// chosen leaves the points that MKT_TEST_POINT, a regular expression over "create, kafka CreateTopics #1: lost", names; without it all in deep
// tests, and a random few in others.
func chosen(r *rand.Rand, points []point, few int) []point {
	r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	if text := os.Getenv("MKT_TEST_POINT"); text != "" {
		match := regexp.MustCompile(text)
		return slices.DeleteFunc(points, func(p point) bool { return !match.MatchString(p.String()) })
	}
	if !deep() {
		return points[:few]
	}
	return points
}

// inTurns tries all points, several runs at once and several points in each: every phase begins where the one before has ended. Every few
// points get an embedded stack of their own: with what runs left behind, all that lists objects grows slower. try reports whether its run
// may go on.
func inTurns(t *testing.T, points []point, worlds map[string]string, try func(b *blaze, p point, world string) bool) {
	t.Helper()
	const most = 400 // to a stack
	for some := range slices.Chunk(points, most) {
		turn := func(t *testing.T) {
			f := newFire(t)
			q := &queue{left: map[string][]point{}}
			for _, p := range some {
				q.left[p.phase.name] = append(q.left[p.phase.name], p)
			}
			var workers sync.WaitGroup
			for range 5 {
				b := f.blaze(t)
				workers.Go(func() {
					for (!t.Failed() || deep()) && b.round(q, worlds, try) {
					}
				})
			}
			workers.Wait()
		}
		if len(points) <= most {
			turn(t)
			continue
		}
		t.Run("", turn)
	}
}

// queue has the points that are not tried yet, by phase.
type queue struct {
	mu   sync.Mutex
	left map[string][]point
}

// next takes a point of a phase. Without one, further reports whether a later phase has some.
func (q *queue) next(name string) (p point, ok, further bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if list := q.left[name]; len(list) > 0 {
		q.left[name] = list[1:]
		return list[0], true, true
	}
	i := slices.IndexFunc(phases, func(p phase) bool { return p.name == name })
	return p, false, slices.ContainsFunc(phases[i+1:], func(p phase) bool { return len(q.left[p.name]) > 0 })
}

// round is one run through the phases with a point in each that has one left. It reports whether there was any.
func (b *blaze) round(q *queue, worlds map[string]string, try func(b *blaze, p point, world string) bool) (some bool) {
	b.begin()
	for _, phase := range phases {
		p, ok, further := q.next(phase.name)
		switch {
		case ok:
			some = true
			if !try(b, p, worlds[phase.name]) {
				return true
			}
		case further:
			b.wire.Watch(nil)
			if code, out := b.mkt(patience, phase.args...); code != 0 {
				b.t.Errorf("%s: %s with nothing in its way: exit code %d\n%s", b.name, phase.name, code, out)
				return false
			}
		default:
			return some
		}
	}
	return some
}

// fire is one embedded stack for the stacks of testdata/fire. Their objects bear the name of their run, so that a run
// begins with nothing however the others ended, and runs may go on beside each other.
type fire struct {
	t        *testing.T
	at       local.Endpoints
	protocol string // of Kafka
}

// runs counts those of this process: several tests of it may be on the same real servers, one after the other.
var runs atomic.Int64

// newFire starts the embedded stack, or what is embedded beside the real servers of `make test-real`.
func newFire(t *testing.T) *fire {
	t.Helper()
	if at, ok := realstack.Real(t); ok {
		return &fire{t: t, at: at, protocol: "PLAINTEXT"}
	}
	s := newStack(t)
	s.run(0, "local", "start")
	d, err := local.Status(s.localDir())
	if err != nil {
		t.Fatal(err)
	}
	return &fire{t: t, at: d.Endpoints, protocol: "SASL_PLAINTEXT"}
}

// blaze is one run at a time: a directory with the stack and its ledger, and proxies before the systems.
type blaze struct {
	t    *testing.T
	fire *fire
	wire *wire.Wire
	env  map[string]string
	dir  string
	name string

	reached *atomic.Bool // whether the last process was killed where it was to be
}

// What differs from run to run in the names of requests, and what stands for it.
var (
	ofRun       = regexp.MustCompile(`(?i)run\d+x`)
	ofOperation = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

func shortName(name string) string {
	name = ofOperation.ReplaceAllString(ofRun.ReplaceAllString(name, "RUN"), "ID")
	return strings.Replace(name, "/subscriptions/00000000-0000-0000-0000-000000000000", "", 1)
}

func (f *fire) blaze(t *testing.T) *blaze {
	t.Helper()
	w := &wire.Wire{Short: shortName, Delay: 1500 * time.Millisecond}
	at := f.at
	at.KafkaBootstrap = w.Kafka(t, strings.Split(at.KafkaBootstrap, ",")[0])
	at.RegistryURL = w.HTTP(t, "registry", at.RegistryURL)
	at.BlobURL, at.QueueURL, at.ManagementURL = w.HTTP(t, "blob", at.BlobURL), w.HTTP(t, "queue", at.QueueURL), w.HTTP(t, "management", at.ManagementURL)
	snowflake, err := url.Parse(w.HTTP(t, "snowflake", fmt.Sprintf("http://%s:%d", at.SnowflakeHost, at.SnowflakePort)))
	if err != nil {
		t.Fatal(err)
	}
	at.SnowflakeHost = snowflake.Hostname()
	if at.SnowflakePort, err = strconv.Atoi(snowflake.Port()); err != nil {
		t.Fatal(err)
	}
	return &blaze{t: t, fire: f, wire: w, env: realstack.Environment(at, f.protocol)}
}

// begin starts a run from nothing.
func (b *blaze) begin() {
	b.t.Helper()
	b.dir, b.name = b.t.TempDir(), fmt.Sprintf("run%d%03dx", os.Getpid(), runs.Add(1))
	b.wire.Watch(nil)
	if err := os.CopyFS(b.dir, os.DirFS("testdata/fire")); err != nil {
		b.t.Fatal(err)
	}
}

// patience is the limits of calls as shipped.
var patience = providers.Limits{Call: providers.CallTimeout, Retry: providers.RetryFor, Connect: providers.ConnectFor}

// phase is one thing that is done to a stack.
type phase struct {
	name string
	args []string
	done []string // the phases that go before
}

var phases = []phase{
	{name: "create", args: []string{"apply", "-auto-approve", "-var", "changed=false"}},
	{name: "change", args: []string{"apply", "-auto-approve", "-allow-destroy=all", "-var", "changed=true"}, done: []string{"create"}},
	{name: "destroy", args: []string{"destroy", "-auto-approve", "-allow-destroy=all", "-var", "changed=true"}, done: []string{"create", "change"}},
}

func phaseNamed(name string) phase {
	return phases[slices.IndexFunc(phases, func(p phase) bool { return p.name == name })]
}

// prepare begins a run and does what goes before a phase.
func (b *blaze) prepare(p phase) {
	b.t.Helper()
	b.begin()
	for _, name := range p.done {
		b.must(0, phaseNamed(name).args...)
	}
}

func (b *blaze) args(args []string) []string {
	return append(slices.Clone(args), "-stack", filepath.Join(b.dir, "stack.hcl"), "-var", "run="+b.name)
}

// mkt runs a command in this process and returns its exit code and what it printed.
func (b *blaze) mkt(limits providers.Limits, args ...string) (code int, out string) {
	ctx, cancel := context.WithTimeout(providers.WithLimits(context.Background(), limits), 2*time.Minute)
	defer cancel()
	var text bytes.Buffer
	c := newCLI(ctx)
	c.in, c.out, c.err = strings.NewReader(""), &text, &text
	c.getenv = func(name string) string { return b.env[name] }
	code = c.execute(ctx, b.args(args))
	return code, text.String()
}

// must runs a command that has to end with the code, within the limits as they are shipped.
func (b *blaze) must(code int, args ...string) string {
	b.t.Helper()
	got, out := b.mkt(patience, args...)
	if got != code {
		b.t.Fatalf("%s: mkt %s: exit code %d instead of %d\n%s", b.name, strings.Join(args, " "), got, code, out)
	}
	return out
}

// converges does a phase again, as anybody would: it has to end well, leave nothing to do, and the world that it
// leaves has to be the one of a run in which nothing happened.
func (b *blaze) converges(p phase, world string) (string, error) {
	b.wire.Watch(nil)
	code, out := b.mkt(patience, p.args...)
	if code != 0 {
		return out, fmt.Errorf("done again, it ends with exit code %d", code)
	}
	again := append([]string{"plan", "-detailed-exitcode"}, p.args[len(p.args)-2:]...)
	want := 0
	if p.name == "destroy" {
		want = 2
	}
	if code, text := b.mkt(patience, again...); code != want {
		return out + text, fmt.Errorf("after it was done again, plan ends with exit code %d instead of %d", code, want)
	}
	if now := b.world(); now != world {
		return out, fmt.Errorf("done again, it leaves another world:\n%s\ninstead of\n%s", now, world)
	}
	return out, nil
}

// world lists all objects of the run that the systems have, asked past the proxies.
func (b *blaze) world() string {
	b.t.Helper()
	direct := *b
	direct.env = realstack.Environment(b.fire.at, b.fire.protocol)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := newCLI(ctx)
	var text bytes.Buffer
	c.out, c.err, c.parallelism, c.stackPath = &text, &text, 8, filepath.Join(b.dir, "stack.hcl")
	c.vars = []string{"run=" + b.name}
	c.getenv = func(name string) string { return direct.env[name] }
	s, err := c.open(ctx)
	if err != nil {
		b.t.Fatal(err, text.String())
	}
	defer s.Close()
	found := map[string]bool{}
	for _, kind := range resourceKinds() {
		p, err := s.provider(ctx, kind.System)
		if err != nil {
			b.t.Fatal(err)
		}
		lister, ok := p.Resource(kind.Name).(providers.Lister)
		if !ok {
			continue
		}
		for _, scope := range []string{"", strings.ToUpper("market_"+b.name) + ".RAW"} {
			if scope != "" && kind.System != "snowflake" {
				continue
			}
			ids, err := lister.List(ctx, scope)
			if err != nil && providers.CodeOf(err) != providers.NotFound && providers.CodeOf(err) != providers.Invalid {
				b.t.Fatal(err)
			}
			for _, id := range ids {
				if strings.Contains(strings.ToLower(id), b.name) {
					found[kind.Name+" "+id] = true
				}
			}
		}
	}
	var lines []string
	for line := range found {
		lines = append(lines, ofRun.ReplaceAllString(line, "RUN"))
	}
	slices.Sort(lines)
	return strings.Join(append(lines, "versions "+b.versions()), "\n")
}

// versions are those that the registry has of the run's subject, deleted ones included.
func (b *blaze) versions() string {
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.fire.at.RegistryURL+"/subjects/prices-"+b.name+"-value/versions?deleted=true", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.SetBasicAuth(b.fire.at.User, b.fire.at.Password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []int
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
			b.t.Fatal(err)
		}
	}
	return fmt.Sprint(list)
}

// TestFireHasEveryKind holds the stack of testdata/fire to what its first line says.
func TestFireHasEveryKind(t *testing.T) {
	text, err := os.ReadFile("testdata/fire/stack.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range resourceKinds() {
		if !bytes.Contains(text, []byte("\n"+kind.Name+" \"")) {
			t.Errorf("testdata/fire/stack.hcl has no %s: add one, which var.changed alters, so that apply is tried under fire with it, too", kind.Name)
		}
	}
}

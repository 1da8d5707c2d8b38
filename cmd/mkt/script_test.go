package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"

	"mkt/ledger"
	"mkt/local"
	"mkt/local/embedded"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in the scripts")

// TestMain makes this binary serve as mkt and mkt-local: scripts, kill tests and the embedded stacks that they start run the real
// run(), with the race detector when the tests have it.
func TestMain(m *testing.M) {
	testscript.Main(patient{m}, map[string]func(){
		"mkt":       func() { os.Exit(run(os.Args[1:])) },
		"mkt-local": func() { os.Exit(embedded.Main(os.Args[1:])) },
	})
}

// patient runs more tests at once than there are processors: they wait for other processes most of the time.
type patient struct{ *testing.M }

func (p patient) Run() int {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set("5")
	}
	return p.M.Run()
}

// TestScript runs each script of testdata/script in a folder of its own. Besides testscript's own commands they have:
//
//	exit CODE mkt ARGS   mkt must end with this exit code; what it printed is normalised, so that cmp can compare it
//	pipeline             write the stack of testdata/pipeline
//	csv FILE ROWS        write that many rows of prices
//	parquet FILE ROWS    write the same in Parquet
//	sql QUERY WANT       ask the embedded warehouse; the result as CSV must be WANT, lines joined by a space
//	conforms             the last stdout conforms to the schema of plans
//	json PATH WANT       the last stdout is JSON that has WANT at PATH, like "results/0/status"
//	killdaemon           kill -9 the embedded stack
//	edit FILE OLD NEW    replace a text that is there
//	cut FILE BYTES       keep the first bytes of a file
//	endpoints SECRET     set the environment of the real systems to the embedded one's endpoints, with this as every secret; "right" is the right ones
//	hold LEDGER          take the ledger's lock
//	release              give it back
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		UpdateScripts:      *update,
		RequireUniqueNames: true,
		ContinueOnError:    true,
		Setup: func(e *testscript.Env) error {
			e.Defer(func() {
				if err := stopDaemons(e.WorkDir); err != nil {
					e.T().Fatal(err)
				}
			})
			examples, err := filepath.Abs("../../examples")
			e.Setenv("EXAMPLES", examples)
			e.Values[heldKey{}] = new(ledger.Lock)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit":       cmdExit,
			"pipeline":   cmdPipeline,
			"csv":        cmdCSV,
			"parquet":    cmdParquet,
			"sql":        cmdSQL,
			"json":       cmdJSON,
			"conforms":   cmdConforms,
			"killdaemon": cmdKillDaemon,
			"edit":       cmdEdit,
			"cut":        cmdCut,
			"endpoints":  cmdEndpoints,
			"hold":       cmdHold,
			"release":    cmdRelease,
		},
	})
}

func usage(ts *testscript.TestScript, neg bool, args []string, n int, text string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", text)
	}
}

func cmdExit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "exit CODE PROGRAM ARGS")
	err := ts.Exec(args[1], args[2:]...)
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	if out, err := normalise(ts, stdout), normalise(ts, stderr); out != stdout || err != stderr {
		fmt.Fprint(ts.Stdout(), out)
		fmt.Fprint(ts.Stderr(), err)
	}
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d instead of %s", code, args[0])
	}
}

// What differs from run to run, and what stands for it.
var varying = []struct{ pattern, name string }{
	{`127\.0\.0\.1:\d+`, "127.0.0.1:PORT"},
	{`process \d+`, "process PID"},
	{`\(serial \d+\)`, "(serial N)"},
	{`"pid": \d+`, `"pid": 0`},
	{`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z|[+-]\d\d:\d\d)?`, "TIME"},
	{`\bin (\d+(\.\d+)?(ms|s|m))+\b`, "in TIME"},
	{`(topic_id"?\s*[=:]) "[^"]*"`, `$1 "ID"`},
	{`"seconds":\s*[0-9.e-]+`, `"seconds": 0`},
	{`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`, "UUID"},
}

func normalise(ts *testscript.TestScript, s string) string {
	s = strings.ReplaceAll(s, ts.Getenv("WORK"), "WORK")
	for _, v := range varying {
		s = regexp.MustCompile(v.pattern).ReplaceAllString(s, v.name)
	}
	return s
}

func cmdPipeline(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 0, "pipeline")
	ts.Check(os.CopyFS(ts.MkAbs("."), os.DirFS("testdata/pipeline")))
}

func cmdCSV(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "csv FILE ROWS")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(writePrices(ts.MkAbs(args[0]), n))
}

func cmdParquet(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "parquet FILE ROWS")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	type price struct {
		Index    string  `parquet:"Index"`
		Date     int32   `parquet:"Date,date"`
		Open     float64 `parquet:"Open"`
		High     float64 `parquet:"High"`
		Low      float64 `parquet:"Low"`
		Close    float64 `parquet:"Close"`
		AdjClose float64 `parquet:"Adj Close"`
		Volume   int64   `parquet:"Volume"`
		CloseUSD float64 `parquet:"CloseUSD"`
		Notes    []int32 `parquet:"Notes,list"`
	}
	rows := make([]price, n)
	for i := range rows {
		at := float64(i%9973) + 0.25
		rows[i] = price{Index: indexes[i%len(indexes)], Date: int32(i / len(indexes)), Open: at, High: at, Low: at, Close: at, AdjClose: at, Volume: int64(i + 1), CloseUSD: at}
	}
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(parquet.WriteFile(ts.MkAbs(args[0]), rows))
}

// indexes are the keys of generated rows.
var indexes = []string{"GSPC", "N225", "HSI", "NYA", "IXIC", "GDAXI", "SSMI"}

// writePrices writes n rows of prices; row i, from 1, has i as its Volume.
func writePrices(path string, n int) error {
	var b strings.Builder
	b.WriteString("Index,Date,Open,High,Low,Close,Adj Close,Volume,CloseUSD\n")
	day := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := 1; i <= n; i++ {
		price := float64(i%9973) + 0.25
		fmt.Fprintf(&b, "%s,%s,%g,%g,%g,%g,%g,%d,%g\n", indexes[i%len(indexes)], day.AddDate(0, 0, i/len(indexes)).Format(time.DateOnly),
			price, price+1, price-1, price, price, i, price)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func cmdSQL(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "sql QUERY WANT")
	ts.Check(ts.Exec("mkt", "query", "-local", "-csv", args[0]))
	_, got, _ := strings.Cut(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	if got = strings.ReplaceAll(got, "\n", " "); got != args[1] {
		ts.Fatalf("%s\nis  %q\nnot %q", args[0], got, args[1])
	}
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] json PATH WANT")
	}
	// Output of several objects, one a line, is looked at from its last one.
	var v any
	for dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout"))); dec.More(); {
		v = nil
		if err := dec.Decode(&v); err != nil {
			ts.Fatalf("stdout is no JSON: %v", err)
		}
	}
	for step := range strings.SplitSeq(args[0], "/") {
		if step == "" {
			continue
		}
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				ts.Fatalf("%s: no element %s of %d", args[0], step, len(at))
			}
			v = at[i]
		default:
			ts.Fatalf("%s: nothing at %s", args[0], step)
		}
	}
	got, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		ts.Check(err)
		got = string(raw)
	}
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

func cmdKillDaemon(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 0, "killdaemon")
	dir := ts.MkAbs(".mkt/local")
	d, err := local.Status(dir)
	ts.Check(err)
	ts.Check(syscall.Kill(d.PID, syscall.SIGKILL))
	for range 200 {
		if _, err := local.Status(dir); errors.Is(err, local.ErrNotRunning) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("process %d is still there", d.PID)
}

func cmdEdit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 3, "edit FILE OLD NEW")
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, "cut FILE BYTES")
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

func cmdEndpoints(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, "endpoints SECRET")
	d, err := local.Status(ts.MkAbs(".mkt/local"))
	ts.Check(err)
	e, secret, key := d.Endpoints, args[0], base64.StdEncoding.EncodeToString([]byte(args[0]))
	if secret == "right" {
		secret, key = e.Password, e.AccountKey
	}
	for name, value := range map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": e.KafkaBootstrap, "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
		"KAFKA_API_KEY": e.User, "KAFKA_API_SECRET": secret,
		"SCHEMA_REGISTRY_URL": e.RegistryURL, "SCHEMA_REGISTRY_API_KEY": e.User, "SCHEMA_REGISTRY_API_SECRET": secret,
		"AZURE_STORAGE_ACCOUNT": "mktlocal", "AZURE_STORAGE_KEY": key,
		"AZURE_STORAGE_BLOB_ENDPOINT": e.BlobURL, "AZURE_STORAGE_QUEUE_ENDPOINT": e.QueueURL,
		"SNOWFLAKE_ACCOUNT": e.SnowflakeAccount, "SNOWFLAKE_USER": e.User, "SNOWFLAKE_PASSWORD": secret,
		"SNOWFLAKE_HOST": e.SnowflakeHost, "SNOWFLAKE_PORT": strconv.Itoa(e.SnowflakePort), "SNOWFLAKE_PROTOCOL": "http",
	} {
		ts.Setenv(name, value)
	}
}

// heldKey finds the lock that a script holds.
type heldKey struct{}

func cmdHold(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, "hold LEDGER")
	holder := ledger.Holder{Who: "someone@elsewhere", PID: os.Getpid(), Since: time.Now(), Operation: "apply"}
	lock, err := ledger.NewFile(ts.MkAbs(args[0])).Lock(context.Background(), holder, 0)
	ts.Check(err)
	*ts.Value(heldKey{}).(*ledger.Lock) = lock
}

func cmdRelease(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 0, "release")
	ts.Check((*ts.Value(heldKey{}).(*ledger.Lock)).Unlock())
}

// stopDaemons stops every embedded stack below dir.
func stopDaemons(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || filepath.Base(path) != "local" || filepath.Base(filepath.Dir(path)) != ".mkt" {
			return err
		}
		if err := local.Stop(context.Background(), path); err != nil && !errors.Is(err, local.ErrNotRunning) {
			return err
		}
		return filepath.SkipDir
	})
}

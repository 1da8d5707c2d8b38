package snowflake_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"mkt/ledger"
	"mkt/local/storage"
	"mkt/local/warehouse"
	"mkt/planner"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/providers/snowflake"
)

// feed is a warehouse beside a storage account, with files that come in. Its power can be cut between the provider's statements.
type feed struct {
	t      *testing.T
	dir    string // of the warehouse
	blobs  *azblob.Client
	queue  *azqueue.QueueClient
	direct snowflake.Connection // past the switch
	conn   snowflake.Connection
	mint   func(context.Context, string, []string, time.Time) (string, error)
	files  int
	rows   []string // one for each file that was written: its number

	mu   sync.Mutex
	log  []string          // steps of the provider that change something
	at   map[string]func() // called once, ahead of a step
	cut  int               // after so many steps nothing more happens; 0 for never
	dead bool
}

var errDead = errors.New("no power")

// step counts a step; it fails when the power is gone.
func (f *feed) step(what string) error {
	f.mu.Lock()
	call := f.at[what]
	delete(f.at, what)
	f.mu.Unlock()
	if call != nil {
		call()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errDead
	}
	f.log = append(f.log, what)
	if f.cut > 0 && len(f.log) >= f.cut {
		f.dead = true
		return errDead
	}
	return nil
}

func (f *feed) off() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

// power sets after how many steps it fails, and begins to count.
func (f *feed) power(cut int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut, f.dead, f.log = cut, false, nil
}

func newFeed(t *testing.T) *feed {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := &feed{t: t, dir: t.TempDir()}
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	store, err := storage.Open(storage.Config{Dir: t.TempDir(), Key: key})
	check(err)
	t.Cleanup(func() { _ = store.Close() })
	blobs, queues := httptest.NewServer(store.BlobHandler()), httptest.NewServer(store.QueueHandler())
	t.Cleanup(blobs.Close)
	t.Cleanup(queues.Close)
	blobCred, err := azblob.NewSharedKeyCredential("acct", key)
	check(err)
	f.blobs, err = azblob.NewClientWithSharedKeyCredential(blobs.URL+"/acct", blobCred, nil)
	check(err)
	_, err = f.blobs.CreateContainer(t.Context(), "market", nil)
	check(err)
	queueCred, err := azqueue.NewSharedKeyCredential("acct", key)
	check(err)
	service, err := azqueue.NewServiceClientWithSharedKeyCredential(queues.URL+"/acct", queueCred, nil)
	check(err)
	for _, name := range []string{"events", "others"} {
		_, err = service.CreateQueue(t.Context(), name, nil)
		check(err)
	}
	f.queue = service.NewQueueClient("events")
	f.mint = func(_ context.Context, _ string, _ []string, expires time.Time) (string, error) {
		q, err := sas.BlobSignatureValues{ContainerName: "market", ExpiryTime: expires, Permissions: (&sas.ContainerPermissions{Read: true, List: true}).String()}.SignWithSharedKey(blobCred)
		return q.Encode(), err
	}

	wh, err := warehouse.Open(warehouse.Config{Dir: f.dir, Account: "local", User: "mkt", Password: password,
		Storage: func(account string) (warehouse.StorageEndpoint, bool) {
			return warehouse.StorageEndpoint{BlobURL: blobs.URL + "/" + account, QueueURL: queues.URL + "/" + account, Key: key}, account == "acct"
		}})
	check(err)
	t.Cleanup(func() { _ = wh.Close() })
	server := httptest.NewServer(wh)
	t.Cleanup(server.Close)
	target, _ := url.Parse(server.URL)
	proxy := httputil.NewSingleHostReverseProxy(target)
	dead := func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, `{"success":false,"code":"000604","message":"no power","data":{"sqlState":"57014"}}`)
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, text, statement := strings.Cut(string(body), `"sqlText":"`)
		text = strings.NewReplacer(`\"`, "").Replace(text)
		step, _, _ := strings.Cut(text, " AS")
		step, _, _ = strings.Cut(step, " AUTO_")
		step, _, _ = strings.Cut(step, " MODIFIED_")
		step, _, _ = strings.Cut(step, `"`)
		changes := statement && (strings.HasPrefix(text, "ALTER ") || strings.HasPrefix(text, "CREATE ") || strings.HasPrefix(text, "DROP "))
		switch {
		case statement && f.off(), changes && f.step("before "+step) != nil:
			dead(w)
		case changes:
			answer := httptest.NewRecorder()
			proxy.ServeHTTP(answer, r)
			if f.step("after "+step) != nil { // it has happened, and nobody hears of it
				dead(w)
				return
			}
			for name, values := range answer.Header() {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes())
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	at := func(address string) snowflake.Connection {
		u, _ := url.Parse(address)
		port, _ := strconv.Atoi(u.Port())
		return snowflake.Connection{Account: "local", User: "mkt", Password: password, Host: u.Hostname(), Port: port, Protocol: "http", Warehouse: "COMPUTE_WH"}
	}
	f.direct, f.conn = at(server.URL), at(front.URL)
	return f
}

// bench returns a new process' way to the systems.
func (f *feed) bench(settle time.Duration) *providertest.Bench {
	b := providertest.NewBench(f.t, snowflake.Kinds(), nil)
	p := snowflake.New(f.conn, snowflake.Options{MintSAS: f.mint, HashKey: []byte("key"), Notes: poweredNotes{b.Store(), f}, Settle: settle})
	f.t.Cleanup(func() { _ = p.Close() })
	b.Providers = map[string]providers.Provider{"snowflake": p}
	return b
}

// poweredNotes and poweredLedger stop with the power.
type poweredNotes struct {
	ledger.Notes
	f *feed
}

func (n poweredNotes) Keep(ctx context.Context, name string, text []byte) error {
	if err := n.f.step("before keep"); err != nil {
		return err
	}
	if err := n.Notes.Keep(ctx, name, text); err != nil {
		return err
	}
	return n.f.step("after keep")
}

type poweredLedger struct {
	ledger.Store
	f *feed
}

func (l poweredLedger) Save(ctx context.Context, owned *ledger.Ledger) error {
	if l.f.off() {
		return errDead
	}
	return l.Store.Save(ctx, owned)
}

// write puts a file of one row into the container; announced files have an event in the queue.
func (f *feed) write(announced bool) {
	f.t.Helper()
	f.files++
	f.rows = append(f.rows, strconv.Itoa(f.files))
	name := fmt.Sprintf("in/%05d.json", f.files)
	if _, err := f.blobs.UploadBuffer(f.t.Context(), "market", name, fmt.Appendf(nil, "{\"A\": %d}\n", f.files), nil); err != nil {
		f.t.Fatal(err)
	}
	if !announced {
		return
	}
	event := fmt.Sprintf(`{"topic":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acct","subject":"/blobServices/default/containers/market/blobs/%s",`+
		`"eventType":"Microsoft.Storage.BlobCreated","eventTime":"2026-01-02T03:04:05Z","id":"x","data":{"api":"PutBlob","contentLength":7}}`, name)
	if _, err := f.queue.EnqueueMessage(f.t.Context(), base64.StdEncoding.EncodeToString([]byte(event)), nil); err != nil {
		f.t.Fatal(err)
	}
}

// clear removes the files, whose times are too coarse to tell them from those of a pipe that is made in the same second.
func (f *feed) clear() {
	f.t.Helper()
	pager := f.blobs.NewListBlobsFlatPager("market", nil)
	for pager.More() {
		page, err := pager.NextPage(f.t.Context())
		if err != nil {
			f.t.Fatal(err)
		}
		for _, b := range page.Segment.BlobItems {
			if _, err := f.blobs.DeleteBlob(f.t.Context(), "market", *b.Name, nil); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

// ask returns the first column of a query's only row, as text.
func (f *feed) ask(query string) string {
	f.t.Helper()
	db, err := f.direct.Open(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	var text string
	if err := db.QueryRowContext(f.t.Context(), query).Scan(&text); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return text
}

// exactly waits until each row that was written is in the table, and fails if one is there twice.
func (f *feed) exactly(table, why string) {
	f.t.Helper()
	want := strings.Join(f.rows, ",")
	var got string
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		got = f.ask("SELECT COALESCE(LISTAGG(TO_VARCHAR(a::INTEGER), ',') WITHIN GROUP (ORDER BY a), '') FROM MARKET.RAW." + table)
		if got == want {
			return
		}
		if len(got) > len(want) || time.Now().After(end) {
			f.t.Fatalf("%s: the table has the rows %s, and %s were written", why, got, want)
		}
	}
}

// known fails when the load history, with what was kept of it, lacks a file that was written.
func (f *feed) known(b *providertest.Bench, why string) {
	f.t.Helper()
	db, err := f.direct.Open(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	loads, err := snowflake.LoadHistory(f.t.Context(), db, b.Store(), "MARKET.RAW.T")
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 1; i <= f.files; i++ {
		if l := loads[fmt.Sprintf("azure://acct.blob.core.windows.net/market/in/%05d.json", i)]; !l.Loaded() {
			f.t.Fatalf("%s: file %d is not in the history of %d files: %+v", why, i, len(loads), l)
		}
	}
}

// cutApply applies until the power goes, if it does.
func (f *feed) cutApply(b *providertest.Bench, stack string) {
	p, diags := b.Plan(f.t, stack)
	if diags.HasErrors() {
		f.t.Fatal(providertest.Text(diags))
	}
	_, _ = planner.Apply(f.t.Context(), p, planner.ApplyOptions{Ledger: poweredLedger{b.Store(), f}, LossAgreed: true})
}

func (f *feed) stack(vars map[string]string) string {
	text := schema + `
snowflake_table "t" {
	schema = snowflake_schema.raw
	column "a" { type = "FLOAT" }
}
snowflake_file_format "lines" {
	schema = snowflake_schema.raw
	type   = "$FORMAT"
}
snowflake_stage "s" {
	name      = "$STAGE"
	schema    = snowflake_schema.raw
	container = "https://acct.blob.core.windows.net/market"
	path      = "$PATH"
	$BY_STAGE
	sas { expires_in = "90d" }
}
snowflake_notification_integration "azure" {
	queue     = "https://acct.queue.core.windows.net/$QUEUE"
	tenant_id = "` + tenantID + `"
}
snowflake_pipe "p" {
	schema      = snowflake_schema.raw
	auto_ingest = true
	integration = snowflake_notification_integration.azure
	copy {
		into                 = snowflake_table.t
		from                 = snowflake_stage.s
		$BY_PIPE
		match_by_column_name = "CASE_INSENSITIVE"
		on_error             = "$ON_ERROR"
	}
}`
	all := map[string]string{"FORMAT": "JSON", "STAGE": "s", "PATH": "in", "QUEUE": "events", "ON_ERROR": "SKIP_FILE",
		"BY_PIPE": "file_format = snowflake_file_format.lines", "BY_STAGE": ""}
	for name, value := range vars {
		all[name] = value
	}
	return os.Expand(text, func(name string) string { return all[name] })
}

func (f *feed) holdConsent(held bool) {
	f.t.Helper()
	path := filepath.Join(f.dir, "no-consent")
	err := os.Remove(path)
	if held {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

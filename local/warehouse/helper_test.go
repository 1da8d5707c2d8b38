package warehouse

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/snowflakedb/gosnowflake/v2"

	"mkt/local/storage"
)

const (
	testAccount  = "mktlocal"
	testPassword = "secret of the test"
)

var testKey = base64.StdEncoding.EncodeToString([]byte("a key of the test account"))

func TestMain(m *testing.M) {
	if dir := os.Getenv("MKT_WAREHOUSE_CHILD"); dir != "" {
		child(dir)
	}
	os.Setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
	if err := gosnowflake.GetLogger().SetLogLevel("OFF"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// lab is a warehouse, served, with an Azure account beside it.
type lab struct {
	t    testing.TB
	w    *Warehouse
	dir  string
	url  *url.URL
	db   *sql.DB
	blob *azblob.Client
	q    *azqueue.ServiceClient
	ep   StorageEndpoint
	now  func() time.Time
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir()}
	st, err := storage.Open(storage.Config{Dir: t.TempDir(), Account: testAccount, Key: testKey})
	check(t, err)
	t.Cleanup(func() { st.Close() })
	blobs, queues := httptest.NewServer(st.BlobHandler()), httptest.NewServer(st.QueueHandler())
	t.Cleanup(blobs.Close)
	t.Cleanup(queues.Close)
	l.ep = StorageEndpoint{BlobURL: blobs.URL + "/" + testAccount, QueueURL: queues.URL + "/" + testAccount, Key: testKey}
	cred, err := azblob.NewSharedKeyCredential(testAccount, testKey)
	check(t, err)
	l.blob, err = azblob.NewClientWithSharedKeyCredential(l.ep.BlobURL, cred, nil)
	check(t, err)
	qcred, err := azqueue.NewSharedKeyCredential(testAccount, testKey)
	check(t, err)
	l.q, err = azqueue.NewServiceClientWithSharedKeyCredential(l.ep.QueueURL, qcred, nil)
	check(t, err)
	l.open()
	t.Cleanup(func() { l.close() })
	return l
}

func (l *lab) open() {
	l.t.Helper()
	var log *slog.Logger
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	w, err := Open(Config{Logger: log, Dir: l.dir, Account: "local", User: "mkt", Password: testPassword, Now: l.now,
		Storage: func(a string) (StorageEndpoint, bool) { return l.ep, a == testAccount }})
	check(l.t, err)
	srv := httptest.NewServer(w)
	l.t.Cleanup(srv.Close)
	l.w = w
	l.url, _ = url.Parse(srv.URL)
	l.db = l.connect("", "")
}

func (l *lab) close() {
	if l.w != nil {
		l.db.Close()
		l.w.Close()
		l.w = nil
	}
}

// connect opens a pool of one session.
func (l *lab) connect(path, params string) *sql.DB {
	l.t.Helper()
	db, err := sql.Open("snowflake", fmt.Sprintf("mkt:%s@%s%s?account=local&protocol=http%s", url.QueryEscape(testPassword), l.url.Host, path, params))
	check(l.t, err)
	db.SetMaxOpenConns(1)
	l.t.Cleanup(func() { db.Close() })
	return db
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *lab) exec(q string, args ...any) {
	l.t.Helper()
	if _, err := l.db.Exec(q, args...); err != nil {
		l.t.Fatalf("%s\n%v", q, err)
	}
}

// fails runs a statement that must fail with the code and a message that holds the text.
func (l *lab) fails(code int, text, q string) {
	l.t.Helper()
	rows, err := l.db.Query(q)
	if err == nil {
		rows.Close()
		l.t.Fatalf("%s: no error", q)
	}
	var se *gosnowflake.SnowflakeError
	if !errors.As(err, &se) {
		l.t.Fatalf("%s: %v is no SnowflakeError", q, err)
	}
	if se.Number != code || !strings.Contains(se.Message, text) {
		l.t.Fatalf("%s\ngot  %d (%s) %s\nwant %d %s", q, se.Number, se.SQLState, se.Message, code, text)
	}
}

// rows gives the rows of a query as text, cells separated by |.
func (l *lab) rows(q string, args ...any) []string {
	l.t.Helper()
	_, cells := l.cells(q, args...)
	out := make([]string, len(cells))
	for i, r := range cells {
		out[i] = strings.Join(r, "|")
	}
	return out
}

// table gives the rows of a query as text by column name.
func (l *lab) table(q string, args ...any) ([]string, []map[string]string) {
	l.t.Helper()
	cols, cells := l.cells(q, args...)
	out := make([]map[string]string, len(cells))
	for i, r := range cells {
		out[i] = map[string]string{}
		for j, c := range cols {
			out[i][c] = r[j]
		}
	}
	return cols, out
}

func (l *lab) cells(q string, args ...any) (cols []string, out [][]string) {
	l.t.Helper()
	rows, err := l.db.Query(q, args...)
	if err != nil {
		l.t.Fatalf("%s\n%v", q, err)
	}
	defer rows.Close()
	cols, err = rows.Columns()
	check(l.t, err)
	for rows.Next() {
		vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		check(l.t, rows.Scan(ptrs...))
		row := make([]string, len(cols))
		for i, v := range vals {
			switch v := v.(type) {
			case nil:
				row[i] = "NULL"
			case time.Time:
				row[i] = v.UTC().Format("2006-01-02T15:04:05.999999999Z")
			default:
				row[i] = fmt.Sprint(v)
			}
		}
		out = append(out, row)
	}
	check(l.t, rows.Err())
	return cols, out
}

func (l *lab) want(q string, want ...string) {
	l.t.Helper()
	got := l.rows(q)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		l.t.Fatalf("%s\ngot\n%s\nwant\n%s", q, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// eventually waits until the query gives the rows.
func (l *lab) eventually(q string, want ...string) {
	l.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		got := l.rows(q)
		if strings.Join(got, "\n") == strings.Join(want, "\n") {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%s\ngot\n%s\nwant\n%s", q, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func gz(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.Bytes()
}

func (l *lab) upload(cont, name string, data []byte) {
	l.t.Helper()
	_, err := l.blob.UploadBuffer(context.Background(), cont, name, data, nil)
	check(l.t, err)
}

// notify sends the event that Event Grid would send for a blob.
func (l *lab) notify(queue, cont, name string, plain bool) {
	l.t.Helper()
	msg := fmt.Sprintf(`{"topic":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/%s","subject":"/blobServices/default/containers/%s/blobs/%s",`+
		`"eventType":"Microsoft.Storage.BlobCreated","eventTime":"2026-01-02T03:04:05.1234567Z","id":"x","data":{"api":"PutBlob","contentLength":7,"url":"https://x/%s/%s"},"dataVersion":"","metadataVersion":"1"}`,
		testAccount, cont, name, cont, name)
	if !plain {
		msg = base64.StdEncoding.EncodeToString([]byte(msg))
	}
	_, err := l.q.NewQueueClient(queue).EnqueueMessage(context.Background(), msg, nil)
	check(l.t, err)
}

// put uploads a blob and announces it.
func (l *lab) put(name string, data []byte) {
	l.t.Helper()
	l.upload("landing", name, data)
	l.notify("events", "landing", name, false)
}

// token gives a SAS for reading and listing a container.
func (l *lab) token(cont string) string {
	l.t.Helper()
	u, err := l.blob.ServiceClient().NewContainerClient(cont).GetSASURL(sas.ContainerPermissions{Read: true, List: true}, time.Now().Add(time.Hour), nil)
	check(l.t, err)
	_, q, _ := strings.Cut(u, "?")
	return q
}

const pricesTable = `CREATE TABLE PRICES (SYMBOL VARCHAR(8) NOT NULL, "Day" DATE, CLOSE FLOAT, VOLUME NUMBER(18,0), AT TIMESTAMP_NTZ, EXTRA VARIANT)`

// pipeline creates everything that a pipe into PRICES needs.
func (l *lab) pipeline() {
	l.t.Helper()
	ctx := context.Background()
	_, err := l.blob.CreateContainer(ctx, "landing", &container.CreateOptions{})
	check(l.t, err)
	_, err = l.q.CreateQueue(ctx, "events", nil)
	check(l.t, err)
	l.exec(`CREATE DATABASE MARKET`)
	l.exec(`CREATE SCHEMA MARKET.RAW`)
	l.exec(`USE SCHEMA MARKET.RAW`)
	l.exec(pricesTable)
	l.exec(`CREATE FILE FORMAT NDJSON TYPE = JSON COMPRESSION = AUTO COMMENT = 'lines'`)
	l.exec(`CREATE NOTIFICATION INTEGRATION EVENTS ENABLED = TRUE TYPE = QUEUE NOTIFICATION_PROVIDER = AZURE_STORAGE_QUEUE
		AZURE_STORAGE_QUEUE_PRIMARY_URI = 'https://mktlocal.queue.core.windows.net/events' AZURE_TENANT_ID = '11111111-2222-3333-4444-555555555555'`)
	l.exec(`CREATE STAGE LANDING URL = 'azure://mktlocal.blob.core.windows.net/landing/prices/' CREDENTIALS = (AZURE_SAS_TOKEN = '?` + l.token("landing") + `') FILE_FORMAT = (FORMAT_NAME = NDJSON)`)
	l.exec(pricesPipe)
}

const pricesPipe = `CREATE PIPE PRICES_IN AUTO_INGEST = TRUE INTEGRATION = 'EVENTS' COMMENT = 'in' AS
	COPY INTO PRICES FROM @LANDING/daily/ FILE_FORMAT = (FORMAT_NAME = NDJSON) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE PATTERN = '.*[.]json([.]gz)?'`

const row1 = `{"symbol":"A","day":"2024-01-02","Close":1.5,"volume":10,"at":"2024-01-02T03:04:05.123Z","extra":{"b":1,"a":[2]}}` + "\n"
const row2 = `{"symbol":"B","day":"2024-01-03","Close":2.5,"volume":20,"at":1704164645123,"extra":"x","unknown":1}` + "\n"

package snowflake_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"mkt/local/storage"
	"mkt/local/warehouse"
	"mkt/providers"
	"mkt/providers/providertest"
	"mkt/providers/snowflake"
)

// TestPipeLoadsThroughMintedToken makes stage and pipe, and has a file loaded with the token that the stage was given.
func TestPipeLoadsThroughMintedToken(t *testing.T) {
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	store, err := storage.Open(storage.Config{Dir: t.TempDir(), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var slow atomic.Bool // downloads wait a second
	handler := store.BlobHandler()
	blobs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".json") {
			time.Sleep(time.Second)
		}
		handler.ServeHTTP(w, r)
	}))
	defer blobs.Close()
	cred, err := azblob.NewSharedKeyCredential("acct", key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClientWithSharedKeyCredential(blobs.URL+"/acct", cred, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateContainer(t.Context(), "market", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UploadBuffer(t.Context(), "market", "a/1.json", []byte("{\"A\": 1}\n{\"a\": 2.5}\n"), nil); err != nil {
		t.Fatal(err)
	}

	wh, err := warehouse.Open(warehouse.Config{Dir: t.TempDir(), Account: "local", User: "mkt", Password: password,
		Storage: func(account string) (warehouse.StorageEndpoint, bool) {
			return warehouse.StorageEndpoint{BlobURL: blobs.URL + "/" + account, Key: key}, account == "acct"
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer wh.Close()
	server := httptest.NewServer(wh)
	defer server.Close()
	u, _ := url.Parse(server.URL)
	port, _ := strconv.Atoi(u.Port())
	conn := snowflake.Connection{Account: "local", User: "mkt", Password: password, Host: u.Hostname(), Port: port, Protocol: "http", Warehouse: "COMPUTE_WH"}
	p := snowflake.New(conn, snowflake.Options{MintSAS: func(_ context.Context, container string, permissions []string, expires time.Time) (string, error) {
		if container != "https://acct.blob.core.windows.net/market" {
			return "", fmt.Errorf("minted for %s", container)
		}
		q, err := sas.BlobSignatureValues{ContainerName: "market", ExpiryTime: expires, Permissions: (&sas.ContainerPermissions{Read: true, List: true}).String()}.SignWithSharedKey(cred)
		return q.Encode(), err
	}})
	defer p.Close()

	b := providertest.NewBench(t, snowflake.Kinds(), map[string]providers.Provider{"snowflake": p})
	stack := schema + `
		snowflake_table "t" {
			schema = snowflake_schema.raw
			column "a" { type = "FLOAT" }
		}
		snowflake_file_format "json" {
			schema = snowflake_schema.raw
			type   = "JSON"
		}
		snowflake_stage "s" {
			schema    = snowflake_schema.raw
			container = "` + blobs.URL + `/acct/market"
			sas { expires_in = "90d" }
		}
		snowflake_pipe "p" {
			schema = snowflake_schema.raw
			copy {
				into                 = snowflake_table.t
				from                 = snowflake_stage.s
				path                 = "a"
				file_format          = snowflake_file_format.json
				match_by_column_name = "CASE_INSENSITIVE"
			}
		}`
	b.MustApply(t, stack)
	b.MustBeEmpty(t, stack)
	sql(t, conn, "ALTER PIPE MARKET.RAW.P REFRESH")
	db, err := conn.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows int
	var sum float64
	for end := time.Now().Add(15 * time.Second); rows == 0 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*), COALESCE(SUM(a), 0) FROM MARKET.RAW.T").Scan(&rows, &sum); err != nil {
			t.Fatal(err)
		}
	}
	if rows != 2 || sum != 3.5 {
		t.Errorf("%d rows loaded, sum %v", rows, sum)
	}
	if got := p.Resource("snowflake_table").(providers.Holder).Holds(t.Context(), []providers.Ref{{ID: "MARKET.RAW.T"}})[0]; got.Err != nil || got.Loss == "" {
		t.Errorf("%+v", got)
	}

	// What a running pipe has been told of is loaded before the pipe goes.
	slow.Store(true)
	if _, err := client.UploadBuffer(t.Context(), "market", "a/2.json", []byte("{\"A\": 4}\n"), nil); err != nil {
		t.Fatal(err)
	}
	sql(t, conn, "ALTER PIPE MARKET.RAW.P REFRESH")
	if gone := p.Resource("snowflake_pipe").Delete(t.Context(), []providers.Change{{ID: "MARKET.RAW.P"}, {ID: "MARKET.RAW.NONE"}}); gone[0].Err != nil || gone[1].Err != nil {
		t.Fatal(gone)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*), SUM(a) FROM MARKET.RAW.T").Scan(&rows, &sum); err != nil || rows != 3 || sum != 7.5 {
		t.Errorf("%d rows, sum %v, %v", rows, sum, err)
	}
}

// TestExamplesLoad plans the example of every kind from nothing.
func TestExamplesLoad(t *testing.T) {
	for _, k := range snowflake.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			for _, err := range k.Lint() {
				t.Error(err)
			}
			w := world(t)
			b := providertest.NewBench(t, snowflake.Kinds(), map[string]providers.Provider{"snowflake": w.Provider})
			p := b.MustPlan(t, k.Example)
			if p.Counts().Create == 0 {
				t.Errorf("the example creates nothing:\n%s", providertest.Dump(p))
			}
		})
	}
	for _, err := range snowflake.Config.Lint() {
		t.Error(err)
	}
}

package azure_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/zclconf/go-cty/cty"

	"mkt/internal/realtest"
	"mkt/local/storage"
	"mkt/providers"
	"mkt/providers/azure"
	"mkt/spec"
)

const (
	account = "mktlocal"
	token   = "test-token"
)

var key = base64.StdEncoding.EncodeToString([]byte("a key of the test account"))

// server is an embedded storage account and resource manager.
type server struct {
	blobs, queues, arm string
	env                map[string]string // that a user would have set
}

// anyServer is a real storage account without containers and queues, if there
// is one (the resource manager is embedded then), or else an embedded one.
func anyServer(t testing.TB) *server {
	t.Helper()
	s := serve(t)
	blobs, queues, real := strings.Cut(realtest.At(t, realtest.Azurite), ",")
	if !real {
		return s
	}
	s.env["AZURE_STORAGE_BLOB_ENDPOINT"], s.env["AZURE_STORAGE_QUEUE_ENDPOINT"], s.env["AZURE_STORAGE_KEY"] = blobs, queues, os.Getenv(realtest.AzuriteKey)
	for _, name := range []string{account, "elsewhere"} {
		empty(t, name, blobs, queues)
	}
	return s
}

// empty deletes what earlier tests left in an account.
func empty(t testing.TB, account, blobs, queues string) {
	t.Helper()
	cred, err := azblob.NewSharedKeyCredential(account, os.Getenv(realtest.AzuriteKey))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := azblob.NewClientWithSharedKeyCredential(blobs+"/"+account, cred, nil)
	if err != nil {
		t.Fatal(err)
	}
	queueCred, err := azqueue.NewSharedKeyCredential(account, os.Getenv(realtest.AzuriteKey))
	if err != nil {
		t.Fatal(err)
	}
	queue, err := azqueue.NewServiceClientWithSharedKeyCredential(queues+"/"+account, queueCred, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pages := blob.NewListContainersPager(nil); pages.More(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.ContainerItems {
			if _, err := blob.DeleteContainer(t.Context(), *c.Name, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for pages := queue.NewListQueuesPager(nil); pages.More(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range page.Queues {
			if _, err := queue.DeleteQueue(t.Context(), *q.Name, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func serve(t testing.TB) *server {
	t.Helper()
	store, err := storage.Open(storage.Config{Dir: t.TempDir(), Key: key, Token: token, DeleteDelay: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	start := func(h http.Handler) string {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	s := &server{blobs: start(store.BlobHandler()), queues: start(store.QueueHandler()), arm: start(store.ManagementHandler())}
	s.env = map[string]string{
		"AZURE_STORAGE_ACCOUNT": account, "AZURE_STORAGE_KEY": key, "AZURE_ACCESS_TOKEN": token,
		"AZURE_STORAGE_BLOB_ENDPOINT": s.blobs, "AZURE_STORAGE_QUEUE_ENDPOINT": s.queues, "AZURE_RESOURCE_MANAGER_ENDPOINT": s.arm, "AZURE_GRAPH_ENDPOINT": s.arm,
		"AZURE_SUBSCRIPTION_ID": "sub", "AZURE_RESOURCE_GROUP": "group",
	}
	return s
}

// connect returns a provider that is configured by the server's environment,
// with some variables replaced ("" unsets).
func (s *server) connect(t testing.TB, replace map[string]string) *azure.Provider {
	t.Helper()
	conn, _, err := azure.Resolve(cty.NilVal, func(name string) string {
		if v, ok := replace[name]; ok {
			return v
		}
		return s.env[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := azure.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// object decodes one block of a stack and completes it.
func object(t testing.TB, p *azure.Provider, kind *spec.Kind, attrs map[string]cty.Value) cty.Value {
	t.Helper()
	parts := map[string]cty.Value{}
	for _, a := range kind.Attrs {
		v, ok := attrs[a.Name]
		switch {
		case ok:
		case a.Computed:
			v = cty.UnknownVal(a.Type)
		case a.Default != cty.NilVal:
			v = a.Default
		default:
			v = cty.NullVal(a.Type)
		}
		if a.Norm != nil && v.IsKnown() && !v.IsNull() {
			v = a.Norm(v)
		}
		parts[a.Name] = v
	}
	v, err := p.Resource(kind.Name).Complete(cty.ObjectVal(parts))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func create(t testing.TB, p *azure.Provider, kind *spec.Kind, attrs map[string]cty.Value) cty.Value {
	t.Helper()
	v := object(t, p, kind, attrs)
	res := p.Resource(kind.Name).Create(t.Context(), []providers.Change{{ID: kind.ID(v), After: v}})
	if res[0].Err != nil {
		t.Fatal(res[0].Err)
	}
	return res[0].State
}

// faulty is a transport that lets a test stand between client and server.
type faulty func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)

func (f faulty) Do(r *http.Request) (*http.Response, error) {
	return f(r, func() (*http.Response, error) { return http.DefaultClient.Do(r) })
}

func answer(r *http.Request, status int, header map[string]string) *http.Response {
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: http.NoBody, Request: r}
}

func wantCode(t testing.TB, err error, code providers.Code, text string) {
	t.Helper()
	if got := providers.CodeOf(err); err == nil || got != code || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %q (%v), want %q with %q", got, err, code, text)
	}
}

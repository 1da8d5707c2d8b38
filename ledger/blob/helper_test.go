package blob

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mkt/ledger"
	"mkt/ledger/ledgertest"
	"mkt/local/storage"
)

const (
	account  = "mktlocal"
	stackKey = "stacks/prices.json"
)

var accountKey = base64.StdEncoding.EncodeToString([]byte("a key of the test account"))

// embedded is a storage account of this process, and its handler.
func embedded(t testing.TB) http.Handler {
	t.Helper()
	s, err := storage.Open(storage.Config{Dir: t.TempDir(), Key: accountKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.BlobHandler()
}

// serve returns a container of an embedded account, reached through a socket.
func serve(t testing.TB) string {
	t.Helper()
	srv := httptest.NewServer(embedded(t))
	t.Cleanup(srv.Close)
	return srv.URL + "/" + account + "/ledgers"
}

// direct is a transport that calls the handler: no socket, so that a test's clock can be a false one.
type direct struct{ h http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := canonical(r)
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	d.h.ServeHTTP(rec, in)
	out := rec.Result()
	out.Request, out.Header = r, canonicalHeader(out.Header)
	return out, nil
}

// canonical spells the headers as a server reads them; the SDK writes them in lower case.
func canonical(r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	out.Header = canonicalHeader(r.Header)
	return out
}

// canonicalHeader spells headers as both ends of a connection read them.
func canonicalHeader(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		out[http.CanonicalHeaderKey(name)] = values
	}
	return out
}

// faulty lets a test stand between client and server.
type faulty func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)

type faultyTransport struct {
	policy.Transporter
	fault faulty
}

func (f faultyTransport) Do(r *http.Request) (*http.Response, error) {
	r = canonical(r)
	return f.fault(r, func() (*http.Response, error) { return f.Transporter.Do(r) })
}

func clientOf(t testing.TB, url, account, key string, transport policy.Transporter) *container.Client {
	t.Helper()
	cred, err := container.NewSharedKeyCredential(account, key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClientWithSharedKeyCredential(url, cred, &container.ClientOptions{
		ClientOptions: policy.ClientOptions{Transport: transport, InsecureAllowCredentialWithHTTP: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// quick returns a store whose waits are short.
func quick(client *container.Client) *Store {
	s := New(client, stackKey)
	s.timing.poll, s.timing.delay = 10*time.Millisecond, time.Millisecond
	return s
}

// world is an embedded account without a socket.
type world struct {
	t testing.TB
	direct
}

func newWorld(t testing.TB) *world { return &world{t, direct{embedded(t)}} }

// open returns a store of the world's ledger; fault may be nil.
func (w *world) open(fault faulty) *Store {
	var transport policy.Transporter = w.direct
	if fault != nil {
		transport = faultyTransport{w.direct, fault}
	}
	return New(clientOf(w.t, "http://127.0.0.1:10000/"+account+"/ledgers", account, accountKey, transport), stackKey)
}

func harness(t *testing.T, client func() *container.Client) ledgertest.Harness {
	name := func(previous bool) string {
		if previous {
			return stackKey + ".prev"
		}
		return stackKey
	}
	return ledgertest.Harness{
		Open: func() ledger.Store { return quick(client()) },
		Read: func(previous bool) []byte {
			o, err := quick(client()).get(t.Context(), name(previous))
			if err != nil {
				t.Fatal(err)
			}
			if o == nil {
				return nil
			}
			return o.text
		},
		Write: func(previous bool, text []byte) {
			if text != nil {
				overwrite(t, client(), name(previous), text)
			} else if _, err := client().NewBlobClient(name(previous)).Delete(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		},
		Restore: func(e *ledger.DamagedError) error {
			if !strings.Contains(e.Error(), "mkt ledger restore") {
				return fmt.Errorf("no command in %q", e.Error())
			}
			_, err := quick(client()).Restore(context.Background())
			return err
		},
	}
}

// overwrite writes a blob as a person does, without conditions.
func overwrite(t testing.TB, client *container.Client, name string, text []byte) {
	t.Helper()
	s := quick(client)
	if _, err := s.upload(t.Context(), s.timing.state, name, "by hand", text, nil); err != nil {
		t.Fatal(err)
	}
}

func mustSave(t testing.TB, s *Store, l *ledger.Ledger) {
	t.Helper()
	if err := s.Save(t.Context(), l); err != nil {
		t.Fatal(err)
	}
}

func mustLoad(t testing.TB, s *Store) *ledger.Ledger {
	t.Helper()
	l, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustLock(t testing.TB, s *Store, operation string) ledger.Lock {
	t.Helper()
	l, err := s.Lock(t.Context(), ledger.Me(operation), 0)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// answer makes an answer of the service.
func answer(r *http.Request, status int, code bloberror.Code, header ...string) *http.Response {
	h := http.Header{"X-Ms-Error-Code": {string(code)}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: http.NoBody, Request: r}
}

// errCut is what the network says, with the whole URL.
var errCut error = &url.Error{Op: "Put", URL: "https://a.blob.core.windows.net/c/k?sv=1&sig=topsecret", Err: syscall.ECONNRESET}
